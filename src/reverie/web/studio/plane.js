// A game in the plane as one sees it: the critic's level behind, real and generated points, arrows where the generator is pulled.
import { make } from "../elements.js";
import { bare, save } from "../pixels.js";

const SIDE = 760; // pixels
const GROUND = [12, 12, 14], REAL = [143, 188, 255], FAKE = [233, 215, 96]; // of the paper; where the critic says real; and generated
const DEPTH = 0.62; // of the colours behind the points
const HEAD = 0.032; // of an arrow, in the plane

export class GamePlane extends HTMLElement {
  begin() {
    this.layers = { field: true, real: true, generated: true, arrows: true };
    this.canvas = make("canvas", { className: "picture", width: SIDE, height: SIDE, role: "img", "aria-label": "The game has not begun" });
    this.append(this.canvas);
  }

  /** Take a moment of the game; ``real`` points are told once. */
  show(frame, words) {
    this.frame = { ...this.frame, ...frame };
    if (words) this.canvas.setAttribute("aria-label", words);
    this.draw();
  }

  toggle(layer, on) {
    this.layers[layer] = on;
    if (this.frame) this.draw();
  }

  save(name) {
    save(this.canvas, name);
  }

  at([x, y]) {
    const { edge } = this.frame;
    return [((x + edge) / (2 * edge)) * SIDE, ((edge - y) / (2 * edge)) * SIDE];
  }

  draw() {
    const { frame, layers } = this, context = this.canvas.getContext("2d");
    context.fillStyle = `rgb(${GROUND})`;
    context.fillRect(0, 0, SIDE, SIDE);
    if (layers.field && frame.level) this.field(context);
    if (layers.real) this.dots(context, frame.real, 2.4, "rgb(255 255 255 / 0.5)");
    if (layers.generated) this.dots(context, frame.generated, 3.3, "rgb(255 112 190 / 0.85)");
    if (layers.arrows && frame.arrows) this.pulls(context);
  }

  field(context) {
    const { side, level } = this.frame, small = bare(side, side), pixels = new ImageData(side, side);
    for (let i = 0; i < level.length; i++) {
      const to = 4 * ((side - 1 - Math.floor(i / side)) * side + (i % side)), share = (DEPTH * Math.abs(level[i])) / 100, end = level[i] > 0 ? REAL : FAKE;
      for (let c = 0; c < 3; c++) pixels.data[to + c] = GROUND[c] + share * (end[c] - GROUND[c]);
      pixels.data[to + 3] = 255;
    }
    small.getContext("2d").putImageData(pixels, 0, 0);
    context.imageSmoothingQuality = "high";
    context.drawImage(small, 0, 0, SIDE, SIDE);
    this.border(context);
  }

  /** Where the critic cannot tell: between neighbours of different signs, as dashes. */
  border(context) {
    const { side, level, edge } = this.frame, step = (2 * edge) / (side - 1), place = (i, j) => this.at([i * step - edge, j * step - edge]);
    context.fillStyle = "rgb(255 255 255 / 0.45)";
    for (let j = 0; j < side; j++) {
      for (let i = 0; i < side; i++) {
        const here = level[j * side + i];
        for (const [a, b] of [[1, 0], [0, 1]]) {
          const there = level[(j + b) * side + i + a];
          if (i + a >= side || j + b >= side || here * there > 0 || here === there) continue;
          const share = here / (here - there), [x, y] = place(i + a * share, j + b * share);
          context.fillRect(x - 1, y - 1, 2, 2);
        }
      }
    }
  }

  dots(context, points, radius, colour) {
    context.fillStyle = colour;
    for (const point of points) {
      context.beginPath();
      context.arc(...this.at(point), radius, 0, 7);
      context.fill();
    }
  }

  pulls(context) {
    Object.assign(context, { strokeStyle: "rgb(255 255 255 / 0.85)", lineWidth: 1.6, lineCap: "round" });
    context.beginPath();
    for (const [x, y, dx, dy] of this.frame.arrows) {
      const long = Math.hypot(dx, dy);
      if (long < 1e-3) continue;
      const end = [x + dx, y + dy], head = Math.min(HEAD, 0.5 * long);
      context.moveTo(...this.at([x, y]));
      context.lineTo(...this.at(end));
      for (const turn of [2.6, -2.6]) {
        const way = Math.atan2(dy, dx) + turn;
        context.moveTo(...this.at(end));
        context.lineTo(...this.at([end[0] + head * Math.cos(way), end[1] + head * Math.sin(way)]));
      }
    }
    context.stroke();
  }
}

customElements.define("game-plane", GamePlane);
