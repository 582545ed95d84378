"""CIFAR-10 with and without the flow: vae-iaf-cifar at equal epochs, three seeds each, into results.jsonl.

    REVERIE_DATA=... python benchmarks/flow.py --runs FOLDER           # trains what is not in the folder yet
    REVERIE_DATA=... python benchmarks/flow.py --runs FOLDER --draw    # the pictures of the first seed's runs

The figure is the one that the recipe itself gives after each epoch: the ELBO at one draw an image, on all test images.
``benchmarks/reproduce.py --render`` writes the table into docs/results.md.
"""

import argparse
import itertools
import json
import os
import statistics
from collections.abc import Iterable
from datetime import date
from pathlib import Path

import torch

from bare import command, trained
from reverie.engine.noise import ItemNoise
from reverie.files import read_lines
from reverie.report import sheets
from reverie.runs import Run

HERE = Path(__file__).parent
RESULTS = HERE / "results.jsonl"
PICTURES = HERE.parent / "docs" / "pictures"
SETTINGS = {"batch": 512, "rate": 1e-3, "epochs": 3}
KINDS = {"with the flow": {}, "without it": {"flow": 0}}
SEEDS = (0, 1, 2)
SHOWN = 10


def run_of(kind: str, seed: int, runs: Path, threads: int) -> Run:
    """The run of a kind and a seed, trained if it is not finished yet."""
    settings = {**SETTINGS, **KINDS[kind], "seed": seed, "threads": threads}
    return trained("vae-iaf-cifar", settings, runs / f"{kind.replace(' ', '-')}-{seed}")


def row_of(kind: str, seed: int, run: Run, shared: bool) -> dict:
    """What results.jsonl keeps of a run: the figures of each epoch, on all test images."""
    record = run.record
    epochs = [line for line in read_lines(run.folder / "metrics.jsonl") if line.get("test")]
    return {
        "kind": "flow",
        "name": kind,
        "seed": seed,
        "command": command("vae-iaf-cifar", {**SETTINGS, **KINDS[kind]}),
        "date": date.today().isoformat(),
        "elbo": [-line["test_loss"] for line in epochs],
        "divergence": [line["test_kl"] for line in epochs],
        "protocol": f"{record['data']['name']}, {record['view']}, test of {record['data']['split']}, "
        f"{record['data']['test']:,} images, one draw an image",
        "processor_seconds": record["processor_seconds"],
        "parameters": record["parameters"],
        "device": f"{record['device']}, {record['threads']} thread" + " (shared)" * shared,
        "versions": record["versions"],
    }


def of(values: Iterable[float]) -> str:
    """The mean over seeds with its standard error."""
    there = list(values)
    error = statistics.stdev(there) / len(there) ** 0.5
    return f"{statistics.mean(there):.2f} ± {error:.2f}"


def section(rows: list[dict]) -> str:
    """The part of docs/results.md on the flow; nothing before it was measured for every seed."""
    newest = {(row["name"], row["seed"]): row for row in rows if row["kind"] == "flow"}
    if not all((kind, seed) in newest for kind in KINDS for seed in SEEDS):
        return ""
    each = {kind: [newest[kind, seed] for seed in SEEDS] for kind in KINDS}
    count = len(newest["with the flow", 0]["elbo"])
    lines = [
        [kind, f"`{runs[0]['command']}`", *(of(run["elbo"][epoch] for run in runs) for epoch in range(count))]
        + [of(run["divergence"][-1] for run in runs), f"{runs[0]['parameters']:,}"]
        + [f"{statistics.mean(run['processor_seconds'] for run in runs):.0f}"]
        for kind, runs in each.items()
    ]
    first, second = each.values()
    gains = (
        of(a["elbo"][epoch] - b["elbo"][epoch] for a, b in zip(first, second, strict=True)) for epoch in range(count)
    )
    lines.append(["gain of a seed", "", *gains, "", "", ""])
    epochs = " | ".join(f"epoch {i + 1}" for i in range(count))
    head = f"| | command, seeds {', '.join(map(str, SEEDS))} | {epochs} | KL | parameters | processor seconds |"
    told = newest["with the flow", 0]
    return "\n".join(
        [
            "## The flow on CIFAR-10\n",
            "Made by `benchmarks/flow.py`. Test ELBO after each epoch, nats per image, higher is better: mean ± standard",
            f"error over seeds. {told['protocol']}; a density. Trained on {told['device']}, {told['date']}.\n",
            head,
            "|---" * (head.count("|") - 1) + "|",
            *(f"| {' | '.join(line)} |" for line in lines),
            "",
            f"![The first {SHOWN} test images, and what the flow gives back](pictures/flow-reconstructions.png)",
            "![Means of p(x\\|z) at draws from the prior of the same model](pictures/flow-samples.png)\n",
        ]
    )


@torch.no_grad()
def draw(run: Run) -> None:
    """The first test images with their reconstructions at a draw of the posterior, and a sheet of samples."""
    view, model = run.trained.view, run.model
    pixels = run.trained.data.test.pixels[:SHOWN]
    z, _ = model.encode(view.still(pixels)).draw(ItemNoise((0, "reconstruct"), range(SHOWN)))
    back = view.pixels(model.decode(z.squeeze(1)).mean)
    both = torch.cat([pixels, back])
    title = "CIFAR-10, the first ten test images, and back"
    rows = ["image", "back"]
    sheets.save(sheets.sheet(both, title=title, columns=SHOWN, rows=rows), PICTURES / "flow-reconstructions.png")
    samples = view.pixels(model.sample(40, ItemNoise((0, "sample"), range(40))))
    title = "CIFAR-10, samples of the same model"
    sheets.save(sheets.sheet(samples, title=title, columns=SHOWN), PICTURES / "flow-samples.png")


def main() -> None:
    """Train, write down, draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=Path, required=True, help="where the runs are, or will be")
    parser.add_argument("--seeds", type=int, nargs="*", choices=SEEDS, help="train these only, and write nothing down")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--shared", action="store_true", help="say that other work runs on the machine meanwhile")
    parser.add_argument("--draw", action="store_true", help="only draw the pictures")
    given = parser.parse_args()
    if not os.environ.get("REVERIE_DATA"):
        raise SystemExit("REVERIE_DATA must name the folder of data sets")
    if not given.draw:
        for kind, seed in itertools.product(KINDS, given.seeds or ()):
            run_of(kind, seed, given.runs, given.threads)
        if given.seeds:
            return
        runs = {(kind, seed): run_of(kind, seed, given.runs, given.threads) for seed in SEEDS for kind in KINDS}
        with RESULTS.open("a") as file:
            for (kind, seed), run in runs.items():
                file.write(json.dumps(row_of(kind, seed, run, given.shared)) + "\n")
    draw(Run(given.runs / "with-the-flow-0"))


if __name__ == "__main__":
    main()
