"""CIFAR-10 with and without the flow: vae-iaf-cifar at equal epochs, three seeds each, into results.jsonl.

    REVERIE_DATA=... python benchmarks/flow.py --runs FOLDER           # trains what is not in the folder yet
    REVERIE_DATA=... python benchmarks/flow.py --runs FOLDER --draw    # the pictures of the first seed's runs

The figure is the one that the recipe itself gives after each epoch: the ELBO at one draw an image, on all test images.
``benchmarks/reproduce.py --render`` writes the table into docs/results.md.
"""

import argparse
import itertools
import os
import statistics
from collections.abc import Iterable
from datetime import date
from pathlib import Path

import torch

from bare import command, trained
from record import append, rows
from reverie.engine.checkpoint import newest
from reverie.engine.noise import ItemNoise
from reverie.files import read_lines
from reverie.report import sheets
from reverie.runs import Run

HERE = Path(__file__).parent
PICTURES = HERE.parent / "docs" / "pictures"
SETTINGS = {"epochs": 3}
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
        "processor_seconds": record.get("processor_seconds"),
        "parameters": record["parameters"],
        "device": f"{record['device']}, {record['threads']} thread" + " (shared)" * shared,
        "versions": record["versions"],
    }


def of(values: Iterable[float]) -> str:
    """The mean over seeds with its standard error; of one seed, its figure."""
    there = list(values)
    error = f" ± {statistics.stdev(there) / len(there) ** 0.5:.2f}" if len(there) > 1 else ""
    return f"{statistics.mean(there):.2f}{error}"


def section() -> str:
    """The part of docs/results.md on the flow, of the seeds and epochs that both kinds have; nothing without one."""
    newest = {(row["name"], row["seed"]): row for row in rows("flow")}
    seeds = [seed for seed in SEEDS if all((kind, seed) in newest for kind in KINDS)]
    if not seeds:
        return ""
    each = {kind: [newest[kind, seed] for seed in seeds] for kind in KINDS}
    count = min(len(run["elbo"]) for runs in each.values() for run in runs)
    lines = [
        [kind, f"`{runs[0]['command']}`", *(of(run["elbo"][epoch] for run in runs) for epoch in range(count))]
        + [of(run["divergence"][count - 1] for run in runs), f"{runs[0]['parameters']:,}"]
        for kind, runs in each.items()
    ]
    first, second = each.values()
    pairs = list(zip(first, second, strict=True))
    gains = (of(a["elbo"][epoch] - b["elbo"][epoch] for a, b in pairs) for epoch in range(count))
    lines.append(["gain", "", *gains, "", ""])
    epochs = " | ".join(f"ELBO, epoch {i + 1}" for i in range(count))
    head = f"| | command | {epochs} | KL | parameters |"
    told, names = first[0], ", ".join(map(str, seeds))
    which = f"seed {names}, which tells nothing of the spread between seeds" if len(seeds) == 1 else f"seeds {names}"
    return "\n".join(
        [
            "## The flow on CIFAR-10\n",
            "Made by `benchmarks/flow.py`. Test ELBO after each epoch, nats per image, more is better: mean ± standard",
            f"error over seeds; {which}. {told['protocol']}; a density.",
            f"Made on {told['device']}, {told['date']}.\n",
            "How 20 epochs end stands above, of one seed: the lead is lost ([flows.md](flows.md#what-it-costs)).\n",
            head,
            "|---" * (head.count("|") - 1) + "|",
            *(f"| {' | '.join(line)} |" for line in lines),
            "",
            f"![The first {SHOWN} test images, and what the flow gives back](pictures/flow-reconstructions.png)\n",
            "![Means of p(x given z) at draws from the prior of the same model](pictures/flow-samples.png)\n",
        ]
    )


@torch.no_grad()
def draw(run: Run) -> None:
    """The first test images with their reconstructions at a draw of the posterior, and a sheet of samples."""
    view, model = run.trained.view, run.model
    pixels = run.trained.data.test.pixels[:SHOWN]
    z, _ = model.encode(view.still(pixels)).draw(ItemNoise((0, "reconstruct"), range(SHOWN)))
    back = view.pixels(model.decode(z.squeeze(1)).mean)
    checkpoint, _ = newest(run.folder / "checkpoints")
    caption = f"vae-iaf-cifar with its flow, after {checkpoint.step if checkpoint else run.record['steps']:,} steps"
    both, rows = torch.cat([pixels, back]), ["image", "back"]
    title = "CIFAR-10: the first ten test images, and back"
    sheet = sheets.sheet(both, title=title, caption=caption, columns=SHOWN, rows=rows)
    sheets.save(sheet, PICTURES / "flow-reconstructions.png")
    samples = view.pixels(model.sample(2 * SHOWN, ItemNoise((0, "sample"), range(2 * SHOWN))))
    title = "CIFAR-10: means of p(x given z), z from the prior"
    sheets.save(sheets.sheet(samples, title=title, caption=caption, columns=SHOWN), PICTURES / "flow-samples.png")


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
        for (kind, seed), run in runs.items():
            append(row_of(kind, seed, run, given.shared))
    draw(Run(given.runs / "with-the-flow-0"))


if __name__ == "__main__":
    main()
