// Writing with a language model: it goes on with a prompt, shows how sure it was, and can be led elsewhere at any symbol.
import { button, labelled, Latest, make, telling } from "./elements.js";
import { offer } from "./pixels.js";
import { legend } from "./symbols.js";
import "./settings.js";
import "./next.js";
import "./surprise.js";

const PATIENCE = 200; // milliseconds that the pen rests in a prompt before it counts
const KEPT_PROMPT = 2000; // characters of a prompt that an address has room for

export class WritingDesk extends HTMLElement {
  /** What a back end does is said in speaker.js. */
  begin(about, backEnd) {
    Object.assign(this, { about, backEnd, ending: new AbortController(), doing: new Latest((work) => work()) });
    this.append(this.paper(), this.panel(), make("surprise-panel"));
    this.querySelector("surprise-panel").begin(backEnd, () => this.sheet.text());
    addEventListener("popstate", () => {
      if (!location.hash.includes("=")) return; // a place on the page, and no text
      this.read(location.hash);
      this.write();
    });
    this.read(location.hash);
    if (backEnd.near) this.write();
    else this.look();
  }

  // What stands where

  paper() {
    this.area = make("textarea", { rows: 2, spellcheck: false, placeholder: "Nothing: it begins on a new line.", oninput: () => {
      clearTimeout(this.resting);
      this.resting = setTimeout(() => this.changed(), PATIENCE);
    } });
    this.sheet = make("symbol-sheet");
    this.sheet.begin({ label: "The text", empty: "Its text comes here.", chosen: (symbol) => this.look(symbol) });
    this.start = button("Write", () => this.write(), { className: "main" });
    this.stop = button("Stop", () => this.ending.abort(), { disabled: true });
    this.telling = telling();
    this.colours = make("input", { type: "checkbox", onchange: () => {
      this.shade();
      this.keep();
    } });
    return make("section", { "aria-label": "Text" }, labelled("Prompt", this.area, "stacked"),
      make("div", { className: "row" }, this.start, button("Another", () => this.another()), this.stop, button("Save text", () => this.save()),
        make("label", { className: "field" }, this.colours, make("span", {}, "Coloured"))),
      this.telling, this.sheet, legend(), make("p", { className: "note" },
        "Press a symbol, or walk with the arrow keys and press Enter, to see what else the model thought of there."));
  }

  panel() {
    this.settings = make("writing-settings");
    this.settings.begin({ most: this.backEnd.most, changed: () => this.changed() });
    this.next = make("next-symbols");
    this.next.begin({ picked: (symbol) => this.branch(symbol) });
    return make("aside", { "aria-label": "Next symbols and settings" }, this.next, make("h2", {}, "How symbols are chosen"), this.settings);
  }

  shade() {
    this.classList.toggle("plain", !this.colours.checked);
  }

  save() {
    offer(new Blob([this.sheet.text()], { type: "text/plain" }), `${this.about.name}.txt`);
  }

  // Writing

  /** A model that is near writes anew whenever something is changed; another one waits to be told. */
  changed() {
    if (this.backEnd.near) this.write();
    else this.keep();
  }

  another() {
    this.settings.sow();
    this.write();
  }

  /** Write from the prompt. */
  write() {
    this.keep();
    return this.turn(() => this.speak());
  }

  /** Turn to something newer: what is being written ends. */
  turn(work) {
    this.ending.abort();
    return this.doing.ask(work);
  }

  /** The prompt, or all that ``stands`` on the sheet, and what the model goes on with. */
  async speak(stands = false) {
    const { signal } = (this.ending = new AbortController()), started = performance.now(), told = { count: 0, bits: 0, note: "", end: "" };
    this.busy(true);
    try {
      told.end = await this.backEnd.write(this.area.value, this.settings.values, (line) => this.hear(line, told, stands), signal);
    } catch (error) {
      if (!signal.aborted) return this.telling.say(error.message, true);
    } finally {
      this.busy(false);
    }
    const milliseconds = performance.now() - started;
    this.sum(told, milliseconds);
    if (this.doing.next) return;
    await this.ponder();
    this.dispatchEvent(new CustomEvent("written", { bubbles: true, detail: { milliseconds, count: told.count, text: this.sheet.text() } }));
  }

  hear({ prompt, note, symbols }, told, stands) {
    if (!symbols) {
      told.note = note;
      if (!stands) this.sheet.clear(prompt);
      return;
    }
    const heard = symbols.map((symbol) => ({ ...symbol, bits: -Math.log2(symbol.probability) }));
    this.sheet.add(heard);
    told.count += heard.length;
    for (const { bits } of heard) told.bits += bits;
  }

  /** What was written, in a few words. */
  sum({ count, bits, note, end }, milliseconds) {
    const each = count ? `; the model itself gave them ${(bits / count).toFixed(2)} bits each` : "";
    this.telling.say([`${count.toLocaleString("en")} symbols${each}. Written in ${(milliseconds / 1000).toFixed(1)} s.`, note, end].filter(Boolean).join("\n"));
  }

  busy(on) {
    if (!on && document.activeElement === this.stop) this.start.focus();
    this.stop.disabled = !on;
    if (on && !this.backEnd.near) this.telling.say("It writes \u2026");
  }

  // Branching

  /** See what else could stand in the place of a symbol, or at the end. */
  look(symbol = null) {
    return this.turn(() => this.ponder(symbol));
  }

  /** The text that the model has read before a place: of an empty prompt it is the end of a line. */
  before(place) {
    return (this.sheet.given ? "" : this.backEnd.beginning) + this.sheet.text(place);
  }

  async ponder(symbol = null) {
    this.place = symbol?.place;
    const before = this.before(this.place);
    try {
      const likely = await this.backEnd.likely(before, this.settings.values);
      this.next.show(likely, symbol?.text ?? null);
      this.dispatchEvent(new CustomEvent("pondered", { bubbles: true, detail: { before, likely } }));
    } catch (error) {
      this.telling.say(error.message, true);
    }
  }

  /** The text goes on from the place that was looked at, with what a person picks or the model draws; Back undoes it. */
  branch(picked) {
    if (this.doing.busy) return;
    this.record("replaceState");
    const writes = !picked || this.backEnd.near;
    this.sheet.cut(this.place);
    if (picked) this.sheet.add([{ text: picked.text, bits: -Math.log2(picked.probability), picked: true }]);
    this.area.value = this.before();
    if (writes) this.settings.sow();
    this.record("pushState");
    this.turn(() => (writes ? this.speak(true) : this.ponder()));
  }

  // The address

  address() {
    const words = new URLSearchParams(this.area.value.length > KEPT_PROMPT ? {} : { prompt: this.area.value });
    this.settings.write(words);
    if (!this.colours.checked) words.set("colours", "no");
    return `#${words}`;
  }

  keep() {
    clearTimeout(this.later);
    this.later = setTimeout(() => this.record("replaceState"), PATIENCE);
  }

  record(how) {
    clearTimeout(this.later);
    history[how]({ prompt: this.area.value }, "", this.address());
  }

  /** Take what an address says, as far as it makes sense. */
  read(hash) {
    const words = new URLSearchParams(hash.replace(/^#/, ""));
    this.area.value = history.state?.prompt ?? words.get("prompt") ?? "";
    this.colours.checked = words.get("colours") !== "no";
    this.settings.read(words);
    this.shade();
  }
}

customElements.define("writing-desk", WritingDesk);
