// What a writing desk asks of a language model. A back end has
//   start(prompt)        -> { prompt, note, likely }  the prompt as it is read, what of it is unknown, what may follow
//   next(settings, most) -> pieces                    the next few symbols, [] at the end: { text, probability, chance }
//   score(text, heard)   -> { symbols, characters, unknown, left }  { text, bits } of each symbol; ``heard`` gets them as they
//                           come, and ends it by answering false; how many characters were scored, how many symbols not
// all with promises, so that a server can stand behind the same calls.
import { beginning, promptIn, vocabularyOf } from "./vocabulary.js";
import { drawn, falling, logOdds, softmax } from "./sampling.js";
import { pause } from "./elements.js";
import { chance } from "./mathematics.js";
import { opened } from "./back_end.js";

const SLICE = 8; // milliseconds of writing between two looks at the reader
const FOLLOWERS = 12; // of the symbols that may come next
const LONGEST_SCORE = 20_000; // symbols of a text that is scored

/** The step in this page: a symbol and a state to the logits of the next symbol and the next state. */
export class Speaker {
  static async open(about, file) {
    const { runtime, sessions } = await opened(about, file);
    return new Speaker(about, runtime, sessions.step);
  }

  constructor(about, runtime, session) {
    Object.assign(this, { about, runtime, session, last: Promise.resolve(), read: {} });
    this.vocabulary = vocabularyOf(about.vocabulary);
    this.rest = Object.entries(about.inputs.step).filter(([name]) => name !== "token");
  }

  async start(prompt) {
    if (this.read.text !== prompt) {
      const { ids, note } = promptIn(this.vocabulary, prompt), writer = this.vocabulary.writer();
      const text = ids.map((id) => writer.add(id)).join("");
      this.read = { text: prompt, shown: ids.length ? text : "", note, ids, after: await this.through(ids.length ? ids : beginning(this.vocabulary)) };
    }
    const { shown, note, ids, after } = this.read, writer = this.vocabulary.writer();
    for (const id of ids) writer.add(id);
    this.now = { ...after, writer, random: null };
    return { prompt: shown, note, likely: this.likely(after.logits) };
  }

  /** The step after each of some symbols, from the beginning; the last one's. */
  async through(ids) {
    let after = { state: this.fresh() };
    for (const id of ids) after = await this.step(id, after.state);
    return after;
  }

  async next(settings, most) {
    const found = [], until = performance.now() + SLICE;
    this.now.random ??= chance(settings.seed);
    while (found.length < most && (performance.now() < until || !found.length)) {
      const { logits, state, writer, random } = this.now;
      const odds = softmax(logOdds(this.known(logits), settings)), id = drawn(odds, random());
      const text = writer.add(id) + (found.length + 1 === most ? writer.end() : "");
      found.push({ text, symbol: this.vocabulary.symbols[id], probability: softmax(logits)[id], chance: odds[id] });
      Object.assign(this.now, await this.step(id, state));
    }
    return found;
  }

  /** Logits under which what is not in the vocabulary is never drawn: it has no text. */
  known(logits) {
    const found = Float64Array.from(logits);
    if (this.vocabulary.unknown !== null) found[this.vocabulary.unknown] = -Infinity;
    return found;
  }

  /** The most probable next symbols; those that are a part of a character have no text. */
  likely(logits) {
    const chances = softmax(logits), { symbols, unknown } = this.vocabulary;
    return falling(chances).filter((id) => id !== unknown).slice(0, FOLLOWERS).map((id) => {
      const writer = this.vocabulary.writer();
      for (const before of this.read.ids.slice(-1)) writer.add(before);
      return { symbol: symbols[id], text: writer.add(id), probability: chances[id] };
    });
  }

  async score(text, heard = () => {}) {
    const all = this.vocabulary.encode(text), ids = all.slice(0, LONGEST_SCORE), symbols = [];
    const spelled = this.spelled(text, ids);
    let after = { state: this.fresh() }, until = performance.now() + SLICE, sent = 0;
    for (const [i, id] of ids.entries()) {
      symbols.push({ text: spelled[i], bits: i ? -Math.log2(softmax(after.logits)[id]) : null });
      if (i + 1 < ids.length) after = await this.step(id, after.state);
      if (performance.now() < until) continue;
      if (heard(symbols.slice(sent)) === false) return null;
      sent = symbols.length;
      await pause();
      until = performance.now() + SLICE;
    }
    heard(symbols.slice(sent));
    const unknown = ids.slice(1).filter((id) => id === this.vocabulary.unknown).length, left = all.length - ids.length;
    return { symbols, characters: this.scored(text, ids, left), unknown, left };
  }

  /** The characters that the symbols after the first stand for. */
  scored(text, ids, left) {
    const read = left ? this.spelled(text, ids).join("") : text, first = ids.length ? this.vocabulary.writer().add(ids[0]) : "";
    return Array.from(read).length - (read.startsWith(first) ? Array.from(first).length : 0);
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

  /** One after the other: a session computes one thing at a time. */
  step(id, state) {
    const feeds = { token: new this.runtime.Tensor("int64", BigInt64Array.of(BigInt(id)), [1]) };
    this.rest.forEach(([name], i) => { feeds[name] = state[i]; });
    this.last = this.last.catch(() => {}).then(async () => {
      const found = await this.session.run(feeds);
      return { logits: found.logits.data, state: this.rest.map((_, i) => found[`next_${i}`]) };
    });
    return this.last;
  }
}
