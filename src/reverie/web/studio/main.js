// The studio's pages: which one an address means, and what stands above all of them.
import { make } from "../elements.js";
import { send } from "./ask.js";
import { RunList } from "./runs.js";
import { RunPage } from "./run.js";
import { TrainPage } from "./train.js";
import { ExplorePage } from "./explore.js";
import { ComparePage } from "./compare.js";
import { WritePage } from "./write.js";
import { GamePage } from "./game.js";

const PAGES = { "": RunList, runs: RunPage, train: TrainPage, explore: ExplorePage, compare: ComparePage, write: WritePage, game: GamePage };
for (const [name, Page] of Object.entries(PAGES)) customElements.define(`${name || "start"}-page`, Page);

/** The token of the printed address becomes a cookie, and goes out of the address. */
async function enter() {
  const words = new URLSearchParams(location.hash.slice(1)), token = words.get("token");
  if (!token) return;
  words.delete("token");
  history.replaceState(null, "", location.pathname + location.search + (words.size ? `#${words}` : ""));
  await send("/enter", { token });
}

function theme() {
  const kept = localStorage.getItem("theme") ?? "", words = { "": "System", light: "Light", dark: "Dark" };
  const wear = (name) => {
    document.documentElement.dataset.theme = name;
    localStorage.setItem("theme", name);
    dispatchEvent(new Event("theme"));
  };
  const select = make("select", { "aria-label": "Colours", onchange: () => wear(select.value) },
    ...Object.entries(words).map(([value, text]) => make("option", { value, selected: value === kept }, text)));
  wear(kept);
  return select;
}

function above(kind) {
  const link = (address, words, kinds) =>
    make("a", { href: address, ...(kinds.includes(kind) ? { "aria-current": "page" } : {}) }, words);
  return make("header", { className: "site" }, make("a", { href: "/", className: "mark" }, "Reverie"),
    make("nav", { "aria-label": "Studio" }, link("/", "Runs", ["", "runs", "compare", "explore"]), link("/train", "Train", ["train"]),
      link("/write", "Write", ["write"]), link("/game", "Game", ["game"])),
    theme());
}

async function start() {
  const [, kind, name] = location.pathname.split("/"), main = document.querySelector("main");
  document.body.prepend(make("a", { className: "skip", href: "#main" }, "To the page"), above(kind));
  Object.assign(main, { id: "main", tabIndex: -1 });
  const waiting = main.querySelector(".waiting");
  try {
    await enter();
    const page = make(`${kind || "start"}-page`);
    await page.begin(name && decodeURIComponent(name));
    waiting.replaceWith(page);
    document.documentElement.dataset.ready = String(Math.round(performance.now()));
  } catch (error) {
    waiting.textContent = error.message;
    waiting.setAttribute("role", "alert");
    document.documentElement.dataset.ready = "failed";
  }
}

start();
