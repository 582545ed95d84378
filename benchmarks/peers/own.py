"""The engine of this project on a recipe, as a training runs it: rounds with noise, guard, update and average.

Prints images a second, or of a text targets a second: every position of a window, or its last one alone.
"""

import json
import sys
import time
from pathlib import Path
from typing import NamedTuple

import torch

from reverie import config
from reverie.engine.loop import Training, _round
from reverie.engine.machine import keep_freed_memory
from reverie.engine.ranks import World
from reverie.training import _job, prepare


def main(recipe, path, batch, seconds, extra):
    settings = dict(word.split("=", 1) for word in extra)
    training = warm(recipe, {"data": path, "batch": batch} | {name: number(value) for name, value in settings.items()})
    rounds, began = 0, time.perf_counter()
    while time.perf_counter() - began < seconds:
        training.round()
        rounds += 1
    took = time.perf_counter() - began
    print(json.dumps({"images_per_second": rounds * batch * training.targets / took}))


class Warm(NamedTuple):
    """A training whose first rounds are over."""

    training: Training
    targets: int  # of an example: 1, or every position of a window

    def round(self):
        """Every turn of every player."""
        _round(self.training)


def warm(recipe, settings):
    """The training of a recipe on two threads, after eight rounds."""
    prepared = prepare(config.resolve(recipe, {"threads": 2, **settings}))
    keep_freed_memory()
    torch.manual_seed(0)
    training = Training.of(_job(prepared, World()), Path("unused"))
    torch.set_num_threads(2)
    for _ in range(8):
        _round(training)
    last_only = getattr(training.job.model, "last_only", False)
    return Warm(training, 1 if last_only else prepared.config["arguments"].get("window", 1))


def number(value):
    """A setting as it is meant: 8, bf16, or a list that ends in a comma."""
    if value.endswith(","):
        return [int(each) for each in value.split(",")[:-1]]
    return int(value) if value.isdigit() else value


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4]), sys.argv[5:])
