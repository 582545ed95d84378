// The runs: a card each, with the newest samples on it; two of them can be set side by side.
import { button, make } from "../elements.js";
import { ask, follow, path } from "./ask.js";
import { badge, picture } from "./words.js";

export class RunList extends HTMLElement {
  async begin() {
    document.title = "Runs · Reverie";
    this.chosen = [];
    this.list = make("ul", { className: "cards" });
    this.count = make("p", { className: "lead" });
    this.both = button("Compare two", () => this.compare(), { disabled: true });
    this.hint = make("span", { className: "note" }, "Choose two runs to set their figures side by side.");
    this.append(make("div", { className: "title" }, make("div", {}, make("h1", {}, "Runs"), this.count),
      make("a", { className: "button main", href: "/train" }, "Train a model")), this.list,
      this.foot = make("div", { className: "row" }, this.both, this.hint));
    addEventListener("theme", () => this.draw());
    await this.look();
    follow(async () => {
      await this.look().catch(() => {});
      return this.runs.some((run) => run.alive) ? 1500 : 6000;
    });
  }

  async look() {
    const { folder, runs } = await ask("/api/runs");
    const news = JSON.stringify(runs);
    Object.assign(this, { folder, runs });
    if (news === this.news) return;
    this.news = news;
    this.draw();
  }

  draw() {
    const held = document.activeElement?.closest?.("li")?.dataset.name, kind = document.activeElement?.tagName;
    this.count.textContent = this.runs.length ? `${this.runs.length} in ${this.folder}` : `Nothing in ${this.folder} yet.`;
    this.list.replaceChildren(...this.runs.map((run) => this.card(run)));
    this.foot.hidden = this.runs.filter((run) => run.figure).length < 2;
    const again = [...this.list.children].find((card) => card.dataset.name === held);
    again?.querySelector(kind === "INPUT" ? "input" : "a")?.focus({ preventScroll: true });
  }

  card(run) {
    const cover = run.sheet ? make("img", { src: picture(run.name, "samples", run.sheet), alt: "", loading: "lazy" }) : "";
    const facts = [run.recipe, run.data].filter(Boolean).join(" on ");
    const tick = make("input", { type: "checkbox", checked: this.chosen.includes(run.name), onchange: () => this.choose(run.name, tick) });
    const bar = run.status === "training" && run.steps
      ? make("progress", { max: run.steps, value: run.step ?? 0, "aria-label": `Progress of ${run.name}` }) : "";
    const figure = run.figure ? make("p", { className: "figure" }, make("b", {}, run.figure.words), ` ${run.figure.name.replaceAll("_", " ")}`) : "";
    const compare = run.figure ? make("label", { className: "tick" }, tick, make("span", {}, "compare")) : "";
    return make("li", { "data-name": run.name },
      make("a", { href: path("runs", run.name), className: "cover" }, make("span", { className: "window" }, cover), make("span", { className: "name" }, run.name)),
      make("div", { className: "facts" }, make("p", {}, facts || "\u00a0"), badge(run.status), bar, figure, compare));
  }

  choose(name, tick) {
    this.chosen = tick.checked ? [...this.chosen, name].slice(-2) : this.chosen.filter((other) => other !== name);
    for (const card of this.list.children) {
      const box = card.querySelector("input");
      if (box) box.checked = this.chosen.includes(card.dataset.name);
    }
    this.both.disabled = this.chosen.length < 2;
    this.hint.textContent = this.chosen.length ? this.chosen.join(" and ") : "Choose two runs to set their figures side by side.";
  }

  compare() {
    const [first, second] = this.chosen;
    location.href = `/compare?${new URLSearchParams({ first, second })}`;
  }
}
