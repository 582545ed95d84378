"""How fast an exported page answers, in a browser on this machine, and how far its pictures are from the model's.

    reverie export RUN --to html
    python benchmarks/page.py RUN                # appends a row to results.jsonl

The page is opened from its file with the network off. Times are what a reader waits for (wall clock); beside them
stands what the page's thread computed, which does not count what else the machine was doing; of a grid also what the
whole browser did, with the workers that decode. A page of pictures is dragged over and has its grid decoded; a page of
text writes.
"""

import argparse
import json
import os
from contextlib import suppress
from datetime import date
from pathlib import Path
from statistics import median

import numpy as np
import torch
from playwright.sync_api import CDPSession, Page, sync_playwright

from record import append
from reverie.engine.machine import describe
from reverie.latent import decode_means
from reverie.runs import Run, open_run

MOVES, GRIDS, SYMBOLS = 200, 10, 5000
CHROMIUM = "/usr/bin/chromium"
CREW = "document.documentElement.dataset.crew"
PLACE = "document.querySelector('latent-explorer').place"


def computed(session: CDPSession) -> float:
    """Seconds that the page's thread has computed so far."""
    metrics = {each["name"]: each["value"] for each in session.send("Performance.getMetrics")["metrics"]}
    return metrics["TaskDuration"]


def worked() -> float:
    """Seconds that the browser has computed so far in all its processes: those that this one started, and theirs."""
    parents, ticks = dict[int, int](), dict[int, int]()
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # of a process that ended
            fields = path.read_text().rsplit(")", 1)[1].split()
            parents[int(path.parent.name)] = int(fields[1])
            ticks[int(path.parent.name)] = int(fields[11]) + int(fields[12])

    def ours(name: int) -> bool:
        return name in parents and (parents[name] == os.getpid() or ours(parents[name]))

    return sum(count for name, count in ticks.items() if ours(name)) / os.sysconf("SC_CLK_TCK")


def measured(page: Page, session: CDPSession) -> dict[str, float]:
    """Milliseconds of moves and grids."""
    page.evaluate(
        """() => { window.moves = []; window.grids = [];
        addEventListener("picture", (e) => { if (e.detail.milliseconds !== null) moves.push(e.detail.milliseconds); });
        addEventListener("grid", (e) => grids.push(e.detail.milliseconds)); }"""
    )
    page.wait_for_timeout(2000)
    box = page.locator("latent-map canvas").bounding_box()
    if box is None:
        raise SystemExit("the page has no map")
    start = computed(session)
    page.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 0.5 * box["height"])
    page.mouse.down()
    for i in range(MOVES):
        x, y = 0.5 + 0.4 * np.cos(i / 9), 0.5 + 0.4 * np.sin(i / 7)
        page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"])
        page.wait_for_timeout(20)
    page.mouse.up()
    per_move = 1000 * (computed(session) - start) / MOVES
    moves = page.evaluate("window.moves")
    page.wait_for_selector("html[data-crew]", state="attached", timeout=300_000)
    start, all_start = computed(session), worked()
    for i in range(GRIDS):
        page.evaluate(
            "i => document.querySelector('latent-explorer').place.change({x: [-3 + i / 100, 3], points: 20})", i
        )
        page.wait_for_timeout(1200)
    per_grid, in_all = (1000 * spent / GRIDS for spent in (computed(session) - start, worked() - all_start))
    grids = page.evaluate("window.grids")
    return {
        "moves": len(moves), "move_median_ms": median(moves), "move_p95_ms": float(np.quantile(moves, 0.95)),
        "move_computed_ms": per_move, "grids": len(grids), "grid_median_ms": median(grids), "grid_least_ms": min(grids),
        "grid_computed_ms": per_grid, "grid_in_all_ms": in_all, "workers": int(page.evaluate(CREW)),
    }  # fmt: skip


