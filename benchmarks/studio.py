"""How fast the studio answers a hand on the map, and whether ten thousand answers cost it memory.

    python benchmarks/studio.py RUN                # appends a row to results.jsonl
    python benchmarks/studio.py RUN --requests 10000 --dry

A studio is started as a person starts it, a browser drags over the map of the run, and then a client asks for pictures,
reconstructions and grids as fast as they come. Times are what a reader waits for (wall clock); beside them stands what
the server computed for an answer, which does not count what else the machine was doing.
"""

import argparse
import http.client
import json
import os
import re
import signal
import struct
import subprocess
import sys
from datetime import date
from pathlib import Path
from statistics import median
from urllib.parse import quote

import numpy as np
import torch
from playwright.sync_api import Page, sync_playwright

from record import append
from reverie.engine.machine import describe
from reverie.runs import Run, open_run

CHROMIUM = "/usr/bin/chromium"
MOVES, GRIDS = 200, 10
HEARD = """() => { window.moves = []; window.grids = [];
  addEventListener("picture", (e) => { if (e.detail.milliseconds !== null) moves.push(e.detail.milliseconds); });
  addEventListener("grid", (e) => grids.push(e.detail.milliseconds)); }"""


def start(run: Run) -> tuple[subprocess.Popen[str], str]:
    """A studio that shows a run, and its address."""
    words = [sys.executable, "-m", "reverie", "studio", str(run.folder), "--no-browser", "--port", "0"]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    found = re.search(r"http\S+", process.stdout.readline() if process.stdout else "")
    if found is None:
        raise SystemExit("the studio did not start")
    return process, found[0]


def touched(page: Page) -> dict[str, float]:
    """Milliseconds from the pointer to the picture, and of grids of 20 x 20."""
    page.evaluate(HEARD)
    page.wait_for_timeout(2000)
    box = page.locator("latent-map canvas").bounding_box()
    if box is None:
        raise SystemExit("the page has no map")
    page.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 0.5 * box["height"])
    page.mouse.down()
    for i in range(MOVES):
        x, y = 0.5 + 0.4 * np.cos(i / 9), 0.5 + 0.4 * np.sin(i / 7)
        page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"])
        page.wait_for_timeout(20)
    page.mouse.up()
    moves = page.evaluate("window.moves")
    page.evaluate("window.grids.length = 0")
    for i in range(GRIDS):
        place = "document.querySelector('latent-explorer').place"
        page.evaluate(f"i => {place}.change({{ x: [-3 + i / 100, 3], points: 20 }})", i)
        page.wait_for_timeout(1200)
    grids = page.evaluate("window.grids")
    return {
        "moves": len(moves), "move_median_ms": median(moves), "move_p95_ms": float(np.quantile(moves, 0.95)),
        "grids": len(grids), "grid_median_ms": median(grids), "grid_least_ms": min(grids),
    }  # fmt: skip


def megabytes(process: subprocess.Popen[str]) -> float:
    """Memory of the server that is its own."""
    text = Path(f"/proc/{process.pid}/status").read_text()
    return int(re.search(r"RssAnon:\s+(\d+)", text)[1]) / 1000  # type: ignore[index]


def computed(process: subprocess.Popen[str]) -> float:
    """Milliseconds that the server has computed so far."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return 1000 * (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def hammer(run: Run, process: subprocess.Popen[str], address: str, n: int) -> dict[str, float]:
    """Ask n times for what an explorer asks for; how much memory that took after the first tenth."""
    host, token = address.split("/")[2], address.split("#token=")[1]
    line = http.client.HTTPConnection(host)

    def post(path: str, body: bytes, kind: str) -> http.client.HTTPResponse:
        line.request("POST", path, body, {"Content-Type": kind, "Origin": f"http://{host}", "Cookie": cookie})
        return line.getresponse()

    cookie = ""
    answer = post("/enter", json.dumps({"token": token}).encode(), "application/json")
    cookie = answer.headers["set-cookie"].split(";")[0]
    answer.read()
    latent, pixels = run.model.latent, int(np.prod(run.spec.shape))
    bodies = {
        "decoder": struct.pack(f"{latent}f", *[0.1] * latent), "encoder": np.full(pixels, 0.5, np.float32).tobytes(),
        "grid": np.random.default_rng(0).normal(size=(400, latent)).astype(np.float32).tobytes(),
    }  # fmt: skip

    def ask(name: str) -> None:
        part = "encoder" if name == "encoder" else "decoder"
        answer = post(f"/api/models/{quote(run.name)}/{part}", bodies[name], "application/octet-stream")
        if answer.status != 200:
            raise SystemExit(f"{answer.status}: {answer.read()!r}")
        answer.read()

    def cost(name: str, times: int) -> float:
        ask(name)
        start = computed(process)
        for _ in range(times):
            ask(name)
        return (computed(process) - start) / times

    found = {"move_computed_ms": cost("decoder", 300), "grid_computed_ms": cost("grid", 20)}
    before = 0.0
    for i in range(n):
        ask("grid" if i % 50 == 0 else "encoder" if i % 5 == 0 else "decoder")
        if i == n // 10:
            before = megabytes(process)
    return {**found, "requests": n, "memory_mb": megabytes(process), "growth_mb": megabytes(process) - before}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run")
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--dry", action="store_true", help="print the row, and append it nowhere")
    given = parser.parse_args()
    run = open_run(given.run)
    process, address = start(run)
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
            page = browser.new_page(viewport={"width": 1280, "height": 900})
            page.goto(address)
            page.wait_for_selector("html[data-ready]", state="attached", timeout=120_000)
            page.reload()  # the first time opens the model as well
            page.wait_for_selector("html[data-ready]", state="attached")
            row = {
                "kind": "studio", "name": run.config["recipe"], "date": date.today().isoformat(),
                "device": describe(torch.device("cpu")), "browser": f"Chromium {browser.version}",
                "load": round(os.getloadavg()[0], 1),
                "open_ms": int(page.evaluate("document.documentElement.dataset.ready")), **touched(page),
            }  # fmt: skip
            browser.close()
        row |= hammer(run, process, address, given.requests)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()
    row = {key: round(v, 2) if isinstance(v, float) else v for key, v in row.items()}
    print(json.dumps(row))
    if not given.dry:
        append(row)


if __name__ == "__main__":
    main()
