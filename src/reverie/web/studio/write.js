// Writing with a language model: the desk of the exported page, with the server behind it.
import { labelled, make } from "../elements.js";
import { ask, path } from "./ask.js";
import { ServerSpeaker } from "./speaker.js";
import { figure } from "./words.js";
import "../write.js";

export class WritePage extends HTMLElement {
  async begin(name) {
    document.title = "Write · Reverie";
    const { runs } = await ask("/api/runs"), texts = runs.filter((run) => run.kind === "text").map((run) => run.name);
    if (!name && !texts.length) return this.empty();
    const about = await ask(path("api", "texts", name || texts[0])), desk = make("writing-desk");
    document.title = `Write with ${about.name} · Reverie`;
    this.append(this.head(about, texts), desk);
    desk.begin(about, new ServerSpeaker(about));
  }

  empty() {
    this.append(make("h1", {}, "Write"), make("p", { className: "lead" }, "There is no language model in this folder yet."),
      make("p", {}, make("a", { className: "button main", href: "/train?recipe=text-char" }, "Train one")));
  }

  head(about, texts) {
    const load = make("select", { onchange: () => { location.href = path("write", load.value); } },
      ...texts.map((each) => make("option", { value: each, selected: each === about.name }, each)));
    const words = `A ${about.recipe} model of ${about.data} with ${figure(about.vocabulary)} ${about.symbols === "bpe" ? "byte pairs" : about.symbols}.`;
    return make("div", { className: "title" }, make("div", {}, make("h1", {}, about.name), make("p", { className: "lead" }, words)),
      make("div", { className: "row" }, labelled("Model", load), make("a", { className: "button", href: path("runs", about.name) }, "Its run")));
  }
}
