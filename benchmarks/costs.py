"""What the costs of the generator and the turns of the critic do: gan-mlp with each, at equal images, and the page.

    REVERIE_DATA=... python benchmarks/costs.py              # nine runs of about a minute on one core
    python benchmarks/costs.py --only non-saturating-1       # one of them
    python benchmarks/costs.py --render                      # docs/costs.md from results.jsonl

A row of results.jsonl holds the command, the curves, the figures with their protocols, seconds, device and versions.
"""

import argparse
import math
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from itertools import product
from pathlib import Path
from statistics import fmean, median

import numpy as np
import torch
from numpy.typing import NDArray

import reverie
from record import append, rows
from reverie.cli.terminal import telling
from reverie.evaluation import read_figures
from reverie.files import read_lines
from reverie.objectives import adversarial
from reverie.report import plots
from reverie.report.health import verdict
from reverie.report.plots import Panel

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs" / "costs.md"
PICTURES = HERE.parent / "docs" / "pictures"
DATA, IMAGES, BATCH = "mnist-5k", 64_000, 64  # real images that the critic sees, and of a turn
COSTS = {
    "minimax": adversarial.minimax,
    "non-saturating": adversarial.non_saturating,
    "maximum-likelihood": adversarial.maximum_likelihood,
}
TURNS = (1, 5, 2)  # in the order in which they are run
NAMES = {f"{cost}-{k}": (cost, k) for k, cost in product(TURNS, COSTS)}
POINTS = 40  # of a curve that are kept
WATCHED = ("test_fd", "test_precision", "test_recall", "test_classes")
PLAYED = ("generator/norm", "generator/loss", "critic/loss", "critic/ranked", "generator/fake", "generator/effective")

