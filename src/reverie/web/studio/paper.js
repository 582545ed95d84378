// A text whose symbols have colours: by how likely a model found them. One walks through it by arrow keys, or points at it.
import { make } from "../elements.js";
import { figure, percent, visible } from "./words.js";

const KEYS = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity };
let count = 0;

/** Which colour a surprise has, by the edges that the server names. */
export function level(bits, edges) {
  return bits === null ? 0 : edges.filter((edge) => bits >= edge).length;
}

/** What each colour means: in bits, or in the chances that they are. */
export function legend(edges, kind) {
  const words = edges.map((edge, i) => {
    if (kind === "bits") return i ? `${edges[i - 1]} to ${edge}` : `below ${edge} bits`;
    return i ? `${percent(2 ** -edges[i - 1]).replace(" %", "")} to ${percent(2 ** -edge)}` : `above ${percent(2 ** -edge)}`;
  });
  const last = kind === "bits" ? `${edges.at(-1)} or more` : "less";
  return make("ul", { className: "shades", "aria-label": "Colours" }, ...[...words, last].map((text, i) =>
    make("li", {}, make("span", { className: `shade shade-${i}`, "aria-hidden": "true" }), text)));
}

export class TextPaper extends HTMLElement {
  begin({ edges, label, empty }) {
    Object.assign(this, { edges, label, empty, cells: [], at: -1, half: 1 });
    this.given = make("span", { className: "given" });
    this.sheet = make("div", { className: "text", "aria-label": label, onclick: (event) => this.point(event), onkeydown: (event) => this.key(event) });
    this.says = make("output", { className: "note says" }, "\u00a0");
    this.append(this.sheet, this.says);
    this.addEventListener("pointerover", (event) => this.tell(event.target.cell));
    this.clear();
  }

  /** An empty sheet, or one with what was given. */
  clear(given = "") {
    this.given.textContent = given;
    Object.assign(this, { cells: [], at: -1, half: 1 });
    this.sheet.replaceChildren(this.given);
    this.renew();
  }

  /** Forget all from a symbol on. */
  cut(from) {
    for (const cell of this.cells.splice(from)) cell.element.remove();
    Object.assign(this, { at: -1, half: 1 });
    this.renew();
  }

  /** Add symbols; one without a text is a part of the character that the next one ends. */
  add(symbols) {
    const fresh = [];
    for (const { text, bits, chance = null, picked = false } of symbols) {
      this.half *= bits === null ? 1 : 2 ** -bits;
      if (!text) continue;
      const cell = { text, bits: bits === null ? null : -Math.log2(this.half), chance, picked, place: this.cells.length };
      this.half = 1;
      cell.element = this.element(cell);
      this.cells.push(cell);
      fresh.push(cell.element);
    }
    this.sheet.append(...fresh);
    this.renew();
  }

  element(cell) {
    const ends = cell.text === "\n" ? " line-end" : "";
    const element = make("span", { className: `cell shade-${level(cell.bits, this.edges)}${ends}${cell.picked ? " picked" : ""}`, id: `cell-${++count}`,
      role: "option", "aria-selected": "false", "aria-label": this.words(cell), title: this.words(cell) }, cell.text);
    element.cell = cell;
    return element;
  }

  words({ text, bits, chance, picked }) {
    const drawn = chance === null || picked ? "" : `, drawn at ${percent(chance)}`;
    const how = bits === null ? "not scored" : `${percent(2 ** -bits)}, ${figure(Math.round(100 * bits) / 100)} bits${drawn}`;
    return `${visible(text)}: ${how}${picked ? ", picked by you" : ""}`;
  }

  /** What comes before a symbol, or all. */
  text(until = this.cells.length) {
    return this.given.textContent + this.cells.slice(0, until).map(({ text }) => text).join("");
  }

  /** A list of symbols is one only if there are some. */
  renew() {
    const list = this.cells.length > 0;
    this.sheet.classList.toggle("bare", !list && !this.given.textContent);
    this.sheet.dataset.empty = this.empty;
    for (const [name, value] of Object.entries({ role: list ? "listbox" : "note", tabindex: "0" })) this.sheet.setAttribute(name, value);
    if (!list) this.sheet.removeAttribute("aria-activedescendant");
  }

  colour(on) {
    this.sheet.classList.toggle("plain", !on);
  }

  point(event) {
    if (event.target.cell) this.go(event.target.cell.place, true);
  }

  key(event) {
    if (!this.cells.length) return;
    if (event.key in KEYS) this.go(event.key === "ArrowLeft" && this.at < 0 ? this.cells.length - 1 : this.at + KEYS[event.key]);
    else if (event.key === "ArrowUp" || event.key === "ArrowDown") this.go(this.beside(event.key === "ArrowUp"));
    else if ((event.key === "Enter" || event.key === " ") && this.at >= 0) this.go(this.at, true);
    else return;
    event.preventDefault();
  }

  /** The symbol above or below. */
  beside(up) {
    const here = this.cells[Math.max(0, this.at)].element.getBoundingClientRect(), middle = (here.left + here.right) / 2;
    const others = up ? this.cells.slice(0, this.at).reverse() : this.cells.slice(this.at + 1);
    let best = null;
    for (const { element, place } of others) {
      const box = element.getBoundingClientRect();
      if (up ? box.bottom > here.top + 4 : box.top < here.bottom - 4) continue;
      const line = Math.round(box.top), far = Math.abs((box.left + box.right) / 2 - middle);
      if (best && Math.abs(line - best.line) > 4) break;
      if (!best || far < best.far) best = { place, far, line };
    }
    return best?.place ?? this.at;
  }

  /** Go to a symbol; and pick it. */
  go(to, pick = false) {
    const at = Math.min(Math.max(to, 0), this.cells.length - 1);
    for (const [place, on] of [[this.at, false], [at, true]]) this.cells[place]?.element.setAttribute("aria-selected", String(on));
    this.at = at;
    const cell = this.cells[at];
    this.sheet.setAttribute("aria-activedescendant", cell.element.id);
    cell.element.scrollIntoView({ block: "nearest" });
    this.tell(cell);
    if (pick) this.dispatchEvent(new CustomEvent("pick", { detail: cell }));
  }

  tell(cell) {
    if (cell) this.says.textContent = this.words(cell);
  }
}

customElements.define("text-paper", TextPaper);
