"""Reverie: classic deep generative models, trained in one command, measured honestly, shown beautifully.

    run = reverie.train("vae-conv", data="mnist", minutes=2)
    run.sample(16)
    run.evaluate()
    model = reverie.load("runs/last")

Importing the package does not import torch; the first use of a name does.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from reverie.actions.result import Result as Result
    from reverie.loading import load_model as load
    from reverie.runs import Run as Run
    from reverie.runs import list_runs as list_runs
    from reverie.runs import open_run as open_run
    from reverie.training import resume as resume
    from reverie.training import train as train

_PLACES = {
    "Result": ("reverie.actions.result", "Result"),
    "Run": ("reverie.runs", "Run"),
    "list_runs": ("reverie.runs", "list_runs"),
    "load": ("reverie.loading", "load_model"),
    "open_run": ("reverie.runs", "open_run"),
    "resume": ("reverie.training", "resume"),
    "train": ("reverie.training", "train"),
}

__all__ = ["Result", "Run", "__version__", "list_runs", "load", "open_run", "resume", "train"]


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module 'reverie' has no attribute {name!r}")
    module, attribute = _PLACES[name]
    return getattr(import_module(module), attribute)


def __dir__() -> list[str]:
    return sorted(__all__)
