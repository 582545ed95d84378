"""What an export says of the model that it holds."""

import json
from hashlib import sha256
from typing import Any

import reverie
from reverie.data import ImageSpec
from reverie.errors import UsageError
from reverie.runs import Run


def facts_of(run: Run) -> dict[str, Any]:
    """Name, recipe, data and view of a finished run, and the sha256 of its weights; the licence is left to its owner.

    Raises:
        UsageError: the run is not finished, so that it has no model folder.
    """
    weights = run.folder / "model" / "model.safetensors"
    if not weights.is_file():
        raise UsageError(f"{run.name} is not finished. Train it to its end with: reverie train --resume {run.folder}")
    data, model, spec = run.record["data"], run.model, run.spec
    return {
        "library": f"reverie {reverie.__version__}",
        "name": run.name,
        "recipe": run.config["recipe"],
        "data": data["name"],
        **({"shape": list(spec.shape), "classes": list(spec.classes)} if isinstance(spec, ImageSpec) else {}),
        "view": run.plan.view.protocol,
        "latent": getattr(model, "latent", None),
        "sha256": sha256(weights.read_bytes()).hexdigest(),
        "license": "",
    }


def as_text(facts: dict[str, Any]) -> dict[str, str]:
    """The same as words, where only words have room: what is no word is JSON."""
    return {name: value if isinstance(value, str) else json.dumps(value) for name, value in facts.items()}
