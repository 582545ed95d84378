// One run: how it goes, what it draws, what was measured, and what can be done with it.
import { button, fill, Latest, make, telling } from "../elements.js";
import { ask, follow, path, send, sure } from "./ask.js";
import { Rows } from "./rows.js";
import { badge, duration, figure, picture } from "./words.js";
import "./curves.js";
import "./film.js";

const PARTS = 7; // below the curves

export class RunPage extends HTMLElement {
  async begin(name) {
    document.title = `${name} · Reverie`;
    const address = path("api", "runs", name);
    Object.assign(this, { name, address, rows: new Rows(address) });
    this.looking = new Latest(() => this.news());
    this.heading = make("div");
    this.buttons = make("div", { className: "row" });
    this.progress = make("div", { className: "progress" });
    this.telling = telling();
    this.curves = make("loss-curves");
    this.film = make("film-strip");
    this.film.begin(name);
    this.rest = Array.from({ length: PARTS }, () => make("div"));
    this.append(make("div", { className: "title" }, this.heading, this.buttons), this.telling, this.progress, make("div", { className: "split" }, this.curves, this.film), ...this.rest);
    await this.look();
    addEventListener("theme", () => this.draw());
    const look = sure(() => this.look(), this.telling);
    follow(async () => {
      await look();
      return this.run.alive ? 1000 : 4000;
    });
  }

  /** One look at a time, so that an older answer never replaces a newer one. */
  look() {
    return this.looking.ask();
  }

  async news() {
    const run = await ask(this.address);
    if (run.folder) await this.rows.read();
    const seen = JSON.stringify({ ...run, rows: this.rows.size });
    this.run = run;
    if (seen === this.seen) return;
    this.seen = seen;
    this.draw();
  }

  draw() {
    const { run } = this, rows = this.rows.sorted();
    const facts = [run.recipe, run.data].filter(Boolean).join(" on ");
    const held = document.activeElement?.textContent;
    fill(this.heading, make("h1", {}, run.name), make("p", { className: "lead" }, facts ? make("span", {}, facts) : "", badge(run.status)));
    if (fill(this.buttons, ...this.actions())) {
      [...this.buttons.children].find((each) => each.textContent === held)?.focus({ preventScroll: true });
    }
    this.progress.replaceChildren(...this.pace(rows));
    this.curves.show(rows, run.steps);
    this.film.show(run.samples ?? []);
    this.below().forEach((found, i) => fill(this.rest[i], ...found));
  }

  actions() {
    const { run, name } = this, found = [];
    const does = (words, what, properties) => button(words, () => this.act(what), properties);
    if (run.alive && run.status !== "measuring") found.push(does("Stop and save", "stop"));
    if (!run.alive && ["stopped", "interrupted", "diverged"].includes(run.status)) found.push(does("Resume", "resume", { className: "main" }));
    if (run.report) found.push(make("a", { className: "button", href: `${this.address}/report`, target: "_blank", rel: "noopener" }, "Report"));
    if (run.folder && (run.model || run.samples?.length || run.course)) {
      const played = this.rows.sorted().some((row) => "critic/loss" in row);
      const [page, words] = run.kind === "text" ? ["write", "Write"] : played ? ["game", "Game"] : ["explore", "Explore"];
      found.push(make("a", { className: `button ${run.alive ? "" : "main"}`, href: path(page, name) }, words));
    }
    return found;
  }

  async act(what) {
    try {
      await send(`${this.address}/${what}`);
      this.telling.say(what === "stop" ? "It saves and stops after this step." : "It goes on from its last checkpoint.");
      await this.look();
    } catch (error) {
      this.telling.say(error.message, true);
    }
  }

  /** How far, how fast, how long still. */
  pace(rows) {
    const { run } = this, batches = rows.filter((row) => !row.test), last = batches.at(-1);
    if (!last) return run.alive ? [make("p", { className: "note" }, "It reads the data and makes the model.")] : [];
    const back = batches.at(-20) ?? batches[0], seconds = last.seconds - back.seconds;
    const images = ((last.epoch - back.epoch) * (run.record?.data?.train ?? 0)) / seconds;
    const left = ((run.steps - last.step) * seconds) / (last.step - back.step);
    const facts = [["Step", `${figure(last.step)} of ${figure(run.steps ?? last.step)}`], ["Epoch", last.epoch.toFixed(last.epoch < 10 ? 2 : 1)],
      ["Trained for", duration(last.seconds)]];
    if (images > 0 && Number.isFinite(images)) facts.push(["Examples a second", figure(Math.round(images))]);
    if (run.alive && run.status === "training" && left > 0) facts.push(["Left", duration(left)]);
    const bar = run.alive ? [make("progress", { max: run.steps ?? 1, value: last.step, "aria-label": "Progress" })] : [];
    return [...bar, make("dl", { className: "numbers" }, ...facts.map(([name, value]) => make("div", {}, make("dt", {}, name), make("dd", {}, value))))];
  }

