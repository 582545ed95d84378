// The map: a plane of codes with the pictures they decode to, the codes of test images, and a cursor.
import { breath, Latest, make } from "./elements.js";
import { bare, blit } from "./pixels.js";
import { shown } from "./mathematics.js";

const MARGIN = { left: 44, bottom: 30 };
const GLANCE = 50; // milliseconds between two paintings of a map that is still coming
const HASTE = 4; // milliseconds at least between two steps that do not wait for a frame

export class LatentMap extends HTMLElement {
  /** ``codes`` and ``labels`` of the points may be missing; ``picture`` gives the canvas of the decoded one. */
  begin({ about, place, backEnd, codes, labels, picture }) {
    Object.assign(this, { about, place, backEnd, codes, labels, picture, pointers: new Map(), landed: null, route: [] });
    this.rows = Number.isFinite(backEnd.chunk) ? 1 : Infinity;
    this.canvas = make("canvas", {
      tabIndex: 0, role: "application", "aria-roledescription": "map of codes", "aria-describedby": "map-help",
      onpointerdown: (event) => this.press(event), onpointermove: (event) => this.drag(event),
      onpointerrawupdate: (event) => this.hurry(event), onpointerup: (event) => this.lift(event), onpointercancel: (event) => this.lift(event),
      onkeydown: (event) => this.key(event),
    });
    this.canvas.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    const help = make("p", { id: "map-help", className: "note" },
      "Drag, or use the arrow keys, to walk. Scroll, pinch, + or \u2212 to zoom; 0 for the usual view.");
    const bar = make("map-bar");
    this.append(this.canvas, help, bar);
    this.grid = new Latest((wish) => this.decodeGrid(wish));
    new ResizeObserver(() => this.paint()).observe(this.canvas);
    place.addEventListener("change", ({ detail }) => this.follow(detail));
    addEventListener("theme", () => this.paint());
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.paint());
    bar.begin(this);
    this.refresh();
  }

  follow(names) {
    const plane = ["axes", "spacing", "points", "x", "y", "label", "layers"].some((name) => names.has(name));
    if (plane) {
      this.paint();
      this.refresh();
    } else {
      this.draw();
      if (names.has("code") && this.about.latent > 2 && !names.has("onPlane")) this.refresh(120);
    }
  }

  // What is drawn

  /** Everything anew: axes, pictures and points on a canvas of their own, which stays as the cursor moves. */
  paint() {
    const ratio = devicePixelRatio || 1, wide = this.canvas.clientWidth, high = this.canvas.clientHeight;
    if (!wide) return;
    this.base = bare(Math.round(wide * ratio), Math.round(high * ratio));
    this.frame = { left: MARGIN.left, top: 0, width: wide - MARGIN.left, height: high - MARGIN.bottom };
    this.ink = getComputedStyle(this);
    const context = this.base.getContext("2d");
    context.scale(ratio, ratio);
    this.ticks(context);
    this.clip(context);
    this.ground(context);
    this.dots(context);
    this.draw();
  }

  /** What was painted, with the cursor and the path over it. */
  draw() {
    if (!this.base) return;
    const { width, height } = this.base, ratio = width / this.canvas.clientWidth;
    if (this.canvas.width !== width || this.canvas.height !== height) Object.assign(this.canvas, { width, height });
    const context = this.canvas.getContext("2d");
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, width, height);
    context.drawImage(this.base, 0, 0);
    context.scale(ratio, ratio);
    context.save();
    this.clip(context);
    this.marks(context);
    if (this.touched) this.lens(context);
    context.restore();
  }

  clip(context) {
    context.beginPath();
    context.roundRect(this.frame.left, this.frame.top, this.frame.width, this.frame.height, 10);
    context.clip();
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

  /** The codes of test images, all of a class in one stroke. */
  dots(context) {
    if (this.place.layers === "pictures" || !this.codes) return;
    const D = this.about.latent, [a, b] = this.place.axes, over = this.place.layers === "both";
    const { left, top, width, height } = this.frame, radius = over ? 1.9 : 2.6, paths = new Map();
    for (let i = 0; i < this.codes.length / D; i++) {
      const label = this.labels?.[i] ?? 0;
      const x = left + width * this.place.fraction(0, this.codes[i * D + a]);
      const y = top + height * (1 - this.place.fraction(1, this.codes[i * D + b]));
      if (x < left || x > left + width || y < top || y > top + height || this.silenced?.has(label)) continue;
      if (!paths.has(label)) paths.set(label, new Path2D());
      paths.get(label).moveTo(x + radius, y);
      paths.get(label).arc(x, y, radius, 0, 7);
    }
    context.globalAlpha = over ? 0.75 : 0.8;
    for (const [label, path] of paths) {
      context.fillStyle = this.colour(label);
      context.fill(path);
    }
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
    this.cursor(context);
  }

  /** A ring where the code is; a broken one at the edge nearest to it, where it is beyond what is shown. */
  cursor(context) {
    const { left, top, width, height } = this.frame, [right, down] = this.spot(this.place.code);
    const beyond = right < left || right > left + width || down < top || down > top + height;
    const x = beyond ? Math.max(left + 12, Math.min(left + width - 12, right)) : right;
    const y = beyond ? Math.max(top + 12, Math.min(top + height - 12, down)) : down;
    for (const [radius, lineWidth, strokeStyle] of [[10, 5, "#000b"], [10, 2.5, "#fff"], [1.5, 3, "#fff"]]) {
      context.beginPath();
      context.arc(x, y, radius, 0, 7);
      context.setLineDash(beyond && strokeStyle === "#fff" ? [5, 4] : []);
      Object.assign(context, { lineWidth, strokeStyle });
      context.stroke();
    }
    context.setLineDash([]);
  }

  /** The picture beside the finger, which covers what it points at. */
  lens(context) {
    const side = 104, { left, top, width } = this.frame, [x, y] = this.spot(this.place.code);
    const from = Math.max(left + 6, Math.min(left + width - side - 6, x - side / 2));
    const above = y - side - 44 > top ? y - side - 44 : y + 44;
    context.beginPath();
    context.roundRect(from, above, side, side, 12);
    Object.assign(context, { lineWidth: 4, strokeStyle: "#fff" });
    context.stroke();
    context.clip();
    context.drawImage(this.picture(), from, above, side, side);
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
    if (this.place.layers === "points") return this.setAttribute("aria-busy", "false");
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
    this.setAttribute("aria-busy", "true");
    const decoder = this.backEnd.crew ?? this.backEnd;
    let rows = this.rows, painted = started;
    for (let row = 0; row < n; row += rows) {
      rows = Math.max(1, Math.min(this.rows, n - row));
      const codes = new Float32Array(rows * n * D), before = performance.now();
      for (let i = 0; i < rows * n; i++) {
        codes.set(this.place.at(middles[0][i % n], middles[1][n - 1 - row - Math.floor(i / n)]), i * D);
      }
      const images = await decoder.decode(codes, this.place.labels(rows * n));
      const pixels = new ImageData(n * wide, rows * high);
      for (let i = 0; i < rows * n; i++) {
        blit(pixels, images, i, this.about.shape, (i % n) * wide, Math.floor(i / n) * high);
      }
      context.putImageData(pixels, 0, row * high);
      const took = (performance.now() - before) / rows;
      if (Number.isFinite(decoder.chunk)) this.rows = Math.max(1, Math.min(n, Math.floor(decoder.chunk / took)));
      this.sheet = sheet;
      if (row + rows < n) {
        if (performance.now() - painted > GLANCE) {
          this.paint();
          painted = performance.now();
        }
        await breath();
        if (this.grid.next) return;
      }
    }
    this.paint();
    this.setAttribute("aria-busy", "false");
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
    this.touched = event.pointerType === "touch" && this.pointers.size === 1;
    if (this.pointers.size === 1 && !event.shiftKey) this.walk(this.inside(event), event);
  }

  drag(event) {
    if (!this.pointers.has(event.pointerId)) return;
    const before = [...this.pointers.values()], here = this.inside(event);
    if (String(here) === String(this.pointers.get(event.pointerId))) return;
    this.pointers.set(event.pointerId, here);
    const now = [...this.pointers.values()];
    if (now.length === 2) this.pinch(before, now);
    else if (event.shiftKey) this.pan(before[0][0] - now[0][0], before[0][1] - now[0][1]);
    else this.walk(now[0], event);
  }

  /** The browser tells of moves once a frame, and of raw ones at once: a picture decoded then is there by that frame. */
  hurry(event) {
    if (this.pointers.size === 1 && !event.shiftKey && event.timeStamp - this.walked > HASTE) this.drag(event);
  }

  lift(event) {
    this.pointers.delete(event.pointerId);
    const lens = this.touched;
    this.touched = false;
    if (lens) this.draw();
  }

  walk([right, up], event) {
    this.walked = event.timeStamp;
    const [x, y] = [right, up].map((at) => Math.min(Math.max(at, 0), 1));
    const code = this.place.at(this.place.coordinate(0, x), this.place.coordinate(1, y));
    this.place.change({ code, onPlane: true, since: event.timeStamp });
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
}
