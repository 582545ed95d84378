// A training: a recipe, data, and a form made from the recipe's signature.
import { button, labelled, Latest, make, telling } from "../elements.js";
import { ask, bring, path, send } from "./ask.js";
import { capital } from "./words.js";

const KINDS = { images: "Pictures", text: "Text", points: "Points in the plane" };
const USES = {
  images: { path: "Folder, archive or array file on this machine", where: "/home/me/pictures",
    files: "Pictures, an archive (.zip) or an array (.npy, .npz). Folders of a folder become classes. Drop files here, or choose them." },
  text: { path: "Text file or folder of texts on this machine", where: "/home/me/letters.txt",
    files: "Texts in UTF-8 (.txt, .md, .jsonl, each also .gz). Drop files here, or choose them." },
  points: { path: "Picture on this machine, whose dark pixels are the density", where: "/home/me/drawing.png",
    files: "One picture, whose dark pixels are the density of the points. Drop it here, or choose it." },
};
const TITLES = { training: "Training", model: "Model", machine: "Machine and exactness" };

/** A short name for bytes, by FNV-1a; the hashes of browsers are only for pages that came from this machine or by HTTPS. */
function fingerprint(bytes) {
  let hash = 0x811c9dc5;
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  return hash.toString(16).padStart(8, "0");
}

export class TrainPage extends HTMLElement {
  async begin() {
    document.title = "Train · Reverie";
    const [recipes, data] = await Promise.all([ask("/api/recipes"), ask("/api/data")]);
    Object.assign(this, { recipes, data, fields: new Map() });
    const wanted = new URLSearchParams(location.search).get("recipe");
    this.opening = new Latest(() => this.open(this.recipe.value));
    this.recipe = make("select", { onchange: () => this.opening.ask().catch((error) => this.telling.say(error.message, true)) },
      ...Object.entries(KINDS).map(([kind, label]) => make("optgroup", { label },
        ...recipes.filter((each) => each.kind === kind).map(({ name }) => make("option", { value: name }, name)))));
    this.recipe.value = recipes.some(({ name }) => name === wanted) ? wanted : recipes.some(({ name }) => name === "vae-conv") ? "vae-conv" : recipes[0].name;
    this.about = make("div", { className: "about" });
    this.groups = make("div", { className: "groups" });
    this.telling = telling();
    this.name = make("input", { type: "text", placeholder: "its own", maxLength: 100, autocomplete: "off" });
    addEventListener("pageshow", () => { this.starting = false; }); // the page may come back as it was left
    this.addEventListener("invalid", ({ target }) => target.closest("details")?.setAttribute("open", ""), { capture: true }); // so that it is seen
    this.append(make("div", { className: "title" }, make("div", {}, make("h1", {}, "Train a model"),
      make("p", { className: "lead" }, "Training goes on when you close this page."))),
      make("form", { onsubmit: (event) => { event.preventDefault(); this.start(); } },
        make("section", { className: "sheet-of-form" }, labelled("Recipe", this.recipe), this.about), this.source(), this.groups,
        make("section", { className: "row last" }, labelled("Name of the run", this.name), make("button", { type: "submit", className: "main" }, "Start training")),
        this.telling));
    await this.opening.ask();
  }

  async open(name) {
    this.form = await ask(path("api", "recipes", name));
    history.replaceState(null, "", `/train?recipe=${encodeURIComponent(name)}`);
    this.fields.clear();
    this.about.replaceChildren(make("p", {}, this.form.summary), make("details", {}, make("summary", {}, "Where it comes from"),
      make("p", { className: "note story" }, this.form.story)));
    this.groups.replaceChildren(...this.form.groups.map((group) => this.group(group)));
    this.offer();
  }

