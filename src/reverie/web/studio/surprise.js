// A text of one's own, coloured by how much each of its symbols surprises the model; beside what counting makes of it.
import { button, make } from "../elements.js";
import { send } from "./ask.js";
import { legend } from "./paper.js";
import { telling } from "./words.js";

export class SurpriseMap extends HTMLElement {
  /** ``written`` gives what the model wrote. */
  begin(about, address, written) {
    Object.assign(this, { about, address });
    this.input = make("textarea", { rows: 4, maxLength: about.read, spellcheck: false, placeholder: "Paste a text here." });
    this.paper = make("text-paper");
    this.paper.begin({ edges: about.edges, label: "The text by its surprise", empty: "The colours come here." });
    this.telling = telling();
    this.figures = make("div");
    this.more = button("Set beside counting and xz", () => this.beside(), { disabled: true });
    this.append(make("h2", {}, "How a text surprises it"),
      make("p", { className: "note" }, "Bits that each symbol costs, given all before it: 1 bit is a coin, 0 is certain. ",
        make("code", {}, "reverie score"), " writes the same into a page."),
      make("label", { className: "above" }, "A text", this.input),
      make("div", { className: "row" }, button("Colour it", () => this.score()), button("Take what it wrote", () => { this.input.value = written(); }), this.more),
      this.telling, legend(about.edges, "bits"), this.paper, this.figures);
  }

  async score() {
    await this.asking("It reads the text.", async () => {
      const found = await send(`${this.address}/surprise`, { text: this.input.value });
      this.paper.clear();
      this.paper.add(found.cells.map(([text, bits]) => ({ text, bits })));
      this.scored = this.input.value;
      this.rows = found.figures;
      this.protocol = found.protocol;
      this.more.disabled = false;
      this.table();
      this.dispatchEvent(new CustomEvent("surprise", { bubbles: true }));
    });
  }

  async beside() {
    await this.asking("It counts the text that it was trained on, and compresses it.", async () => {
      const found = await send(`${this.address}/beside`, { text: this.scored });
      this.rows = [...this.rows, ...found.figures];
      this.more.disabled = true;
      this.table();
    });
  }

  async asking(words, work) {
    this.telling.say(words);
    try {
      await work();
      this.telling.say("");
    } catch (error) {
      this.telling.say(error.message, true);
    }
  }

  table() {
    const rows = this.rows.map((each) => make("tr", {}, make("th", { scope: "row" }, each.name.replaceAll("_", " ")),
      make("td", { className: "number" }, each.words), make("td", {}, each.unit), make("td", { className: "note" }, each.remark ?? "")));
    const head = ["Figure", "Value", "Unit", "Protocol"].map((words) => make("th", { scope: "col" }, words));
    this.figures.replaceChildren(make("div", { className: "scroll", tabIndex: 0, role: "region", "aria-label": "Figures of the text" },
      make("table", {}, make("thead", {}, make("tr", {}, ...head)), make("tbody", {}, ...rows))), make("p", { className: "note" }, `Of the model: ${this.protocol}.`));
  }
}

customElements.define("surprise-map", SurpriseMap);
