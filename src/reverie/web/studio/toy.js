// A game of points that is played by hand: choose where real points lie, step the critic or the generator, see who is pulled where.
import { button, choice, labelled, make, telling } from "../elements.js";
import { ask, send } from "./ask.js";
import { capital, figure } from "./words.js";
import "./duel.js";
import "./pad.js";
import "./plane.js";

const LAYERS = { field: "critic's field", real: "real points", generated: "generated points", arrows: "arrows" };
const CHOSEN = ["cost", "penalty", "weight", "critic_turns", "rate", "seed"]; // of the recipe's arguments
const PLAYERS = { critic: "Critic", generator: "Generator", both: "Both" };

export class ToyGame extends HTMLElement {
  async begin() {
    const [form, { named }] = await Promise.all([ask("/api/recipes/gan-toy"), ask("/api/data")]);
    Object.assign(this, { form, game: null, playing: null, lines: [[], []], law: "ring" });
    this.plane = make("game-plane");
    this.plane.begin();
    this.pad = make("law-pad", { hidden: true });
    this.pad.begin();
    this.pad.addEventListener("drawn", () => this.anew());
    this.curves = make("duel-chart");
    this.curves.begin("What each pays", ["critic", "generator"]);
    this.telling = telling();
    this.facts = make("dl", { className: "numbers" });
    const laws = [...named.filter((set) => set.kind === "points").map((set) => [set.name, set.name]), ["drawing", "drawn by you"]];
    this.append(make("div", { className: "arena" }, make("section", {}, this.plane, this.shown(), this.facts), make("section", {}, make("h2", {}, "Real points"),
      choice("Real points", laws, "ring", (law) => this.lay(law)), this.pad, this.rules(), this.moves(), this.telling, this.curves)));
    await this.anew();
  }

  /** What is seen, and what it means. */
  shown() {
    const boxes = Object.entries(LAYERS).map(([layer, words]) => {
      const box = make("input", { type: "checkbox", checked: true, onchange: () => this.plane.toggle(layer, box.checked) });
      return make("label", { className: `tick layer-${layer}` }, box, make("span", {}, words));
    });
    return make("div", {}, make("div", { className: "row" }, ...boxes, button("Save PNG", () => this.plane.save(`game-${this.law}`))),
      make("p", { className: "note" }, "Blue: taken for real by the critic. Yellow: taken for generated. Dots between them: it cannot tell. An arrow: where the generator is pulled."));
  }

  rules() {
    const fields = this.form.groups.flatMap((group) => group.fields).filter(({ name }) => CHOSEN.includes(name));
    this.inputs = Object.fromEntries(CHOSEN.map((name) => [name, this.input(fields.find((field) => field.name === name))]));
    const rows = CHOSEN.map((name) => labelled(capital(name.replaceAll("_", " ")), this.inputs[name], "rule"));
    return make("div", { className: "rules" }, make("h2", {}, "Rules"), ...rows, button("Begin anew", () => this.anew()));
  }

  input(field) {
    const change = { onchange: () => this.anew(), title: field.help };
    if (field.kind === "choice") return make("select", change, ...field.choices.map((value) => make("option", { value, selected: value === field.default }, value)));
    return make("input", { type: "number", step: field.kind === "whole" ? 1 : "any", min: field.low ?? 0, value: field.default, ...change });
  }

  moves() {
    const rows = Object.entries(PLAYERS).map(([player, words]) => make("div", { className: "row moves", role: "group", "aria-label": words }, make("span", {}, words),
      ...[1, 10, 100].map((steps) => button(String(steps), () => this.step(player, steps), { "aria-label": `${words}: ${steps} ${steps > 1 ? "steps" : "step"}` }))));
    this.play = button("Play", () => this.toggle(), { className: "main" });
    this.pace = make("select", {}, ...[1, 5, 20].map((steps) => make("option", { value: steps, selected: steps === 5 }, `${steps} rounds a picture`)));
    return make("div", {}, make("h2", {}, "Play"), ...rows, make("div", { className: "row" }, this.play, labelled("Pace", this.pace)));
  }

  lay(law) {
    this.law = law;
    this.pad.hidden = law !== "drawing";
    if (law === "drawing") {
      this.pause();
      this.telling.say("Draw, then play on it.");
    } else this.anew();
  }

  values() {
    const given = Object.entries(this.inputs).filter(([, input]) => input.value !== "");
    return Object.fromEntries(given.map(([name, input]) => [name, input.type === "number" ? Number(input.value) : input.value]));
  }

  anew() {
    const dark = this.law === "drawing" ? { dark: this.pad.levels } : {};
    return this.asking(() => send("/api/games", { law: this.law, ...dark, arguments: this.values(), instead: this.game }), (frame) => {
      this.game = frame.game;
      this.lines = [[], []];
    });
  }

  step(player, steps) {
    return this.asking(() => send(`/api/games/${this.game}/step`, { player, steps }));
  }

  /** One thing after the other; what is asked meanwhile waits. */
  asking(work, first = () => {}) {
    this.last = (this.last ?? Promise.resolve()).then(async () => {
      try {
        const frame = await work();
        first(frame);
        this.telling.say("");
        this.show(frame);
      } catch (error) {
        this.pause();
        this.telling.say(error.message, true);
      }
    });
    return this.last;
  }

  show(frame) {
    const { moves, logs, figures, modes } = frame, rounds = Math.max(moves.critic, moves.generator);
    ["critic", "generator"].forEach((player, i) => {
      const value = logs[`${player}/loss`];
      if (value !== undefined) this.lines[i].push([rounds, value]);
    });
    const facts = [["Critic's rounds", figure(moves.critic)], ["Generator's", figure(moves.generator)]];
    if (modes) facts.push(["Modes", `${figures.test_modes} of ${modes}`], ["Good points", `${Math.round(100 * figures.test_good)} %`]);
    facts.push(["Distance", figure(figures.test_distance)]);
    if ("critic/ranked" in logs) facts.push(["Ranked rightly", `${Math.round(100 * logs["critic/ranked"])} %`]);
    this.facts.replaceChildren(...facts.map(([name, value]) => make("div", {}, make("dt", {}, name), make("dd", {}, value))));
    this.plane.show(frame, `The game: ${facts.map(([name, value]) => `${name} ${value}`).join(", ")}`);
    this.curves.show(this.lines);
    this.dispatchEvent(new CustomEvent("frame", { bubbles: true, detail: { moves, figures } }));
  }

  async toggle() {
    if (this.playing) return this.pause();
    const mine = (this.playing = {}); // of several presses only the last one plays
    this.play.textContent = "Pause";
    while (this.playing === mine && this.isConnected) {
      await this.step("both", Number(this.pace.value));
      await new Promise((next) => requestAnimationFrame(next));
    }
    if (this.playing === mine) this.pause();
  }

  pause() {
    this.playing = null;
    this.play.textContent = "Play";
  }
}

customElements.define("toy-game", ToyGame);
