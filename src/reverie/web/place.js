// Where the reader is: the code, the plane that is shown, and the class. It is kept in the address of the page.
import { below, quantile } from "./mathematics.js";

const LONGEST = 128; // numbers of a code that an address has room for

/** Tells of every change with an event "change", whose detail is the set of names that changed. */
export class Place extends EventTarget {
  constructor(about) {
    super();
    this.about = about;
    this.reset();
    this.read(location.hash);
    this.addEventListener("change", () => this.write());
  }

  /** The beginning: the middle of all codes, and the two numbers that matter most. */
  reset() {
    const { mean, order } = this.about;
    Object.assign(this, { code: Float32Array.from(mean), axes: [order[0], order[1] ?? order[0]], label: 0 });
    Object.assign(this, { spacing: "linear", points: 20, layers: "both", ...this.bounds("linear") });
  }

  change(news) {
    Object.assign(this, news);
    this.dispatchEvent(new CustomEvent("change", { detail: new Set(Object.keys(news)) }));
  }

  /** The usual bounds of the plane: three deviations, or the middle nine tenths of the chance. */
  bounds(spacing, axes = this.axes ?? this.about.order) {
    if (spacing === "probability") return { x: [0.05, 0.95], y: [0.05, 0.95] };
    const [x, y] = axes.map((d) => [-3, 3].map((side) => this.about.mean[d] + side * (this.about.deviation[d] || 1)));
    return { x, y: y ?? x };
  }

  /** A coordinate of a code as a fraction of the plane's side, 0 to 1, and back. */
  fraction(side, value) {
    const [low, high] = this[side === 0 ? "x" : "y"], d = this.axes[side];
    const laid = this.spacing === "linear" ? value : below((value - this.about.mean[d]) / (this.about.deviation[d] || 1));
    return (laid - low) / (high - low);
  }

  coordinate(side, fraction) {
    const [low, high] = this[side === 0 ? "x" : "y"], d = this.axes[side];
    const laid = low + fraction * (high - low);
    return this.spacing === "linear" ? laid : this.about.mean[d] + (this.about.deviation[d] || 1) * quantile(laid);
  }

  /** The code with the two numbers of the plane set. */
  at(right, up) {
    const code = Float32Array.from(this.code);
    code[this.axes[0]] = right;
    if (this.axes[1] !== this.axes[0]) code[this.axes[1]] = up;
    return code;
  }

  /** The labels of n pictures, for a model that is told the class. */
  labels(n) {
    return this.about.conditional ? new Array(n).fill(this.label) : undefined;
  }

  write() {
    const short = (values) => Array.from(values, (value) => +value.toFixed(3)).join(",");
    const words = new URLSearchParams({
      ...(this.about.latent <= LONGEST ? { z: short(this.code) } : {}), axes: this.axes.join(","), x: short(this.x),
      y: short(this.y), n: this.points, by: this.spacing, show: this.layers, class: this.label,
    });
    clearTimeout(this.later);
    this.later = setTimeout(() => history.replaceState(null, "", `#${words}`), 200);
  }

  /** Take what an address says, as far as it makes sense. */
  read(hash) {
    const words = new URLSearchParams(hash.replace(/^#/, ""));
    const numbers = (name, n) => {
      const found = (words.get(name) ?? "").split(",").map(Number);
      return words.has(name) && found.length === n && found.every(Number.isFinite) ? found : null;
    };
    const there = (d) => Number.isInteger(d) && d >= 0 && d < this.about.latent;
    const rising = (pair) => (pair && pair[0] < pair[1] ? pair : null);
    const z = numbers("z", this.about.latent), axes = numbers("axes", 2), n = Number(words.get("n"));
    if (z) this.code = Float32Array.from(z);
    if (axes?.every(there)) this.axes = axes;
    if (["linear", "probability"].includes(words.get("by"))) this.spacing = words.get("by");
    Object.assign(this, this.bounds(this.spacing));
    this.x = rising(numbers("x", 2)) ?? this.x;
    this.y = rising(numbers("y", 2)) ?? this.y;
    if (n >= 2 && n <= 30) this.points = Math.round(n);
    if (["both", "points", "pictures"].includes(words.get("show"))) this.layers = words.get("show");
    if (this.about.classes[Number(words.get("class"))] !== undefined) this.label = Number(words.get("class"));
  }
}
