"""Adam's step and the norm of a gradient, of tensors; all weights in one pass over memory."""

import ctypes
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from reverie.native.kernels import Moved, Step, library


class Moving(NamedTuple):
    """A weight with all that moves with it. Each lies in memory as the weight does, without gaps.

    Args:
        weight: float32.
        mean: of gradients, float32.
        square: the mean of their squares, float32.
        twin: the weight in bf16.
    """

    weight: Tensor
    mean: Tensor
    square: Tensor
    twin: Tensor | None = None


class Steps(NamedTuple):
    """How far Adam goes, and when: see ``engine.adam``.

    Args:
        rate: of learning.
        betas: b1 and b2.
        eps: against a division by 0.
        decay: of the weights.
        decoupled: whether the weight shrinks, or its decay is added to the gradient.
        number: t, from 1 on.
        scale: the gradient is multiplied by it.
    """

    rate: float
    betas: tuple[float, float]
    eps: float
    decay: float
    decoupled: bool
    number: float
    scale: float = 1.0

    def as_step(self) -> Step:
        """For the kernel."""
        b1, b2 = self.betas
        kept, decay = (1 - self.rate * self.decay, 0.0) if self.decoupled else (1.0, self.decay)
        rate, over_root = self.rate / (1 - b1**self.number), (1 - b2**self.number) ** -0.5
        return Step(self.scale, kept, decay, 1 - b1, 1 - b2, rate, over_root, self.eps)


def fits(weight: Tensor) -> bool:
    """Whether the kernel can move a weight: float32, on a processor, without gaps."""
    reach = 1 + sum((n - 1) * step for n, step in zip(weight.shape, weight.stride(), strict=True))
    return weight.dtype == torch.float32 and weight.device.type == "cpu" and reach == weight.numel()


class Moves:
    """The moves of several weights.

    Args:
        moving: the weights.

    Raises:
        ValueError: what belongs together does not lie alike.
    """

    def __init__(self, moving: Sequence[Moving]) -> None:
        """Note where everything lies."""
        self._moving = list(moving)
        self._table = (Moved * len(moving))(*map(_row, moving))
        self._rows = list(self._table)  # the rows of that table, not copies
        self._shapes = [(each.weight.shape, each.weight.stride()) for each in moving]
        self._gradients: list[Tensor] = []

    def take(self, gradients: Iterable[Tensor]) -> None:
        """Let these be the gradients, float32 or bf16.

        Raises:
            ValueError: one is of another kind, or does not lie as its weight does.
        """
        self._gradients = list(gradients)
        for row, gradient, shape, moving in zip(self._rows, self._gradients, self._shapes, self._moving, strict=True):
            if (gradient.shape, gradient.stride()) != shape:
                _same(gradient, moving.weight)
            is_short = gradient.dtype == torch.bfloat16
            if not is_short and gradient.dtype != torch.float32:
                raise ValueError(f"a gradient is float32 or bf16; this is {gradient.dtype}")
            row.gradient, row.is_short = gradient.data_ptr(), is_short

    def squares(self) -> float:
        """The sum of squares of the gradients, the same however many threads there are."""
        found: float = library().squares(self._table, len(self._rows), torch.get_num_threads())
        return found

    def adam(self, of: range, steps: Steps) -> None:
        """Move those weights, their moments and their twins."""
        first = ctypes.byref(self._table, of.start * ctypes.sizeof(Moved))
        library().adam(first, len(of), steps.as_step(), torch.get_num_threads())


def _row(moving: Moving) -> Moved:
    weight, mean, square, twin = moving
    for other in (mean, square, *([] if twin is None else [twin])):
        _same(other, weight)
    places = [x.data_ptr() for x in (mean, square)]
    return Moved(weight.data_ptr(), None, *places, None if twin is None else twin.data_ptr(), weight.numel())


def _same(x: Tensor, weight: Tensor) -> None:
    if x.shape != weight.shape or x.stride() != weight.stride():
        raise ValueError(f"what moves with a weight {_lie(weight)} lies as it does; this is {_lie(x)}")


def _lie(x: Tensor) -> str:
    return f"{tuple(x.shape)} with strides {x.stride()}"
