// Games of two networks: one to be played by hand, and how that of a run goes.
import { make, telling } from "../elements.js";
import { ask, follow, path, sure } from "./ask.js";
import { ServerBackEnd } from "./back_end.js";
import { series } from "./curves.js";
import { Rows } from "./rows.js";
import { capital } from "./words.js";
import "../sheet.js";
import "./duel.js";
import "./film.js";
import "./toy.js";

const PAIRS = { loss: "What each pays", fake: "How real the critic finds what is generated" };

export class GamePage extends HTMLElement {
  async begin(name) {
    document.title = name ? `The game of ${name} · Reverie` : "Game · Reverie";
    if (name) await this.run(name);
    else await this.toy();
  }

  async toy() {
    const game = make("toy-game");
    this.append(make("div", { className: "title" }, make("div", {}, make("h1", {}, "A game by hand"),
      make("p", { className: "lead" }, "A generator moves points; a critic tells them from real ones. Step either, and see what the other does."))), game);
    await game.begin();
  }

  async run(name) {
    const run = await ask(path("api", "runs", name));
    const address = path("api", "runs", name);
    Object.assign(this, { name, address, rows: new Rows(address) });
    this.verdict = make("div", { className: "verdict", role: "status" });
    this.telling = telling();
    this.film = make("film-strip");
    this.film.begin(name);
    this.curves = Object.fromEntries(Object.entries(PAIRS).map(([key, title]) => [key, make("duel-chart", { hidden: true })]));
    for (const [key, chart] of Object.entries(this.curves)) chart.begin(PAIRS[key], ["critic", "generator"]);
    this.fresh = make("section", {});
    this.append(make("div", { className: "title" }, make("div", {}, make("h1", {}, name),
      make("p", { className: "lead" }, `The game of a ${run.recipe} model of ${run.data}.`)), make("div", { className: "row" }, run.kind === "points" ? make("a", { className: "button", href: "/game" }, "Play one by hand") : "",
      make("a", { className: "button", href: path("runs", name) }, "Its run"))),
    this.verdict, this.telling, make("div", { className: "split" }, make("div", {}, ...Object.values(this.curves)), this.film), this.fresh);
    await this.look();
    if (run.kind === "images") await this.samples();
    const look = sure(() => this.look(), this.telling);
    follow(async () => {
      await look();
      return this.alive ? 1500 : 6000;
    });
  }

  async look() {
    const [run, verdict] = await Promise.all([ask(this.address), ask(`${this.address}/verdict`)]);
    await this.rows.read();
    Object.assign(this, { alive: run.alive, sheets: run.samples ?? [] });
    const all = series(this.rows.sorted()), of = (player, key) => all.get(`${player}/${key}`)?.batches ?? [];
    for (const [key, chart] of Object.entries(this.curves)) chart.show(["critic", "generator"].map((player) => of(player, key)), run.steps);
    this.film.show(this.sheets);
    this.judge(verdict);
  }

  judge({ name, why, advice }) {
    const words = name ? [make("strong", {}, capital(name)), make("p", {}, `${capital(why)}.`), make("p", { className: "note" }, advice)]
      : [make("p", { className: "note" }, "There is no verdict yet: it takes four measured epochs of a game of pictures.")];
    if (JSON.stringify([name, why]) === this.said) return;
    this.said = JSON.stringify([name, why]);
    this.verdict.className = `verdict ${(name ?? "none").replaceAll(" ", "-")}`;
    this.verdict.replaceChildren(...words);
  }

  /** New pictures of the model as it is now. */
  async samples() {
    this.about = await ask(path("api", "models", this.name)).catch((error) => this.telling.say(error.message, true));
    if (!this.about?.inputs.generator) return;
    this.fresh.append(make("h2", {}, "New samples"));
    if (this.isConnected) this.connectedCallback();
  }

  /** The sheet measures itself, so that it begins when it is on the page. */
  connectedCallback() {
    if (!this.about?.inputs.generator || this.sheet) return;
    this.sheet = make("sample-sheet");
    this.fresh.append(this.sheet);
    this.sheet.begin(this.about, new ServerBackEnd(this.about));
  }
}
