"""Kill a training again and again at random instants, and see what is left. Run by test_recovery.py as a process.

The package is imported once and each attempt is a fork, so that an attempt costs milliseconds and not an import.
Prints one JSON object: kills, runs, unreadable checkpoints, final weights that differ.
"""

import json
import os
import random
import shutil
import signal
import sys
import time
from hashlib import sha256
from pathlib import Path

import matplotlib.backends.backend_agg  # noqa: F401 - imported once, before the forks
import matplotlib.figure  # noqa: F401
import numpy as np
import torch._dynamo  # noqa: F401 - what torch.optim imports when it is first used

from reverie import config
from reverie.engine.checkpoint import newest, places, read
from reverie.engine.loop import Report
from reverie.errors import ReverieError
from reverie.runs import Run
from reverie.training import create, go, prepare


def attempt(folder: Path, seconds: float | None) -> bool:
    """Train in a fork; whether it ended before it was killed."""
    child = os.fork()
    if not child:
        with open(os.devnull, "w") as nowhere:
            os.dup2(nowhere.fileno(), 1)
            os.dup2(nowhere.fileno(), 2)
        try:
            go(folder, Report())
            os._exit(0)
        except BaseException:  # noqa: BLE001 - the parent sees it in the exit code
            os._exit(1)
    if seconds is not None:
        time.sleep(seconds)
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    if os.WIFEXITED(status) and os.WEXITSTATUS(status):
        raise SystemExit(f"an attempt failed with {os.WEXITSTATUS(status)}")
    return os.WIFEXITED(status)


RECIPE = """
from reverie.engine.plan import Plan
from reverie.recipes import vae_mlp
from dataclasses import replace

DATA = "shapes"

def run(data, *, batch: int = 16) -> Plan:
    return replace(vae_mlp.run(data, hidden=8, latent=2, batch=batch), ema=0.9, pictures={})
"""


def fresh(place: Path, name: str) -> Path:
    data = place / "digits.npy"
    if not data.exists():
        np.save(data, np.random.default_rng(0).integers(0, 256, (80, 8, 8), dtype=np.uint8))
        (place / "without_pictures.py").write_text(RECIPE)
    settings = {"data": str(data), "steps": 24, "save_every": 2, "threads": 1}
    return create(prepare(config.resolve(str(place / "without_pictures.py"), settings)), name, place / "runs")


def digest(folder: Path) -> str:
    return sha256((folder / "model" / "model.safetensors").read_bytes()).hexdigest()


def main(wanted: int, place: Path) -> None:
    whole = fresh(place, "whole")
    began = time.monotonic()
    attempt(whole, None)
    usual, expected = time.monotonic() - began, digest(whole)
    chance, found = (
        random.Random(0),
        {"kills": 0, "runs": 0, "unreadable": 0, "different": 0, "half_saved": 0},
    )
    while found["kills"] < wanted:
        folder = fresh(place, "killed")
        while not attempt(folder, chance.uniform(0, usual)):
            found["kills"] += 1
            found["half_saved"] += bool(list((folder / "checkpoints").glob(".step-*")))
            try:
                assert Run(folder).record["status"]
                for checkpoint in places(folder / "checkpoints"):
                    read(checkpoint)
            except ReverieError:
                found["unreadable"] += 1
        found["runs"] += 1
        found["different"] += digest(folder) != expected or newest(folder / "checkpoints")[0].step != 24
        shutil.rmtree(folder)
    print(json.dumps({**found, "seconds": round(usual, 2)}))


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
