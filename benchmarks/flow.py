"""CIFAR-10 with and without the flow: vae-iaf-cifar at equal epochs, three seeds each, into results.jsonl.

A third kind, one seed of it, has the flow from the first step on.

    REVERIE_DATA=... python benchmarks/flow.py --runs FOLDER           # trains what is not in the folder yet
    REVERIE_DATA=... python benchmarks/flow.py --runs FOLDER --draw    # the pictures of the first seed's runs

The figure is the one that the recipe itself gives after each epoch: the ELBO at one draw an image, on all test images.
``benchmarks/reproduce.py --render`` writes the table into docs/results.md.
"""

import argparse
import os
import statistics
from collections.abc import Iterable
from datetime import date
from pathlib import Path

import torch
from PIL import Image

from bare import command, trained
from record import append, rows, table
from reverie.engine.checkpoint import newest
from reverie.engine.noise import ItemNoise
from reverie.files import read_lines
from reverie.report import sheets
from reverie.runs import Run

HERE = Path(__file__).parent
PICTURES = HERE.parent / "docs" / "pictures"
SETTINGS = {"epochs": 20}
KINDS = {"with the flow": {}, "without it": {"flow": 0}, "from the first step": {"flow_from": 0}}
SEEDS = (0, 1, 2)
RUNS = [(kind, seed) for seed in SEEDS for kind in KINDS if seed == 0 or kind != "from the first step"]
EPOCHS = (5, 10, 15, 20)  # that the table shows
SHOWN = 10
LOOKED_AT, DRAWS = 1000, 20  # test images, and codes drawn for each, that tell how sharp a code is


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
        "sharp": sharp(run),
        "protocol": f"{record['data']['name']}, {record['view']}, test of {record['data']['split']}, "
        f"{record['data']['test']:,} images, one draw an image",
        "processor_seconds": record.get("processor_seconds"),
        "parameters": record["parameters"],
        "device": f"{record['device']}, {record['threads']} thread" + " (shared)" * shared,
        "versions": record["versions"],
    }


@torch.no_grad()
def sharp(run: Run) -> int:
    """Numbers of the code that each tell more than a nat of the image: ``log(s / s_within) > 1``.

    s is a number's deviation over images and draws, s_within its deviation over the draws for one image.
    """
    x = run.trained.observe(run.trained.data.test.pixels[:LOOKED_AT])
    z, _ = run.model.encode(x).draw(ItemNoise((0, "sharp"), range(LOOKED_AT)), DRAWS)  # (N, K, D)
    within, total = z.var(1).mean(0), z.flatten(0, 1).var(0)
    return int((0.5 * (total / within).log() > 1).sum())


def of(values: Iterable[float], digits: int = 2) -> str:
    """The mean over seeds with its standard error; of one seed, its figure."""
    there = list(values)
    error = f" ± {statistics.stdev(there) / len(there) ** 0.5:.{digits}f}" if len(there) > 1 else ""
    return f"{statistics.mean(there):.{digits}f}{error}"


def section() -> str:
    """The part of docs/results.md on the flow; nothing without runs of all seeds with and without it."""
    newest = {(row["name"], row["seed"]): row for row in rows("flow") if len(row["elbo"]) == SETTINGS["epochs"]}
    each = {kind: [newest[kind, seed] for seed in SEEDS if (kind, seed) in newest] for kind in KINDS}
    first, second, *_ = each.values()
    if len(first) != len(SEEDS) or len(second) != len(SEEDS):
        return ""
    lines = [line(kind, runs) for kind, runs in each.items() if runs]
    gains = [of(a["elbo"][n - 1] - b["elbo"][n - 1] for a, b in zip(first, second, strict=True)) for n in EPOCHS]
    lines.append(["gain", "", *gains, "", "", ""])
    alone = "; from the first step, seed 0 alone" if each["from the first step"] else ""
    head = ["", "command", *(f"ELBO, epoch {n}" for n in EPOCHS), "KL", "sharp numbers", "parameters"]
    return "\n".join(
        [
            "## The flow on CIFAR-10\n",
            "Made by `benchmarks/flow.py`. Test ELBO after epochs, nats per image, more is better: mean ± standard",
            f"error over seeds {', '.join(map(str, SEEDS))}{alone}.",
            f"{first[0]['protocol']}; a density. At the end: KL, and sharp",
            "numbers, those of the code that each tell more than a nat of the image.",
            f"Made on {first[0]['device']}, {first[0]['date']}.\n",
            table(head, lines),
            "",
            f"![The first {SHOWN} test images, and what the flow gives back](pictures/flow-reconstructions.png)\n",
            "![Means of p(x given z) at draws from the prior of the same model](pictures/flow-samples.png)\n",
        ]
    )


def line(kind: str, runs: list[dict]) -> list[str]:
    """A kind's cells, from the rows of its seeds."""
    figures = [of(run["elbo"][n - 1] for run in runs) for n in EPOCHS]
    rest = [of(run["divergence"][-1] for run in runs), of((run["sharp"] for run in runs), 1)]
    return [kind, f"`{runs[0]['command']}`", *figures, *rest, f"{runs[0]['parameters']:,}"]


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
    sheets.save(small(sheet), PICTURES / "flow-reconstructions.png")
    samples = view.pixels(model.sample(2 * SHOWN, ItemNoise((0, "sample"), range(2 * SHOWN))))
    title = "CIFAR-10: means of p(x given z), z from the prior"
    sheet = sheets.sheet(samples, title=title, caption=caption, columns=SHOWN)
    sheets.save(small(sheet), PICTURES / "flow-samples.png")


def small(sheet: Image.Image) -> Image.Image:
    """The sheet in 256 colours, which the page can carry."""
    return sheet.quantize(256, dither=Image.Dither.NONE)


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
        wanted = given.seeds or SEEDS
        runs = [(kind, seed, run_of(kind, seed, given.runs, given.threads)) for kind, seed in RUNS if seed in wanted]
        if given.seeds:
            return
        for kind, seed, run in runs:
            append(row_of(kind, seed, run, given.shared))
    draw(Run(given.runs / "with-the-flow-0"))


if __name__ == "__main__":
    main()
