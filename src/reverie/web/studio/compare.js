// Two runs side by side: their figures, ranked only where the protocols are equal, and their newest samples.
import { make } from "../elements.js";
import { ask, path } from "./ask.js";
import { figure, picture } from "./words.js";

export class ComparePage extends HTMLElement {
  async begin() {
    const words = new URLSearchParams(location.search), names = [words.get("first") ?? "", words.get("second") ?? ""];
    document.title = `${names.join(" and ")} · Reverie`;
    const runs = await Promise.all(names.map((name) => ask(path("api", "runs", name))));
    const title = make("div", { className: "title" }, make("div", {}, make("h1", {}, names.join(" and ")),
      make("p", { className: "lead" }, "Only figures of equal protocols are ranked, and only beyond two standard errors.")));
    const sheets = make("div", { className: "two" }, ...runs.map((run) => this.sheet(run)));
    this.append(title, await this.table(names), sheets);
  }

  async table(names) {
    const { rows } = await ask(`/api/compare?${new URLSearchParams({ first: names[0], second: names[1] })}`).catch((error) => {
      this.append(make("p", { className: "telling bad", role: "alert" }, error.message));
      return { rows: [] };
    });
    if (!rows.length) return "";
    const link = (name) => make("th", { scope: "col" }, make("a", { href: path("runs", name) }, name));
    return make("div", { className: "scroll", tabIndex: 0, role: "region", "aria-label": "Figures" }, make("table", {},
      make("thead", {}, make("tr", {}, make("th", { scope: "col" }, "Figure"), ...names.map(link), make("th", { scope: "col" }, "Verdict"))),
      make("tbody", {}, ...rows.map((row) => make("tr", {}, make("th", { scope: "row" }, row.name.replaceAll("_", " ")),
        ...row.values.map((value) => make("td", { className: "number" }, figure(value))), make("td", {}, row.verdict))))));
  }

  sheet(run) {
    const last = run.samples?.at(-1);
    if (!last) return make("p", { className: "note" }, `${run.name} has no samples.`);
    return make("figure", {}, make("img", { className: "sheet", src: picture(run.name, "samples", last), alt: `Newest samples of ${run.name}` }),
      make("figcaption", {}, run.name));
  }
}
