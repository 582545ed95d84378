"""Adversarial recipes at equal minutes, over several seeds, measured by 10,000 samples each; and the page of them.

    REVERIE_DATA=... python benchmarks/games.py --minutes 10                    # all of them, three seeds: 4 hours
    python benchmarks/games.py --minutes 10 --only gan-hinge --seeds 0          # one run
    python benchmarks/games.py --render                                         # docs/games.md from results.jsonl

A row of results.jsonl is one run: its command, figures with their protocols, seconds, device and versions.
"""

import argparse
import tempfile
from collections import defaultdict
from datetime import date
from statistics import fmean, stdev

import reverie
from record import DOCS, append, rows
from reverie.cli.terminal import telling
from reverie.runs import Run

PAGE = DOCS / "games.md"
GAMES: dict[str, tuple[str, dict[str, str]]] = {  # the row's name: recipe and settings
    "gan-hinge": ("gan-hinge", {}),
    "gan-mlp": ("gan-mlp", {}),
    "gan-mlp-small": ("gan-mlp-small", {}),
    "lsgan": ("gan-mlp-small", {"cost": "least-squares"}),
    "dcgan": ("dcgan", {}),
    "wgan-gp": ("wgan-gp", {}),
    "r3gan": ("r3gan", {}),
}
SAMPLES = 10_000
SHOWN = {  # a figure's name: its column and digits
    "FD[classifier-mnist,64d]": ("FD, classifier", 1),
    "FD[random,64d]": ("FD, random", 1),
    "precision[classifier-mnist,64d]": ("precision", 3),
    "recall[classifier-mnist,64d]": ("recall", 3),
    "coverage[classifier-mnist,64d]": ("coverage", 3),
    "effective_classes": ("classes of 10", 2),
}
FLOOR = "floor of FD[classifier-mnist,64d]"

HEAD = f"""# Games side by side

Made by `benchmarks/games.py` from `benchmarks/results.jsonl`; no figure here is typed in. Each recipe of adversarial
networks with its own settings is trained on the 60,000 training images of MNIST for the same minutes; of its result
{SAMPLES:,} samples are measured against all 10,000 test images as [samples.md](samples.md) says. A row of several seeds
has their mean and its standard error. Features are scaled so that the training images have a total variance of 1,000.
Rows are comparable within a table, where device, threads and minutes are the same. `lsgan` is `gan-mlp-small` with
`--cost least-squares`.
"""


def command(row: dict) -> str:
    """What a person types for a row."""
    recipe, settings = GAMES[row["name"]]
    told = "".join(f" --{name} {value}" for name, value in settings.items())
    return f"reverie train {recipe}{told} --data mnist --minutes {row['minutes']:g} --seed {row['seed']}"


def measure(name: str, seed: int, minutes: float, threads: int) -> dict:
    """Train and measure one run."""
    recipe, given = GAMES[name]
    with tempfile.TemporaryDirectory() as runs, telling() as report:
        settings = {"data": "mnist", "minutes": minutes, "seed": seed, "threads": threads, **given}
        run = reverie.train(recipe, runs=runs, report=report, **settings)
        figures = Run(run.folder).evaluate(samples=SAMPLES).figures
        record, resolved = run.record, run.config
    turns = resolved["arguments"].get("critic_turns", 1)
    return {
        "kind": "games",
        "name": name,
        "seed": seed,
        "minutes": minutes,
        "date": date.today().isoformat(),
        "seconds": record["seconds"],
        "steps": resolved["steps"],
        "images": resolved["steps"] * resolved["arguments"]["batch"] * turns,
        "weights": record["weights"],
        "device": f"{record['device']}, {resolved['threads']} threads, {resolved['precision']}",
        "versions": record["versions"],
        "figures": [figure.to_json() for figure in figures],
    }


def newest() -> list[dict]:
    """The newest row of each recipe, seed, budget and device."""
    each = {(r["name"], r["seed"], r["minutes"], r["device"]): r for r in rows("games")}
    return list(each.values())


def value(row: dict, name: str) -> float:
    """A figure of a row."""
    return next((float(f["value"]) for f in row["figures"] if f["name"] == name), float("nan"))


def over_seeds(group: list[dict], name: str, digits: int) -> str:
    """The mean over seeds with its standard error."""
    found = [value(row, name) for row in group]
    error = f" ± {stdev(found) / len(found) ** 0.5:.{digits}f}" if len(found) > 1 else ""
    return f"{fmean(found):.{digits}f}{error}"


def section(title: tuple[float, str], there: list[dict]) -> str:
    """The table of one budget on one device."""
    minutes, device = title
    groups: dict[str, list[dict]] = defaultdict(list)
    for row in there:
        groups[row["name"]].append(row)
    head = ["recipe", "seeds", "images seen", *(column for column, _ in SHOWN.values())]
    lines = [f"## {minutes:g} minutes, {device}\n", f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for name, group in sorted(groups.items(), key=lambda item: fmean(value(row, next(iter(SHOWN))) for row in item[1])):
        seen = f"{fmean(row['images'] for row in group) / 1000:,.0f} k"
        cells = [over_seeds(group, figure, digits) for figure, (_, digits) in SHOWN.items()]
        lines.append(f"| `{name}` | {len(group)} | {seen} | {' | '.join(cells)} |")
    floors = [value(row, FLOOR) for row in there]
    lines += ["", f"Floor of the distance in the classifier's features, of held-out images: {fmean(floors):.2f}."]
    lines += ["", f"One of these runs:\n\n```sh\n{command(there[0])}\n```", ""]
    return "\n".join(lines)


def render() -> None:
    """Write the page."""
    groups: dict[tuple[float, str], list[dict]] = defaultdict(list)
    for row in newest():
        groups[row["minutes"], row["device"]].append(row)
    PAGE.write_text("\n".join([HEAD, *(section(title, groups[title]) for title in sorted(groups, reverse=True))]))


def main() -> None:
    """Train, measure, write down, render."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="*", choices=GAMES, default=list(GAMES))
    parser.add_argument("--seeds", nargs="*", type=int, default=[0, 1, 2])
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--render", action="store_true", help="only write the page")
    arguments = parser.parse_args()
    if not arguments.render:
        for seed in arguments.seeds:
            for name in arguments.only:
                append(measure(name, seed, arguments.minutes, arguments.threads))
    render()


if __name__ == "__main__":
    main()
