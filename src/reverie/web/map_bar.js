// What stands below the map: which layers, which spacing, which numbers of the code, bounds, classes.
import { button, choice, labelled, make } from "./elements.js";
import { save } from "./pixels.js";

export class MapBar extends HTMLElement {
  begin(map) {
    Object.assign(this, { map, place: map.place, about: map.about, fields: {} });
    this.append(this.controls(), this.legend());
    this.place.addEventListener("change", ({ detail }) => { if (!detail.has("code")) this.tell(); });
    this.tell();
  }

  controls() {
    const { place, map } = this;
    const number = (side, end, words) => {
      this.fields[side + end] = make("input", { type: "number", step: "any", onchange: (event) => {
        const pair = [...place[side]];
        pair[end] = Number(event.target.value);
        if (pair[0] < pair[1]) place.change({ [side]: map.bounded(pair) });
        this.tell();
      } });
      return labelled(words, this.fields[side + end]);
    };
    this.fields.points = make("input", { type: "number", min: 2, max: 30, value: place.points, onchange: (event) => {
      place.change({ points: Math.max(2, Math.min(30, Math.round(Number(event.target.value)) || 20)) });
      this.tell();
    } });
    const shows = choice("Show", [["both", "Both"], ["pictures", "Pictures"], ["points", "Points"]], place.layers,
      (layers) => place.change({ layers }));
    const by = choice("Spacing", [["linear", "Even"], ["probability", "By probability"]], place.spacing,
      (spacing) => place.change({ spacing, ...place.bounds(spacing) }));
    Object.assign(this.fields, { shows, by });
    const axes = this.about.latent > 2 ? [0, 1].map((side) => this.axis(side)) : [];
    const more = make("details", {}, make("summary", {}, "Bounds"), make("div", { className: "row" },
      number("x", 0, "From left"), number("x", 1, "to right"), number("y", 0, "From bottom"),
      number("y", 1, "to top"), labelled("Pictures a side", this.fields.points)));
    const all = button("Usual view", () => place.change(place.bounds(place.spacing)));
    const keep = button("Save map", () => { if (map.sheet) save(map.sheet.canvas, `${this.about.name}-map`); });
    return make("div", { className: "bar" }, make("div", { className: "row" }, shows, by, ...axes, all, keep), more);
  }

  axis(side) {
    const options = this.about.order.slice(0, 64).map((d) => make("option", { value: d }, `z${d}`));
    const select = make("select", { onchange: () => {
      const axes = [...this.place.axes];
      axes[side] = Number(select.value);
      this.place.change({ axes, ...this.place.bounds(this.place.spacing, axes) });
    } }, ...options);
    this.fields[`axis${side}`] = select;
    return labelled(side ? "Up" : "Right", select);
  }

  tell() {
    const { place, fields } = this;
    for (const side of ["x", "y"]) [0, 1].forEach((end) => { fields[side + end].value = +place[side][end].toFixed(4); });
    fields.points.value = place.points;
    fields.by.set(place.spacing);
    fields.shows.set(place.layers);
    [0, 1].forEach((side) => { if (fields[`axis${side}`]) fields[`axis${side}`].value = place.axes[side]; });
    this.map.canvas.setAttribute("aria-label", `Map of codes, z${place.axes[0]} to the right and z${place.axes[1]} up`);
  }

  /** The classes; a press hides or shows their points. */
  legend() {
    const { map } = this;
    if (!map.labels || !this.about.classes.length || this.about.classes.length > 40) return "";
    map.silenced = new Set();
    return make("div", { className: "legend", role: "group", "aria-label": "Classes on the map" },
      ...this.about.classes.map((name, i) => {
        const key = button(name, () => {
          const off = !map.silenced.delete(i) && map.silenced.add(i);
          key.setAttribute("aria-pressed", String(!off));
          map.paint();
        }, { "aria-pressed": "true" });
        key.prepend(make("span", { className: `swatch class-${i % 12}` }));
        return key;
      }));
  }
}
