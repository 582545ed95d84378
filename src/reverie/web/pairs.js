// Byte pairs: a vocabulary of frequent runs of bytes, as the package tokenizers writes it (Sennrich et al. 2016, 1508.07909).

// What is merged on its own: endings, words, numbers and signs with the blank before them, and blanks (Radford et al. 2019).
const PARTS = new RegExp("'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\p{White_Space}\\p{L}\\p{N}]+"
  + "|\\p{White_Space}+(?!\\P{White_Space})|\\p{White_Space}+", "gu");

/** The letter that stands for each byte: itself where it can be seen, else one from 256 on. */
const LETTERS = (() => {
  const seen = (byte) => (byte > 32 && byte < 127) || (byte > 160 && byte !== 173);
  let next = 256;
  return Array.from({ length: 256 }, (_, byte) => String.fromCharCode(seen(byte) ? byte : next++));
})();
const BYTE_OF = new Map(LETTERS.map((letter, byte) => [letter, byte]));

export class BytePairs {
  constructor({ model }) {
    const { vocab, merges } = JSON.parse(model).model;
    Object.assign(this, { unknown: null, numbers: new Map(Object.entries(vocab)), runs: [] });
    for (const [token, id] of this.numbers) this.runs[id] = Uint8Array.from(token, (letter) => BYTE_OF.get(letter));
    this.ranks = new Map(merges.map((pair, rank) => [Array.isArray(pair) ? pair.join(" ") : pair, rank]));
    this.symbols = this.runs.map((run) => new TextDecoder("utf-8", { ignoreBOM: true }).decode(run));
  }

  encode(text) {
    return (text.match(PARTS) ?? []).flatMap((part) => this.merged(part).map((token) => this.numbers.get(token)));
  }

  /** The bytes of a part, with the pair that was learnt first joined, again and again; the first of equals goes first. */
  merged(part) {
    const tokens = Array.from(new TextEncoder().encode(part), (byte) => LETTERS[byte]);
    while (tokens.length > 1) {
      const ranks = tokens.slice(1).map((token, i) => this.ranks.get(`${tokens[i]} ${token}`) ?? Infinity);
      const best = ranks.reduce((least, rank, i) => (rank < ranks[least] ? i : least), 0);
      if (ranks[best] === Infinity) break;
      tokens.splice(best, 2, tokens[best] + tokens[best + 1]);
    }
    return tokens;
  }

  /** Runs of bytes into text as they come: nothing till a character is whole. */
  writer() {
    const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
    return { add: (id) => decoder.decode(this.runs[id], { stream: true }), end: () => decoder.decode() };
  }
}
