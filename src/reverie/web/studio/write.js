// Writing with a language model: it goes on with a text, shows how sure it was, and can be led elsewhere at any symbol.
import { button, choice, labelled, make } from "../elements.js";
import { ask, listen, path, send } from "./ask.js";
import { legend } from "./paper.js";
import { figure, keep, telling } from "./words.js";
import "./next.js";
import "./settings.js";
import "./surprise.js";

export class WritePage extends HTMLElement {
  async begin(name) {
    document.title = "Write · Reverie";
    const { runs } = await ask("/api/runs"), texts = runs.filter((run) => run.kind === "text").map((run) => run.name);
    if (!name && !texts.length) return this.empty();
    this.about = await ask(path("api", "texts", name || texts[0]));
    this.address = path("api", "texts", this.about.name);
    document.title = `Write with ${this.about.name} · Reverie`;
    this.append(this.head(texts), make("div", { className: "writing" }, this.left(), this.right()), this.below());
    this.after(null);
  }

  empty() {
    this.append(make("h1", {}, "Write"), make("p", { className: "lead" }, "There is no language model in this folder yet."),
      make("p", {}, make("a", { className: "button main", href: "/train?recipe=text-char" }, "Train one")));
  }

  head(texts) {
    const { about } = this, load = make("select", { onchange: () => { location.href = path("write", load.value); } },
      ...texts.map((each) => make("option", { value: each, selected: each === about.name }, each)));
    const words = `A ${about.recipe} model of ${about.data} with ${figure(about.vocabulary)} ${about.symbols === "bpe" ? "byte pairs" : about.symbols}.`;
    return make("div", { className: "title" }, make("div", {}, make("h1", {}, about.name), make("p", { className: "lead" }, words)),
      make("div", { className: "row" }, labelled("Model", load), make("a", { className: "button", href: path("runs", about.name) }, "Its run")));
  }

  left() {
    this.prompt = make("textarea", { rows: 2, maxLength: this.about.read, spellcheck: false, placeholder: "Nothing: it begins on a new line." });
    this.paper = make("text-paper");
    this.paper.begin({ edges: this.about.edges, label: "What it wrote", empty: "Its text comes here." });
    this.paper.addEventListener("pick", ({ detail }) => this.after(detail));
    this.start = button("Write", () => this.afresh(), { className: "main" });
    this.halt = button("Stop", () => this.stop(), { disabled: true });
    this.save = button("Save text", () => keep(this.paper.text(), `${this.about.name}.txt`), { disabled: true });
    this.telling = telling();
    this.shades = legend(this.about.edges, "chance");
    const colours = choice("Colours", [[true, "Colours by probability"], [false, "Plain"]], true, (on) => {
      this.paper.colour(on);
      this.shades.hidden = !on;
    });
    return make("section", { className: "page-of-text" }, make("label", { className: "above" }, "Begin with", this.prompt),
      make("div", { className: "row" }, this.start, this.halt, this.save, colours), this.shades, this.telling, this.paper);
  }

  right() {
    this.settings = make("writing-settings");
    this.settings.begin();
    this.settings.inputs.length.max = this.about.most;
    this.next = make("next-symbols");
    this.next.begin();
    this.next.addEventListener("choose", ({ detail }) => this.choose(detail));
    this.next.addEventListener("on", () => this.goOn());
    return make("aside", { "aria-label": "Settings and next symbols" }, this.next, make("section", {}, make("h2", {}, "How it chooses"), this.settings));
  }

  below() {
    const map = make("surprise-map");
    map.begin(this.about, this.address, () => this.paper.text());
    return map;
  }

  // Writing

  afresh() {
    return this.write(this.prompt.value, ({ prompt }) => this.paper.clear(prompt));
  }

  /** From the symbol that was picked, or from the end. */
  goOn() {
    if (this.picked) this.paper.cut(this.picked.place);
    this.settings.sow();
    return this.write(this.before(), () => {});
  }

  /** The text that the model has read: of an empty prompt it is the end of a line. */
  before(until) {
    return (this.paper.given.textContent ? "" : this.about.beginning) + this.paper.text(until);
  }

  async write(prompt, begun) {
    this.stop();
    const ending = new AbortController();
    this.ending = ending;
    this.busy(true);
    this.telling.say("It reads what is before.");
    try {
      await listen(`${this.address}/write`, { prompt, ...this.settings.values }, (line) => !ending.signal.aborted && this.hear(line, begun), ending.signal);
    } catch (error) {
      if (!ending.signal.aborted) this.telling.say(error.message, true);
    }
    if (this.ending !== ending) return;
    this.busy(false);
    await this.after(null);
    this.dispatchEvent(new CustomEvent("written", { bubbles: true, detail: { text: this.paper.text() } }));
  }

  hear(line, begun) {
    if ("prompt" in line) {
      begun(line);
      this.note = line.note;
    }
    if (line.symbols) this.paper.add(line.symbols.map(([text, p, chance]) => ({ text, bits: p > 0 ? -Math.log2(p) : Infinity, chance })));
    const bits = this.paper.cells.map((cell) => cell.bits), mean = bits.reduce((sum, b) => sum + b, 0) / (bits.length || 1);
    const words = bits.length ? `${figure(bits.length)} symbols; the model itself gave them ${figure(mean)} bits each.` : "It reads what is before.";
    this.telling.say([words, this.note && `Of the prompt, ${this.note}`, line.end].filter(Boolean).join("\n"));
    if (line.error) this.telling.say(line.error, true);
  }

  stop() {
    this.ending?.abort();
    this.busy(false);
  }

  busy(on) {
    const held = document.activeElement === (on ? this.start : this.halt);
    this.start.disabled = on;
    this.halt.disabled = !on;
    this.save.disabled = on || !this.paper.text();
    if (held) (on ? this.halt : this.start).focus();
  }

  // Branching

  /** Ask what may come in place of a symbol, or at the end. */
  async after(picked) {
    this.picked = picked;
    try {
      const { temperature, top_k, top_p, min_p } = this.settings.values;
      const found = await send(`${this.address}/next`, { text: this.before(picked?.place), temperature, top_k, top_p, min_p });
      if (this.picked === picked) this.next.show(found.next, picked?.text ?? null);
      this.dispatchEvent(new CustomEvent("next", { bubbles: true }));
    } catch (error) {
      this.telling.say(error.message, true);
    }
  }

  /** The symbol that a person wants; then the next ones. */
  choose({ text, probability }) {
    this.stop();
    if (this.picked) this.paper.cut(this.picked.place);
    this.paper.add([{ text, bits: -Math.log2(probability), picked: true }]);
    this.save.disabled = false;
    return this.after(null);
  }
}
