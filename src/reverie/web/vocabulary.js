// A vocabulary: from text to numbers and back, and what a prompt becomes, as on the command line.
import { BytePairs } from "./pairs.js";

const UNKNOWN = "<unk>", LINE_END = "<eos>", REPLACEMENT = "\ufffd";
const SPACES = /[\s\x1c-\x1f\x85]+/u; // where Python splits
const PLAIN = { "\u2018": "'", "\u2019": "'", "\u201a": "'", "\u201c": "\"", "\u201d": "\"", "\u201e": "\"", "\u2013": "-",
  "\u2014": "--", "\t": " ", "\r": "\n" };
const TOLD = 8; // changes that a note lists

/** One number for each code point; number 0 is what is not known. */
class Characters {
  constructor({ characters }) {
    this.symbols = [UNKNOWN, ...characters.map((point) => String.fromCodePoint(point))];
    Object.assign(this, { unknown: 0, between: "", numbers: new Map(this.symbols.map((symbol, i) => [symbol, i])) });
  }

  encode(text) {
    return Array.from(text, (character) => this.numbers.get(character) ?? 0);
  }

  pieces(text) {
    return Array.from(text);
  }

  near(character) {
    const parts = Array.from(character.normalize("NFKD")).filter((each) => !combines(each)).join("");
    const cases = [character, parts].flatMap((each) => [each.toLowerCase(), each.toUpperCase()]);
    return [PLAIN[character] ?? "", parts, ...cases].find((form) => form && Array.from(form).every((c) => this.numbers.has(c)));
  }

  writer() {
    return { add: (id) => (id ? this.symbols[id] : REPLACEMENT), end: () => "" };
  }
}

/** One number for each byte of UTF-8. */
class Bytes {
  constructor() {
    this.symbols = Array.from({ length: 256 }, (_, i) =>
      (i >= 32 && i < 127 ? String.fromCharCode(i) : `0x${i.toString(16).padStart(2, "0")}`));
    this.unknown = null;
  }

  encode(text) {
    return Array.from(new TextEncoder().encode(text));
  }

  /** Bytes into text as they come: nothing till a character is whole. */
  writer() {
    const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
    return { add: (id) => decoder.decode(Uint8Array.of(id), { stream: true }), end: () => decoder.decode() };
  }
}

/** One number for each word between spaces, and one for the end of a line. */
class Words {
  constructor({ words }) {
    Object.assign(this, { symbols: words, between: " ", numbers: new Map(words.map((word, i) => [word, i])) });
    this.unknown = this.numbers.get(UNKNOWN);
  }

  encode(text) {
    const end = this.numbers.get(LINE_END);
    const lines = text.split("\n").map((line) => split(line).map((word) => this.numbers.get(word) ?? this.unknown));
    return lines.flatMap((ids, i) => (i ? [end, ...ids] : ids));
  }

  pieces(text) {
    return split(text.replaceAll("\n", ` ${LINE_END} `));
  }

  near(word) {
    const [first, ...rest] = Array.from(word);
    const forms = [word.toLowerCase(), first.toUpperCase() + rest.join("").toLowerCase(), word.toUpperCase()];
    return forms.find((form) => this.numbers.has(form));
  }

  /** Words with one space between them, and none beside the end of a line. */
  writer() {
    let before = LINE_END;
    const add = (id) => {
      const word = this.symbols[id], space = before === LINE_END || word === LINE_END ? "" : " ";
      before = word;
      return word === LINE_END ? "\n" : space + word;
    };
    return { add, end: () => "" };
  }
}

const KINDS = { characters: Characters, bytes: Bytes, words: Words, bpe: BytePairs };

/** The vocabulary that is stored in a page. */
export function vocabularyOf(stored) {
  return new KINDS[stored.kind](stored);
}

function split(text) {
  return text.split(SPACES).filter(Boolean);
}

/** Whether a character joins the one before it: only then does the order of marks say where it belongs. */
function combines(character) {
  return [`\u0301${character}`, `${character}\u0334`].some((pair) => pair.normalize("NFD") !== pair);
}

/** The numbers of a prompt, and a word about what is not known ('' if all is): the nearest that is known is taken. */
export function promptIn(vocabulary, text) {
  if (!vocabulary.near) return { ids: vocabulary.encode(text), note: "" };
  const changes = new Map();
  for (const piece of new Set(vocabulary.pieces(text))) {
    if (!vocabulary.numbers.has(piece)) changes.set(piece, vocabulary.near(piece) ?? "");
  }
  const taken = vocabulary.pieces(text).map((piece) => (changes.has(piece) ? changes.get(piece) || "\0" : piece));
  return { ids: vocabulary.encode(taken.join(vocabulary.between)), note: noteOf([...changes]) };
}

function noteOf(changes) {
  if (!changes.length) return "";
  const listed = (side) => changes.slice(0, TOLD).map((pair) => (pair[side] ? `"${pair[side]}"` : UNKNOWN)).join(", ");
  const more = changes.length > TOLD ? ` and ${changes.length - TOLD} more` : "";
  return `The model does not know ${listed(0)}${more}; taken instead: ${listed(1)}.`;
}

/** What a text goes on from where there is no prompt: the end of a line, or else the first symbol that has a text. */
export function beginning(vocabulary) {
  const ends = vocabulary.encode("\n");
  return ends.length && !ends.includes(vocabulary.unknown) ? ends : [vocabulary.unknown === 0 ? 1 : 0];
}
