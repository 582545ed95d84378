// Writing with a language model: a prompt, how symbols are chosen, the text as it comes, and ways to branch from it.
import { button, labelled, Latest, make, pause } from "./elements.js";
import { offer } from "./pixels.js";
import { legend, percent, visible } from "./symbols.js";
import "./surprise.js";

const PATIENCE = 200; // milliseconds that the pen rests in a prompt before the text is written anew
const KEPT_PROMPT = 2000; // characters of a prompt that an address has room for
const DIALS = {
  temperature: { words: "Temperature", value: 0.75, min: 0, max: 2, step: 0.05 },
  topP: { words: "Top-p", value: 1, min: 0.05, max: 1, step: 0.05 },
  minP: { words: "Min-p", value: 0, min: 0, max: 1, step: 0.01 },
};
const NUMBERS = {
  topK: { words: "Top-k (0: all)", value: 0, min: 0, max: 999 },
  length: { words: "Length", value: 600, min: 1, max: 20_000 },
  seed: { words: "Seed", value: 0, min: 0, max: 999_999 },
};
const FIELDS = { ...DIALS, ...NUMBERS };

export class WritingDesk extends HTMLElement {
  begin(about, backEnd) {
    Object.assign(this, { about, backEnd, settings: {}, prompt: "", fields: {} });
    this.read(location.hash);
    this.append(this.paper(), this.panel(), make("surprise-panel"));
    this.querySelector("surprise-panel").begin(backEnd, () => this.text());
    this.sheet.begin({ label: "The text", help: "sheet-help", pointed: (symbol, place) => this.tell(symbol, place),
      chosen: (place) => this.look(place) });
    this.writing = new Latest((wish) => this.work(wish));
    addEventListener("popstate", () => {
      this.read(location.hash);
      this.show();
      this.write();
    });
    this.show();
    this.write();
  }

  // What stands where

  paper() {
    this.area = make("textarea", { rows: 2, spellcheck: false, placeholder: "What the text begins with", oninput: () => {
      this.prompt = this.area.value;
      clearTimeout(this.resting);
      this.resting = setTimeout(() => this.write(), PATIENCE);
    } });
    this.sheet = make("symbol-sheet");
    this.note = make("p", { className: "note", role: "status" }, "\u00a0");
    this.readout = make("p", { className: "readout", "aria-live": "polite" }, "\u00a0");
    this.stop = button("Stop", () => this.halt(), { disabled: true });
    this.colours = make("input", { type: "checkbox", onchange: () => {
      this.plain = !this.colours.checked;
      this.show();
      this.keep();
    } });
    return make("section", { "aria-label": "Text" }, labelled("Prompt", this.area, "stacked"), this.note,
      make("div", { className: "row" }, button("Another", () => this.another(), { className: "main" }), this.stop,
        button("Save text", () => this.save()), make("label", { className: "field" }, this.colours, make("span", {}, "Coloured"))),
      this.sheet, this.readout, legend(),
      make("p", { id: "sheet-help", className: "note" },
        "Press a symbol, or walk with the arrow keys and press Enter, to see what else the model thought of there."));
  }

  panel() {
    const dials = Object.entries(DIALS).map(([name, { words, min, max, step }]) => {
      const output = make("output"), input = make("input", { type: "range", min, max, step, oninput: () => this.set(name, input.value) });
      this.fields[name] = (value) => Object.assign(input, { value }) && (output.textContent = value.toFixed(2));
      return make("label", {}, make("span", {}, words), input, output);
    });
    const numbers = Object.entries(NUMBERS).map(([name, { words, min, max }]) => {
      const input = make("input", { type: "number", min, max, onchange: () => this.set(name, input.value) });
      this.fields[name] = (value) => { input.value = value; };
      return labelled(words, input);
    });
    this.followers = make("div", { className: "followers", role: "group", "aria-label": "Most probable symbols" });
    this.where = make("p", { className: "note", role: "status" }, "\u00a0");
    this.onward = button("Go on from here", () => this.branch(this.here), { disabled: true });
    return make("aside", {}, make("h2", {}, "How symbols are chosen"), make("div", { className: "dials" }, ...dials),
      make("div", { className: "row" }, ...numbers), make("h2", {}, "What may come next"), this.where, this.followers,
      make("div", { className: "row" }, this.onward));
  }

  /** Settings into their fields. */
  show() {
    this.area.value = this.prompt;
    this.colours.checked = !this.plain;
    this.querySelector("section").classList.toggle("plain", this.plain);
    for (const [name, put] of Object.entries(this.fields)) put(this.settings[name]);
  }

  set(name, value) {
    this.settings[name] = within(FIELDS[name], value) ?? this.settings[name];
    this.show();
    this.write();
  }

