"""One model of each kind on the same digits, side by side: docs/family.md and its picture.

    REVERIE_DATA=... python benchmarks/family.py --runs FOLDER    # trains what is not in the folder yet, measures
    python benchmarks/family.py --render                          # the page alone, from results.jsonl

A folder FOLDER/pixelcnn, FOLDER/ladder-mnist or FOLDER/gan-hinge that holds a finished run is taken as it is.
"""

import argparse
import time
from datetime import date
from pathlib import Path

import torch

from bare import command, trained
from record import append, rows
from reverie.engine.noise import ItemNoise
from reverie.metrics.density import evaluate_density
from reverie.metrics.figures import Figure
from reverie.metrics.likelihood import evaluate_likelihood
from reverie.protocols import Autoencoder, Density, LatentDensity
from reverie.quality import drawn
from reverie.report import sheets
from reverie.runs import Run

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs" / "family.md"
PICTURE = HERE.parent / "docs" / "pictures" / "family.png"
K, TEST, TIMED, SHOWN = 50, 200, 16, 14
SETTINGS = {  # what a folder that is not there is trained with: about three minutes of one core each
    "pixelcnn": {"steps": 160, "threads": 1},
    "ladder-mnist": {"steps": 1000, "threads": 1},
    "gan-hinge": {"steps": 1000, "threads": 1},
}
KINDS = {  # the kind, and how it comes to a picture
    "pixelcnn": ("explicit, tractable", "draws each pixel given those before it"),
    "ladder-mnist": ("explicit, approximate", "draws a code from the prior, and decodes it"),
    "gan-hinge": ("implicit", "draws noise, and sends it through one network"),
}
HEAD = """# The family on one page

Made by `benchmarks/family.py` from `benchmarks/results.jsonl`; nothing here is typed in. Three generative models have
seen the same digits. What sets them apart is what they can say of a picture x:

```text
generative models
├── explicit: there is a density p(x)
│   ├── tractable: log p(x) is computed                          pixelcnn
│   └── approximate: log p(x) is an integral, bounded below      ladder-mnist
└── implicit: there are samples, and no density                  gan-hinge
```

![Samples of the three models, two rows each](pictures/family.png)

Nothing is picked: these are the first samples of one seed. The first model draws bits; the second shows the probability
of each bit, decoded from a code; the third, grey values.
"""
TAIL = """
`log p(x)` is in nats per image, higher is better, and holds for the fixed bits of the test images. A bound is below
what it bounds: beside an exact figure it can lose by being loose, and cannot win by it. How it is measured:
[likelihood.md](likelihood.md); how samples are, which is all that the third can be judged by: [samples.md](samples.md).

## Which to take

- To know how likely a picture is, compress it, or find the odd one out: an exact density, and patience for samples,
  since each pixel waits for the one before.
- For codes (interpolation, attributes, maps) and a likelihood that is nearly exact: the bound.
- For sharp samples at once, and nothing else: the game, which must be watched while it trains
  ([adversarial.md](adversarial.md)).
"""


def protocol(run: Run, images: int) -> dict:
    """What a figure of a run must say of its data."""
    data, view = run.trained.data, run.trained.view
    known = {"data": data.name, "split": f"test of {data.split}", "view": view.protocol}
    return {
        **known,
        "images": f"{images:,} of {len(data.test):,}, evenly spaced",
        "data_sha256": data.fingerprint()[:16],
    }


def likelihood(run: Run) -> list[Figure]:
    """The exact log-likelihood, the bounds, or nothing."""
    test, model = run.trained.images(None, TEST), run.model
    x, said = run.trained.view.still(test.pixels), protocol(run, TEST)
    if isinstance(model, LatentDensity):
        return evaluate_likelihood(model, x, protocol=said, k=K)
    return evaluate_density(model, x, protocol=said) if isinstance(model, Density) else []


def seconds_each(run: Run) -> float:
    """Processor time of one sample, of a batch that is drawn together."""
    model = run.trained.sampler()
    with torch.no_grad():
        model.sample(TIMED, ItemNoise((1, "warm"), range(TIMED)))
        began = time.process_time()
        model.sample(TIMED, ItemNoise((2, "timed"), range(TIMED)))
    return (time.process_time() - began) / TIMED


