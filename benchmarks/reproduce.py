"""Train each recipe on its full data, measure it on the full test set, and write the figures down.

    REVERIE_DATA=... python benchmarks/reproduce.py            # everything, about an hour on two cores
    python benchmarks/reproduce.py --only vae-mlp              # one row
    python benchmarks/reproduce.py --only ladder-mnist --of runs/mine   # a row of a run that is trained already
    python benchmarks/reproduce.py --render                    # docs/results.md from results.jsonl

A row of results.jsonl holds the command, the figures with their protocols, seconds, device and versions.
"""

import argparse
import math
import os
import tempfile
import time
from datetime import date
from pathlib import Path

from torch.cuda import is_available

import flow
import reverie
from record import append, rows
from reverie import recipes
from reverie.cli.terminal import telling
from reverie.protocols import LatentDensity
from reverie.runs import Run

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs" / "results.md"
K = 1000
GPU = {"device": "cuda"}
ROWS = {  # the row's name -> recipe and settings
    "ae-mlp": ("ae-mlp", {}),
    "ae-conv": ("ae-conv", {}),
    "vae-mlp": ("vae-mlp", {}),
    "vae-conv": ("vae-conv", {}),
    "vae-fashion": ("vae-fashion", {}),
    "vae-cifar": ("vae-cifar", {}),
    "vae-cifar-logistic": ("vae-cifar", {"likelihood": "logistic"}),
    "vae-cifar-bernoulli": ("vae-cifar", {"likelihood": "bernoulli"}),
    "vae-iwae": ("vae-iwae", {}),
    "vae-vamp": ("vae-vamp", {}),
    "vae-iaf-mnist": ("vae-iaf-mnist", {}),
    "ladder-mnist": ("ladder-mnist", {"minutes": 10}),
    "ladder-mnist-local": ("ladder-mnist", {"local": 16, "depth": 2, "minutes": 10}),
    "pixelcnn": ("pixelcnn", {"minutes": 10}),
    "vae-conditional": ("vae-conditional", {}),
    "vae-iaf-cifar": ("vae-iaf-cifar", {}),
    "vae-iaf-cifar-without": ("vae-iaf-cifar", {"flow": 0}),
    "vae-iaf-cifar-early": ("vae-iaf-cifar", {"flow_from": 0, "warmup": 0}),
    "vae-iaf-cifar-early-without": ("vae-iaf-cifar", {"flow": 0, "warmup": 0}),
    "ladder-cifar": ("ladder-cifar", {}),
    "text-char": ("text-char", {"data": "tinyshakespeare", "minutes": 10}),
    "text-char-short": ("text-char", {"data": "tinyshakespeare", "minutes": 4}),
    "text-char-gpu": ("text-char", {"data": "tinyshakespeare", "minutes": 2, **GPU}),
    "text-word-awd-wikitext-2-gpu": ("text-word-awd", {"data": "wikitext-2", "minutes": 25, **GPU}),
    "text-word-awd-ptb-gpu": ("text-word-awd", {"data": "ptb", "minutes": 25, **GPU}),
    "vae-iaf-mnist-gpu": ("vae-iaf-mnist", {"minutes": 15, **GPU}),
    "ladder-mnist-static-gpu": ("ladder-mnist", {"local": 16, "depth": 2, "binarise": "static", "minutes": 15, **GPU}),
    "ladder-mnist-dynamic-gpu": ("ladder-mnist", {"local": 16, "depth": 2, "minutes": 15, **GPU}),
    "ladder-cifar-gpu": ("ladder-cifar", {"minutes": 30, **GPU}),
}
HEAD = """# Results

Made by `benchmarks/reproduce.py` from `benchmarks/results.jsonl`; nothing here is typed in. Every row is a recipe on
the full training set, with the settings of its command, measured on the full test set. Likelihoods stand in a table for
each protocol: probabilities of bits, probabilities of levels and densities of values are not compared. K is the number
of importance samples. The protocol of each figure, with its seed, stands in `results.jsonl`. How figures are measured:
[likelihood.md](likelihood.md).
"""


