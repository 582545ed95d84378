// A sheet on which a person draws where points shall be.
import { button, make } from "../elements.js";
import { values } from "../pixels.js";
import "../pen.js";

const SIDE = 256, CELLS = 64; // pixels of the sheet, and of what the server is told

export class LawPad extends HTMLElement {
  begin() {
    this.sheet = make("drawing-sheet");
    this.sheet.begin({ label: "Draw where points shall be", help: "law-help", width: SIDE, height: SIDE, line: SIDE / 22, step: SIDE / 32 });
    this.append(this.sheet, make("p", { className: "note", id: "law-help" }, "Draw where points shall be. With keys: arrows and space."),
      make("div", { className: "row" }, button("Clear the sheet", () => this.sheet.clear()), button("Play on this drawing", () => this.done(), { className: "main" })));
  }

  /** Levels from 0 to 255, row by row from the top. */
  get levels() {
    return Array.from(values(this.sheet.canvas, [1, CELLS, CELLS]), (value) => Math.round(255 * Math.min(1, value)));
  }

  done() {
    this.dispatchEvent(new CustomEvent("drawn"));
  }
}

customElements.define("law-pad", LawPad);
