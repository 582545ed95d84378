// A text of one's own, coloured by how much each of its symbols surprises the model, with its figures.
import { button, labelled, Latest, make, telling } from "./elements.js";
import { legend } from "./symbols.js";

const PAUSE = 300; // milliseconds that the keys rest before a text is scored

export class SurprisePanel extends HTMLElement {
  /** ``written`` gives the text that the model wrote. */
  begin(backEnd, written) {
    Object.assign(this, { backEnd, rows: [], ending: new AbortController(), scoring: new Latest((text) => this.score(text)) });
    this.area = make("textarea", { rows: 4, spellcheck: false, placeholder: "Paste a text", oninput: () => {
      clearTimeout(this.resting);
      this.resting = setTimeout(() => this.ask(), PAUSE);
    } });
    const take = button("Take what was written", () => {
      this.area.value = written();
      this.ask();
    });
    this.more = button("Set beside counting and xz", () => this.beside(), { disabled: true });
    this.telling = telling();
    this.sheet = make("symbol-sheet");
    this.sheet.begin({ label: "The text by its surprise", empty: "" });
    this.figures = make("div");
    this.result = make("div", { hidden: true }, this.sheet, legend(true), this.figures);
    this.append(make("h2", {}, "How a text surprises the model"), make("p", { className: "note" },
      "Bits that each symbol costs, given all before it: 1 bit is a coin, 0 is certain. ", make("code", {}, "reverie score"), " writes the same into a page."),
    labelled("A text of your own", this.area, "stacked"), make("div", { className: "row" }, take, backEnd.beside ? this.more : ""), this.telling, this.result);
  }

  ask() {
    this.ending.abort();
    return this.scoring.ask(this.area.value);
  }

  async score(text) {
    const { signal } = (this.ending = new AbortController());
    this.sheet.clear();
    this.figures.replaceChildren();
    this.result.hidden = !text;
    this.more.disabled = true;
    if (!text) return this.telling.say("");
    await this.asking("It reads the text \u2026", signal, async () => {
      const heard = (symbols) => { if (!signal.aborted) this.sheet.add(symbols); };
      const { symbols, figures, protocol, note = "" } = await this.backEnd.score(text, heard, signal);
      if (signal.aborted) return "";
      Object.assign(this, { scored: text, rows: figures, protocol });
      this.more.disabled = false;
      this.table();
      this.dispatchEvent(new CustomEvent("scored", { bubbles: true, detail: { symbols, figures } }));
      return note;
    });
  }

  beside() {
    const { signal } = this.ending, text = this.scored;
    this.more.disabled = true;
    return this.asking("It counts the text that it was trained on, and compresses it \u2026", signal, async () => {
      const found = await this.backEnd.beside(text);
      if (signal.aborted) return "";
      this.rows = [...this.rows, ...found];
      this.table();
      return "";
    });
  }

  /** Work with a word meanwhile and one at its end; what is asked later has the last word. */
  async asking(words, signal, work) {
    this.telling.say(words);
    try {
      const said = await work();
      if (!signal.aborted) this.telling.say(said);
    } catch (error) {
      if (!signal.aborted) this.telling.say(error.message, true);
    }
  }

  table() {
    const remarked = this.rows.some(({ remark }) => remark), column = (words, className = "") => make("th", { scope: "col", className }, words);
    const head = [column("Figure"), column("Value", "number"), column("Unit"), remarked ? column("Protocol") : ""];
    const rows = this.rows.map(({ name, words, unit, remark = "" }) => make("tr", {}, make("th", { scope: "row" }, name.replaceAll("_", " ")),
      make("td", { className: "number" }, words), make("td", {}, unit), remarked ? make("td", { className: "note" }, remark) : ""));
    this.figures.replaceChildren(make("div", { className: "scroll", tabIndex: 0, role: "region", "aria-label": "Figures of the text" },
      make("table", {}, make("thead", {}, make("tr", {}, ...head)), make("tbody", {}, ...rows))), make("p", { className: "note" }, `Of the model: ${this.protocol}.`));
  }
}

customElements.define("surprise-panel", SurprisePanel);