CODES = """Squared error is per pixel of [0, 1], at the mean code; PCA has as many numbers as the code and is fitted on
10,000 training images. Neighbours: accuracy of the ten nearest among the codes of those images, on all test images.
Which 10,000 they are stands in the protocol of the row.
"""
TEXTS = """Nats and bits a symbol over all validation symbols but the first, with the last weights: *carried* with the
whole text before each symbol as context, *cold* in windows of 256 that start with no memory, as models without a state
are measured ([text-evaluation.md](text-evaluation.md)). Beside them what counting reaches.
"""
SHARED = """(shared): other work ran on the machine, so that its seconds are more than the recipe takes.
"""


def trained(name: str, threads: int = 0) -> dict:
    """Train and evaluate one row; 0 threads takes the cores that are free."""
    recipe, settings = ROWS[name]
    with tempfile.TemporaryDirectory() as runs, telling() as report:
        run = reverie.train(recipe, runs=runs, report=report, threads=threads, **settings)
        return measured(name, run.folder)


def measured(name: str, folder: Path) -> dict:
    """Evaluate the run of a row."""
    run = Run(folder)
    recipe, settings = ROWS[name]
    record, resolved = run.record, run.config
    asked = {"data": recipes.find(recipe).DATA, **settings}  # where a set is missing, another stands in for it
    wanted = {key: value for key, value in asked.items() if key != "minutes"}  # a budget is kept as steps
    made = {**resolved["arguments"], "data": resolved["data"], "device": resolved["device"]}
    same = resolved["recipe"] == recipe and wanted.items() <= made.items()
    if not same or record["seconds"] > 63 * settings.get("minutes", math.inf):
        raise SystemExit(f"{folder} was not made by {command(name)} on {asked['data']}")
    began = time.monotonic()
    figures = run.evaluate(k=K if isinstance(run.model, LatentDensity) else None).figures
    seconds = time.monotonic() - began
    return {
        "kind": "reproduce",
        "name": name,
        "command": command(name),
        "date": date.today().isoformat(),
        "data": record["data"]["name"],
        "epochs": round(resolved["steps"] * a_step(resolved["arguments"]) / record["data"]["train"]),
        "steps": resolved["steps"],
        "seconds": record["seconds"],
        "seconds_of_evaluation": round(seconds, 1),
        "parameters": record["parameters"],
        "device": f"{record['device']}, {resolved['threads']} threads, {resolved['precision']}",
        "versions": record["versions"],
        "figures": [figure.to_json() for figure in figures],
    }


def a_step(arguments: dict) -> int:
    """Images, or symbols of a text, that a step sees."""
    return int(arguments["batch"] * arguments.get("window", 1))


def command(name: str) -> str:
    """What a person types for a row."""
    recipe, settings = ROWS[name]
    return " ".join(
        ["reverie train", recipe, *(f"--{key.replace('_', '-')} {value}" for key, value in settings.items())]
    )


def latest() -> dict[str, dict]:
    """The newest row of each name."""
    return {row["name"]: row for row in rows("reproduce")}


def cell(row: dict, name: str, digits: int = 2) -> str:
    """A figure with its standard error, or a dash."""
    for figure in row["figures"]:
        if figure["name"] == name:
            error = "" if figure["standard_error"] is None else f" ± {figure['standard_error']:.{digits}f}"
            return f"{figure['value']:.{digits}f}{error}"
    return "–"


def table(title: str, head: str, lines: list[list[str]]) -> str:
    """A section with one table."""
    rule = "|---" * (head.count("|") - 1) + "|"
    return "\n".join([f"## {title}\n", head, rule, *(f"| {' | '.join(line)} |" for line in lines)]) + "\n"


def of(row: dict, *names: str, digits: int = 2) -> list[str]:
    """The cells of several figures."""
    return [cell(row, name, digits) for name in names]


