// What a writing desk asks of a language model. A back end has
//   write(prompt, settings, heard, signal) -> words about the end, if any; ``heard`` gets { prompt, note }, the prompt as it is
//                             read and what of it is unknown; then { symbols } as they come: { text, probability, chance }
//   likely(text, settings)    -> what may follow a text, most probable first: { symbol, text, probability, chance }
//   score(text, heard, signal) -> { symbols, figures, protocol, note }  { text, bits } of each symbol, which ``heard`` gets as they
//                             come, and { name, words, unit } of the whole text
//   beside(text)              -> figures of others beside those, where there are any
// all with promises, so that a server can stand behind the same calls, and ended by ``signal``; ``beginning``, the text that
// stands before an empty prompt; ``most``, the symbols of one writing; and whether the model is ``near``, in the page itself.
import { beginning, promptIn, vocabularyOf } from "./vocabulary.js";
import { drawn, falling, logOdds, softmax } from "./sampling.js";
import { pause } from "./elements.js";
import { chance } from "./mathematics.js";
import { opened } from "./back_end.js";

const SLICE = 8; // milliseconds of reading and writing between two looks at the reader
const FOLLOWERS = 24; // of the symbols that may come next
const KNOWN = 4; // texts that need not be read again
const MOST_SYMBOLS = 20_000; // of a text that is written, or scored

/** The step in this page: a symbol and a state to the logits of the next symbol and the next state. */
export class Speaker {
  static async open(about, file) {
    const { runtime, sessions } = await opened(about, file);
    return new Speaker(about, runtime, sessions.step);
  }

  constructor(about, runtime, session) {
    Object.assign(this, { about, runtime, session, near: true, most: MOST_SYMBOLS, last: Promise.resolve(), until: 0, known: [] });
    this.vocabulary = vocabularyOf(about.vocabulary);
    this.beginning = this.writer(beginning(this.vocabulary)).text;
    this.rest = Object.entries(about.inputs.step).filter(([name]) => name !== "token");
  }

  /** A writer that has written some symbols, and their text. */
  writer(ids) {
    const writer = this.vocabulary.writer();
    return Object.assign(writer, { text: ids.map((id) => writer.add(id)).join("") });
  }

  /** The symbols of a text, as it is read, and what the model says after them; a text that it knows is not read again. */
  async reading(text, signal) {
    return this.remember(this.known.find((each) => each.text === text) ?? { text, ...await this.read(text, signal) });
  }

  remember(reading) {
    this.known = [reading, ...this.known.filter((each) => each !== reading)].slice(0, KNOWN);
    return reading;
  }

  async read(text, signal) {
    const { ids, note } = promptIn(this.vocabulary, text);
    let now = { state: this.fresh() };
    for (const id of ids.length ? ids : beginning(this.vocabulary)) {
      signal?.throwIfAborted();
      now = await this.step(id, now.state);
    }
    return { ids, note, now };
  }

  async write(prompt, settings, heard, signal) {
    const { ids, note, now } = await this.reading(prompt, signal), writer = this.writer(ids), random = chance(settings.seed), written = [...ids];
    let { logits, state } = now, text = writer.text || this.beginning;
    heard({ prompt: writer.text, note });
    for (let left = settings.length; left && !signal.aborted; left--) {
      const odds = softmax(logOdds(this.allowed(logits), settings)), id = drawn(odds, random());
      const piece = writer.add(id) + (left === 1 ? writer.end() : "");
      heard({ symbols: [{ text: piece, symbol: this.vocabulary.symbols[id], probability: softmax(logits)[id], chance: odds[id] }] });
      text += piece;
      written.push(id);
      ({ logits, state } = await this.step(id, state));
    }
    this.remember({ text, ids: written, note: "", now: { logits, state } });
    return "";
  }

  /** Logits under which what is not in the vocabulary is never drawn: it has no text. */
  allowed(logits) {
    const found = Float64Array.from(logits);
    if (this.vocabulary.unknown !== null) found[this.vocabulary.unknown] = -Infinity;
    return found;
  }

