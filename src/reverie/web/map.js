// The map: a plane of codes with the pictures they decode to, the codes of test images, and a cursor.
import { button, choice, labelled, Latest, make } from "./elements.js";
import { bare, blit, save } from "./pixels.js";
import { shown } from "./mathematics.js";

const MARGIN = { left: 44, bottom: 30 };
const CHUNK = 8; // milliseconds of decoding between two looks at the pointer

export class LatentMap extends HTMLElement {
  /** ``codes`` and ``labels`` of the points may be empty. */
  begin({ about, place, backEnd, codes, labels }) {
    Object.assign(this, { about, place, backEnd, codes, labels, pointers: new Map(), landed: null, route: [] });
    this.rows = backEnd.whole ? Infinity : 1;
    this.canvas = make("canvas", {
      tabIndex: 0, role: "application", "aria-roledescription": "map of codes", "aria-describedby": "map-help",
      onpointerdown: (event) => this.press(event), onpointermove: (event) => this.drag(event),
      onpointerup: (event) => this.lift(event), onpointercancel: (event) => this.lift(event),
      onkeydown: (event) => this.key(event),
    });
    this.canvas.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    const help = make("p", { id: "map-help", className: "note" },
      "Drag, or use the arrow keys, to walk. Scroll, pinch, + or \u2212 to zoom; 0 to see all.");
    this.append(this.canvas, help, this.bar(), this.legend());
    this.grid = new Latest((wish) => this.decodeGrid(wish));
    new ResizeObserver(() => this.draw()).observe(this.canvas);
    place.addEventListener("change", ({ detail }) => this.follow(detail));
    this.refresh();
  }

  follow(names) {
    if (["axes", "spacing", "points", "x", "y", "label", "layers"].some((name) => names.has(name))) this.refresh();
    else if (names.has("code") && this.about.latent > 2 && !names.has("onPlane")) this.refresh(120);
    this.draw();
    if (names.has("spacing") || names.has("x") || names.has("y") || names.has("axes")) this.tell();
  }

  // What is drawn

