// A text symbol by symbol, each coloured by how likely a model found it; one walks through it by arrow keys, or points at it.
import { make } from "./elements.js";

const EDGES = [0.5, 1, 2, 3, 4, 6, 8]; // bits at which one colour ends and the next begins, as in report/reading.py
const BLANKS = { " ": "space", "\n": "line end", "\t": "tab", "\r": "return" };
const SIGNS = { " ": "\u2423", "\n": "\u21b5", "\t": "\u21e5" };

/** A chance as one reads it. */
export function percent(chance) {
  const share = 100 * chance;
  if (share < 0.01) return "below 0.01 %";
  return `${share.toFixed(share >= 10 ? 0 : share >= 1 ? 1 : 2)} %`;
}

/** A symbol that can be seen: a blank by its name, and those of a longer one by their signs. */
export function visible(text) {
  return BLANKS[text] ?? Array.from(text, (character) => SIGNS[character] ?? character).join("");
}

/** What the colours stand for: the chances that the model gave, or the bits that these are. */
export function legend(inBits = false) {
  const ends = EDGES.map((bits) => (inBits ? String(bits) : percent(2 ** -bits).replace(" %", "")));
  const between = ends.slice(1).map((end, i) => (inBits ? `${ends[i]} to ${end}` : `${end} to ${ends[i]} %`));
  const words = inBits ? [`below ${ends[0]} bits`, ...between, `${ends.at(-1)} or more`] : [`above ${ends[0]} %`, ...between, `below ${ends.at(-1)} %`];
  return make("ul", { className: "scale", "aria-label": "Colours, by what the model gave a symbol" },
    ...words.map((each, i) => make("li", { className: `b${i}` }, each)));
}

export class SymbolSheet extends HTMLElement {
  static made = 0; // symbols on all sheets: each has a name of its own

  /** ``chosen`` hears of a symbol that is pressed; the words ``empty`` stand where there is no text yet. */
  begin({ label, empty, chosen = () => {} }) {
    this.chosen = chosen;
    this.sheet = make("div", { className: "text", tabIndex: 0, "aria-label": label, "data-empty": empty,
      onpointerover: ({ target }) => this.tell(this.symbols[target.place]), onkeydown: (event) => this.key(event),
      onclick: ({ target }) => { if (target.place !== undefined) this.choose(target.place); } });
    this.readout = make("p", { className: "readout", "aria-hidden": "true" }, "\u00a0");
    this.append(this.sheet, this.readout);
    this.clear();
  }

  /** Nothing but what was given. */
  clear(given = "") {
    Object.assign(this, { given, symbols: [], half: 0 });
    this.sheet.replaceChildren(...(given ? [make("span", { className: "given" }, given)] : []));
    this.renew();
  }

  /** Forget all from a symbol on. */
  cut(from = this.symbols.length) {
    for (const { element } of this.symbols.splice(from)) element.remove();
    this.half = 0;
    this.renew();
  }

  /** The text has another end: none of its symbols is pointed at, and a list of symbols is one only if there are some. */
  renew() {
    this.symbols[this.at]?.element.setAttribute("aria-selected", "false");
    this.at = -1;
    this.readout.textContent = "\u00a0";
    this.sheet.setAttribute("role", this.symbols.length ? "listbox" : "note");
    this.sheet.removeAttribute("aria-activedescendant");
  }

  /** Add symbols: { text, bits, chance, picked }; one without a text is a part of the character that the next one ends. */
  add(symbols) {
    if (!this.symbols.length) this.sheet.setAttribute("role", "listbox");
    for (const { text, bits, chance = null, picked = false } of symbols) {
      this.half += bits ?? 0;
      if (!text) continue;
      const symbol = { text, bits: bits === null ? null : this.half, chance, picked, place: this.symbols.length };
      this.half = 0;
      symbol.element = this.element(symbol);
      this.symbols.push(symbol);
      this.sheet.append(symbol.element);
    }
  }

  element(symbol) {
    const { text, bits, picked, place } = symbol, level = EDGES.filter((edge) => bits >= edge).length, words = this.words(symbol);
    const element = make("span", { className: `b${level}`, id: `symbol-${++SymbolSheet.made}`, role: "option", "aria-selected": "false",
      "aria-label": words, title: words }, text);
    element.classList.toggle("end", text.includes("\n"));
    element.classList.toggle("picked", picked);
    return Object.assign(element, { place });
  }

  words({ text, bits, chance, picked }) {
    const drawn = picked ? ", picked by you" : chance === null ? "" : `, drawn at ${percent(chance)}`;
    return `${visible(text)}: ${bits === null ? "not scored" : `${percent(2 ** -bits)}, ${bits.toFixed(2)} bits`}${drawn}`;
  }

  /** The text up to a symbol, or all of it. */
  text(until = this.symbols.length) {
    return this.given + this.symbols.slice(0, until).map(({ text }) => text).join("");
  }

  tell(symbol) {
    if (symbol) this.readout.textContent = this.words(symbol);
  }

  point(place) {
    this.symbols[this.at]?.element.setAttribute("aria-selected", "false");
    this.at = Math.max(0, Math.min(this.symbols.length - 1, place));
    const symbol = this.symbols[this.at];
    symbol.element.setAttribute("aria-selected", "true");
    this.sheet.setAttribute("aria-activedescendant", symbol.element.id);
    this.tell(symbol);
  }

  choose(place) {
    this.point(place);
    this.chosen(this.symbols[place]);
  }

  key(event) {
    const last = this.symbols.length - 1, steps = { ArrowLeft: this.at - 1, ArrowRight: this.at + 1, Home: 0, End: last };
    if (last < 0 || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key in steps) this.point(steps[event.key]);
    else if (event.key === "ArrowUp" || event.key === "ArrowDown") this.point(this.line(event.key === "ArrowUp" ? -1 : 1));
    else if ((event.key === "Enter" || event.key === " ") && this.at >= 0) this.choose(this.at);
    else return;
    event.preventDefault();
    this.symbols[this.at].element.scrollIntoView({ block: "nearest" });
  }

  /** The place above or below, nearest to where one is. */
  line(way) {
    const here = this.symbols[this.at]?.element;
    if (!here) return 0;
    const far = ({ element }) => way * (element.offsetTop - here.offsetTop) > 2;
    const tops = this.symbols.filter(far).map(({ element }) => element.offsetTop);
    const top = way < 0 ? Math.max(...tops) : Math.min(...tops);
    const aside = ({ element }) => Math.abs(element.offsetLeft - here.offsetLeft);
    const there = this.symbols.filter(({ element }) => tops.length && element.offsetTop === top);
    return there.length ? there.reduce((best, each) => (aside(each) < aside(best) ? each : best)).place : this.at;
  }
}

customElements.define("symbol-sheet", SymbolSheet);