  group({ name, fields }) {
    const inputs = fields.filter((field) => field.name !== "data").map((field) => this.field(field));
    const inside = make("div", { className: "fields" }, ...inputs);
    if (name === "training") return make("section", {}, make("h2", {}, TITLES[name]), inside);
    return make("details", { open: name === "model" }, make("summary", {}, make("h2", {}, TITLES[name])), inside);
  }

  field(field) {
    const input = this.input(field), id = `field-${field.name}`;
    input.id = id;
    input.setAttribute("aria-describedby", `${id}-help`);
    this.fields.set(field.name, { field, input });
    const words = [field.help, field.range && `${field.range}.`].filter(Boolean).map(capital).join(" ");
    return make("div", { className: "entry" }, make("label", { htmlFor: id }, capital(field.name.replaceAll("_", " "))), input,
      make("p", { className: "note", id: `${id}-help` }, words));
  }

  input(field) {
    const usual = field.default === null ? "" : String(Array.isArray(field.default) ? field.default.join(" ") : field.default);
    if (field.kind === "choice") {
      return make("select", {}, ...field.choices.map((value) => make("option", { value, selected: value === usual }, value)));
    }
    if (field.kind === "switch") return make("input", { type: "checkbox", checked: Boolean(field.default) });
    if (field.kind === "whole" || field.kind === "number") {
      const input = make("input", { type: "number", step: field.kind === "whole" ? 1 : "any", value: usual, placeholder: usual || "not set" });
      if (field.low !== undefined) input.min = field.low;
      if (field.high !== undefined && field.high < 1e6) input.max = field.high;
      return input;
    }
    return make("input", { type: "text", value: usual, placeholder: usual || "not set", autocomplete: "off" });
  }

  // Data

  source() {
    this.select = make("select", { onchange: () => this.sourced() });
    this.pathname = make("input", { type: "text", autocomplete: "off" });
    this.files = make("input", { type: "file", multiple: true });
    this.folder = make("input", { type: "file", webkitdirectory: true });
    this.set = make("input", { type: "text", maxLength: 40, pattern: "[A-Za-z0-9][A-Za-z0-9_\\-]*", autocomplete: "off", value: "mine" });
    this.sending = make("progress", { max: 1, value: 0, hidden: true, "aria-label": "Upload" });
    this.pathWords = make("span", {});
    this.fileWords = make("p", { className: "note" });
    this.pasted = make("textarea", { rows: 8, spellcheck: false, placeholder: "Paste a text here: the longer, the better. A novel has a million characters." });
    this.byPath = make("div", { className: "entry" }, make("label", { className: "field" }, this.pathWords, this.pathname));
    this.byPaste = make("div", {}, labelled("The text", this.pasted, "stacked"));
    this.byUpload = make("div", { className: "drop", ondragover: (event) => event.preventDefault(),
      ondrop: (event) => { event.preventDefault(); this.upload([...event.dataTransfer.files]); } },
      this.fileWords,
      make("div", { className: "row" }, labelled("Name of the set", this.set), labelled("Files", this.files), labelled("or a folder", this.folder),
        button("Upload", () => this.upload([...this.files.files, ...this.folder.files]))), this.sending);
    return make("section", { className: "sheet-of-form" }, labelled("Data", this.select), this.byPath, this.byPaste, this.byUpload);
  }

  /** What can be chosen, with the recipe's usual set first. */
  offer(chosen) {
    const usual = this.form.data, kept = chosen ?? this.select.value, { named, uploads } = this.data, { kind } = this.form;
    const usualSet = named.find((set) => set.name === usual);
    this.pathWords.textContent = USES[kind].path;
    this.pathname.placeholder = USES[kind].where;
    this.fileWords.textContent = USES[kind].files;
    const option = (value, words) => make("option", { value }, words);
    const sets = named.filter((set) => set.here && set.kind === kind).map((set) => option(set.name, `${set.name}: ${set.about}`));
    const here = usualSet?.here ? `${usual}, the recipe's own` : `${usual}, or what stands in for it offline`;
    const group = (label, items) => (items.length ? [make("optgroup", { label }, ...items)] : []);
    this.select.replaceChildren(...(usual ? [option("", here)] : []), ...group("Sets", sets),
      ...group("Uploaded", uploads.filter((set) => (set.kind === "text") === (kind === "text")).map(({ name }) => option(`uploads/${name}`, name))),
      make("optgroup", { label: "Your own" }, ...(kind === "text" ? [option(" paste", "Paste a text …")] : []),
        option(" path", "A path on this machine …"), option(" upload", "Bring files …")));
    this.select.value = kept;
    if (this.select.selectedIndex < 0) this.select.selectedIndex = 0;
    this.sourced();
  }

