"""The engine of this project on a recipe, as a training runs it: rounds with binarisation, noise, guard and update."""

import json
import sys
import time
from pathlib import Path

import torch

from reverie import config
from reverie.engine.loop import Training, _round
from reverie.engine.machine import keep_freed_memory
from reverie.engine.ranks import World
from reverie.training import _job, prepare


def main(recipe, path, batch, seconds, extra):
    settings = dict(word.split("=", 1) for word in extra)
    numbers = {name: int(value) if value.isdigit() else value for name, value in settings.items()}
    prepared = prepare(config.resolve(recipe, {"data": path, "batch": batch, "threads": 2, **numbers}))
    keep_freed_memory()
    torch.manual_seed(0)
    training = Training.of(_job(prepared, World()), Path("unused"))
    torch.set_num_threads(2)
    for _ in range(8):
        _round(training)
    rounds, began = 0, time.perf_counter()
    while time.perf_counter() - began < seconds:
        _round(training)
        rounds += 1
    took = time.perf_counter() - began
    print(json.dumps({"images_per_second": rounds * batch / took}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4]), sys.argv[5:])
