"""Train each recipe on its full data, measure it on the full test set, and write the figures down.

    REVERIE_DATA=... python benchmarks/reproduce.py            # everything, about an hour on two cores
    python benchmarks/reproduce.py --only vae-mlp              # one row
    python benchmarks/reproduce.py --render                    # docs/results.md from results.jsonl

A row of results.jsonl holds the command, the figures with their protocols, seconds, device and versions.
"""

import argparse
import json
import os
import tempfile
import time
from datetime import date
from pathlib import Path

import reverie
from reverie.runs import Run
from reverie.terminal import telling

HERE = Path(__file__).parent
RESULTS = HERE / "results.jsonl"
PAGE = HERE.parent / "docs" / "results.md"
K = 1000
ROWS = {  # the row's name -> recipe and settings
    "ae-mlp": ("ae-mlp", {}),
    "ae-conv": ("ae-conv", {}),
    "vae-mlp": ("vae-mlp", {}),
    "vae-conv": ("vae-conv", {}),
    "vae-fashion": ("vae-fashion", {}),
    "vae-cifar": ("vae-cifar", {}),
    "vae-cifar-logistic": ("vae-cifar", {"likelihood": "logistic"}),
    "vae-cifar-bernoulli": ("vae-cifar", {"likelihood": "bernoulli"}),
}
HEAD = """# Results

Made by `benchmarks/reproduce.py` from `benchmarks/results.jsonl`; nothing here is typed in. Every row is a recipe with
its default settings on the full training set, measured on the full test set. Bounds are nats per image; those of a
Bernoulli are probabilities of bits, those of a Gaussian are densities of values (of [0, 1], or of [-1, 1] for `vae-mlp`),
and the two must not be compared. K is the number of importance samples. The protocol of each figure (split, hash of the
data, hash of the test bits, seed) stands in `results.jsonl`. How figures are measured: [likelihood.md](likelihood.md).
"""


def measure(name: str) -> dict:
    """Train and evaluate one row."""
    recipe, settings = ROWS[name]
    with tempfile.TemporaryDirectory() as runs, telling() as report:
        began = time.monotonic()
        run = reverie.train(recipe, runs=runs, report=report, **settings)
        trained = time.monotonic() - began
        began = time.monotonic()
        figures = Run(run.folder).evaluate(k=K).figures
        measured = time.monotonic() - began
        record, resolved = run.record, run.config
    return {
        "kind": "reproduce",
        "name": name,
        "command": " ".join(["reverie train", recipe, *(f"--{key} {value}" for key, value in settings.items())]),
        "date": date.today().isoformat(),
        "data": record["data"]["name"],
        "epochs": round(resolved["steps"] * resolved["arguments"]["batch"] / record["data"]["train"]),
        "steps": resolved["steps"],
        "seconds": record["seconds"],
        "seconds_with_report": round(trained, 1),
        "seconds_of_evaluation": round(measured, 1),
        "parameters": record["parameters"],
        "device": f"{record['device']}, {resolved['threads']} threads, {resolved['lanes']} lanes, {resolved['precision']}",
        "versions": record["versions"],
        "figures": [figure.to_json() for figure in figures],
    }


def latest() -> dict[str, dict]:
    """The newest row of each name."""
    rows = [json.loads(line) for line in RESULTS.read_text().splitlines()] if RESULTS.exists() else []
    return {row["name"]: row for row in rows if row["kind"] == "reproduce"}


def cell(row: dict, name: str, digits: int = 2) -> str:
    """A figure with its standard error, or a dash."""
    for figure in row["figures"]:
        if figure["name"] == name:
            error = "" if figure["standard_error"] is None else f" ± {figure['standard_error']:.{digits}f}"
            return f"{figure['value']:.{digits}f}{error}"
    return "–"


def render() -> None:
    """Write the page."""
    rows = latest()
    lines = [
        HEAD,
        "## Likelihoods\n",
        "| recipe | data | ELBO | importance bound, K = 1000 | -log p(x given z) | KL | bits per dimension | active units |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name in ROWS:
        if name in rows and any(f["name"] == "elbo" for f in rows[name]["figures"]):
            row = rows[name]
            cells = [cell(row, figure) for figure in ("elbo", "importance_bound", "reconstruction", "kl")]
            last = [cell(row, "bits_per_dimension", 3), cell(row, "active_units", 0)]
            lines.append(f"| `{name}` | {row['data']} | {' | '.join([*cells, *last])} |")
    lines += [
        "\n## Reconstructions and codes\n",
        "Squared error is per pixel of [0, 1], at the mean code; PCA has as many numbers as the code and is fitted on the first",
        "10,000 training images. Accuracy is that of ten nearest neighbours among the codes of those images, on all test images.\n",
        "| recipe | data | squared error | PCA | accuracy of neighbours | PCA |",
        "|---|---|---|---|---|---|",
    ]
    for name in ROWS:
        if name in rows:
            row = rows[name]
            errors = [cell(row, figure, 5) for figure in ("squared_error_per_pixel", "pca_squared_error_per_pixel")]
            near = [cell(row, figure, 3) for figure in ("knn_accuracy", "pca_knn_accuracy")]
            lines.append(f"| `{name}` | {row['data']} | {' | '.join([*errors, *near])} |")
    lines += [
        "\n## Time\n",
        "| recipe | command | epochs | parameters | seconds of training | of evaluation | device | date |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name in ROWS:
        if name in rows:
            row = rows[name]
            lines.append(
                f"| `{name}` | `{row['command']}` | {row['epochs']} | {row['parameters']:,} | {row['seconds']:.0f} | {row['seconds_of_evaluation']:.0f} | {row['device']} | {row['date']} |"
            )
        else:
            lines.append(f"| `{name}` | | not run | | | | | |")
    PAGE.write_text("\n".join(lines) + "\n")


def main() -> None:
    """Measure, write down, render."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="*", choices=list(ROWS), default=list(ROWS))
    parser.add_argument("--render", action="store_true", help="only render the page")
    arguments = parser.parse_args()
    if not arguments.render:
        if not os.environ.get("REVERIE_DATA"):
            raise SystemExit("REVERIE_DATA must name the folder of data sets")
        for name in arguments.only:
            with RESULTS.open("a") as file:
                file.write(json.dumps(measure(name)) + "\n")
            render()
    render()


if __name__ == "__main__":
    main()
