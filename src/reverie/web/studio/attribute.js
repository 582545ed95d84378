// An attribute: the way from the mean of some codes to that of others, and a slider along it.
import { button, labelled, Latest, make } from "../elements.js";
import { send } from "./ask.js";

const MINE = "mine", REST = "rest";

export class AttributePanel extends HTMLElement {
  begin({ about, place, backEnd, labelled: known }) {
    Object.assign(this, { about, place, backEnd, mine: { with: [], without: [] }, direction: null, base: null });
    const classes = known ? about.classes.map((name, i) => [String(i), name]) : [];
    this.selects = {
      with: this.select([...classes, [MINE, "places that I mark"]]),
      without: this.select([...(classes.length ? [[REST, "all others"]] : []), ...classes, [MINE, "places that I mark"]]),
    };
    this.slider = make("input", { type: "range", min: -2, max: 2, step: "any", value: 0, disabled: true, "aria-label": "Strength of the attribute",
      oninput: (event) => this.move(event) });
    this.words = make("p", { className: "note", role: "status" }, "\u00a0");
    const marks = make("div", { className: "row" }, button("This place has it", () => this.mark("with")), button("This place lacks it", () => this.mark("without")));
    this.append(make("h2", {}, "Attribute"), make("p", { className: "note" }, "Add what one group has and another lacks to the picture at hand."),
      make("div", { className: "row" }, labelled("Having", this.selects.with), labelled("lacking", this.selects.without)), marks,
      make("div", { className: "ends" }, make("span", {}, "less"), this.slider, make("span", {}, "more")), this.words);
    place.addEventListener("change", ({ detail }) => { if (detail.has("code") && !detail.has("attribute")) this.rest(); });
    this.finding = new Latest(() => this.find());
    if (classes.length) this.finding.ask();
  }

  select(options) {
    return make("select", { onchange: () => this.finding.ask() }, ...options.map(([value, words]) => make("option", { value }, words)));
  }

  mark(side) {
    this.mine[side].push(Array.from(this.place.code));
    for (const each of ["with", "without"]) if (this.mine[each].length) this.selects[each].value = MINE;
    this.finding.ask();
  }

  /** The slider begins where the reader is. */
  rest() {
    this.base = null;
    this.slider.value = 0;
  }

  group(side) {
    const value = this.selects[side].value;
    return value === MINE ? this.mine[side] : value === REST ? null : Number(value);
  }

  async find() {
    this.rest();
    this.slider.disabled = true;
    const [having, lacking] = [this.group("with"), this.group("without")];
    if ([having, lacking].some((each) => Array.isArray(each) && !each.length)) {
      return (this.words.textContent = "Mark at least one place that has it and one that lacks it.");
    }
    try {
      const found = await send(`${this.backEnd.address}/direction`, { with: having, without: lacking });
      this.direction = found.direction;
      this.slider.disabled = false;
      const told = found.accuracy === null ? "" : ` It tells them apart in ${Math.round(100 * found.accuracy)} % of codes that it was not made from.`;
      this.words.textContent = `From ${found.with.toLocaleString("en")} codes with it and ${found.without.toLocaleString("en")} without.${told}`;
    } catch (error) {
      this.words.textContent = error.message;
    }
  }

  move(event) {
    this.base ??= Float32Array.from(this.place.code);
    const strength = Number(this.slider.value);
    this.place.change({ code: this.base.map((value, d) => value + strength * this.direction[d]), attribute: true, since: event.timeStamp });
  }
}

customElements.define("attribute-panel", AttributePanel);
