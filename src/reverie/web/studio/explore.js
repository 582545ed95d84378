// Exploring a model: the explorer of the exported page, with the server behind it.
import { make } from "../elements.js";
import { ask, bytes, path } from "./ask.js";
import { ServerBackEnd } from "./back_end.js";
import "../explorer.js";
import "../sheet.js";
import "./attribute.js";

const TYPES = { codes: Float32Array, labels: Uint8Array, examples: Uint8Array, "examples.labels": Uint8Array };
const STILL = 350; // milliseconds that a drawing must rest before it is scored

export class ExplorePage extends HTMLElement {
  async begin(name) {
    document.title = `Explore ${name} · Reverie`;
    const about = await ask(path("api", "models", name)), arrays = {};
    await Promise.all(about.arrays.map(async (which) => {
      arrays[which] = new TYPES[which](await bytes(path("api", "models", name, "arrays", which)));
    }));
    const numbers = about.inputs.decoder ? `; ${about.latent} ${about.latent === 1 ? "number makes" : "numbers make"} a picture` : "";
    this.append(make("div", { className: "title" }, make("div", {}, make("h1", {}, about.name),
      make("p", { className: "lead" }, `A ${about.recipe} model of ${about.data}${numbers}.`)),
      make("a", { className: "button", href: path("runs", name) }, "Its run")));
    Object.assign(this, { about, arrays, backEnd: new ServerBackEnd(about) });
  }

  /** The explorer measures itself, so that it begins when it is on the page. */
  connectedCallback() {
    const { about, arrays, backEnd } = this, explorer = make(about.inputs.decoder ? "latent-explorer" : "sample-sheet");
    this.append(explorer);
    explorer.begin(about, backEnd, arrays);
    if (!about.inputs.decoder) return;
    const attribute = make("attribute-panel");
    explorer.insertBefore(attribute, explorer.querySelector("drawing-panel"));
    attribute.begin({ about, place: explorer.place, backEnd, labelled: Boolean(arrays.labels) });
    if (about.score) this.judge(explorer);
  }

  /** Say how likely the model finds a drawing, when the pen has rested. */
  judge(explorer) {
    const words = make("p", { className: "note score", role: "status" }, "\u00a0");
    explorer.querySelector("drawing-panel .twins").after(words);
    let waiting, newest;
    explorer.addEventListener("cleared", () => {
      clearTimeout(waiting);
      newest = null;
      words.textContent = "\u00a0";
    });
    explorer.addEventListener("reconstruction", ({ detail }) => {
      clearTimeout(waiting);
      newest = detail.image;
      waiting = setTimeout(async () => {
        const found = await this.backEnd.score(detail.image, explorer.place.labels(1)).catch(() => null);
        if (!found || newest !== detail.image) return;
        const nats = found.nats[0] === null ? "not finite" : `${found.nats[0].toFixed(1).replace("-", "\u2212")} nats`;
        const how = found.kind === "exact" ? `log p(x) = ${nats}` : `log p(x) \u2265 ${nats} (${found.kind})`;
        words.textContent = `${how}. ${Math.round(100 * found.below[0])} % of ${found.of} test images are likelier.`;
        this.dispatchEvent(new CustomEvent("score", { bubbles: true, detail: found }));
      }, STILL);
    });
  }
}