  /** What stands below, in its parts, of which each is made anew only when it says something new. */
  below() {
    const { run } = this, settings = Object.entries(run.settings ?? {});
    const log = () => make("details", { "data-name": "log", open: run.status === "failed" }, make("summary", {}, "What it said"),
      make("pre", { tabIndex: 0 }, run.said.join("\n")));
    return [
      run.reason && run.status !== "finished" ? [make("p", { className: "telling bad" }, run.reason)] : [],
      run.course ? [this.course(run.course)] : [],
      run.figures?.length ? [this.figures()] : [],
      run.pictures?.length ? [this.pictures()] : [],
      run.settings ? [this.table("Settings", settings.map(([k, v]) => [k.replaceAll("_", " "), Array.isArray(v) ? v.join(" ") : String(v)]))] : [],
      run.said?.length ? [log()] : [],
      [this.removal()],
    ];
  }

  figures() {
    const bodies = this.run.figures.map(({ protocol, rows }) => {
      const lines = rows.map((each) => make("tr", {}, make("th", { scope: "row" }, each.name.replaceAll("_", " ")),
        make("td", { className: "number" }, each.words), make("td", {}, each.unit ?? ""), make("td", { className: "note" }, each.remark)));
      const said = protocol ? [make("tr", {}, make("th", { scope: "rowgroup", colSpan: 4, className: "note" }, `For all of these: ${protocol}.`))] : [];
      return make("tbody", {}, ...said, ...lines);
    });
    const head = ["Figure", "Value", "Unit", "Protocol"].map((words) => make("th", { scope: "col" }, words));
    return make("section", {}, make("h2", {}, "Figures"), make("div", { className: "scroll", tabIndex: 0, role: "region", "aria-label": "Figures" },
      make("table", {}, make("thead", {}, make("tr", {}, ...head)), ...bodies)));
  }

  /** What a language model goes on with after each epoch, at several temperatures. */
  course({ seed, temperatures, epochs }) {
    const rows = epochs.map((line) => make("tr", {}, make("th", { scope: "row" }, figure(line.epoch)),
      make("td", { className: "number" }, line.nats === null ? "" : line.nats.toFixed(4)), ...line.rows.map((row) => make("td", { className: "said" }, row.text))));
    const head = ["Epoch", "Held-out nats", ...temperatures.map((t) => `At ${t}`)].map((words) => make("th", { scope: "col" }, words));
    return make("section", {}, make("h2", {}, "What it says"),
      make("p", { className: "note" }, "After each epoch it goes on with the same text, at several temperatures: 0 always takes the likeliest."),
      make("p", { className: "given" }, seed), make("div", { className: "scroll", tabIndex: 0, role: "region", "aria-label": "What it says" },
        make("table", { className: "course" }, make("thead", {}, make("tr", {}, ...head)), make("tbody", {}, ...rows))));
  }

  pictures() {
    const sheets = this.run.pictures.map((each) => {
      const words = each.name.replace(/\.png$/, "").replaceAll("-", " ");
      return make("figure", {}, make("img", { src: picture(this.name, "pictures", each), alt: `Picture: ${words}`, loading: "lazy" }), make("figcaption", {}, words));
    });
    return make("section", {}, make("h2", {}, "Pictures"), make("div", { className: "gallery" }, ...sheets));
  }

  table(title, pairs) {
    const rows = pairs.map(([name, value]) => make("tr", {}, make("th", { scope: "row" }, name), make("td", {}, value)));
    return make("details", { "data-name": title }, make("summary", {}, title), make("table", { className: "settings" }, make("tbody", {}, ...rows)));
  }

  /** Deleting asks for the name, typed. */
  removal() {
    const { name } = this;
    const typed = make("input", { type: "text", autocomplete: "off", oninput: () => { gone.disabled = typed.value !== name; } });
    const gone = button("Delete for good", async () => {
      try {
        await send(`${this.address}/delete`, { name: typed.value });
        location.href = "/";
      } catch (error) {
        this.telling.say(error.message, true);
      }
    }, { disabled: true });
    return make("details", { className: "delete", "data-name": "delete" }, make("summary", {}, "Delete this run"),
      make("div", { className: "row" }, make("label", { className: "field" }, make("span", {}, `Type ${name} to delete it`), typed), gone));
  }
}