WRITE = """async ([prompt, length]) => {
  const { backEnd } = document.querySelector("writing-desk"), found = {}, pieces = [];
  const settings = { temperature: 1, top_k: null, top_p: 1, min_p: 0, seed: 0, length };
  await backEnd.likely(prompt, settings);
  const started = performance.now(), { signal } = new AbortController();
  const heard = ({ symbols, ...begun }) => symbols ? pieces.push(...symbols) : Object.assign(found, begun);
  await backEnd.write(prompt, settings, heard, signal);
  return { ...found, milliseconds: performance.now() - started, pieces };
}"""


LENGTHEN = """length => {
  const desk = document.querySelector("writing-desk");
  desk.settings.set("length", length);
  desk.write();
}"""


def spoken(page: Page, session: CDPSession, run: Run) -> dict[str, float]:
    """Characters a second, of the model alone and on the sheet of the page, and how far the probabilities are off."""
    page.wait_for_timeout(2000)
    start = computed(session)
    found = page.evaluate(WRITE, ["\n", SYMBOLS])
    alone = computed(session) - start
    page.evaluate("() => addEventListener('written', (e) => { window.heard = e.detail; })")
    start = computed(session)
    page.evaluate(LENGTHEN, SYMBOLS)
    page.wait_for_function("() => window.heard", timeout=300_000)
    shown, waited = computed(session) - start, page.evaluate("() => heard.milliseconds") / 1000
    tokenizer = run.voice.tokenizer
    ids = tokenizer.encode(found["prompt"] + "".join(piece["text"] for piece in found["pieces"])).astype(np.int64)
    with torch.no_grad():
        chances = run.model(torch.from_numpy(ids)[None])[0][0].softmax(-1)[torch.arange(SYMBOLS), ids[1:]]
    gaps = chances - torch.tensor([piece["probability"] for piece in found["pieces"]])
    return {
        "symbols": SYMBOLS, "characters_per_second": 1000 * SYMBOLS / found["milliseconds"],
        "characters_per_computed_second": SYMBOLS / alone, "shown_characters_per_second": SYMBOLS / waited,
        "shown_characters_per_computed_second": SYMBOLS / shown, "difference": float(gaps.abs().max()),
    }  # fmt: skip


def difference(page: Page, there: Run) -> float:
    """The largest difference between the page's pictures and the model's, at 64 codes."""
    z = torch.randn(64, there.model.latent, generator=torch.Generator().manual_seed(0))
    flat = page.evaluate(
        "async z => Array.from(await document.querySelector('latent-explorer').backEnd.decode(Float32Array.from(z)))",
        z.flatten().tolist(),
    )
    wanted = there.plan.view.picture(decode_means(there.model, z))
    return float((torch.tensor(flat).view_as(wanted) - wanted).abs().max())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run")
    parser.add_argument("--dry", action="store_true", help="print the row, and append it nowhere")
    given = parser.parse_args()
    run = open_run(given.run)
    file = run.folder / "export" / f"{run.name}.html"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_context(viewport={"width": 1280, "height": 900}, offline=True).new_page()
        page.set_default_timeout(300_000)
        session = page.context.new_cdp_session(page)
        session.send("Performance.enable", {"timeDomain": "threadTicks"})
        page.goto(file.resolve().as_uri())
        page.wait_for_selector("html[data-ready]", state="attached")
        opened = int(page.evaluate("document.documentElement.dataset.ready"))
        row = {
            "kind": "page", "name": run.config["recipe"], "date": date.today().isoformat(),
            "device": describe(torch.device("cpu")),
            "browser": f"Chromium {browser.version}", "load": round(os.getloadavg()[0], 1),
            "megabytes": round(file.stat().st_size / 1e6, 2), "open_ms": opened,
            "open_computed_ms": 1000 * computed(session),
        }  # fmt: skip
        if run.is_text:
            row |= spoken(page, session, run)
        else:
            row |= {**measured(page, session), "difference": difference(page, run)}
        browser.close()
    row = {key: round(v, 8 if key == "difference" else 2) if isinstance(v, float) else v for key, v in row.items()}
    print(json.dumps(row))
    if not given.dry:
        append(row)


if __name__ == "__main__":
    main()
