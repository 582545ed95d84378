// The page: opens what is embedded in it, and hands it to an explorer.
import { make } from "./elements.js";
import { OnnxBackEnd } from "./back_end.js";
import { Crew } from "./crew.js";
import { Speaker } from "./speaker.js";

const TYPES = { codes: Float32Array, labels: Uint8Array, examples: Uint8Array, "examples.labels": Uint8Array };

/** The bytes of an embedded file. */
async function embedded(name) {
  const text = document.getElementById(name).textContent;
  const packed = Uint8Array.fromBase64 ? Uint8Array.fromBase64(text) : Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

function heading(about) {
  const said = [`A ${about.recipe.split("/").at(-1).replace(/\.py$/, "")} model of ${about.data}`];
  if (about.vocabulary) said.push(`${about.symbols.toLocaleString("en")} ${about.vocabulary.kind}`);
  if (about.inputs.decoder) said.push(`${about.latent} ${about.latent === 1 ? "number makes" : "numbers make"} a picture`);
  const themes = { "": "System", light: "Light", dark: "Dark" };
  const theme = make("select", { onchange: () => {
    document.documentElement.dataset.theme = theme.value;
    dispatchEvent(new Event("theme"));
  } },
    ...Object.entries(themes).map(([value, words]) => make("option", { value }, words)));
  return make("header", {}, make("div", {}, make("h1", {}, about.name), make("p", { className: "lead" }, `${said.join("; ")}.`)),
    make("label", { className: "field" }, make("span", {}, "Colours"), theme));
}

/** Workers for the map; where a browser gives none, the page decodes by itself. */
async function hire(about, backEnd) {
  backEnd.crew = await Crew.open(about, embedded).catch(() => null);
  document.documentElement.dataset.crew = String(backEnd.crew?.hands.length ?? 0);
}

async function start() {
  const about = JSON.parse(document.getElementById("about").textContent), main = document.querySelector("main");
  main.prepend(heading(about));
  const waiting = main.querySelector(".waiting");
  try {
    const arrays = {};
    for (const [name, Type] of Object.entries(TYPES)) {
      if (document.getElementById(name)) arrays[name] = new Type((await embedded(name)).buffer);
    }
    const backEnd = await (about.vocabulary ? Speaker : OnnxBackEnd).open(about, embedded);
    const explorer = make(about.vocabulary ? "writing-desk" : about.inputs.decoder ? "latent-explorer" : "sample-sheet");
    waiting.replaceWith(explorer);
    explorer.begin(about, backEnd, arrays);
    document.documentElement.dataset.ready = String(Math.round(performance.now()));
    if (about.latent > 1 && about.inputs.decoder) hire(about, backEnd);
  } catch (error) {
    waiting.textContent = `This browser cannot run the model: ${error.message}`;
    throw error;
  }
}

start();
