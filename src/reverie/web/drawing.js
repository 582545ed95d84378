// Drawing: an image of one's own, drawn, dropped, pasted or picked; its reconstruction, and where it lands.
import { button, labelled, Latest, make } from "./elements.js";
import { bare, show, values } from "./pixels.js";

const SIDE = 280;

export class DrawingPanel extends HTMLElement {
  /** ``landed`` hears the code of what was drawn, or null. */
  begin({ about, place, backEnd, landed, say, examples, exampleLabels }) {
    Object.assign(this, { about, place, backEnd, landed, say, exampleLabels, pen: null, down: false, at: [SIDE / 2, SIDE / 2] });
    const [channels, height, width] = about.shape, high = Math.round((SIDE * height) / width);
    this.canvas = make("canvas", {
      className: "picture paper", width: SIDE, height: high, tabIndex: 0, role: "application",
      "aria-roledescription": "drawing", "aria-describedby": "drawing-help",
      "aria-label": "Draw here: arrow keys move the pen, space puts it down or lifts it",
      onpointerdown: (event) => this.press(event), onpointermove: (event) => this.move(event),
      onpointerup: () => this.lift(), onpointercancel: () => this.lift(), onkeydown: (event) => this.key(event),
    });
    this.answer = make("canvas", { className: "picture", width: SIDE, height: high, role: "img", "aria-label": "Its reconstruction" });
    this.words = make("p", { className: "note", "aria-live": "polite" }, " ");
    this.colour = make("input", { type: "color", value: "#ffffff" });
    this.file = make("input", { type: "file", accept: "image/*", className: "hidden", tabIndex: -1, "aria-label": "A picture file",
      onchange: () => this.read(this.file.files[0]) });
    const row = make("div", { className: "row" }, button("Clear", () => this.clear()), button("Invert", () => this.invert()),
      button("Open a picture", () => this.file.click()), this.file, channels > 1 ? labelled("Ink", this.colour) : "");
    const figure = (canvas, words) => make("figure", {}, canvas, make("figcaption", {}, words));
    this.append(make("h2", {}, "Your own picture"),
      make("p", { className: "note", id: "drawing-help" }, "Draw on the left, or drop or paste a picture anywhere. With keys: arrows and space."),
      make("div", { className: "twins" }, this.sheet = figure(this.canvas, "drawn"), figure(this.answer, "reconstructed")),
      this.words, row, this.album(examples));
    this.encoding = new Latest(() => this.reconstruct());
    document.addEventListener("dragover", (event) => event.preventDefault());
    document.addEventListener("drop", (event) => { event.preventDefault(); this.read(event.dataTransfer.files[0]); });
    document.addEventListener("paste", (event) => this.read([...event.clipboardData.files][0]));
    place.addEventListener("change", ({ detail }) => { if (detail.has("label") && this.inked) this.encoding.ask(); });
    this.clear();
  }

  // The pen

  where(event) {
    const box = this.canvas.getBoundingClientRect();
    return [((event.clientX - box.left) / box.width) * SIDE, ((event.clientY - box.top) / box.height) * this.canvas.height];
  }

  press(event) {
    this.canvas.setPointerCapture(event.pointerId);
    this.pen = this.where(event);
    this.stroke(this.pen);
  }

  move(event) {
    if (this.pen) this.stroke(this.where(event));
  }

  lift() {
    this.pen = null;
  }

  key(event) {
    const step = SIDE / this.about.shape[2] * (event.shiftKey ? 3 : 1);
    const ways = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] };
    if (event.key === " ") {
      this.down = !this.down;
      this.pen = this.down ? this.at : null;
      if (this.down) this.stroke(this.at);
      this.say(this.down ? "Pen down" : "Pen up");
    } else if (ways[event.key]) {
      const [x, y] = this.at.map((value, i) => value + ways[event.key][i]);
      this.at = [Math.max(0, Math.min(SIDE, x)), Math.max(0, Math.min(this.canvas.height, y))];
      if (this.down) this.stroke(this.at);
      this.say(`Pen at ${Math.round((100 * this.at[0]) / SIDE)}, ${Math.round((100 * this.at[1]) / this.canvas.height)} percent`);
    } else return;
    event.preventDefault();
  }

  stroke(to) {
    const context = this.canvas.getContext("2d");
    const ink = this.about.shape[0] > 1 ? this.colour.value : "#fff";
    Object.assign(context, { strokeStyle: ink, lineWidth: SIDE / 12, lineCap: "round", lineJoin: "round" });
    context.beginPath();
    context.moveTo(...(this.pen ?? to));
    context.lineTo(to[0] + 0.01, to[1]);
    context.stroke();
    this.pen = to;
    this.changed();
  }

  // Whole pictures

  clear() {
    const context = this.canvas.getContext("2d");
    context.fillStyle = "#000";
    context.fillRect(0, 0, this.canvas.width, this.canvas.height);
    Object.assign(this, { inked: false, down: false, pen: null });
    this.sheet.className = "empty";
    this.answer.getContext("2d").clearRect(0, 0, SIDE, SIDE);
    this.words.textContent = "\u00a0";
    this.landed(null);
  }

  invert() {
    const context = this.canvas.getContext("2d");
    context.globalCompositeOperation = "difference";
    context.fillStyle = "#fff";
    context.fillRect(0, 0, this.canvas.width, this.canvas.height);
    context.globalCompositeOperation = "source-over";
    this.changed();
  }

  async read(file) {
    if (!file) return;
    try {
      const picture = await createImageBitmap(file), { width, height } = this.canvas;
      const scale = Math.max(width / picture.width, height / picture.height);
      const [wide, high] = [picture.width * scale, picture.height * scale];
      this.canvas.getContext("2d").drawImage(picture, (width - wide) / 2, (height - high) / 2, wide, high);
      this.changed();
    } catch {
      this.words.textContent = "That file is no picture that this browser reads.";
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
    this.sheet.className = "";
    this.encoding.ask();
  }

  /** Encode what is drawn, go where it lands, and show what it becomes; of a test image, its own pixels. */
  async reconstruct() {
    const { about, place, backEnd } = this, image = this.exact ?? values(this.canvas, about.shape);
    const code = Float32Array.from(await backEnd.encode(image, place.labels(1)));
    const restored = await backEnd.decode(code, place.labels(1));
    show(this.answer, restored, about.shape);
    const error = image.reduce((sum, value, i) => sum + (value - restored[i]) ** 2, 0) / image.length;
    this.words.textContent = `Squared error ${error.toFixed(4)} per pixel.`;
    this.landed(code);
    place.change({ code, since: 0 });
    this.dispatchEvent(new CustomEvent("reconstruction", { bubbles: true, detail: { error, image } }));
  }
}
