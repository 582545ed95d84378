// A text symbol by symbol, each coloured by how likely the model found it; one of them is pointed at.
import { make } from "./elements.js";

const EDGES = [0.5, 1, 2, 3, 4, 6, 8]; // bits at which one colour ends and the next begins, as in report/reading.py
const SIGNS = { "\n": "\u21b5", " ": "\u2423", "\t": "\u21e5" };

/** Which colour a surprise has, 0 to 7. */
export function level(bits) {
  return EDGES.filter((edge) => bits >= edge).length;
}

/** A chance as one reads it. */
export function percent(chance) {
  const value = 100 * chance;
  return `${value >= 10 ? value.toFixed(0) : value >= 0.1 ? value.toFixed(1) : value >= 0.001 ? value.toFixed(3) : "< 0.001"} %`;
}

/** A symbol that can be seen: blanks by their signs. */
export function visible(text) {
  return Array.from(text, (character) => SIGNS[character] ?? character).join("");
}

/** What the colours stand for. */
export function legend() {
  const chances = EDGES.map((bits) => percent(2 ** -bits).replace(" %", ""));
  const words = [`above ${chances[0]} %`, ...chances.slice(1).map((low, i) => `${low} to ${chances[i]} %`), `below ${chances.at(-1)} %`];
  return make("ul", { className: "scale", "aria-label": "Colours, by the chance that the model gave a symbol" },
    ...words.map((each, i) => make("li", { className: `b${i}` }, each)));
}

export class SymbolSheet extends HTMLElement {
  /** ``pointed`` hears the place that is looked at, ``chosen`` the one that is pressed. */
  begin({ label, help, pointed, chosen = () => {} }) {
    Object.assign(this, { pointed, chosen, symbols: [], at: -1 });
    Object.assign(this, { tabIndex: 0, role: "textbox", ariaReadOnly: "true", ariaMultiLine: "true", ariaLabel: label });
    this.setAttribute("aria-describedby", help);
    this.addEventListener("pointerover", ({ target }) => { if (target.place !== undefined) this.point(target.place); });
    this.addEventListener("click", ({ target }) => { if (target.place !== undefined) this.choose(target.place); });
    this.addEventListener("keydown", (event) => this.key(event));
    this.clear();
  }

  /** Nothing but what was given. */
  clear(given = "") {
    Object.assign(this, { symbols: [], at: -1 });
    this.replaceChildren(...(given ? [make("span", { className: "given" }, given)] : []));
  }

  /** Add symbols: { text, bits }; what is a part of a character shows with its last part. */
  add(symbols) {
    const spans = symbols.map((symbol) => {
      const span = make("span", { className: symbol.bits === null ? "given" : `b${level(symbol.bits)}` }, symbol.text);
      if (symbol.text.includes("\n")) span.classList.add("end");
      span.place = this.symbols.push({ ...symbol, span }) - 1;
      return span;
    });
    this.append(...spans);
  }

  /** The text that stands before a place. */
  before(place) {
    return this.symbols.slice(0, place).map((symbol) => symbol.text).join("");
  }

  point(place) {
    this.symbols[this.at]?.span.classList.remove("at");
    this.at = Math.max(0, Math.min(this.symbols.length - 1, place));
    const symbol = this.symbols[this.at];
    if (!symbol) return;
    symbol.span.classList.add("at");
    this.pointed(symbol, this.at);
  }

  choose(place) {
    this.point(place);
    if (this.symbols[this.at]) this.chosen(this.at);
  }

  key(event) {
    const last = this.symbols.length - 1, steps = { ArrowLeft: this.at - 1, ArrowRight: this.at + 1, Home: 0, End: last };
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key in steps) this.point(steps[event.key]);
    else if (event.key === "ArrowUp" || event.key === "ArrowDown") this.point(this.line(event.key === "ArrowUp" ? -1 : 1));
    else if (event.key === "Enter" || event.key === " ") this.choose(this.at);
    else return;
    event.preventDefault();
    this.symbols[this.at]?.span.scrollIntoView({ block: "nearest" });
  }

  /** The place above or below, nearest to where one is. */
  line(way) {
    const here = this.symbols[this.at]?.span;
    if (!here) return 0;
    const far = ({ span }) => way * (span.offsetTop - here.offsetTop) > 2;
    const tops = this.symbols.filter(far).map(({ span }) => span.offsetTop);
    const top = way < 0 ? Math.max(...tops) : Math.min(...tops);
    const aside = ({ span }) => Math.abs(span.offsetLeft - here.offsetLeft);
    const there = this.symbols.filter(({ span }) => tops.length && span.offsetTop === top);
    return there.length ? there.reduce((best, each) => (aside(each) < aside(best) ? each : best)).span.place : this.at;
  }
}

customElements.define("symbol-sheet", SymbolSheet);