  another() {
    this.set("seed", (this.settings.seed + 1) % (FIELDS.seed.max + 1));
  }

  // Writing

  /** Write anew from the prompt; what was being written ends. */
  write() {
    this.keep();
    return this.writing.ask({ write: true });
  }

  halt() {
    this.halted = true;
  }

  async work({ write, before }) {
    try {
      await (write ? this.speak() : this.ponder(before));
    } catch (error) {
      this.note.textContent = error.message;
    }
  }

  /** The prompt, then symbols till the length is reached, or something newer is wanted. */
  async speak() {
    const { length } = this.settings, settings = { ...this.settings }, started = performance.now();
    this.halted = false;
    this.stop.disabled = false;
    const { prompt, note, likely } = await this.backEnd.start(this.prompt);
    this.note.textContent = note || "\u00a0";
    this.sheet.clear(prompt);
    this.given = prompt;
    this.propose(likely, prompt, "After the prompt");
    while (this.sheet.symbols.length < length && !this.halted) {
      const pieces = await this.backEnd.next(settings, length - this.sheet.symbols.length);
      if (!pieces.length) break;
      this.sheet.add(pieces.map((piece) => ({ ...piece, bits: -Math.log2(piece.probability) })));
      await pause();
      if (this.writing.next) return;
    }
    this.stop.disabled = true;
    const count = this.sheet.symbols.length, milliseconds = performance.now() - started;
    this.readout.textContent = `${count.toLocaleString("en")} symbols in ${(milliseconds / 1000).toFixed(1)} s.`;
    this.dispatchEvent(new CustomEvent("written", { bubbles: true, detail: { milliseconds, count } }));
  }

  /** All that stands on the sheet. */
  text() {
    return this.given + this.sheet.before(this.sheet.symbols.length);
  }

  save() {
    offer(new Blob([this.text()], { type: "text/plain" }), `${this.about.name}.txt`);
  }

  // Branching

  tell({ text, symbol, probability, chance }, place) {
    const drawn = `drawn from ${percent(chance)}`;
    this.readout.textContent = `\u201c${visible(text || symbol)}\u201d, symbol ${(place + 1).toLocaleString("en")}: ${percent(probability)} by the model, ${drawn}.`;
  }

  /** See what else could stand at a place of the text. */
  look(place) {
    this.halt();
    return this.writing.ask({ before: this.given + this.sheet.before(place) });
  }

  async ponder(before) {
    const { likely } = await this.backEnd.start(before);
    this.stop.disabled = true;
    this.propose(likely, before, `After \u201c\u2026${visible(before.slice(-12))}\u201d`);
    this.onward.disabled = false;
    this.dispatchEvent(new CustomEvent("pondered", { bubbles: true, detail: { before, likely } }));
  }

  /** The most probable symbols as buttons: each goes on with itself. */
  propose(likely, before, where) {
    Object.assign(this, { here: before });
    this.onward.disabled = true;
    this.where.textContent = `${where}:`;
    this.followers.replaceChildren(...likely.map(({ symbol, text, probability }) => make("button",
      { type: "button", disabled: !text, onclick: () => this.branch(before + text) }, make("span", {}, visible(text || symbol)),
      make("meter", { value: probability, "aria-hidden": "true" }), make("span", { className: "number" }, percent(probability)))));
  }

  /** Text up to a place becomes the prompt; going back undoes it. */
  branch(prompt) {
    this.prompt = prompt;
    this.show();
    history.pushState(null, "", this.address());
    this.write();
  }

  // The address

  address() {
    const words = new URLSearchParams(this.prompt.length > KEPT_PROMPT ? {} : { prompt: this.prompt });
    for (const [name, value] of Object.entries(this.settings)) words.set(name, value);
    if (this.plain) words.set("colours", "no");
    return `#${words}`;
  }

  keep() {
    clearTimeout(this.later);
    this.later = setTimeout(() => history.replaceState(null, "", this.address()), PATIENCE);
  }

  /** Take what an address says, as far as it makes sense. */
  read(hash) {
    const words = new URLSearchParams(hash.replace(/^#/, ""));
    this.prompt = words.get("prompt") ?? "";
    this.plain = words.get("colours") === "no";
    for (const [name, field] of Object.entries(FIELDS)) this.settings[name] = within(field, words.get(name)) ?? field.value;
  }
}

/** A number in the range of its field; null where it is none. */
function within({ min, max, step }, value) {
  const found = Number(value);
  if (value === null || value === "" || !Number.isFinite(found)) return null;
  return Math.max(min, Math.min(max, step ? found : Math.round(found)));
}

customElements.define("writing-desk", WritingDesk);
