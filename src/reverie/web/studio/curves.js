// The course of a training as curves: what each batch said, faint, its running mean, and what was held out, with dots.
import { make } from "../elements.js";
import { draw } from "./svg.js";
import { capital, figure } from "./words.js";

const WIDE = 640, HIGH = 250, LEFT = 62, RIGHT = 14, TOP = 14, BOTTOM = 30;
const FIXED = new Set(["step", "epoch", "seconds", "test", "of"]);

/** Every quantity with its points of batches and of held-out data, in the order of their first rows. */
export function series(rows) {
  const found = new Map();
  for (const row of rows) {
    for (const [key, value] of Object.entries(row)) {
      if (FIXED.has(key) || typeof value !== "number") continue;
      const name = key.replace(/^test_/, "");
      if (!found.has(name)) found.set(name, { batches: [], held: [] });
      found.get(name)[key.startsWith("test_") || row.test ? "held" : "batches"].push([row.step, value]);
    }
  }
  return found;
}

/** A running mean over a fiftieth of the points. */
export function smooth(points) {
  const reach = Math.max(1, Math.floor(points.length / 50));
  let sum = 0;
  return points.map(([step, value], i) => {
    sum += value - (i >= reach ? points[i - reach][1] : 0);
    return [step, sum / Math.min(i + 1, reach)];
  });
}

/** Round numbers between two ends. */
export function ticks(low, high, n = 4) {
  const rough = (high - low) / n || 1, power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((m) => m * power).find((each) => each >= rough);
  return Array.from({ length: n + 2 }, (_, i) => (Math.ceil(low / step) + i) * step).filter((value) => value <= high + 1e-9 * step);
}

/** The values that are shown: the first steps of a training may be far off, and are cut. */
function span(batches, held) {
  const late = batches.slice(Math.floor(batches.length / 20)).map(([, value]) => value).sort((a, b) => a - b);
  const all = [late[Math.floor(0.005 * late.length)], late[Math.floor(0.995 * (late.length - 1))], ...held.map(([, value]) => value)]
    .filter(Number.isFinite);
  const low = Math.min(...all), high = Math.max(...all), edge = 0.06 * (high - low) || Math.abs(high) * 0.1 || 1;
  return [low - edge, high + edge];
}

export class LossCurves extends HTMLElement {
  /** ``steps`` is where the training will end. */
  show(rows, steps) {
    const all = series(rows), names = [...all.keys()].filter((name) => all.get(name).batches.length + all.get(name).held.length > 1);
    this.charts ??= new Map();
    for (const name of names) {
      if (!this.charts.has(name)) {
        const chart = make("curve-chart");
        this.charts.set(name, chart);
        this.append(chart);
        chart.begin(name);
      }
      this.charts.get(name).show(all.get(name), steps);
    }
    this.hidden = !names.length;
  }
}

export class CurveChart extends HTMLElement {
  begin(name) {
    this.name = name.length < 3 ? name.toUpperCase() : capital(name.replaceAll("_", " "));
    this.plot = draw("svg", { viewBox: `0 0 ${WIDE} ${HIGH}`, role: "img", tabindex: 0 });
    this.read = make("output", { className: "note" }, "\u00a0");
    this.plot.addEventListener("pointermove", (event) => this.point(event));
    this.plot.addEventListener("pointerleave", () => this.mark(null));
    this.plot.addEventListener("keydown", (event) => this.key(event));
    const key = make("span", { className: "keys" }, make("span", { className: "key batches" }, "batches"), make("span", { className: "key held" }, "held out"));
    this.append(make("div", { className: "chart-head" }, make("h2", {}, this.name), key, this.read), this.plot);
  }

  show({ batches, held }, steps) {
    const [low, high] = span(batches, held), last = Math.max(steps || 0, batches.at(-1)?.[0] ?? 0, held.at(-1)?.[0] ?? 1);
    const x = (step) => LEFT + ((WIDE - LEFT - RIGHT) * step) / last;
    const y = (value) => TOP + ((HIGH - TOP - BOTTOM) * (high - Math.min(Math.max(value, low), high))) / (high - low);
    const line = (points, kind) => draw("polyline", { class: kind, points: points.map(([s, v]) => `${x(s).toFixed(1)},${y(v).toFixed(1)}`).join(" ") });
    const across = ticks(low, high).flatMap((value) => [
      draw("line", { class: "rule", x1: LEFT, x2: WIDE - RIGHT, y1: y(value), y2: y(value) }),
      draw("text", { x: LEFT - 8, y: y(value) + 4, "text-anchor": "end" }, figure(value))]);
    const below = ticks(0, last).map((step) => draw("text", { x: x(step), y: HIGH - 8, "text-anchor": step ? "middle" : "start" }, figure(step)));
    const few = batches.filter((_, i) => i % Math.ceil(batches.length / 800) === 0);
    const dots = held.map(([step, value]) => draw("circle", { class: "held", cx: x(step), cy: y(value), r: held.length > 60 ? 1.5 : 3 }));
    this.cursor = draw("line", { class: "cursor", x1: 0, x2: 0, y1: TOP, y2: HIGH - BOTTOM, visibility: "hidden" });
    this.plot.replaceChildren(...across, ...below, line(few, "raw"), line(smooth(few), "mean"), line(held, "held"), ...dots, this.cursor);
    Object.assign(this, { batches: smooth(batches), held, x, last });
    const now = [batches.length ? `batches ${figure(this.batches.at(-1)[1])}` : "", held.length ? `held out ${figure(held.at(-1)[1])}` : ""];
    this.plot.setAttribute("aria-label", `${this.name}: ${now.filter(Boolean).join(", ")} at step ${figure((batches.at(-1) ?? held.at(-1))[0])}`);
    if (this.at !== undefined) this.mark(this.at);
    else this.read.textContent = now.filter(Boolean).join(" · ");
  }

  point(event) {
    const box = this.plot.getBoundingClientRect(), along = ((event.clientX - box.left) / box.width) * WIDE;
    this.mark(((along - LEFT) / (WIDE - LEFT - RIGHT)) * this.last);
  }

  key(event) {
    const way = { ArrowLeft: -0.02, ArrowRight: 0.02, Home: -1, End: 1 }[event.key];
    if (!way) return;
    this.mark(Math.max(0, Math.min(this.last, (this.at ?? this.last) + way * this.last)));
    event.preventDefault();
  }

  /** Read the curves off at a step. */
  mark(step) {
    const near = (points) => points.reduce((best, point) => (Math.abs(point[0] - step) < Math.abs(best[0] - step) ? point : best), points[0]);
    this.cursor.setAttribute("visibility", step === null ? "hidden" : "visible");
    this.at = step ?? undefined;
    const [batch, held] = [this.batches, this.held].map((points) => (points.length ? near(points) : null));
    const shown = step === null ? [this.batches.at(-1), this.held.at(-1)] : [batch, held];
    const words = [shown[0] && `batches ${figure(shown[0][1])}`, shown[1] && `held out ${figure(shown[1][1])}`].filter(Boolean).join(" · ");
    if (step === null) return (this.read.textContent = words);
    const at = (batch ?? held)[0];
    for (const end of ["x1", "x2"]) this.cursor.setAttribute(end, this.x(at));
    return (this.read.textContent = `step ${figure(at)}: ${words}`);
  }
}

customElements.define("curve-chart", CurveChart);
customElements.define("loss-curves", LossCurves);
