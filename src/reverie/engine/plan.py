"""A plan: what a recipe decides about a training run, and nothing that the machine or the person decides."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from math import cos, pi
from typing import Any, Literal

import torch
from torch import nn

from reverie.data.views import View
from reverie.protocols import Trainable

Optimizer = Callable[[Iterable[nn.Parameter]], torch.optim.Optimizer]


@dataclass(frozen=True)
class Plan:
    """A model together with how it learns.

    Args:
        model: what is trained.
        view: how 8-bit pixels become the model's observations.
        optimizers: for each player, a function from its parameters to an optimizer; its rates are the peak rates.
        batch: examples a turn, over all ranks.
        epochs: the budget if the person names none.
        schedule: factor on every rate as a function of progress from 0 to 1.
        ema: decay a step of the exponential moving average of the weights, 0 for none.
        clip: largest norm of a player's gradient, 0 for no limit.
        watch: how many test images, or samples, are measured after each epoch.
        keep: which weights are the result: of the last step, or of the epoch whose first held-out figure was best.
        pictures: what is drawn when training ends, by the name of a picture and its arguments.
    """

    model: Trainable
    view: View
    optimizers: Mapping[str, Optimizer]
    batch: int
    epochs: float
    schedule: Callable[[float], float] = lambda progress: 1.0
    ema: float = 0.0
    clip: float = 0.0
    watch: int = 2000
    keep: Literal["last", "best"] = "last"
    pictures: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def cosine(warmup: float = 0.02, end: float = 0.05) -> Callable[[float], float]:
    """A rise over the first ``warmup`` of the budget, then half a cosine down to ``end``.

    Source: Loshchilov and Hutter 2017, arXiv:1608.03983.

    Example:
        >>> rate = cosine(warmup=0.1, end=0.0)
        >>> rate(0.1), round(rate(1.0), 6)
        (1.0, 0.0)
    """

    def factor(progress: float) -> float:
        if progress < warmup:
            return (progress + 0.02 * warmup) / (1.02 * warmup)
        return end + (1 - end) * (1 + cos(pi * (progress - warmup) / (1 - warmup))) / 2

    return factor
