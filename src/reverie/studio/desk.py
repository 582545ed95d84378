"""The model that is being looked at: one in memory, and one thread that computes with it.

What is computed with pictures are the parts that an export holds, on the same values: ``export.parts`` says which there
are, and what goes in and out. Requests are bytes: the inputs one after the other in their order, 32-bit floats, or
32-bit whole numbers for a class. Answers are pictures of 8-bit levels, or codes as floats.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from math import prod
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from starlette.exceptions import HTTPException
from torch import Tensor

from reverie.actions import scores
from reverie.engine import machine
from reverie.engine.checkpoint import newest
from reverie.errors import UsageError
from reverie.export.examples import examples
from reverie.export.parts import Input, Part, parts_of
from reverie.latent import attribute_accuracy, attribute_direction
from reverie.protocols import Conditional, Density, LatentDensity
from reverie.runs import Run
from reverie.trained import spread

MOST = 1024  # pictures in one request
AT_ONCE = 100  # of them, whose activations stay in the cache: 400 at once took 1.4 times as long
MANY, SEEN, NEAR = 32, 64, 1  # so many are decoded in bf16, if so many were seen within so many grey levels of fp32
DRAWS, OTHERS = 16, 100  # importance samples of a score, and test images that it is set beside
T = TypeVar("T")
M = TypeVar("M")


@dataclass(frozen=True)
class Opened:
    """A model with its parts, and what the page is told of it."""

    run: Run
    parts: dict[str, Part]
    about: dict[str, Any]
    arrays: dict[str, bytes]

    def compute(self, name: str, body: bytes) -> bytes:
        """Run a part.

        Raises:
            HTTPException: there is no such part (404).
            UsageError: the body is not what the part takes.
        """
        if name not in self.parts:
            raise HTTPException(404, f"This model has no {name}.")
        part = self.parts[name]
        given = _read(part.inputs, body)
        if part.outputs[0] == "image":
            return _levels(part, given, short=len(given[0]) >= MANY and self._short).numpy().tobytes()
        found: Tensor = part.module(*given)[0]
        return found.float().numpy().astype(np.float32).tobytes()

    @cached_property
    def _short(self) -> bool:
        """Whether this machine is faster in bf16, and its pictures are as near to those in fp32 as nobody sees."""
        part = self.parts.get("decoder") or self.parts["generator"]
        long, short = (_levels(part, part.examples(SEEN), short=each).int() for each in (False, True))
        return machine.has_fast_bf16(torch.device("cpu")) and int((long - short).abs().max()) <= NEAR

    @cached_property
    def _others(self) -> Tensor:
        """The scores of test images, in nats."""
        split = spread(self.run.trained.data.test, OTHERS)
        return self._score(split.pixels, self.run.trained.labels(split))

    def _score(self, pixels: Tensor, labels: Tensor | None) -> Tensor:
        """The log-likelihood of each picture, (N,), or its bound."""
        trained = self.run.trained
        return scores.log_likelihoods(trained, trained.observe(pixels), labels, k=DRAWS, seed=0)

    def score(self, body: bytes) -> dict[str, Any]:
        """How likely the model finds one picture, beside test images.

        Raises:
            UsageError: the model has no likelihood, or the body is not one picture.
        """
        if not isinstance(self.run.model, Density):
            raise UsageError(f"{self.run.name} has no likelihood.")
        inputs = {"image": Input("picture", self.run.trained.data.spec.shape)}
        if isinstance(self.run.model, Conditional):
            inputs["label"] = Input("number", count=len(self.run.model.classes))
        image, *label = _read(inputs, body)
        pixels = (image * 255).round().to(torch.uint8)
        found = self._score(pixels, label[0] if label else None)
        return {
            "nats": [round(value, 3) if np.isfinite(value) else None for value in found.tolist()],
            "kind": f"bound, K = {DRAWS}" if isinstance(self.run.model, LatentDensity) else "exact",
            "below": [round(float((self._others > value).float().mean()), 4) for value in found],
            "of": len(self._others),
        }

    def direction(self, having: object, lacking: object) -> dict[str, Any]:
        """The way from codes without an attribute to codes with it, and how well it tells them apart.

        Args:
            having: a class, as its number, or codes, as lists of numbers.
            lacking: the same; None for all others.

        Raises:
            UsageError: a group is none, or empty.
        """
        with_it = self._group(having)
        without = self._all_but(having) if lacking is None else self._group(lacking)
        known = min(len(with_it), len(without)) > 1
        return {
            "direction": attribute_direction(with_it, without).tolist(),
            "accuracy": attribute_accuracy(with_it, without) if known else None,
            "with": len(with_it),
            "without": len(without),
        }

    @cached_property
    def _codes(self) -> Tensor:
        numbers: NDArray[np.float32] = np.frombuffer(self.arrays.get("codes", b""), np.float32)
        return torch.from_numpy(numbers.reshape(-1, self.about.get("latent") or 1).copy())

    @cached_property
    def _labels(self) -> Tensor:
        return torch.from_numpy(np.frombuffer(self.arrays.get("labels", b""), np.uint8).copy()).long()

    def _all_but(self, label: object) -> Tensor:
        """The codes of all other classes; beside codes that a person marked, those of all images."""
        return self._codes[self._labels != label] if isinstance(label, int) else self._codes

    def _group(self, given: object) -> Tensor:
        if isinstance(given, int) and not isinstance(given, bool) and len(self._labels):
            return self._codes[self._labels == given]
        latent = self.about.get("latent")
        several = given if isinstance(given, list) and 0 < len(given) <= MOST else []
        if latent and several and all(_is_code(each, latent) for each in several):
            return torch.tensor(several, dtype=torch.float32)
        raise UsageError(f"A group is the number of a class, or codes of {latent} numbers.")


def _levels(part: Part, given: Sequence[Tensor], *, short: bool) -> Tensor:
    """Pictures as 8-bit levels, (N, C, H, W)."""
    shares = zip(*(torch.split(each, AT_ONCE) for each in given), strict=True)
    with torch.autocast("cpu", torch.bfloat16, enabled=short):
        images = [part.module(*share)[0].float() for share in shares]
    return (torch.cat(images) * 255).round().to(torch.uint8)


def _is_code(value: object, latent: int) -> bool:
    numbers = value if isinstance(value, list) else []
    return len(numbers) == latent and all(
        isinstance(each, int | float) and not isinstance(each, bool) and abs(each) < 1e6 for each in numbers
    )


def _read(inputs: Mapping[str, Input], body: bytes) -> list[Tensor]:
    """The inputs in a body: of each in its order all examples."""
    one = 4 * sum(prod(each.shape) for each in inputs.values())
    n, left = divmod(len(body), one)
    if left or not 0 < n <= MOST:
        named = ", ".join(inputs)
        raise UsageError(f"The body must be 1 to {MOST:,} times {one:,} bytes ({named}); it has {len(body):,}.")
    found, at = [], 0
    for each in inputs.values():
        count = n * prod(each.shape)
        kind = np.int32 if each.kind == "number" else np.float32
        values: NDArray[Any] = np.frombuffer(body, kind, count, at).reshape(n, *each.shape)
        at += 4 * count
        found.append(_checked(each, values))
    return found


def _checked(each: Input, values: NDArray[Any]) -> Tensor:
    if each.kind == "number":
        if values.min() < 0 or values.max() >= each.count:
            raise UsageError(f"A class is a number from 0 to {each.count - 1}.")
        return torch.from_numpy(values.astype(np.int64))
    if not np.isfinite(values).all() or np.abs(values).max() > 1e6:
        raise UsageError("Every number must be finite, and below a million.")
    if each.kind == "picture" and (values.min() < 0 or values.max() > 1):
        raise UsageError("The levels of a picture lie between 0 and 1.")
    return torch.from_numpy(values.copy())


@dataclass
class Desk(Generic[M]):
    """Computes with one model at a time, one thing after the other.

    Args:
        opener: what is made of a run when it is opened.
    """

    opener: Callable[[Run], M]
    opened: M | None = None
    place: tuple[Path, float] | None = None  # the run that is open, and when its weights were written
    thread: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "desk"))

    async def do(self, run: Run, work: Callable[[M], T]) -> T:
        """Compute with the model of a run, which is opened where it is not open already."""
        return await self.then(lambda: work(self._open(run)))

    async def then(self, work: Callable[[], T]) -> T:
        """Go on with what was begun."""
        return await asyncio.get_running_loop().run_in_executor(self.thread, _quietly, work)

    def _open(self, run: Run) -> M:
        place = (run.folder, _stamp(run))
        if self.opened is None or self.place != place:
            self.opened = None  # the old one goes before the new one comes
            torch.set_num_threads(machine.free_cores())
            if not (run.folder / "model").is_dir() and newest(run.folder / "checkpoints")[0] is None:
                raise UsageError(f"{run.name} has learned nothing yet; come back after its first checkpoint.")
            self.opened, self.place = self.opener(run), place
        return self.opened

    def close(self) -> None:
        """End the thread; what it computes is not waited for."""
        self.thread.shutdown(wait=False, cancel_futures=True)


def _quietly(work: Callable[[], T]) -> T:
    with torch.inference_mode():
        return work()


def _stamp(run: Run) -> float:
    """When the weights were written: a run that is under way is opened anew with newer ones."""
    weights = run.folder / "model" / "model.safetensors"
    if weights.is_file():
        return weights.stat().st_mtime
    places = sorted((run.folder / "checkpoints").glob("step-*"))
    return places[-1].stat().st_mtime if places else 0.0


def explored(run: Run) -> Opened:
    """A model of pictures, opened.

    Raises:
        UsageError: it has no pictures, or none that can be dragged.
    """
    spec = run.trained.data.spec  # a model of text says here that it has no images
    facts = {
        "name": run.name,
        "recipe": Path(run.config["recipe"]).stem,
        "data": spec.name,
        "shape": list(spec.shape),
        "classes": list(spec.classes),
        "latent": getattr(run.model, "latent", None),
    }
    try:
        parts = parts_of(run.name, run.model, run.plan.view, run.spec)
    except UsageError as error:
        words = (
            "has no codes, and draws a picture in many steps: there is nothing to drag. Its samples are on its page."
        )
        raise UsageError(f"{run.name} {words}") from error
    about, arrays = examples(run, facts, parts)
    about["score"] = isinstance(run.model, Density)
    return Opened(run, {part.name: part for part in parts}, about, arrays)
