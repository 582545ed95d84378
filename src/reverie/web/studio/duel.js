// Both players of a game on one chart: what each pays, over the rounds.
import { make } from "../elements.js";
import { smooth, ticks } from "./curves.js";
import { draw } from "./svg.js";
import { capital, figure } from "./words.js";

const WIDE = 640, HIGH = 230, LEFT = 62, RIGHT = 14, TOP = 12, BOTTOM = 28;
const MOST = 600; // points of a line

export class DuelChart extends HTMLElement {
  begin(title, names) {
    Object.assign(this, { title, names });
    this.plot = draw("svg", { viewBox: `0 0 ${WIDE} ${HIGH}`, role: "img" });
    this.read = make("output", { className: "note" }, "\u00a0");
    const keys = names.map((name, i) => make("span", { className: `key player-${i}` }, name));
    this.append(make("div", { className: "chart-head" }, make("h2", {}, title), make("span", { className: "keys" }, ...keys), this.read), this.plot);
  }

  /** Lines of points [round, value], one for each name, in the same order. */
  show(lines, last) {
    this.hidden = !lines.some((line) => line.length > 1);
    if (this.hidden) return;
    const kept = lines.map((line) => smooth(line.filter((_, i) => i % Math.ceil(line.length / MOST) === 0)));
    const all = kept.flat().map(([, value]) => value).filter(Number.isFinite).sort((a, b) => a - b);
    const [bottom, top] = [0.01, 0.99].map((share) => all[Math.round(share * (all.length - 1))]), edge = 0.08 * (top - bottom) || 1;
    const [low, high] = [bottom - edge, top + edge], end = Math.max(last ?? 0, ...kept.flat().map(([step]) => step), 1);
    const x = (step) => LEFT + ((WIDE - LEFT - RIGHT) * step) / end;
    const y = (value) => TOP + ((HIGH - TOP - BOTTOM) * (high - Math.min(Math.max(value, low), high))) / (high - low);
    const across = ticks(low, high, 6).flatMap((value) => [draw("line", { class: "rule", x1: LEFT, x2: WIDE - RIGHT, y1: y(value), y2: y(value) }),
      draw("text", { x: LEFT - 8, y: y(value) + 4, "text-anchor": "end" }, figure(value))]);
    const below = ticks(0, end).map((step) => draw("text", { x: x(step), y: HIGH - 7, "text-anchor": step ? "middle" : "start" }, figure(step)));
    const drawn = kept.map((line, i) => draw("polyline", { class: `player-${i}`, points: line.map(([s, v]) => `${x(s).toFixed(1)},${y(v).toFixed(1)}`).join(" ") }));
    this.plot.replaceChildren(...across, ...below, ...drawn);
    this.read.textContent = kept.map((line, i) => (line.length ? `${this.names[i]} ${figure(line.at(-1)[1])}` : "")).filter(Boolean).join(" · ");
    this.plot.setAttribute("aria-label", `${capital(this.title)}: ${this.read.textContent}`);
  }
}

customElements.define("duel-chart", DuelChart);
