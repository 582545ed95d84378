"""Convolutions with few channels on one side, the first of most critics and the last of most decoders.

A direct convolution from or to one channel leaves most of a processor's vector unit idle. The products of all pixels
with all taps of the kernel are one matrix product, and what is left is to add up shifted planes.
"""

from itertools import product
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

from reverie.nn.processor import short, trains_on_processor, weights_wanted

FEW = 3  # channels: with 5x5 taps the planes of 3 take 0.9 of the direct convolution's time, those of 1 a third


class ThinConv(nn.Conv2d):
    """``nn.Conv2d`` with 3x3 kernels and stride 1 that keeps the size: (B, C, H, W) to (B, C', H, W), C' small.

    While it trains on a processor it is a matrix product and a sum of nine shifted planes (128 images of 32x28x28,
    bf16: a training step of the whole VAE took 3.5 of 64 ms less).
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


class PixelConv(nn.Conv2d):
    """``nn.Conv2d`` of images, whose gradient for the images is made as ``spread_out`` makes it, where C is small.

    Where a critic passes a gradient on to a generator: 128 images of 28x28, 5x5 kernels to 32 channels, bf16, took 1.4
    in place of 5.3 ms. It can be differentiated twice.
    """

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, C', H', W')."""
        if not (trains_on_processor(self, x) and x.requires_grad and self.in_channels <= FEW and is_square(self)):
            return super().forward(x)
        given = short(x, self.weight, self.bias)
        y: Tensor = _OfPixels.apply(*given, self.stride, self.padding)  # type: ignore[no-untyped-call]
        return y


def is_square(layer: nn.Conv2d | nn.ConvTranspose2d) -> bool:
    """Whether kernel, stride and padding are the same both ways, and all channels see all others side by side."""
    ways = (layer.kernel_size, layer.stride, layer.padding)
    return all(len(set(way)) == 1 for way in ways) and layer.groups == 1 and set(layer.dilation) == {1}


def spread_out(x: Tensor, weight: Tensor, stride: int, padding: int, size: tuple[int, int]) -> Tensor:
    """A transposed convolution to few channels, without a bias: (B, C, h, w) to (B, C', *size).

    ``y[s p + t - padding] = sum_t w_t . x[p]`` over the taps t, summed in float32 or better.

    Args:
        x: what is spread out.
        weight: (C, C', k, k).
        stride: s.
        padding: what is cut off on each side.
        size: height and width of the result.
    """
    kernel, taps = weight.shape[2], weight.permute(2, 3, 1, 0).flatten(0, 2)  # (k k C', C)
    planes = (taps @ _pixels(x).t()).to(torch.promote_types(x.dtype, torch.float32))
    planes = planes.view(kernel, kernel, weight.shape[1], len(x), *x.shape[2:])
    return _added_up(planes, stride, padding, size).transpose(0, 1).to(x.dtype)


def _added_up(planes: Tensor, stride: int, padding: int, size: tuple[int, int]) -> Tensor:
    """The planes (k, k, C', B, h, w) of all taps in their places, (C', B, *size).

    Pixels of each phase, their place modulo the stride, are summed apart, so that they lie side by side.
    """
    height, width = planes.shape[-2:]
    rows, columns = -(-size[0] // stride), -(-size[1] // stride)
    sums = planes.new_zeros(stride, stride, *planes.shape[2:4], rows, columns)
    for i, j in product(range(len(planes)), repeat=2):
        (down, phase_i), (right, phase_j) = divmod(i - padding, stride), divmod(j - padding, stride)
        there = sums[phase_i, phase_j][..., _from(down, height, rows), _from(right, width, columns)]
        there += planes[i, j][..., _from(-down, rows, height), _from(-right, columns, width)]
    y = sums.permute(2, 3, 4, 0, 5, 1).flatten(4, 5).flatten(2, 3)
    return y[..., : size[0], : size[1]]


def _from(shift: int, size: int, limit: int) -> slice:
    """Places of ``limit`` that ``size`` places cover when they are shifted."""
    return slice(max(0, shift), max(0, min(limit, size + shift)))


class _Taps(torch.autograd.Function):
    """The convolution without its bias, with gradients that are matrix products too."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor) -> Tensor:
        ctx.save_for_backward(x, weight)
        turned = weight.flip(2, 3).transpose(0, 1)  # what a pixel reads from the left, it gives to the right
        return spread_out(x, turned, 1, 1, (x.shape[2], x.shape[3]))

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


class _OfPixels(torch.autograd.Function):
    """A convolution whose gradient for its input is spread out."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, stride: Any, padding: Any) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.stride, ctx.padding, ctx.units = stride, padding, None if bias is None else [len(bias)]
        return torch.conv2d(x, weight, bias, stride, padding)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        of_pixels, *others = ctx.needs_input_grad[:3]
        of_x = of_weight = of_bias = None
        if of_pixels:
            of_x = spread_out(gradient, weight, ctx.stride[0], ctx.padding[0], (x.shape[2], x.shape[3]))
        if weights_wanted(*others):
            _, of_weight, of_bias = torch.ops.aten.convolution_backward(
                gradient, x, weight, ctx.units, ctx.stride, ctx.padding, (1, 1), False, (0, 0), 1, [False, *others]
            )
        return of_x, of_weight, of_bias, None, None


def _pixels(x: Tensor) -> Tensor:
    return x.permute(0, 2, 3, 1).flatten(0, 2)  # (B H W, C); no copy where channels come last
