"""The three products of a convolution, of tensors.

A layer joins a big side, (N, G, H, W), with a small one, (N, S, h, w), where big pixel = stride * small pixel -
padding + tap. Of a convolution the big side is what it is given, of a transposed one what it makes. Sides are bf16 with
channels last, weights are float32, (S, G, k, k) with channels last.
"""

from enum import IntEnum
from typing import NamedTuple

import torch
from torch import Tensor

from reverie.native.kernels import Layer, Source, Target, library

LARGEST = 8  # kernel: TAPS in tiles.h are its square
WIDE = 64  # channels on both sides from which Winograd's products are the faster ones


class Before(IntEnum):
    """The activation before a layer, as tiles.h numbers it."""

    NOTHING = 0
    SILU = 1
    ELU = 2


class Shape(NamedTuple):
    """The shape of a layer.

    Args:
        big: (N, G, H, W).
        small: (N, S, h, w).
        kernel: k.
        stride: s.
        padding: p.
    """

    big: tuple[int, ...]
    small: tuple[int, ...]
    kernel: int
    stride: int = 1
    padding: int = 0

    @property
    def way(self) -> str:
        """By which functions its products are made."""
        wide = self.kernel == 3 and self.stride == self.padding == 1 and min(self.big[1], self.small[1]) >= WIDE
        return "winograd_" if wide else ""

    def as_layer(self) -> Layer:
        """For the kernels."""
        images, big, height, width = self.big
        _, small, rows, columns = self.small
        return Layer(images, height, width, big, rows, columns, small, self.kernel, self.stride, self.padding)


class Read(NamedTuple):
    """What is read: x, or an activation of it; or ``x * (1 if gate > 0 else slope)``, a gradient behind a (leaky) ReLU.

    Args:
        x: one side of a layer.
        before: the activation.
        gate: what the activation behind the layer said, of the same shape as x.
        slope: of that activation below 0.
    """

    x: Tensor
    before: Before = Before.NOTHING
    gate: Tensor | None = None
    slope: float = 1.0

    def as_source(self) -> Source:
        """For the kernels."""
        gate = None if self.slope == 1 else _at(self.gate)
        return Source(self.x.data_ptr(), gate, self.slope, self.before)


class Write(NamedTuple):
    """What is written: ``leaky(sum + bias) * activation'(inner) + more``.

    Args:
        bias: of each channel, float32.
        slope: of a (leaky) ReLU below 0; 1 for none.
        inner: what an activation was given, of the same shape as what is written: its slope there is multiplied in.
        before: which activation.
        more: is added, of that shape too.
    """

    bias: Tensor | None = None
    slope: float = 1.0
    inner: Tensor | None = None
    before: Before = Before.NOTHING
    more: Tensor | None = None

    def as_target(self, y: Tensor) -> Target:
        """For the kernels."""
        return Target(y.data_ptr(), _at(self.bias), _at(self.inner), _at(self.more), self.slope, self.before, None)


NOTHING = Write()


def gather(shape: Shape, big: Read, weight: Tensor, write: Write = NOTHING) -> Tensor:
    """``sum over taps and g of big W``: the small side."""
    return _made("gather", shape, shape.small, big, weight, write)


def spread(shape: Shape, small: Read, weight: Tensor, write: Write = NOTHING) -> Tensor:
    """``sum over taps and s of small W``: the big side."""
    return _made("spread", shape, shape.big, small, weight, write)


def weigh(shape: Shape, big: Read, small: Read, *, biased: bool = False) -> tuple[Tensor, Tensor | None]:
    """``sum over pixels of small big``, of the weights, (S, G, k, k); if biased, ``add_up(small)`` too."""
    channels = shape.small[1]
    made = torch.empty(channels, shape.big[1], shape.kernel, shape.kernel, memory_format=torch.channels_last)
    bias = torch.empty(channels) if biased else None
    product = getattr(library(), f"{shape.way}weigh")
    product(shape.as_layer(), big.as_source(), small.as_source(), made.data_ptr(), _at(bias), torch.get_num_threads())
    return made, bias


def add_up(read: Read) -> Tensor:
    """The sum of each channel over all pixels, (C,), in float32: the gradient of a bias."""
    channels = read.x.shape[1]
    sums = torch.empty(channels)
    library().add_up(read.x.numel() // channels, channels, read.as_source(), sums.data_ptr(), torch.get_num_threads())
    return sums


def _made(name: str, shape: Shape, size: tuple[int, ...], read: Read, weight: Tensor, write: Write) -> Tensor:
    made = torch.empty(size, dtype=torch.bfloat16, memory_format=torch.channels_last)
    product = getattr(library(), shape.way + name)
    product(shape.as_layer(), read.as_source(), weight.data_ptr(), write.as_target(made), torch.get_num_threads())
    return made


def _at(tensor: Tensor | None) -> int | None:
    return None if tensor is None else tensor.data_ptr()
