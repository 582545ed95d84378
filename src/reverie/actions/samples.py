"""Drawing samples, with the labels of a model that is told classes, and how their sheet is laid out."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from reverie.engine.noise import ItemNoise
from reverie.protocols import Autoencoder, Conditional
from reverie.trained import Trained

BATCH = 256  # samples at once


@dataclass(frozen=True)
class Wanted:
    """Which samples are drawn.

    Args:
        items: whose noise each sample has; samples of one item have one code.
        words: what they are.
        labels: the class of each, (N,), for a model that is told it.
        columns: of their sheet; as square as can be without it.
        rows: the names of the rows.
    """

    items: Sequence[int]
    words: str
    labels: Tensor | None = None
    columns: int | None = None
    rows: Sequence[str] = ()


def wanted(trained: Trained, n: int, label: str | int | None) -> Wanted:
    """The n samples of one class, or of a model that is told none; without a label, a row of every class.

    Raises:
        UsageError: the label is no class, or is not for this model.
    """
    if label is not None:
        number = trained.class_number(label)
        return Wanted(range(n), f"{_draws(n)} of class {trained.data.classes[number]}", torch.full((n,), number))
    origin = "the prior" if isinstance(trained.model, Autoencoder) else "the model"
    if not isinstance(trained.model, Conditional):
        return Wanted(range(n), f"{_draws(n)} from {origin}")
    classes = trained.model.classes[:n]
    columns = n // len(classes)
    labels = torch.arange(len(classes)).repeat_interleave(columns)
    words = f"{_every(len(classes), len(trained.model.classes), columns)} from {origin}"
    if len(classes) == 1:
        words = f"{_draws(columns)} of class {classes[0]}"
    return Wanted([*range(columns)] * len(classes), words, labels, columns, classes)


def _draws(n: int) -> str:
    return "1 draw" if n == 1 else f"{n:,} draws"


def _every(count: int, total: int, columns: int) -> str:
    """What is drawn of the first classes, or of all."""
    which = "every class" if count == total else f"the first {count} of {total} classes"
    return f"{which} with the same {'draw' if columns == 1 else f'{columns:,} draws'}"


@torch.no_grad()
def draw(trained: Trained, those: Wanted, *, seed: int, temperature: float) -> Tensor:
    """The samples as pixels, (N, C, H, W)."""
    drawn, count = [], len(those.items)
    for first in range(0, count, BATCH):
        last = min(first + BATCH, count)
        noise = ItemNoise((seed, "sample"), those.items[first:last])
        label = None if those.labels is None else those.labels[first:last]
        drawn.append(trained.sampler().sample(last - first, noise, label=label, temperature=temperature))
    return trained.pixels(torch.cat(drawn))
