"""A convolution to few channels, the last one of most decoders, that trains faster on a processor."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

from reverie.nn.processor import short, trains_on_processor


class ThinConv(nn.Conv2d):
    """``nn.Conv2d`` with 3x3 kernels and stride 1 that keeps the size: (B, C, H, W) to (B, C', H, W), C' small.

    While it trains on a processor, the products of all pixels with the nine taps are one matrix product, and the
    output is the sum of nine shifted planes; a direct convolution to one channel leaves most of the vector unit
    idle (128 images of 32x28x28, bf16: a training step of the whole VAE took 3.5 of 64 ms less).
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        """Take the numbers of channels."""
        super().__init__(inputs, outputs, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """The same values as ``nn.Conv2d``, up to rounding."""
        if not trains_on_processor(self, x):
            return super().forward(x)
        y: Tensor = _Taps.apply(*short(x, self.weight))  # type: ignore[no-untyped-call]
        return y if self.bias is None else y + self.bias.to(y.dtype).view(-1, 1, 1)


class _Taps(torch.autograd.Function):
    """The convolution without its bias, with gradients that are matrix products too."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor) -> Tensor:
        ctx.save_for_backward(x, weight)
        batch, _, height, width = x.shape
        taps = weight.permute(2, 3, 0, 1).flatten(0, 2)  # (9 C', C)
        planes = (taps @ _pixels(x).t()).to(torch.promote_types(x.dtype, torch.float32))
        return _add_shifted(planes.view(3, 3, -1, batch, height, width)).transpose(0, 1).to(x.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None]:
        x, weight = ctx.saved_tensors
        height, width = x.shape[2:]
        padded = functional.pad(gradient.transpose(0, 1), (1, 1, 1, 1))  # (C', B, H + 2, W + 2)
        # Tap (i, j) read the pixel at (+i - 1, +j - 1), so its gradient comes from the opposite side.
        shifted = [padded[..., 2 - i : 2 - i + height, 2 - j : 2 - j + width] for i in range(3) for j in range(3)]
        planes = torch.stack(shifted).flatten(0, 1).flatten(1)  # (9 C', B H W)
        taps = weight.permute(2, 3, 0, 1).flatten(0, 2)
        of_x = of_weight = None
        if ctx.needs_input_grad[0]:
            of_x = (planes.t() @ taps).view(x.shape[0], height, width, -1).permute(0, 3, 1, 2)
        if ctx.needs_input_grad[1]:
            of_weight = (planes @ _pixels(x)).view(3, 3, *weight.shape[:2]).permute(2, 3, 0, 1)
        return of_x, of_weight


def _pixels(x: Tensor) -> Tensor:
    return x.permute(0, 2, 3, 1).flatten(0, 2)  # (B H W, C); no copy where channels come last


def _add_shifted(planes: Tensor) -> Tensor:
    """``y[p] = sum_t planes[t][p + t]`` over the taps t = (i - 1, j - 1); what lies outside is 0."""
    height, width = planes.shape[-2:]
    total = planes[1, 1].clone()
    for i in (-1, 0, 1):
        for j in (-1, 0, 1):
            if i or j:
                there = planes[i + 1, j + 1]
                total[..., _here(i, height), _here(j, width)] += there[..., _here(-i, height), _here(-j, width)]
    return total


def _here(shift: int, size: int) -> slice:
    """Places whose neighbour at ``shift`` is inside."""
    return slice(max(0, -shift), size - max(0, shift))
