// The explorer of a model with codes: map, code, path and drawing around one place.
import { make } from "./elements.js";
import { Place } from "./place.js";
import { LatentMap } from "./map.js";
import { MapBar } from "./map_bar.js";
import { CodePanel } from "./code.js";
import { PathPanel } from "./path.js";
import { DrawingPanel } from "./drawing.js";

export class LatentExplorer extends HTMLElement {
  /** ``arrays`` holds the codes and labels of test images, and a few images. */
  begin(about, backEnd, arrays) {
    const place = new Place(about), status = make("p", { className: "hidden", role: "status" });
    let saying;
    const say = (words) => {
      clearTimeout(saying);
      saying = setTimeout(() => { status.textContent = words; }, 500);
    };
    const shared = { about, place, backEnd, say };
    Object.assign(this, { about, place, backEnd });
    const [map, code, path, drawing] = ["latent-map", "code-panel", "path-panel", "drawing-panel"].map((name) => make(name));
    const withMap = about.latent > 1;
    if (!withMap) this.classList.add("narrow");
    this.append(...(withMap ? [map] : []), code, path, drawing, status);
    if (withMap) map.begin({ ...shared, codes: arrays.codes, labels: arrays.labels, picture: () => code.canvas });
    this.addEventListener("picture", () => { if (map.touched) map.draw(); });
    code.begin(shared);
    drawing.begin({ ...shared, examples: arrays.examples, exampleLabels: arrays["examples.labels"],
      landed: (found) => { map.landed = found; if (withMap) map.draw(); } });
    path.begin({ ...shared, routed: (route) => { map.route = route; if (withMap) map.draw(); } }, this.ends(arrays));
  }

  /** Where the path begins and ends: at the codes of two test images of different classes, where there are any. */
  ends({ codes, labels }) {
    const D = this.about.latent, at = (i) => codes.slice(i * D, (i + 1) * D);
    const other = labels ? labels.findIndex((label) => label !== labels[0]) : 1;
    return [at(0), at(Math.max(other, 0))];
  }
}

customElements.define("map-bar", MapBar);
customElements.define("latent-map", LatentMap);
customElements.define("code-panel", CodePanel);
customElements.define("path-panel", PathPanel);
customElements.define("drawing-panel", DrawingPanel);
customElements.define("latent-explorer", LatentExplorer);
