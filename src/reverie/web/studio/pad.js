// A sheet on which a person draws where points shall be, by pointer or by keys.
import { button, make } from "../elements.js";
import { values } from "../pixels.js";

const SIDE = 256, CELLS = 64; // pixels of the sheet, and of what the server is told

export class LawPad extends HTMLElement {
  begin() {
    Object.assign(this, { at: [SIDE / 2, SIDE / 2], pen: null, down: false });
    this.canvas = make("canvas", { className: "picture paper", width: SIDE, height: SIDE, tabIndex: 0, role: "application",
      "aria-roledescription": "drawing", "aria-label": "Draw where points shall be: arrow keys move the pen, space puts it down or lifts it",
      onpointerdown: (event) => this.press(event), onpointermove: (event) => this.pen && !this.down && this.stroke(this.where(event)),
      onpointerup: () => this.lift(), onpointercancel: () => this.lift(), onkeydown: (event) => this.key(event) });
    this.append(this.canvas, make("p", { className: "note" }, "Draw where points shall be. With keys: arrows and space."),
      make("div", { className: "row" }, button("Clear the sheet", () => this.clear()), button("Play on this drawing", () => this.done(), { className: "main" })));
    this.clear();
  }

  /** Levels from 0 to 255, row by row from the top. */
  get levels() {
    return Array.from(values(this.canvas, [1, CELLS, CELLS]), (value) => Math.round(255 * Math.min(1, value)));
  }

  done() {
    this.dispatchEvent(new CustomEvent("drawn"));
  }

  where(event) {
    const box = this.canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top].map((value) => (value / box.width) * SIDE);
  }

  press(event) {
    this.canvas.setPointerCapture(event.pointerId);
    this.down = false;
    this.pen = this.where(event);
    this.stroke(this.pen);
  }

  lift() {
    this.pen = null;
  }

  key(event) {
    const step = event.shiftKey ? 24 : 8, ways = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] };
    if (event.key === " ") {
      this.down = !this.down;
      this.pen = this.down ? this.at : null;
      if (this.down) this.stroke(this.at);
    } else if (ways[event.key]) {
      this.at = this.at.map((value, i) => Math.max(0, Math.min(SIDE, value + ways[event.key][i])));
      if (this.down) this.stroke(this.at);
    } else return;
    event.preventDefault();
  }

  stroke(to) {
    const context = this.canvas.getContext("2d");
    Object.assign(context, { strokeStyle: "#fff", lineWidth: SIDE / 22, lineCap: "round", lineJoin: "round" });
    context.beginPath();
    context.moveTo(...this.pen);
    context.lineTo(to[0] + 0.01, to[1]);
    context.stroke();
    this.pen = to;
  }

  clear() {
    const context = this.canvas.getContext("2d");
    context.fillStyle = "#000";
    context.fillRect(0, 0, SIDE, SIDE);
    Object.assign(this, { pen: null, down: false });
  }
}

customElements.define("law-pad", LawPad);
