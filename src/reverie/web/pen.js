// A sheet on which a person draws, by pointer or by keys.
import { make } from "./elements.js";

export class DrawingSheet extends HTMLElement {
  /** ``line`` is the pen's width and ``step`` what a key moves it, in pixels; ``drawn`` hears of what is new, ``say`` what keys have done. */
  begin({ label, help, width, height, line, step, ink = () => "#fff", drawn = () => {}, say = () => {} }) {
    Object.assign(this, { line, step, ink, drawn, say, at: [width / 2, height / 2] });
    this.canvas = make("canvas", {
      className: "picture paper", width, height, tabIndex: 0, role: "application",
      "aria-roledescription": "drawing", "aria-describedby": help,
      "aria-label": `${label}: arrow keys move the pen, space puts it down or lifts it`,
      onpointerdown: (event) => this.press(event), onpointermove: (event) => { if (this.pen && !this.down) this.stroke(this.where(event)); },
      onpointerup: () => this.lift(), onpointercancel: () => this.lift(), onkeydown: (event) => this.key(event),
    });
    this.append(this.canvas);
    this.clear();
  }

  where(event) {
    const box = this.canvas.getBoundingClientRect(), { width, height } = this.canvas;
    return [((event.clientX - box.left) / box.width) * width, ((event.clientY - box.top) / box.height) * height];
  }

  press(event) {
    this.canvas.setPointerCapture(event.pointerId);
    this.down = false;
    this.pen = this.where(event);
    this.stroke(this.pen);
  }

  lift() {
    if (!this.down) this.pen = null;
  }

  key(event) {
    const step = this.step * (event.shiftKey ? 3 : 1), ways = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] };
    if (event.key === " ") this.dip();
    else if (ways[event.key]) this.move(ways[event.key]);
    else return;
    event.preventDefault();
  }

  dip() {
    this.down = !this.down;
    this.pen = this.down ? this.at : null;
    if (this.down) this.stroke(this.at);
    this.say(this.down ? "Pen down" : "Pen up");
  }

  move(way) {
    const sides = [this.canvas.width, this.canvas.height];
    this.at = this.at.map((value, i) => Math.max(0, Math.min(sides[i], value + way[i])));
    if (this.down) this.stroke(this.at);
    this.say(`Pen at ${this.at.map((value, i) => Math.round((100 * value) / sides[i])).join(", ")} percent`);
  }

  stroke(to) {
    const context = this.canvas.getContext("2d");
    Object.assign(context, { strokeStyle: this.ink(), lineWidth: this.line, lineCap: "round", lineJoin: "round" });
    context.beginPath();
    context.moveTo(...this.pen);
    context.lineTo(to[0] + 0.01, to[1]);
    context.stroke();
    this.pen = to;
    this.drawn();
  }

  clear() {
    this.fill("#000");
    Object.assign(this, { pen: null, down: false });
  }

  invert() {
    this.fill("#fff", "difference");
    this.drawn();
  }

  fill(fillStyle, globalCompositeOperation = "source-over") {
    const context = this.canvas.getContext("2d");
    Object.assign(context, { fillStyle, globalCompositeOperation });
    context.fillRect(0, 0, this.canvas.width, this.canvas.height);
    context.globalCompositeOperation = "source-over";
  }
}

customElements.define("drawing-sheet", DrawingSheet);