  sourced() {
    for (const [value, block] of [[" path", this.byPath], [" upload", this.byUpload], [" paste", this.byPaste]]) {
      block.hidden = this.select.value !== value;
      for (const each of block.querySelectorAll("input, textarea, button")) each.disabled = block.hidden; // what is not seen stops no start
    }
  }

  async upload(files) {
    const set = this.set.value.trim();
    if (!files.length || !this.set.checkValidity() || !set) return this.telling.say("Choose files, and a name of letters and digits.", true);
    this.sending.hidden = false;
    let sent = 0;
    try {
      for (const file of files) {
        const inside = file.webkitRelativePath ? file.webkitRelativePath.split("/").slice(1).slice(-3).join("/") : file.name;
        this.sending.value = sent / files.length;
        if (!inside.split("/").at(-1).startsWith(".")) await bring(`${path("api", "uploads", set)}?path=${encodeURIComponent(inside)}`, file);
        if (++sent < files.length) this.telling.say(`${sent} of ${files.length} files brought`);
      }
      this.data = await ask("/api/data");
      this.offer(`uploads/${set}`);
      this.telling.say(`${sent} of ${files.length} files brought`); // all of them only when they can be chosen
    } catch (error) {
      this.telling.say(error.message, true);
    } finally {
      this.sending.hidden = true;
    }
  }

  // Starting

  /** What differs from the defaults, each as its type. */
  values() {
    const found = {};
    for (const [name, { field, input }] of this.fields) {
      const text = input.value.trim();
      if (field.kind === "switch") found[name] = input.checked;
      else if (text === "") continue;
      else if (field.kind === "whole" || field.kind === "number") found[name] = Number(text);
      else if (field.kind === "list") found[name] = text.split(/[\s,]+/).map((each) => (field.of.kind === "word" ? each : Number(each)));
      else found[name] = text;
    }
    const data = this.select.value === " path" ? this.pathname.value.trim() : this.select.value;
    if (data === " upload") throw new Error("Upload the files first, then start.");
    return data ? { ...found, data } : found;
  }

  /** A text that was pasted is kept as a file among what was brought, so that the run can be repeated. */
  async keep() {
    const text = this.pasted.value, bytes = new TextEncoder().encode(text);
    if (!text.trim()) throw new Error("Paste a text first, then start.");
    const set = `pasted-${fingerprint(bytes)}-${bytes.length}`;
    if (!this.data.uploads.some(({ name }) => name === set)) await bring(`${path("api", "uploads", set)}?path=pasted.txt`, new Blob([bytes]));
    this.data = await ask("/api/data");
    this.offer(`uploads/${set}`);
  }

  async start() {
    if (this.starting) return;
    if (this.opening.busy || this.form.name !== this.recipe.value) {
      return this.telling.say(`The form of ${this.recipe.value} is not here yet: look it over, then start.`, true);
    }
    this.starting = true; // till the page is left
    try {
      if (this.select.value === " paste") await this.keep();
      const { name } = await send("/api/train", { recipe: this.form.name, name: this.name.value.trim() || null, values: this.values() });
      location.href = path("runs", name);
    } catch (error) {
      this.starting = false;
      this.telling.say(error.message, true);
    }
  }
}
