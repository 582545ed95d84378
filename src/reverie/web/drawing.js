// Drawing: an image of one's own, drawn, dropped, pasted or picked; its reconstruction, and where it lands.
import { button, labelled, Latest, make } from "./elements.js";
import { bare, show, values } from "./pixels.js";
import "./pen.js";

const SIDE = 280;

export class DrawingPanel extends HTMLElement {
  /** ``landed`` hears the code of what was drawn, or null. */
  begin({ about, place, backEnd, landed, say, examples, exampleLabels }) {
    Object.assign(this, { about, place, backEnd, landed, exampleLabels, sheets: 0, walks: 0 });
    const [channels, height, width] = about.shape, high = Math.round((SIDE * height) / width);
    this.colour = make("input", { type: "color", value: "#ffffff" });
    this.sheet = make("drawing-sheet");
    this.sheet.begin({ label: "Draw here", help: "drawing-help", width: SIDE, height: high, line: SIDE / 12, step: SIDE / width, say,
      ink: () => (channels > 1 ? this.colour.value : "#fff"), drawn: () => this.changed() });
    this.canvas = this.sheet.canvas;
    this.answer = make("canvas", { className: "picture", width: SIDE, height: high, role: "img", "aria-label": "Its reconstruction" });
    this.words = make("p", { className: "note", "aria-live": "polite" }, " ");
    this.file = make("input", { type: "file", accept: "image/*", className: "hidden", tabIndex: -1, "aria-label": "A picture file",
      onchange: () => this.read(this.file.files[0]) });
    const row = make("div", { className: "row" }, button("Clear", () => this.clear()), button("Invert", () => this.sheet.invert()),
      button("Open a picture", () => this.file.click()), this.file, channels > 1 ? labelled("Ink", this.colour) : "");
    const figure = (picture, words) => make("figure", {}, picture, make("figcaption", {}, words));
    this.append(make("h2", {}, "Your own picture"),
      make("p", { className: "note", id: "drawing-help" }, "Draw on the left, or drop or paste a picture anywhere. With keys: arrows and space."),
      make("div", { className: "twins" }, this.drawn = figure(this.sheet, "drawn"), figure(this.answer, "reconstructed")),
      this.words, row, this.album(examples));
    this.encoding = new Latest(() => this.reconstruct());
    document.addEventListener("dragover", (event) => event.preventDefault());
    document.addEventListener("drop", (event) => { event.preventDefault(); this.read(event.dataTransfer.files[0]); });
    document.addEventListener("paste", (event) => this.read([...event.clipboardData.files][0]));
    place.addEventListener("change", ({ detail }) => {
      if (detail.has("code") && !detail.has("drawn")) this.walks += 1;
      if (detail.has("label") && this.inked) this.encoding.ask();
    });
    this.clear();
  }

  clear() {
    this.sheet.clear();
    this.sheets += 1;
    this.inked = false;
    this.drawn.className = "empty";
    this.answer.getContext("2d").clearRect(0, 0, SIDE, SIDE);
    this.words.textContent = "\u00a0";
    this.landed(null);
    this.dispatchEvent(new CustomEvent("cleared", { bubbles: true }));
  }

  async read(file) {
    if (!file) return;
    const { sheets } = this;
    try {
      const picture = await createImageBitmap(file), { width, height } = this.canvas;
      if (sheets !== this.sheets) return;
      this.sheets += 1;
      const scale = Math.max(width / picture.width, height / picture.height);
      const [wide, high] = [picture.width * scale, picture.height * scale];
      this.canvas.getContext("2d").drawImage(picture, (width - wide) / 2, (height - high) / 2, wide, high);
      this.changed();
    } catch {
      if (sheets === this.sheets) this.words.textContent = "That file is no picture that this browser reads.";
    }
  }

  album(examples) {
    if (!examples) return "";
    const { shape, classes } = this.about, size = shape.reduce((a, b) => a * b), n = examples.length / size;
    const thumbs = Array.from({ length: n }, (_, i) => {
      const canvas = bare(56, Math.round((56 * shape[1]) / shape[2]));
      const image = Float32Array.from(examples.subarray(i * size, (i + 1) * size), (value) => value / 255);
      show(canvas, image, shape);
      const label = this.exampleLabels?.[i], named = label === undefined ? "" : `, ${classes[label]}`;
      return make("button", { type: "button", className: "thumb", "aria-label": `Test image ${i + 1}${named}`, onclick: () => {
        show(this.canvas, image, shape);
        if (this.about.conditional && label !== undefined) this.place.change({ label });
        this.changed(image);
      } }, canvas);
    });
    return make("div", { className: "thumbs", role: "group", "aria-label": "Test images" }, ...thumbs);
  }

  changed(exact = null) {
    Object.assign(this, { inked: true, exact });
    this.drawn.className = "";
    this.encoding.ask();
  }

  /**
   * Encode what is drawn, go where it lands, and show what it becomes; of a test image, its own pixels. What comes late
   * is dropped when the sheet is another one by then, and moves nobody who has gone elsewhere.
   */
  async reconstruct() {
    if (!this.inked) return;
    const { about, place, backEnd, sheets, walks } = this, image = this.exact ?? values(this.canvas, about.shape);
    const code = Float32Array.from(await backEnd.encode(image, place.labels(1)));
    if (sheets !== this.sheets) return;
    const restored = await backEnd.decode(code, place.labels(1));
    if (sheets !== this.sheets) return;
    show(this.answer, restored, about.shape);
    const error = image.reduce((sum, value, i) => sum + (value - restored[i]) ** 2, 0) / image.length;
    this.words.textContent = `Squared error ${error.toFixed(4)} per pixel.`;
    this.landed(code);
    if (walks === this.walks) place.change({ code, since: 0, drawn: true });
    this.dispatchEvent(new CustomEvent("reconstruction", { bubbles: true, detail: { error, image } }));
  }
}
