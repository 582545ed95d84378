// How the next symbol is chosen: numbers with their words, which the address keeps.
import { make } from "./elements.js";

const SETTINGS = {
  temperature: { words: "Temperature", help: "0 takes the likeliest, 1 is the model itself, more is wilder.", value: 0.75, min: 0, max: 2, step: 0.05 },
  length: { words: "Length", help: "Symbols, at most.", value: 600, min: 1, step: 1 },
  top_k: { words: "Top-k", help: "Only the k likeliest; empty for all.", value: null, min: 1, max: 999_999, step: 1 },
  top_p: { words: "Top-p", help: "Only the likeliest that reach this probability together.", value: 1, min: 0.05, max: 1, step: 0.05 },
  min_p: { words: "Min-p", help: "Only those with this share of the largest probability.", value: 0, min: 0, max: 1, step: 0.01 },
  seed: { words: "Seed", help: "The same one, the same text.", value: 0, min: 0, max: 999_999, step: 1 },
};

export class WritingSettings extends HTMLElement {
  /** ``most`` is the greatest length; ``changed`` hears that a person has changed a number. */
  begin({ most, changed }) {
    Object.assign(this, { changed, values: {}, fields: {} });
    for (const [name, field] of Object.entries(SETTINGS)) this.lay(name, name === "length" ? { ...field, max: most } : field);
  }

  /** A number between two bounds; one that may be a fraction can be slid. */
  lay(name, { words, help, value, ...bounds }) {
    const id = `set-${name}`, slides = bounds.step < 1, take = () => {
      this.set(name, input.value);
      this.changed();
    };
    const input = make("input", { type: slides ? "range" : "number", id, ...bounds, "aria-describedby": `${id}-help`, [slides ? "oninput" : "onchange"]: take });
    const output = slides ? make("output", { htmlFor: id }) : "";
    this.append(make("div", { className: "setting" }, make("label", { htmlFor: id }, words), input, output,
      make("p", { className: "note", id: `${id}-help` }, help)));
    this.fields[name] = { input, output, usual: value, ...bounds };
    this.set(name, value);
  }

  /** What makes no sense becomes what is usual. */
  set(name, value) {
    const field = this.fields[name], found = within(field, value) ?? field.usual;
    this.values[name] = found;
    field.input.value = found ?? "";
    if (field.output) field.output.textContent = found.toFixed(2);
  }

  /** Another seed, so that there is another text. */
  sow() {
    this.set("seed", (this.values.seed + 1) % (this.fields.seed.max + 1));
  }

  /** Take what an address says. */
  read(words) {
    for (const name of Object.keys(this.fields)) this.set(name, words.get(name));
  }

  /** As an address says it. */
  write(words) {
    for (const [name, value] of Object.entries(this.values)) if (value !== null) words.set(name, value);
  }
}

/** A number in the range of its field; null where it is none. */
function within({ min, max, step }, value) {
  const found = Number(value);
  if (value === null || value === "" || !Number.isFinite(found)) return null;
  return Math.max(min, Math.min(max, step < 1 ? found : Math.round(found)));
}

customElements.define("writing-settings", WritingSettings);