  draw() {
    const ratio = devicePixelRatio || 1, wide = this.canvas.clientWidth, high = this.canvas.clientHeight;
    if (!wide) return;
    if (this.canvas.width !== Math.round(wide * ratio)) this.canvas.width = Math.round(wide * ratio);
    if (this.canvas.height !== Math.round(high * ratio)) this.canvas.height = Math.round(high * ratio);
    const context = this.canvas.getContext("2d");
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, wide, high);
    this.frame = { left: MARGIN.left, top: 0, width: wide - MARGIN.left, height: high - MARGIN.bottom };
    this.ink = getComputedStyle(this);
    this.ticks(context);
    context.save();
    context.beginPath();
    context.roundRect(this.frame.left, this.frame.top, this.frame.width, this.frame.height, 10);
    context.clip();
    this.ground(context);
    this.dots(context);
    this.marks(context);
    context.restore();
  }

  spot(code) {
    const { left, top, width, height } = this.frame, [a, b] = this.place.axes;
    return [left + width * this.place.fraction(0, code[a]), top + height * (1 - this.place.fraction(1, code[b]))];
  }

  ground(context) {
    const { left, top, width, height } = this.frame;
    context.fillStyle = this.ink.getPropertyValue("--ground");
    context.fillRect(left, top, width, height);
    if (this.place.layers === "points" || !this.sheet) return;
    // The sheet lies where it was decoded for; while one zooms, it is stretched until the new one is there.
    const [x, y] = [0, 1].map((side) => this.sheet.ends[side].map((value) => this.place.fraction(side, value)));
    context.imageSmoothingQuality = "high";
    context.drawImage(this.sheet.canvas, left + width * x[0], top + height * (1 - y[1]), width * (x[1] - x[0]),
      height * (y[1] - y[0]));
  }

  dots(context) {
    if (this.place.layers === "pictures" || !this.codes) return;
    const D = this.about.latent, [a, b] = this.place.axes, over = this.place.layers === "both";
    const { left, top, width, height } = this.frame, n = this.codes.length / D, radius = over ? 1.9 : 2.6;
    context.globalAlpha = over ? 0.75 : 0.8;
    for (let i = 0; i < n; i++) {
      const x = left + width * this.place.fraction(0, this.codes[i * D + a]);
      const y = top + height * (1 - this.place.fraction(1, this.codes[i * D + b]));
      if (x < left || y > top + height || y < top) continue;
      if (this.silenced?.has(this.labels?.[i])) continue;
      context.fillStyle = this.colour(this.labels ? this.labels[i] : 0);
      context.beginPath();
      context.arc(x, y, radius, 0, 7);
      context.fill();
    }
    context.globalAlpha = 1;
  }

  colour(label) {
    return this.ink.getPropertyValue(`--class-${label % 12}`);
  }

  marks(context) {
    const line = (points, style) => {
      context.beginPath();
      points.forEach((point, i) => context[i ? "lineTo" : "moveTo"](...point));
      Object.assign(context, style);
      context.stroke();
    };
    if (this.route.length) {
      line(this.route.map((code) => this.spot(code)), { strokeStyle: "#000a", lineWidth: 5, lineJoin: "round" });
      line(this.route.map((code) => this.spot(code)), { strokeStyle: "#fff", lineWidth: 2 });
      this.flag(context, this.spot(this.route[0]), "A");
      this.flag(context, this.spot(this.route.at(-1)), "B");
    }
    if (this.landed) this.flag(context, this.spot(this.landed), "\u270e");
    const [x, y] = this.spot(this.place.code);
    for (const [radius, lineWidth, strokeStyle] of [[10, 5, "#000b"], [10, 2.5, "#fff"], [1.5, 3, "#fff"]]) {
      context.beginPath();
      context.arc(x, y, radius, 0, 7);
      Object.assign(context, { lineWidth, strokeStyle });
      context.stroke();
    }
  }

  flag(context, [x, y], letter) {
    context.beginPath();
    context.arc(x, y, 9, 0, 7);
    Object.assign(context, { fillStyle: "#fff", strokeStyle: "#000b", lineWidth: 1.5 });
    context.fill();
    context.stroke();
    Object.assign(context, { fillStyle: "#111", font: "600 11px system-ui", textAlign: "center", textBaseline: "middle" });
    context.fillText(letter, x, y + 0.5);
  }

  ticks(context) {
    const { left, top, width, height } = this.frame, [a, b] = this.place.axes;
    Object.assign(context, { fillStyle: this.ink.getPropertyValue("--muted"), font: "12px system-ui" });
    for (const at of [0, 0.25, 0.5, 0.75, 1]) {
      context.textAlign = at === 0 ? "left" : at === 1 ? "right" : "center";
      context.textBaseline = "top";
      context.fillText(at === 0.5 ? `z${a}` : shown(this.place.coordinate(0, at), 1), left + width * at, top + height + 9);
      context.textAlign = "right";
      context.textBaseline = at === 0 ? "bottom" : at === 1 ? "top" : "middle";
      context.fillText(at === 0.5 ? `z${b}` : shown(this.place.coordinate(1, at), 1), left - 9, top + height * (1 - at));
    }
  }

  // The pictures on the plane

  refresh(later = 0) {
    clearTimeout(this.waiting);
    if (this.place.layers === "points") return;
    this.waiting = setTimeout(() => this.grid.ask({}), later);
  }

  /** Decode the middle of every square of the plane, a few rows at a time; gives up when something newer is wanted. */
  async decodeGrid() {
    const n = this.place.points, [, high, wide] = this.about.shape, D = this.about.latent, started = performance.now();
    const ends = [0, 1].map((side) => [0, 1].map((at) => this.place.coordinate(side, at)));
    const middles = [0, 1].map((side) => Array.from({ length: n }, (_, i) => this.place.coordinate(side, (i + 0.5) / n)));
    const sheet = { canvas: bare(n * wide, n * high), ends, middles };
    const context = sheet.canvas.getContext("2d");
    if (this.sheet) this.carry(context, sheet);
    let rows = this.rows;
    for (let row = 0; row < n; row += rows) {
      rows = Math.max(1, Math.min(this.rows, n - row));
      const codes = new Float32Array(rows * n * D), before = performance.now();
      for (let i = 0; i < rows * n; i++) {
        codes.set(this.place.at(middles[0][i % n], middles[1][n - 1 - row - Math.floor(i / n)]), i * D);
      }
      const images = await this.backEnd.decode(codes, this.place.labels(rows * n));
      const pixels = new ImageData(n * wide, rows * high);
      for (let i = 0; i < rows * n; i++) {
        blit(pixels, images, i, this.about.shape, (i % n) * wide, Math.floor(i / n) * high);
      }
      context.putImageData(pixels, 0, row * high);
      const took = (performance.now() - before) / rows;
      if (!this.backEnd.whole) this.rows = Math.max(1, Math.min(n, Math.floor(CHUNK / took)));
      this.sheet = sheet;
      if (row + rows < n) {
        this.draw();
        await new Promise((done) => setTimeout(done));
        if (this.grid.next) return;
      }
    }
    this.draw();
    this.dispatchEvent(new CustomEvent("grid", { bubbles: true, detail: { milliseconds: performance.now() - started, n } }));
  }

  /** Lay the sheet that was there under the one that comes, where both show the same place. */
  carry(context, sheet) {
    const { width, height } = sheet.canvas;
    const [x, y] = [0, 1].map((side) => this.sheet.ends[side].map((value) => this.place.fraction(side, value)));
    context.drawImage(this.sheet.canvas, width * x[0], height * (1 - y[1]), width * (x[1] - x[0]), height * (y[1] - y[0]));
  }

  // The pointer and the keys

  inside(event) {
    const box = this.canvas.getBoundingClientRect(), { left, top, width, height } = this.frame;
    return [(event.clientX - box.left - left) / width, 1 - (event.clientY - box.top - top) / height];
  }

  press(event) {
    this.canvas.setPointerCapture(event.pointerId);
    this.pointers.set(event.pointerId, this.inside(event));
    if (this.pointers.size === 1 && !event.shiftKey) this.walk(this.inside(event), event);
  }

  drag(event) {
    if (!this.pointers.has(event.pointerId)) return;
    const before = [...this.pointers.values()];
    this.pointers.set(event.pointerId, this.inside(event));
    const now = [...this.pointers.values()];
    if (now.length === 2) this.pinch(before, now);
    else if (event.shiftKey) this.pan(before[0][0] - now[0][0], before[0][1] - now[0][1]);
    else this.walk(now[0], event);
  }

  lift(event) {
    this.pointers.delete(event.pointerId);
  }

  walk([right, up], event) {
    const [x, y] = [right, up].map((at) => Math.min(Math.max(at, 0), 1));
    const code = this.place.at(this.place.coordinate(0, x), this.place.coordinate(1, y));
    this.place.change({ code, onPlane: true, since: event?.timeStamp });
  }

  pinch(before, now) {
    const gap = ([a, b]) => Math.max(0.02, Math.hypot(a[0] - b[0], a[1] - b[1]));
    this.zoom(gap(before) / gap(now), [(now[0][0] + now[1][0]) / 2, (now[0][1] + now[1][1]) / 2]);
  }

  wheel(event) {
    event.preventDefault();
    this.zoom(Math.exp(Math.max(-50, Math.min(50, event.deltaY)) / 250), this.inside(event));
  }

  /** Show ``factor`` times as much of the plane, with what is at a fraction of its sides staying there. */
  zoom(factor, at) {
    const [x, y] = ["x", "y"].map((side, i) => this.bounded(this.place[side].map((end) => {
      const fixed = this.place[side][0] + at[i] * (this.place[side][1] - this.place[side][0]);
      return fixed + factor * (end - fixed);
    })));
    this.place.change({ x, y });
  }

  pan(right, up) {
    const [x, y] = [["x", right], ["y", up]].map(([side, by]) => {
      const [low, high] = this.place[side];
      return this.bounded([low + by * (high - low), high + by * (high - low)]);
    });
    this.place.change({ x, y });
  }

  bounded([low, high]) {
    if (this.place.spacing === "probability") return [Math.max(1e-4, low), Math.min(1 - 1e-4, high)];
    return high - low < 1e-3 || high - low > 1e3 ? [low, low + Math.min(1e3, Math.max(1e-3, high - low))] : [low, high];
  }

  key(event) {
    const step = event.shiftKey ? 0.1 : 0.02;
    const ways = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, step], ArrowDown: [0, -step] };
    const middle = [0, 1].map((side) => this.place.fraction(side, this.place.code[this.place.axes[side]]));
    if (ways[event.key]) this.go(middle, ways[event.key], event);
    else if (event.key === "+" || event.key === "=") this.zoom(0.8, middle);
    else if (event.key === "-") this.zoom(1.25, middle);
    else if (event.key === "0") this.place.change(this.place.bounds(this.place.spacing));
    else return;
    event.preventDefault();
  }

  /** A step by a key; at the edge the plane goes along. */
  go(from, by, event) {
    const to = from.map((at, side) => at + by[side]);
    const beyond = to.map((at) => Math.min(0, at) + Math.max(0, at - 1));
    if (beyond.some(Boolean)) this.pan(...beyond);
    this.walk(to.map((at, side) => at - beyond[side]), event);
  }

  // The controls below

  bar() {
    const { place } = this;
    this.fields = {};
    const number = (name, side, end, words) => {
      this.fields[name + end] = make("input", { type: "number", step: "any", onchange: (event) => {
        const pair = [...place[side]];
        pair[end] = Number(event.target.value);
        if (pair[0] < pair[1]) place.change({ [side]: this.bounded(pair) });
        this.tell();
      } });
      return labelled(words, this.fields[name + end]);
    };
    this.fields.points = make("input", { type: "number", min: 2, max: 30, value: place.points, onchange: (event) => {
      place.change({ points: Math.max(2, Math.min(30, Math.round(Number(event.target.value)) || 20)) });
      this.tell();
    } });
    const shows = choice("Show", [["both", "Both"], ["pictures", "Pictures"], ["points", "Points"]], place.layers,
      (layers) => place.change({ layers }));
    const by = choice("Spacing", [["linear", "Even"], ["probability", "By probability"]], place.spacing,
      (spacing) => place.change({ spacing, ...place.bounds(spacing) }));
    Object.assign(this.fields, { shows, by });
    const axes = this.about.latent > 2 ? [0, 1].map((side) => this.axis(side)) : [];
    const more = make("details", {}, make("summary", {}, "Bounds"), make("div", { className: "row" },
      number("x", "x", 0, "From left"), number("x", "x", 1, "to right"), number("y", "y", 0, "From bottom"),
      number("y", "y", 1, "to top"), labelled("Pictures a side", this.fields.points)));
    const all = button("See all", () => place.change(place.bounds(place.spacing)));
    const keep = button("Save map", () => save(this.sheet.canvas, `${this.about.name}-map`));
    queueMicrotask(() => this.tell());
    return make("div", { className: "bar" }, make("div", { className: "row" }, shows, by, ...axes, all, keep), more);
  }

  axis(side) {
    const options = this.about.order.slice(0, 64).map((d) => make("option", { value: d }, `z${d}`));
    const select = make("select", { onchange: () => {
      const axes = [...this.place.axes];
      axes[side] = Number(select.value);
      this.place.change({ axes, ...this.place.bounds(this.place.spacing, axes) });
    } }, ...options);
    this.fields[`axis${side}`] = select;
    return labelled(side ? "Up" : "Right", select);
  }

  tell() {
    const { place, fields } = this;
    for (const side of ["x", "y"]) [0, 1].forEach((end) => { fields[side + end].value = +place[side][end].toFixed(4); });
    fields.points.value = place.points;
    fields.by.set(place.spacing);
    fields.shows.set(place.layers);
    [0, 1].forEach((side) => { if (fields[`axis${side}`]) fields[`axis${side}`].value = place.axes[side]; });
    this.canvas.setAttribute("aria-label", `Map of codes, z${place.axes[0]} to the right and z${place.axes[1]} up`);
  }

  /** The classes; a press hides or shows their points. */
  legend() {
    if (!this.labels || !this.about.classes.length || this.about.classes.length > 40) return "";
    this.silenced = new Set();
    return make("div", { className: "legend", role: "group", "aria-label": "Classes on the map" },
      ...this.about.classes.map((name, i) => {
        const key = button(name, () => {
          const off = !this.silenced.delete(i) && this.silenced.add(i);
          key.setAttribute("aria-pressed", String(!off));
          this.draw();
        }, { "aria-pressed": "true" });
        key.prepend(make("span", { className: `swatch class-${i % 12}` }));
        return key;
      }));
  }
}
