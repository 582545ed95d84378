"""Threads or ranks: images per second of one process with all threads, and of as many ranks of one thread each.

REVERIE_DATA=... python benchmarks/ranks.py
"""

import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

from record import keep
from reverie.engine.machine import allowed_cores
from reverie.files import read_lines

RACES = {"vae-conv": (60, 10), "vae-mlp": (1000, 200)}  # steps, and how many of them are not counted
ROUNDS, BATCH = 3, 128


def images_per_second(recipe: str, ranks: int) -> float:
    """Train a few steps by the command line, and read the clock of the run."""
    steps, skipped = RACES[recipe]
    with tempfile.TemporaryDirectory() as runs:
        words = [
            "train",
            recipe,
            "--data",
            "mnist",
            "--steps",
            str(steps),
            "--batch",
            str(BATCH),
            "--ranks",
            str(ranks),
        ]
        threads = ["--threads", str(allowed_cores()), "--runs", runs, "--name", "race"]
        subprocess.run([sys.executable, "-m", "reverie", *words, *threads], check=True, capture_output=True)
        rows = [row for row in read_lines(Path(runs) / "race" / "metrics.jsonl") if "seconds" in row]
    seconds = {row["step"]: row["seconds"] for row in rows}
    first = min(step for step in seconds if step >= skipped)
    return BATCH * (steps - first) / (seconds[steps] - seconds[first])


def main() -> None:
    """Measure in turn and write the medians down."""
    for recipe in RACES:
        found: dict[int, list[float]] = {1: [], allowed_cores(): []}
        for _ in range(ROUNDS):
            for ranks, values in found.items():
                values.append(images_per_second(recipe, ranks))
        rates = {f"{ranks} ranks": round(median(values), 1) for ranks, values in found.items()}
        keep("ranks", name=recipe, batch=BATCH, rounds=ROUNDS, images_per_second=rates)
        print(recipe, rates, flush=True)


if __name__ == "__main__":
    main()
