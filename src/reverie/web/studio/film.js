// The film of a training: the sheets that it drew on its way, always of the same noise, with a slider over time.
import { button, make } from "../elements.js";
import { figure, picture } from "./words.js";

const PAUSE = 350; // milliseconds a picture, when it plays

export class FilmStrip extends HTMLElement {
  begin(run) {
    Object.assign(this, { run, sheets: [], at: 0 });
    this.image = make("img", { className: "sheet", alt: "" });
    this.slider = make("input", { type: "range", min: 0, max: 0, value: 0, "aria-label": "Moment of the training",
      oninput: () => this.go(Number(this.slider.value)) });
    this.button = button("Play", () => this.play());
    this.words = make("output", {});
    this.append(make("h2", {}, "Samples"), make("p", { className: "note" }, "Always from the same noise, so that one sees them change."),
      this.image, make("div", { className: "row film" }, this.button, this.slider, this.words));
    addEventListener("theme", () => this.go(this.at));
  }

  /** Take the sheets there are; who looks at the newest goes along with it. */
  show(sheets) {
    const newest = this.at >= this.sheets.length - 1;
    this.sheets = sheets;
    this.slider.max = Math.max(0, sheets.length - 1);
    this.hidden = !sheets.length;
    if (sheets.length && newest) this.go(sheets.length - 1);
  }

  go(at) {
    if (!this.sheets[at]) return;
    this.at = at;
    this.slider.value = at;
    const step = Number.parseInt(this.sheets[at].name, 10);
    const address = picture(this.run, "samples", this.sheets[at]);
    if (this.image.getAttribute("src") !== address) this.image.src = address;
    this.image.alt = `Samples at step ${figure(step)}`;
    this.words.textContent = `step ${figure(step)}`;
    this.slider.setAttribute("aria-valuetext", `step ${figure(step)}`);
    for (const near of [at + 1, at + 2]) if (this.sheets[near]) new Image().src = picture(this.run, "samples", this.sheets[near]);
  }

  play() {
    if (this.playing) return this.pause();
    this.button.textContent = "Pause";
    if (this.at === this.sheets.length - 1) this.go(0);
    this.playing = setInterval(() => (this.at < this.sheets.length - 1 ? this.go(this.at + 1) : this.pause()), PAUSE);
  }

  pause() {
    clearInterval(this.playing);
    this.playing = null;
    this.button.textContent = "Play";
  }

  disconnectedCallback() {
    this.pause?.();
  }
}

customElements.define("film-strip", FilmStrip);
