"""A plan: what a recipe decides about a training run, and nothing that the machine or the person decides."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from math import cos, pi
from typing import Any, Literal, Protocol

import torch
from torch import nn

from reverie.protocols import Batch, Noise, Trainable

Optimizer = Callable[[Iterable[nn.Parameter]], torch.optim.Optimizer]


class Stock(Protocol):
    """Examples on a device, by turns: what a turn sees is a pure function of its number, the batch and the seed."""

    def turns(self, batch: int) -> int:
        """Turns in one pass over the data."""
        ...

    def take(self, turn: int, batch: int, rows: range, seed: int, noise: Noise) -> Batch:
        """Those rows of a turn's batch."""
        ...

    def continues(self, turn: int, batch: int) -> bool:
        """Whether the state that the last turn left belongs to this one."""
        ...


class View(Protocol):
    """How data becomes what the model sees."""

    @property
    def protocol(self) -> str:
        """The view in words, for the protocol of a figure."""
        ...

    def fixed(self, data: Any) -> Any:
        """The data with all that is decided once, before training."""
        ...

    def check(self, data: Any, batch: int) -> None:
        """Refuse data that does not fill a batch."""
        ...

    def stock(self, data: Any, device: torch.device | str) -> Stock:
        """The training part on a device."""
        ...


@dataclass(frozen=True)
class Plan:
    """A model together with how it learns.

    Args:
        model: what is trained.
        view: how the data becomes the model's observations.
        optimizers: for each player, a function from its parameters to an optimizer; its rates are the peak rates.
        batch: examples a turn, over all ranks.
        epochs: the budget if the person names none.
        schedule: factor on every rate as a function of progress from 0 to 1.
        ema: decay a step of the exponential moving average of the weights, 0 for none; or the decay as a function of
            the step, counted from 1, as ``half_life`` makes it.
        betas: Adam's two decays by progress; None leaves them as the optimizer has them.
        clip: largest norm of a player's gradient, 0 for no limit.
        anneal: factor on all rates after an epoch whose watched loss is not below the lowest before; 1 for none.
        watch: how many test images, samples, or symbols of held-out text, are measured after each epoch.
        bf16: whether products may be in bf16 where a machine is fast at it and the person leaves it open.
        keep: which weights are the result: of the last step, or of the measurement whose first figure was best.
        begin: sets weights by what the first batch does in the model, once, before the first step; None leaves them as
            the recipe made them. It gets the whole batch of the first turn, on every rank.
        pictures: what is drawn when training ends, by the name of a picture and its arguments.
    """

    model: Trainable
    view: View
    optimizers: Mapping[str, Optimizer]
    batch: int
    epochs: float
    schedule: Callable[[float], float] = lambda progress: 1.0
    ema: float | Callable[[int], float] = 0.0
    betas: Callable[[float], tuple[float, float]] | None = None
    clip: float = 0.0
    anneal: float = 1.0
    watch: int = 2000
    bf16: bool = True
    keep: Literal["last", "best"] = "last"
    begin: Callable[[Batch, Noise], None] | None = None
    pictures: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def cosine(warmup: float = 0.02, end: float = 0.05) -> Callable[[float], float]:
    """A rise over the first ``warmup`` of the budget, then half a cosine down to ``end``.

    Source: Loshchilov and Hutter 2017, arXiv:1608.03983.

    Example:
        >>> rate = cosine(warmup=0.1, end=0.0)
        >>> rate(0.1), round(rate(1.0), 6)
        (1.0, 0.0)
    """
    return _risen(warmup, lambda after: end + (1 - end) * (1 + cos(pi * after)) / 2)


def half_life(images: float, batch: int, ramp: float = 0.05) -> Callable[[int], float]:
    """The decay of an average that forgets half of its past over so many images, or over ``ramp`` of all seen so far.

    The shorter of the two counts: ``decay = 2^(-batch / min(images, ramp * batch * step))``, so that an average of a
    young run does not remember the random start, and another batch keeps the memory in images.
    Source: Karras et al. 2020, 2006.06676, and its training loop.

    Example:
        >>> decay = half_life(1000, batch=100)
        >>> decay(20), round(decay(10**6) ** 10, 6)
        (0.5, 0.5)
    """
    return lambda step: 2.0 ** (-batch / min(images, ramp * batch * step))


def linear(warmup: float = 0.01, end: float = 0.0) -> Callable[[float], float]:
    """A rise over the first ``warmup`` of the budget, then a straight line down to ``end``.

    Example:
        >>> rate = linear(warmup=0.5)
        >>> rate(0.5), rate(0.75), rate(1.0)
        (1.0, 0.5, 0.0)
    """
    return _risen(warmup, lambda after: end + (1 - end) * (1 - after))


def _risen(warmup: float, fall: Callable[[float], float]) -> Callable[[float], float]:
    """A straight rise over the first ``warmup`` of the budget, not from 0, then a fall over what is left of it."""

    def factor(progress: float) -> float:
        if progress < warmup:
            return (progress + 0.02 * warmup) / (1.02 * warmup)
        return fall((progress - warmup) / (1 - warmup))

    return factor
