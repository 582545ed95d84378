"""Training as ``reverie train`` does it, with its checkpoints, and without the report at its end: for benchmarks."""

import time
from pathlib import Path
from typing import Any

from reverie import config
from reverie.engine.loop import Report
from reverie.runs import Run
from reverie.training import create, go, prepare


def command(recipe: str, settings: dict[str, Any]) -> str:
    """What a person types."""
    return " ".join(["reverie train", recipe, *(f"--{key.replace('_', '-')} {v}" for key, v in settings.items())])


def trained(recipe: str, settings: dict[str, Any], folder: Path) -> Run:
    """The finished run of a folder: trained, from where it stands, if it is not finished yet.

    Its record holds ``processor_seconds``, which other work on the machine does not lengthen.
    """
    if not folder.exists():
        create(prepare(config.resolve(recipe, settings)), folder.name, folder.parent)
    run = Run(folder)
    if run.record["status"] == "finished":
        return run
    spent, began = run.record.get("processor_seconds", 0.0), time.process_time()
    try:
        return go(folder, Report(), end=lambda *_: None)
    finally:
        run.update(processor_seconds=round(spent + time.process_time() - began, 1))