EARLY, LATE = slice(0, POINTS // 4), slice(-(POINTS // 4), None)

HEAD = """# What the costs do, and what k does

Made by `benchmarks/costs.py` from `benchmarks/results.jsonl`; no figure here is typed in.
[`gan-mlp`](recipes.md#gan-mlp) plays with each of the textbook's three costs of the generator, and with k turns of
the critic for one of the generator. In every game the critic sees {images} real images of `{data}`, {batch} a turn:
with a larger k the generator has fewer turns. All other settings are the recipe's, and the seed is 0. What the costs
are: [adversarial.md](adversarial.md#the-costs).
"""
CONFIDENT = """## At a confident critic

Early in a game the critic sees through every fake: its logit f lies far below 0. What reaches the generator is the
slope of its cost in f, in closed form `sigmoid(f)` for minimax and `1 - sigmoid(f)` for the non-saturating cost. That
of maximum likelihood is `exp(f_i) / mean exp(f)`: 1 on average whatever the critic thinks, but the more unequal the
logits of a batch are, the fewer of its images share it. Here, as autograd finds it, of a batch of equal logits:
"""
MEASURED = """## In games

The distance is `test_fd` of [samples.md](samples.md#in-training), the mean over a classifier's and random features.
Lines are means over forty parts of a game, distances as they were watched.
"""
REPEAT = """*Lowest FD* is the best of the game, recall and classes are those of the last measurement; the gradient is
the median norm over the game, *ranked* the median of its last quarter: 1 is a critic that is never wrong, 0.5 one that
cannot tell.

These are short games of one seed, of a fully connected pair on 4,000 digits: enough to see what a cost does to the
gradient, and too little to rank costs by their distances. Device: {device}.

```sh
python benchmarks/costs.py
python benchmarks/costs.py --render
```
"""

Row = Mapping[str, object]
Line = NDArray[np.float64]


def steps_of(k: int) -> int:
    """Rounds in which the critic sees so many images, whatever the number of its turns."""
    return IMAGES // (BATCH * k)


def command(name: str) -> str:
    """What a person types for a row."""
    cost, k = NAMES[name]
    return f"reverie train gan-mlp --data {DATA} --cost {cost} --critic-turns {k} --batch {BATCH} --steps {steps_of(k)}"


def measure(name: str) -> dict:
    """Train one game and keep its curves and the figures of its end."""
    cost, k = NAMES[name]
    settings = {"cost": cost, "critic_turns": k, "batch": BATCH, "steps": steps_of(k), "threads": 1}
    with tempfile.TemporaryDirectory() as runs, telling() as report:
        run = reverie.train("gan-mlp", data=DATA, runs=runs, report=report, **settings)
        rows = read_lines(run.folder / "metrics.jsonl")
        record, resolved = run.record, run.config
        figures = read_figures(run.folder)
    found = verdict(rows)
    return {
        "kind": "costs",
        "name": name,
        "command": command(name),
        "date": date.today().isoformat(),
        "images": IMAGES,
        "cost": cost,
        "critic_turns": k,
        "steps": resolved["steps"],
        "seconds": record["seconds"],
        "device": f"{record['device']}, {resolved['threads']} threads, {resolved['precision']}",
        "versions": record["versions"],
        "weights": record["weights"],
        "verdict": str(found or "no word yet"),
        "curves": {key: curve(rows, key, k) for key in (*WATCHED, *PLAYED) if any(key in row for row in rows)},
        "figures": [figure.to_json() for figure in figures],
    }


def curve(rows: Sequence[Row], key: str, k: int) -> list[list[float]]:
    """Thousands of images that the critic has seen, and a quantity: means over equal parts of the run where many."""
    there = [(row["step"] * k * BATCH / 1000, row[key]) for row in rows if key in row]
    size = math.ceil(len(there) / POINTS)
    parts = [there[i : i + size] for i in range(0, len(there), size)]
    return [[float(f"{fmean(x for x, _ in part):.5g}"), float(f"{fmean(y for _, y in part):.5g}")] for part in parts]


def slopes(build: Callable[[], adversarial.Cost], logits: Sequence[float]) -> list[float]:
    """The size of a cost's slope in each of these logits, of a batch of two that are equal, in float64."""
    found = []
    for logit in logits:
        fake = torch.full((2,), logit, dtype=torch.float64, requires_grad=True)
        (slope,) = torch.autograd.grad(build().generator(fake, None).mean() * 2, fake)
        found.append(float(slope[0].abs()))
    return found


def latest() -> dict[str, dict]:
    """The newest row of each name."""
    return {row["name"]: row for row in rows("costs")}


def table(head: Sequence[str], body: Sequence[Sequence[object]]) -> str:
    """A table of the page."""
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in [head, ["---"] * len(head), *body]) + "\n"


def confident() -> str:
    """What reaches the generator from a critic that is sure, at several logits of a fake image."""
    logits = (-20.0, -10.0, -5.0, -2.0, 0.0, 2.0)
    columns = [slopes(cost, logits) for cost in COSTS.values()]
    body = [
        [f"{logit:g}", f"{1 / (1 + math.exp(-logit)):.2g}", *(f"{column[i]:.3g}" for column in columns)]
        for i, logit in enumerate(logits)
    ]
    return table(["logit f of a fake", "D = sigmoid(f)", *COSTS], body)


def draw(there: Mapping[str, dict], key: str, title: str, file: str, scale: Callable[[Line], Line]) -> str:
    """One picture of a quantity: a panel for each k, a line for each cost; its line on the page."""
    parts = []
    for k in sorted(TURNS):
        games = {row["cost"]: row for row in there.values() if row["critic_turns"] == k}
        found = {cost: np.array(games[cost]["curves"][key]) for cost in COSTS if cost in games}
        if found:
            scaled = {cost: np.column_stack([line[:, 0], scale(line[:, 1])]) for cost, line in found.items()}
            parts.append(Panel(f"k = {k}", "thousands of real images seen", scaled))
    both = [line[:, 1] for part in parts for line in part.lines.values()]
    low, high = min(map(np.min, both)), max(map(np.max, both))
    room = 0.05 * (high - low)
    parts = [replace(part, limits=(low - room, high + room)) for part in parts]
    image = plots.panels(parts, title=title, caption=f"{len(there)} games of gan-mlp on {DATA}, seed 0")
    image.quantize(32).save(PICTURES / file, optimize=True)
    return f"![{title}](pictures/{file})\n"


