// A text of one's own, coloured by how much each symbol surprises the model.
import { button, labelled, Latest, make } from "./elements.js";
import { legend, percent, visible } from "./symbols.js";

const PAUSE = 300; // milliseconds that the keys rest before a text is scored

export class SurprisePanel extends HTMLElement {
  /** ``written`` gives the text that the model wrote. */
  begin(backEnd, written) {
    Object.assign(this, { backEnd, wanted: "" });
    this.area = make("textarea", { rows: 4, spellcheck: false, placeholder: "Paste a text", oninput: () => {
      clearTimeout(this.resting);
      this.resting = setTimeout(() => this.ask(), PAUSE);
    } });
    const take = button("Take what was written", () => {
      this.area.value = written();
      this.ask();
    });
    this.words = make("p", { className: "note", role: "status" }, "\u00a0");
    this.readout = make("p", { className: "readout", "aria-live": "polite" }, "\u00a0");
    this.sheet = make("symbol-sheet");
    this.result = make("div", { hidden: true }, this.sheet, this.readout, legend(),
      make("p", { id: "surprise-help", className: "note" }, "Point at a symbol, or walk with the arrow keys, to read its bits."));
    this.append(make("h2", {}, "How a text surprises the model"), labelled("A text of your own", this.area, "stacked"),
      make("div", { className: "row" }, take), this.words, this.result);
    this.sheet.begin({ label: "The text by its surprise", help: "surprise-help", pointed: (symbol) => this.tell(symbol) });
    this.scoring = new Latest((text) => this.score(text));
  }

  ask() {
    this.wanted = this.area.value;
    return this.scoring.ask(this.wanted);
  }

  tell({ text, bits }) {
    const cost = bits === null ? "the first one, which is not scored" : `${bits.toFixed(2)} bits, ${percent(2 ** -bits)}`;
    this.readout.textContent = `\u201c${visible(text)}\u201d: ${cost}.`;
  }

  async score(text) {
    this.sheet.clear();
    this.result.hidden = !text;
    this.words.textContent = text ? "Reading \u2026" : "\u00a0";
    if (!text) return;
    try {
      const found = await this.backEnd.score(text, (symbols) => {
        this.sheet.add(symbols);
        return this.wanted === text;
      });
      if (found) this.sum(found);
    } catch (error) {
      this.words.textContent = error.message;
    }
  }

  /** What the whole text costs: every symbol but the first. */
  sum({ symbols, characters, unknown, left }) {
    const scored = symbols.slice(1), bits = scored.reduce((total, symbol) => total + symbol.bits, 0);
    if (!scored.length) return void (this.words.textContent = "The first symbol is not scored: give a longer text.");
    const more = [
      unknown ? `${unknown.toLocaleString("en")} symbols are not in the vocabulary, and scored as <unk>` : "",
      left ? `${left.toLocaleString("en")} symbols more were not read` : "",
    ].filter(Boolean).map((each) => ` ${each}.`).join("");
    this.words.textContent = `${(bits / characters).toFixed(3)} bits per character, over ${scored.length.toLocaleString("en")} symbols.${more}`;
    this.dispatchEvent(new CustomEvent("scored", { bubbles: true, detail: { bits, characters, symbols } }));
  }
}

customElements.define("surprise-panel", SurprisePanel);