def protocol(row: dict) -> str:
    """All that must be equal before two likelihoods may be compared, in words; none for a row without one."""
    for figure in row["figures"]:
        if figure["name"] in ("elbo", "log_likelihood"):
            said = figure["protocol"]
            parts = [said["data"], said["view"], said["split"], said["images"] + " images", said["values"]]
            parts += [f"given {said['given']}"] if "given" in said else []
            return ", ".join(parts) + f"; data {said['data_sha256']}, bits {said.get('bits_sha256', 'none')}"
    return ""


def likelihoods(there: list[tuple[str, dict]]) -> list[str]:
    """A table for each protocol: what stands in one may be compared."""
    sections: dict[str, list[list[str]]] = {}
    for name, row in there:
        if words := protocol(row):
            exact = cell(row, "log_likelihood")
            bound = of(row, "elbo", "importance_bound") if exact == "–" else ["–", f"{exact} (exact)"]
            line = [name, *bound, *of(row, "reconstruction", "kl")]
            line += [cell(row, "bits_per_dimension", 3), cell(row, "active_units", 0)]
            sections.setdefault(words, []).append(line)
    head = "| recipe | ELBO | log p(x), bound of K = 1000 | -log p(x given z) | KL | bits/dim | active |"
    return [table(words, head, lines).replace("## ", "### ", 1) for words, lines in sections.items()]


def render() -> None:
    """Write the page."""
    newest = latest()
    there = [(f"`{name}`", newest[name]) for name in ROWS if name in newest]
    codes = [
        [name, row["data"], *of(row, "squared_error_per_pixel", "pca_squared_error_per_pixel", digits=5)]
        + of(row, "knn_accuracy", "pca_knn_accuracy", digits=3)
        for name, row in there
        if cell(row, "squared_error_per_pixel") != "–"
    ]
    texts = [
        [name, row["data"], *of(row, "nats_per_symbol", "cold_nats_per_symbol", "bits_per_character", digits=4)]
        + of(row, "5-gram_nats_per_symbol", "unigram_nats_per_symbol", digits=3)
        for name, row in there
        if cell(row, "nats_per_symbol") != "–"
    ]
    times = [
        [name, f"`{row['command']}`", str(row["epochs"]), f"{row['parameters']:,}", f"{row['seconds']:.0f}"]
        + [f"{row['seconds_of_evaluation']:.0f}", row["device"] + " (shared)" * row.get("shared", False), row["date"]]
        for name, row in there
    ]
    times += [[f"`{name}`", f"`{command(name)}`", "not run", *["–"] * 5] for name in ROWS if name not in newest]
    parts = [
        HEAD,
        "## Likelihoods, nats per image\n",
        *likelihoods(there),
        flow.section(),
        table("Reconstructions and codes", "| recipe | data | squared error | PCA | neighbours | PCA |", codes),
        CODES,
        table("Text", "| recipe | text | nats, carried | nats, cold 256 | bits, carried | 5-gram | unigram |", texts),
        TEXTS,
        table("Time", "| recipe | command | epochs | parameters | seconds | evaluation | device | date |", times),
        SHARED,
    ]
    PAGE.write_text("\n".join(parts))


def main() -> None:
    """Measure, write down, render."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    here = [name for name, (_, settings) in ROWS.items() if settings.get("device", "cpu") == "cpu" or is_available()]
    parser.add_argument(
        "--only", nargs="*", choices=list(ROWS), default=here, help="by default all that this machine can"
    )
    parser.add_argument("--of", type=Path, metavar="RUN", help="evaluate this run of the one row of --only")
    parser.add_argument("--threads", type=int, default=0, help="0 takes the cores that are free")
    parser.add_argument("--shared", action="store_true", help="say that other work runs on the machine meanwhile")
    parser.add_argument("--render", action="store_true", help="only render the page")
    arguments = parser.parse_args()
    if not arguments.render:
        if not os.environ.get("REVERIE_DATA"):
            raise SystemExit("REVERIE_DATA must name the folder of data sets")
        if arguments.of and len(arguments.only) != 1:
            raise SystemExit("--of is the run of one row: name that row with --only")
        for name in arguments.only:
            row = measured(name, arguments.of) if arguments.of else trained(name, arguments.threads)
            append({**row, "shared": arguments.shared})
            render()
    render()


if __name__ == "__main__":
    main()