  /** The most probable next symbols; those that are a part of a character have no text. */
  async likely(text, settings) {
    const { ids, now: { logits } } = await this.reading(text), chances = softmax(logits), odds = softmax(logOdds(this.allowed(logits), settings));
    const { symbols, unknown } = this.vocabulary;
    return falling(chances).filter((id) => id !== unknown).slice(0, FOLLOWERS).map((id) =>
      ({ symbol: symbols[id], text: this.writer(ids.slice(-1)).add(id), probability: chances[id], chance: odds[id] }));
  }

  async score(text, heard, signal) {
    const all = this.vocabulary.encode(text), ids = all.slice(0, this.most), spelled = this.spelled(text, ids), left = all.length - ids.length;
    if (ids.length < 2) throw new Error("The first symbol is not scored: give a longer text.");
    const symbols = [{ text: spelled[0], bits: null }];
    heard(symbols);
    let now = { state: this.fresh() }, total = 0;
    for (let i = 1; i < ids.length; i++) {
      now = await this.step(ids[i - 1], now.state);
      signal?.throwIfAborted();
      const symbol = { text: spelled[i], bits: -Math.log2(softmax(now.logits)[ids[i]]) };
      total += symbol.bits;
      symbols.push(symbol);
      heard([symbol]);
    }
    const unknown = ids.slice(1).filter((id) => id === this.vocabulary.unknown).length, count = (n) => n.toLocaleString("en");
    const notes = [unknown && `${count(unknown)} symbols are not in the vocabulary, and scored as <unk>.`, left && `${count(left)} symbols more were not read.`];
    return { symbols, figures: figuresOf(total, ids.length - 1, this.scored(text, ids, left)), protocol: `scored ${count(ids.length - 1)} symbols, all but the first`,
      note: notes.filter(Boolean).join(" ") };
  }

  /** The text that the symbols after the first stand for. */
  scored(text, ids, left) {
    const read = left ? this.spelled(text, ids).join("") : text, first = this.writer(ids.slice(0, 1)).text;
    return read.startsWith(first) ? read.slice(first.length) : read;
  }

  /** What each symbol of a text stands for; a character of several symbols stands at its last. */
  spelled(text, ids) {
    if (this.about.vocabulary.kind === "characters") return Array.from(text).slice(0, ids.length);
    const writer = this.vocabulary.writer(), parts = ids.map((id) => writer.add(id));
    if (parts.length) parts[parts.length - 1] += writer.end();
    return parts;
  }

  fresh() {
    return this.rest.map(([, shape]) => new this.runtime.Tensor("float32", new Float32Array(shape.reduce((a, b) => a * b, 1)), shape));
  }

  /** One after the other: a session computes one thing at a time, and looks at the reader in between. */
  step(id, state) {
    const feeds = { token: new this.runtime.Tensor("int64", BigInt64Array.of(BigInt(id)), [1]) };
    this.rest.forEach(([name], i) => { feeds[name] = state[i]; });
    this.last = this.last.catch(() => {}).then(async () => {
      if (performance.now() > this.until) {
        await pause();
        this.until = performance.now() + SLICE;
      }
      const found = await this.session.run(feeds);
      return { logits: found.logits.data, state: this.rest.map((_, i) => found[`next_${i}`]) };
    });
    return this.last;
  }
}

/** What a text costs, in the units of text/measures.py. */
function figuresOf(bits, symbols, text) {
  const nats = (bits * Math.LN2) / symbols;
  const found = [["nats_per_symbol", nats, "nats per symbol"], ["bits_per_character", bits / Array.from(text).length, "bits per character"],
    ["bits_per_byte", bits / new TextEncoder().encode(text).length, "bits per byte of UTF-8"], ["perplexity", Math.exp(nats), "choices per symbol"]];
  return found.map(([name, value, unit]) => ({ name, value, unit, words: value >= 1000 ? Math.round(value).toLocaleString("en") : String(Number(value.toPrecision(4))) }));
}