def row_of(name: str, run: Run) -> dict:
    """What results.jsonl keeps of a model."""
    record, model = run.record, run.model
    return {
        "kind": "family",
        "name": name,
        "command": command(name, {"steps": record["steps"]}),
        "date": date.today().isoformat(),
        "training": {key: record[key] for key in ("steps", "seconds", "device", "threads", "parameters", "created")}
        | {"processor_seconds": record.get("processor_seconds")},
        "versions": record["versions"],
        "codes": model.latent if isinstance(model, Autoencoder) else 0,
        "sample_seconds": seconds_each(run),
        "figures": [figure.to_json() for figure in likelihood(run)],
    }


def measure(runs: Path) -> None:
    """Train what is not there, measure each model, and draw the sheet."""
    torch.set_num_threads(1)
    found = {name: trained(name, settings, runs / name) for name, settings in SETTINGS.items()}
    samples = [drawn(run.trained, 2 * SHOWN, "family") for run in found.values()]
    for row in [row_of(name, run) for name, run in found.items()]:
        append(row)
    labels = [label for name in found for label in (name, "")]
    sheet = sheets.sheet(
        torch.cat(samples), title="Three kinds of generative models, the same digits", columns=SHOWN, rows=labels
    )
    sheets.save(sheet, PICTURE)


def figure(row: dict, name: str, digits: int = 2) -> str:
    """A figure of a row with its standard error, or a dash."""
    for each in row["figures"]:
        if each["name"] == name:
            error = "" if each["standard_error"] is None else f" ± {each['standard_error']:.{digits}f}"
            return f"{each['value']:.{digits}f}{error}"
    return "–"


def likelihood_words(row: dict) -> str:
    """What a model says of log p(x), in a cell."""
    exact, bound = figure(row, "log_likelihood"), figure(row, "importance_bound")
    if exact != "–":
        return f"exact: {exact}"
    return "none" if bound == "–" else f"at least {bound} (K = {K}), ELBO {figure(row, 'elbo')}"


def time_words(seconds: float) -> str:
    """A time in a unit that leaves few digits."""
    return f"{seconds:.2f} s" if seconds >= 0.1 else f"{1000 * seconds:.2f} ms"


def table(head: list[str], lines: list[list[str]]) -> str:
    """A table in Markdown."""
    return "\n".join(f"| {' | '.join(line)} |" for line in (head, ["---"] * len(head), *lines)) + "\n"


def render() -> None:
    """Write the page from the newest row of each model."""
    newest = {row["name"]: row for row in rows("family")}
    there = [(f"`{name}`", kind, how, newest[name]) for name, (kind, how) in KINDS.items()]
    can = [
        [name, kind, likelihood_words(row), f"{row['codes']} numbers" if row["codes"] else "none", how]
        + [time_words(row["sample_seconds"])]
        for name, kind, how, row in there
    ]
    course = [
        [name, f"`{row['command']}`", f"{row['training']['parameters']:,}", f"{row['training']['seconds']:.0f}"]
        + [f"{row['training']['device']}, {row['training']['threads']} threads", row["training"]["created"][:10]]
        for name, _, _, row in there
    ]
    said = next(f["protocol"] for f in newest["pixelcnn"]["figures"] if f["name"] == "log_likelihood")
    words = (
        f"Likelihoods: {said['data']}, {said['view']}, {said['split']}, {said['images']}, data {said['data_sha256']}. "
        f"Times: processor seconds of one image of {TIMED} that are drawn together, one thread.\n"
    )
    parts = [
        HEAD,
        "## What each can and cannot do\n",
        table(["model", "kind", "log p(x)", "codes", "how it draws", "time of a sample"], can),
        words,
        "## How they were trained\n",
        table(["model", "command", "parameters", "seconds", "device", "date"], course),
        "They have not trained alike, and other work ran meanwhile: the steps stand in the commands, and those of "
        "the first\n"
        "are a fraction of one pass over the digits. This compares kinds, not recipes: see [results.md](results.md).",
        TAIL,
    ]
    PAGE.write_text("\n".join(parts))


def main() -> None:
    """Measure and render."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="where the runs are, or will be")
    parser.add_argument("--render", action="store_true", help="only render the page")
    given = parser.parse_args()
    if not given.render:
        measure(given.runs)
    render()


if __name__ == "__main__":
    main()
