// What may come next: the likeliest symbols with their chances, each to be picked.
import { button, make } from "../elements.js";
import { percent, visible } from "./words.js";

export class NextSymbols extends HTMLElement {
  begin() {
    this.head = make("h2", {}, "What may come next");
    this.about = make("p", { className: "note" }, "Point at a symbol of the text, or write one first.");
    this.list = make("ol", { className: "next", "aria-label": "The likeliest symbols" });
    this.on = button("Let it go on from here", () => this.dispatchEvent(new CustomEvent("on")), { disabled: true });
    this.append(this.head, this.about, this.list, make("div", { className: "row" }, this.on));
  }

  /** Symbols, and the one that stands there now. */
  show(symbols, now) {
    const held = [...this.list.querySelectorAll("button")].indexOf(document.activeElement);
    this.about.textContent = now === null ? "At the end of the text. Pick one, and the next ones are shown: you write, it advises."
      : `In place of \u201c${visible(now)}\u201d. Pick one: the text goes on from there.`;
    this.list.replaceChildren(...symbols.map((each) => make("li", {}, this.choice(each, now))));
    this.on.disabled = false;
    if (held >= 0) this.list.querySelectorAll("button")[0]?.focus();
  }

  choice(each, now) {
    const out = each.chance === 0, same = each.text === now;
    const words = `${visible(each.text || each.symbol)}, ${percent(each.probability)}${out ? ", not drawn with these settings" : ""}${same ? ", which it wrote" : ""}`;
    const bar = make("meter", { min: 0, max: 1, value: each.probability, "aria-hidden": "true" });
    return make("button", { type: "button", disabled: !each.text, className: `${out ? "out" : ""} ${same ? "same" : ""}`, "aria-label": words, title: words,
      onclick: () => this.dispatchEvent(new CustomEvent("choose", { detail: each })) },
    make("b", {}, visible(each.text || each.symbol)), bar, make("span", {}, percent(each.probability)));
  }
}

customElements.define("next-symbols", NextSymbols);
