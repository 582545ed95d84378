// The path: from one code to another, straight or on a great circle, with a slider that walks it.
import { button, choice, Latest, make } from "./elements.js";
import { bare, offer, save, show } from "./pixels.js";
import { gif } from "./gif.js";
import { lerp, slerp } from "./mathematics.js";

const STOPS = 9; // pictures of the strip
const FRAMES = 32, FILM_SIDE = 168, HUNDREDTHS = 6; // pictures of the film one way, their width, and how long each is shown
const BENDS = 40; // points of the line on the map

export class PathPanel extends HTMLElement {
  /** ``routed`` hears the codes of the way whenever it changes. */
  begin({ about, place, backEnd, routed }, ends) {
    Object.assign(this, { about, place, backEnd, routed, ends: [...ends], kind: "spherical" });
    this.scrub = make("input", { type: "range", min: 0, max: 1, step: "any", value: 0, "aria-label": "Along the path",
      oninput: (event) => place.change({ code: this.between(Number(this.scrub.value)), since: event.timeStamp }) });
    this.strip = make("div", { className: "strip", role: "img", "aria-label": `${STOPS} pictures on the way from A to B` });
    const kinds = choice("Way", [["spherical", "Great circle"], ["linear", "Straight"]], this.kind, (kind) => {
      this.kind = kind;
      this.renew();
    });
    const set = (end) => () => {
      this.ends[end] = Float32Array.from(place.code);
      this.renew();
    };
    this.append(make("h2", {}, "Path"), make("p", { className: "note" }, "Set two places, then slide from one to the other."),
      this.strip, this.scrub, make("div", { className: "row" }, button("A is here", set(0)), button("B is here", set(1)), kinds,
        button("Save strip", () => this.keep()), button("Save film", () => this.film())));
    this.drawing = new Latest(() => this.decode());
    place.addEventListener("change", ({ detail }) => { if (detail.has("label")) this.renew(); });
    this.renew();
  }

  between(t) {
    return (this.kind === "linear" ? lerp : slerp)(this.ends[0], this.ends[1], t);
  }

  renew() {
    this.routed(Array.from({ length: BENDS + 1 }, (_, i) => this.between(i / BENDS)));
    this.drawing.ask();
  }

  async decode() {
    this.pictures = await this.walked(STOPS, 112);
    this.strip.replaceChildren(...this.pictures);
  }

  /** Pictures at equal steps from A to B, on canvases of some width. */
  async walked(count, side) {
    const codes = new Float32Array(count * this.about.latent);
    for (let i = 0; i < count; i++) codes.set(this.between(i / (count - 1)), i * this.about.latent);
    const images = await this.backEnd.decode(codes, this.place.labels(count)), [, height, width] = this.about.shape;
    return Array.from({ length: count }, (_, i) => {
      const canvas = bare(side, Math.round((side * height) / width));
      show(canvas, images, this.about.shape, i);
      return canvas;
    });
  }

  /** A film of the way from A to B and back. */
  async film() {
    const pictures = await this.walked(FRAMES, FILM_SIDE), [{ width, height }] = pictures;
    const frames = pictures.map((canvas) => canvas.getContext("2d").getImageData(0, 0, width, height).data);
    const there = frames.map((_, i) => i), back = there.slice(1, -1).reverse();
    offer(gif(frames, width, height, [...there, ...back], HUNDREDTHS), `${this.about.name}-path.gif`);
  }

  keep() {
    const [{ width, height }] = this.pictures, whole = bare(STOPS * width, height);
    this.pictures.forEach((picture, i) => whole.getContext("2d").drawImage(picture, i * width, 0));
    save(whole, `${this.about.name}-path`);
  }
}