def middle(row: dict, key: str, part: slice = slice(None)) -> float:
    """The median of a curve, or of a part of it."""
    values = [value for _, value in row["curves"][key]]
    return median(values[part])


def best(row: dict) -> float:
    """The lowest distance from held-out images that was watched."""
    return min(value for _, value in row["curves"]["test_fd"])


def measured(there: Mapping[str, dict]) -> str:
    """A line for each game."""
    head = ["game", "rounds", "lowest FD", "recall", "classes", "generator's gradient", "ranked", "verdict", "seconds"]
    body = [
        [f"`{name}`", f"{row['steps']:,}", f"{best(row):.0f}"]
        + [f"{row['curves'][key][-1][1]:.2f}" for key in ("test_recall", "test_classes")]
        + [f"{middle(row, 'generator/norm'):.3g}", f"{middle(row, 'critic/ranked', LATE):.3f}"]
        + [row["verdict"].split(":")[0], f"{row['seconds']:.0f}" + " (shared)" * row["shared"]]
        for name, row in ((name, there[name]) for name in sorted(there, key=lambda name: (NAMES[name][1], name)))
    ]
    return table(head, body)


def seen(there: Mapping[str, dict]) -> str:
    """What the rows say, in words."""
    said = []
    for k in sorted(TURNS):
        games = {row["cost"]: row for row in there.values() if row["critic_turns"] == k}
        if not games:
            continue
        order = sorted(games, key=lambda cost: best(games[cost]))
        early = {cost: middle(row, "generator/norm", EARLY) for cost, row in games.items()}
        ranked = {cost: middle(row, "critic/ranked", LATE) for cost, row in games.items()}
        words = [
            f"- **k = {k}**, {steps_of(k):,} turns of the generator. Lowest distance: "
            + ", ".join(f"{cost} {best(games[cost]):.0f}" for cost in order),
            "Gradient of the generator in the first quarter: " + ", ".join(f"{c} {v:.2g}" for c, v in early.items()),
            "Ranked rightly by the critic in the last quarter: " + ", ".join(f"{c} {v:.1%}" for c, v in ranked.items()),
        ]
        if "maximum-likelihood" in games:
            share = middle(games["maximum-likelihood"], "generator/effective")
            words.append(f"Of a batch of {BATCH}, about {share * BATCH:.0f} images carry maximum likelihood's slope")
        said.append(".\n  ".join(words) + ".")
    return "\n".join(said) + "\n"


def render() -> None:
    """Write the page and its pictures."""
    there = latest()
    if not there:
        return
    row = next(iter(there.values()))
    pictures = [
        draw(there, "test_fd", "Distance of samples from held-out images", "costs-distance.png", lambda y: y),
        draw(there, "generator/norm", "Generator's gradient: log10 of its norm", "costs-gradient.png", np.log10),
        draw(there, "critic/ranked", "Share of pairs that the critic ranks rightly", "costs-critic.png", lambda y: y),
    ]
    parts = [
        HEAD.format(images=f"{IMAGES:,}", data=DATA, batch=BATCH),
        CONFIDENT, confident(), MEASURED, *pictures, measured(there), seen(there), REPEAT.format(device=row["device"]),
    ]  # fmt: skip
    PAGE.write_text("\n".join(parts))


def main() -> None:
    """Measure, write down, render."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="*", choices=list(NAMES), default=list(NAMES))
    parser.add_argument("--shared", action="store_true", help="say that other work runs on the machine meanwhile")
    parser.add_argument("--render", action="store_true", help="only render the page")
    arguments = parser.parse_args()
    for name in [] if arguments.render else arguments.only:
        append({**measure(name), "shared": arguments.shared})
    render()


if __name__ == "__main__":
    main()
