"""Layers of critics whose slope is penalised: the second derivative is made by the kernels of the first.

With ``y = w * x``, the gradient for x of a gradient g is a transposed convolution, ``s = w^T * g``, and what a penalty
on s tells w is that one's gradient of weights. torch makes it as a convolution with kernels as large as the image, one
for each group of channels.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from reverie.nn.processor import short, trains_on_processor, weights_wanted

HALF = (2, 2)  # the sides of a square of pixels
Geometry = tuple[Any, Any, Any, int]  # stride, padding, dilation, groups


class SlopeConv(nn.Conv2d):
    """``nn.Conv2d`` that is made for being differentiated twice, where it trains on a processor.

    Whatever comes out, forward or back, has the channels of a pixel side by side: from 1x1 kernels or a single channel,
    of which both layouts can be read, torch's own goes on channel by channel, and each layer after it changes back.
    """

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, C', H', W')."""
        if not trains_on_processor(self, x):
            return super().forward(x)
        geometry = self.stride, self.padding, self.dilation, self.groups
        y: Tensor = _Convolution.apply(*short(x, self.weight, self.bias), geometry)  # type: ignore[no-untyped-call]
        return y


class Halved(nn.Module):
    """Half the size by the mean of each square of four pixels: (B, C, H, W) to (B, C, H / 2, W / 2), of even sides.

    Its gradient gives a quarter to each of the four, and can be differentiated again; torch's own adds zeros to it.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Halve."""
        if not trains_on_processor(self, x):
            return functional.avg_pool2d(x, HALF)
        y: Tensor = _Mean.apply(x)  # type: ignore[no-untyped-call]
        return y


class _Mean(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return functional.avg_pool2d(x, HALF)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return functional.interpolate(gradient / 4, scale_factor=2, mode="nearest")


class _Convolution(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, geometry: Geometry) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.geometry, ctx.units = geometry, None if bias is None else [len(bias)]
        return _last(torch.conv2d(x, weight, bias, *geometry))

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        stride, padding, dilation, groups = ctx.geometry
        of_x = of_weight = of_bias = None
        if ctx.needs_input_grad[0]:
            sides = zip(x.shape[2:], gradient.shape[2:], weight.shape[2:], stride, padding, dilation, strict=True)
            more = [size - (n - 1) * s + 2 * p - d * (k - 1) - 1 for size, n, k, s, p, d in sides]
            of_x = _last(torch.conv_transpose2d(gradient, weight, None, stride, padding, more, groups, dilation))
        if weights_wanted(*ctx.needs_input_grad[1:3]):
            wanted = [False, *ctx.needs_input_grad[1:3]]
            _, of_weight, of_bias = torch.ops.aten.convolution_backward(
                gradient, x, weight, ctx.units, stride, padding, dilation, False, (0, 0), groups, wanted
            )
        return of_x, of_weight, of_bias, None


def _last(x: Tensor) -> Tensor:
    return x.contiguous(memory_format=torch.channels_last)
