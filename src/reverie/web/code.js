// The code: the picture that it decodes to, and a slider for each of its numbers, those that matter most first.
import { button, choice, Latest, make } from "./elements.js";
import { save, show } from "./pixels.js";
import { lerp, normal, shown } from "./mathematics.js";

const FIRST = 10; // sliders that are there at once
const GLIDE = 600; // milliseconds to a surprise

export class CodePanel extends HTMLElement {
  begin({ about, place, backEnd, say }) {
    Object.assign(this, { about, place, backEnd, say });
    const [, height, width] = about.shape, side = 560;
    this.canvas = make("canvas", { className: "picture", width: side, height: Math.round((side * height) / width), role: "img" });
    const keep = () => save(this.canvas, about.name);
    this.group = this.classes();
    this.append(this.canvas, this.group, make("div", { className: "row" },
      button("Surprise me", () => this.surprise(), { className: "main" }),
      button("Reset", () => this.glide(Float32Array.from(about.mean))), button("Save PNG", keep)), this.sliders());
    this.decoding = new Latest((code, since) => this.decode(code, since));
    place.addEventListener("change", ({ detail }) => {
      if (detail.has("code") && !detail.has("glide")) this.gliding = null; // whoever else changes the code has the last word
      if (detail.has("label") && this.group) this.group.set(place.label);
      if (detail.has("code") || detail.has("label")) this.follow();
    });
    this.follow();
  }

  follow() {
    this.decoding.ask(this.place.code, this.place.since);
    for (const [d, { input, output }] of this.inputs) {
      input.value = this.place.code[d];
      output.textContent = shown(this.place.code[d]);
    }
  }

  async decode(code, since) {
    const image = await this.backEnd.decode(code, this.place.labels(1));
    show(this.canvas, image, this.about.shape);
    this.image = image;
    const words = this.about.order.slice(0, 2).map((d) => `z${d} = ${shown(code[d])}`).join(", ");
    this.canvas.setAttribute("aria-label", `The picture at ${words}`);
    this.say(`Picture at ${words}`);
    const milliseconds = since ? performance.now() - since : null;
    this.dispatchEvent(new CustomEvent("picture", { bubbles: true, detail: { milliseconds } }));
  }

  /** A draw from the prior; of a model without one, from a normal as wide as the codes. */
  surprise() {
    const draw = normal(this.about.latent);
    this.glide(draw.map((value, d) => this.about.mean[d] + value * this.about.deviation[d]));
  }

  /** Go to a code, on a straight line where the reader lets things move. */
  glide(code) {
    if (matchMedia("(prefers-reduced-motion: reduce)").matches) return this.place.change({ code, since: 0 });
    const from = this.place.code, start = performance.now(), mine = (this.gliding = {});
    const step = () => {
      if (this.gliding !== mine) return;
      const t = Math.min(1, (performance.now() - start) / GLIDE);
      this.place.change({ code: t < 1 ? lerp(from, code, t * t * (3 - 2 * t)) : code, since: 0, glide: true });
      if (t < 1) requestAnimationFrame(step);
    };
    step();
  }

  classes() {
    const { about, place } = this;
    if (!about.conditional) return "";
    return choice("Class", about.classes.map((name, i) => [i, name]), place.label, (label) => place.change({ label, since: 0 }));
  }

  sliders() {
    this.inputs = new Map();
    const largest = Math.max(...this.about.use, 1e-9);
    const rows = this.about.order.slice(0, 256).map((d) => this.slider(d, largest));
    const list = make("div", { className: "sliders" }, ...rows.slice(0, FIRST));
    if (rows.length > FIRST) {
      const rest = make("div", { className: "sliders" }, ...rows.slice(FIRST));
      list.append(make("details", {}, make("summary", {}, `${rows.length - FIRST} more numbers`), rest));
    }
    return list;
  }

  slider(d, largest) {
    const { about, place } = this, wide = 3.5 * (about.deviation[d] || 1);
    const input = make("input", {
      type: "range", min: about.mean[d] - wide, max: about.mean[d] + wide, step: "any", value: place.code[d],
      oninput: (event) => {
        const code = Float32Array.from(place.code);
        code[d] = Number(input.value);
        place.change({ code, since: event.timeStamp });
      },
    });
    const output = make("output", {}, shown(place.code[d]));
    const use = make("meter", { min: 0, max: largest, value: about.use[d], "aria-label": `use of z${d}`,
      title: `${about.use[d].toFixed(2)} ${about.unit}` });
    this.inputs.set(d, { input, output });
    return make("label", {}, make("span", {}, `z${d}`), use, input, output);
  }
}
