// How the next symbol is chosen: numbers with their words, kept in the address.
import { make } from "../elements.js";

const NUMBERS = [
  ["temperature", "Temperature", "0 takes the likeliest, 1 is the model itself, more is wilder.", { min: 0, max: 2, step: 0.05, value: 0.75 }],
  ["length", "Length", "Symbols, at most.", { min: 1, max: 5000, step: 1, value: 400 }],
  ["top_k", "Top k", "Only the k likeliest; empty for all.", { min: 1, step: 1, value: "" }],
  ["top_p", "Top p", "Only the likeliest that reach this probability together.", { min: 0.05, max: 1, step: 0.05, value: 1 }],
  ["min_p", "Min p", "Only those with this share of the largest probability.", { min: 0, max: 1, step: 0.01, value: 0 }],
  ["seed", "Seed", "The same one, the same text.", { min: 0, step: 1, value: 0 }],
];

export class WritingSettings extends HTMLElement {
  begin() {
    const kept = new URLSearchParams(location.hash.slice(1));
    this.inputs = Object.fromEntries(NUMBERS.map(([name, words, help, bounds]) => [name, this.field(name, words, help, bounds, kept.get(name))]));
  }

  field(name, words, help, bounds, kept) {
    const slides = name === "temperature" || name === "top_p" || name === "min_p", id = `set-${name}`;
    const input = make("input", { type: slides ? "range" : "number", id, ...bounds, "aria-describedby": `${id}-help`, oninput: () => this.changed() });
    if (kept !== null && kept !== "" && Number.isFinite(Number(kept))) input.value = kept;
    const label = make("label", { htmlFor: id }, words), note = make("p", { className: "note", id: `${id}-help` }, help);
    input.said = slides ? make("output", { htmlFor: id }, input.value) : null;
    this.append(make("div", { className: "setting" }, label, input, input.said ?? "", note));
    return input;
  }

  changed() {
    for (const input of Object.values(this.inputs)) if (input.said) input.said.textContent = input.value;
    this.write();
  }

  /** The numbers as they are asked for; one that is left empty is not asked for. */
  get values() {
    const found = Object.entries(this.inputs).filter(([, input]) => input.value !== "").map(([name, input]) => [name, Number(input.value)]);
    return Object.fromEntries(found);
  }

  /** Another seed, so that going on gives another text. */
  sow() {
    this.inputs.seed.value = Number(this.inputs.seed.value) + 1;
    this.changed();
  }

  write() {
    history.replaceState(null, "", `#${new URLSearchParams(this.values)}`);
  }
}

customElements.define("writing-settings", WritingSettings);
