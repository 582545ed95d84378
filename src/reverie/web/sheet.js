// The sheet of a model without codes: pictures from seeded noise, truncated, and a walk from one seed to the next.
import { button, choice, labelled, Latest, make } from "./elements.js";
import { bare, save, show } from "./pixels.js";
import { chance, normal, shown, slerp } from "./mathematics.js";

const COUNT = 36, LAST = 999999; // pictures, and the last seed

export class SampleSheet extends HTMLElement {
  begin(about, backEnd) {
    Object.assign(this, { about, backEnd, seed: 0, walk: 0, truncation: 1, label: -1 });
    this.read();
    this.pictures = make("div", { className: "samples", role: "img", "aria-label": `${COUNT} pictures` });
    const range = (words, name, high) => {
      const output = make("output", {}, shown(this[name]));
      return make("label", { className: "field" }, make("span", {}, words), make("input", {
        type: "range", min: 0, max: high, step: "any", value: this[name], oninput: (event) => {
          this[name] = Number(event.target.value);
          output.textContent = shown(this[name]);
          this.renew();
        } }), output);
    };
    this.number = make("input", { type: "number", min: 0, max: LAST, value: this.seed, onchange: () => this.sow(Number(this.number.value)) });
    const classes = [[-1, "All"], ...about.classes.map((name, i) => [i, name])];
    this.append(this.pictures, make("div", { className: "row" }, labelled("Seed", this.number),
      button("Another seed", () => this.sow(this.seed + 1), { className: "main" }), range("Walk to the next seed", "walk", 1),
      ...(this.normals().length ? [range("Truncation", "truncation", 1.5)] : []),
      ...(about.conditional ? [choice("Class", classes, this.label, (label) => { this.label = label; this.renew(); })] : []),
      button("Save PNG", () => this.keep())));
    this.drawing = new Latest(() => this.draw());
    this.renew();
  }

  normals() {
    return Object.keys(this.about.inputs.generator).filter((name) => this.about.kinds[name] === "normal");
  }

  sow(seed) {
    Object.assign(this, { seed: Math.min(LAST, Math.max(0, Math.round(seed) || 0)), walk: 0 });
    this.number.value = this.seed;
    this.renew();
  }

  /** The noise of every picture; between two seeds on a great circle, which keeps its length. */
  noise() {
    const found = {};
    Object.entries(this.about.inputs.generator).filter(([name]) => name !== "label").forEach(([name, shape], place) => {
      const size = shape.reduce((a, b) => a * b, 1), all = new Float32Array(COUNT * size);
      for (let i = 0; i < COUNT; i++) {
        const [a, b] = [0, 1].map((next) => this.draws(name, size, chance((this.seed + next) * 7919 + i * 31 + place)));
        const way = this.about.kinds[name] === "normal" ? slerp(a, b, this.walk) : this.walk < 0.5 ? a : b;
        all.set(this.about.kinds[name] === "normal" ? way.map((value) => value * this.truncation) : way, i * size);
      }
      found[name] = all;
    });
    return found;
  }

  draws(name, size, next) {
    return this.about.kinds[name] === "normal" ? normal(size, next) : Float32Array.from({ length: size }, next);
  }

  renew() {
    this.write();
    this.drawing.ask();
  }

  async draw() {
    const { about } = this, classes = about.classes.length || 1;
    const labels = Array.from({ length: COUNT }, (_, i) => (this.label < 0 ? i % classes : this.label));
    const images = await this.backEnd.generate(this.noise(), about.conditional ? labels : undefined);
    this.shown = Array.from({ length: COUNT }, (_, i) => {
      const canvas = bare(112, Math.round((112 * about.shape[1]) / about.shape[2]));
      show(canvas, images, about.shape, i);
      return canvas;
    });
    this.pictures.replaceChildren(...this.shown);
    this.dispatchEvent(new CustomEvent("picture", { bubbles: true, detail: {} }));
  }

  keep() {
    if (!this.shown) return; // nothing is drawn yet
    const [{ width, height }] = this.shown, whole = bare(6 * width, 6 * height);
    this.shown.forEach((one, i) => whole.getContext("2d").drawImage(one, (i % 6) * width, Math.floor(i / 6) * height));
    save(whole, `${this.about.name}-samples`);
  }

  write() {
    const words = new URLSearchParams({ seed: this.seed, walk: this.walk, truncation: this.truncation, class: this.label });
    history.replaceState(null, "", `#${words}`);
  }

  read() {
    const words = new URLSearchParams(location.hash.replace(/^#/, ""));
    const number = (name, low, high) => {
      const value = Number(words.get(name));
      if (words.has(name) && value >= low && value <= high) this[name] = value;
    };
    number("seed", 0, LAST);
    number("walk", 0, 1);
    number("truncation", 0, 1.5);
    if (words.has("class")) number("class", -1, this.about.classes.length - 1);
    this.label = Number.isInteger(this.class) ? this.class : -1;
  }
}

customElements.define("sample-sheet", SampleSheet);
