"""Checkpoints: a folder of safetensors and JSON with the hash of each file, renamed into place when it is whole.

A folder without a manifest, or with a file whose hash differs, is not a checkpoint; the next older one is taken.
"""

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn

from reverie.errors import ReverieError
from reverie.files import discard, refusal, sync_folder, write

KEEP = 2  # verified checkpoints that are always there, beside the best


@dataclass(frozen=True)
class Checkpoint:
    """What was saved: tensors by file and name, and everything else as JSON."""

    step: int
    tensors: Mapping[str, Mapping[str, Tensor]]
    state: Mapping[str, Any]


def place_of(folder: Path, step: int) -> Path:
    """The folder of the checkpoint of a step."""
    return folder / f"step-{step:08d}"


def store(folder: Path, checkpoint: Checkpoint) -> Path:
    """Write a checkpoint below ``folder`` and make it durable before it gets its name.

    Raises:
        ReverieError: the disk refuses; older checkpoints are untouched.
    """
    place = place_of(folder, checkpoint.step)
    beside = folder / f".step-{checkpoint.step:08d}.{os.getpid()}.tmp"
    files = {f"{name}.safetensors": save(_plain(tensors)) for name, tensors in checkpoint.tensors.items()}
    files["state.json"] = json.dumps({**checkpoint.state, "step": checkpoint.step}, indent=2).encode()
    manifest = {name: sha256(data).hexdigest() for name, data in files.items()}
    try:
        for name, data in files.items():
            write(beside / name, data)
        write(beside / "MANIFEST.json", json.dumps(manifest, indent=2))
        if place.exists():
            _take_away(place)
        beside.rename(place)
        sync_folder(folder)
    except OSError as error:
        shutil.rmtree(beside, ignore_errors=True)
        raise refusal(place, sum(map(len, files.values())), error) from error
    except ReverieError:
        shutil.rmtree(beside, ignore_errors=True)
        raise
    return place


def _take_away(place: Path) -> None:
    """Remove a checkpoint; it loses its name first, so that a crash never leaves a named one half removed."""
    aside = place.with_name(f".{place.name}.{os.getpid()}.old.tmp")
    shutil.rmtree(aside, ignore_errors=True)  # left by a crash of a process with this number
    place.rename(aside)
    shutil.rmtree(aside, ignore_errors=True)


def _plain(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.contiguous() for name, tensor in tensors.items()}


def read(place: Path) -> Checkpoint:
    """Read a checkpoint, holding every file against its hash.

    Raises:
        ReverieError: a file is missing, cut short or changed; names it.
    """
    try:
        manifest = json.loads((place / "MANIFEST.json").read_bytes())
        files = {str(name): (place / str(name)).read_bytes() for name in manifest}
        for name, data in files.items():
            if sha256(data).hexdigest() != manifest[name]:
                raise ReverieError(f"{place / name} is damaged (its sha256 is not the one in the manifest)")
        state = json.loads(files.pop("state.json"))
        tensors = {name.removesuffix(".safetensors"): load(data) for name, data in files.items()}
        return Checkpoint(int(state["step"]), tensors, state)
    except (OSError, ValueError, KeyError, AttributeError, TypeError, SafetensorError) as error:
        raise ReverieError(f"{place} is not a whole checkpoint: {error}") from error


def load_weights(model: nn.Module, weights: Mapping[str, Tensor], where: str) -> None:
    """Give a model its weights.

    Args:
        model: as its configuration builds it.
        weights: by name.
        where: they lie, in words.

    Raises:
        ReverieError: they are of another model.
    """
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:  # torch's words: names and shapes that differ
        raise not_of(where, error) from error


def not_of(where: str, error: Exception) -> ReverieError:
    """The word on weights that are of another model."""
    words = " ".join(str(error).split())[:200]
    return ReverieError(
        f"The weights of {where} are not those of the recipe as its configuration says it now: {words}. "
        "Put config.toml and the recipe back as they were, or train anew."
    )


def places(folder: Path) -> list[Path]:
    """The checkpoint folders there are, the newest first; not yet verified."""
    return sorted(folder.glob("step-[0-9]*"), reverse=True)


def newest(folder: Path) -> tuple[Checkpoint | None, list[str]]:
    """The newest checkpoint that is whole, and a word about each that was passed over."""
    words: list[str] = []
    for place in places(folder):
        try:
            return read(place), words
        except ReverieError as error:
            words.append(f"{error}; an older checkpoint is used.")
    return None, words


def rotate(folder: Path, step: int, best: int | None) -> None:
    """Remove checkpoints that are neither among the newest nor the best, and what a crash left half written.

    Args:
        folder: of the checkpoints.
        step: of the one that was just written. Those of later steps were passed over, for they are damaged, or belong
            to a course that was given up; they must not count, or they would push out what is whole.
        best: the step of the best one, which stays.
    """
    there = places(folder)
    ahead = [place for place in there if place.name > place_of(folder, step).name]
    kept = [place for place in there if place not in ahead][:KEEP]
    for place in there:
        if place not in kept and (best is None or place != place_of(folder, best)):
            _take_away(place)
    for rest in folder.glob(".step-*.tmp"):
        if rest.is_dir():
            shutil.rmtree(rest, ignore_errors=True)
        else:
            discard(rest)
