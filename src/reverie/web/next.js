// What may come next: the likeliest symbols with their chances, each to be picked.
import { button, make } from "./elements.js";
import { percent, visible } from "./symbols.js";

export class NextSymbols extends HTMLElement {
  /** ``picked`` hears of a symbol that is picked, or of none where one shall be drawn. */
  begin({ picked }) {
    this.picked = picked;
    this.where = make("p", { className: "note", role: "status" }, "\u00a0");
    this.list = make("ol", { className: "next", "aria-label": "The likeliest symbols" });
    this.on = button("Go on from here", () => picked(null), { disabled: true });
    this.append(make("h2", {}, "What may come next"), this.where, this.list, make("div", { className: "row" }, this.on));
  }

  /** Symbols, and the one that stands there now. */
  show(symbols, now) {
    const held = this.list.contains(document.activeElement);
    this.where.textContent = now === null ? "At the end of the text. Pick one, or let the model go on."
      : `In place of \u201c${visible(now)}\u201d. Pick one: the text goes on from there.`;
    this.list.replaceChildren(...symbols.map((each) => make("li", {}, this.choice(each, now))));
    this.on.disabled = false;
    if (held) this.list.querySelector("button:enabled")?.focus();
  }

  choice(each, now) {
    const out = each.chance === 0, same = each.text === now, symbol = visible(each.text || each.symbol), chance = percent(each.probability);
    const words = `${symbol}, ${chance}${out ? ", not drawn with these settings" : ""}${same ? ", which it wrote" : ""}`;
    const choice = make("button", { type: "button", disabled: !each.text, "aria-label": words, title: words, onclick: () => this.picked(each) },
      make("b", {}, symbol), make("meter", { value: each.probability, "aria-hidden": "true" }), make("span", {}, chance));
    choice.classList.toggle("out", out);
    choice.classList.toggle("same", same);
    return choice;
  }
}

customElements.define("next-symbols", NextSymbols);
