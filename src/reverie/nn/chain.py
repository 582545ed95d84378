"""Layers with the activations around them as one product each, while a processor trains in bf16.

Torch makes a convolution, adds its bias, applies an activation, and back again, each as a pass over memory. The kernels
of ``reverie.native`` read and write with the activation, take float32 weights as they are and give float32 gradients.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from reverie import native
from reverie.native import Before, Read, Shape, Write
from reverie.nn.dense import Stack, stack_from
from reverie.nn.processor import kernels_run, short, weights_wanted
from reverie.nn.thin import FEW, is_square

CONVOLUTIONS = nn.Conv2d, nn.ConvTranspose2d
ACTIVATIONS: dict[Before, Callable[[Tensor], Tensor]] = {Before.SILU: functional.silu, Before.ELU: functional.elu}


class Chain(nn.Sequential):
    """``nn.Sequential``; in training its convolutions take an activation before and a (leaky) ReLU behind along.

    Its dense layers, several in a row, are one function with the activations and normalisations behind each.
    """

    def forward(self, x: Tensor, more: Tensor | None = None) -> Tensor:
        """Layer after layer; ``more`` is added to what the last one says, a convolution."""
        if not kernels_run(self.training, x):
            y: Tensor = super().forward(x)  # type: ignore[no-untyped-call]
            return y if more is None else y + more
        *steps, last = _steps(list(self))
        for step in steps:
            x = _taken(step, x)
        return _taken(last, x, more)


class _Step(NamedTuple):
    """A layer; of a convolution the activation before it, and the slope of the ReLU behind it."""

    layer: nn.Module | Stack
    before: Before
    slope: float


def _taken(step: _Step, x: Tensor, more: Tensor | None = None) -> Tensor:
    if isinstance(step.layer, CONVOLUTIONS):
        return convolved(step.layer, x, step.before, slope=step.slope, more=more)
    y: Tensor = step.layer(x)
    return y if more is None else y + more


def convolved(
    layer: nn.Module,
    x: Tensor,
    before: Before = Before.NOTHING,
    *,
    slope: float = 1.0,
    more: Tensor | None = None,
) -> Tensor:
    """``leaky(layer(before(x)))`` or ``layer(before(x)) + more``, in training by one product.

    Args:
        layer: a convolution, or a transposed one.
        x: (N, C, H, W).
        before: the activation before the layer.
        slope: below 0, of the (leaky) ReLU behind it; 1 for none.
        more: is added, where there is no activation behind the layer; one row may be for all.

    Raises:
        ValueError: there is one.
    """
    if more is not None and slope != 1:
        raise ValueError("what is added to a convolution has no activation behind it")
    if isinstance(layer, CONVOLUTIONS) and kernels_run(layer.training, x) and _fits(layer, x):
        spreads = isinstance(layer, nn.ConvTranspose2d)
        rest = int(layer.output_padding[0]) if spreads else 0
        how = _How(layer.kernel_size[0], layer.stride[0], int(layer.padding[0]), rest, spreads, before, slope)
        given = short(x, None if more is None else more.expand(len(x), -1, -1, -1))
        made: Tensor = _Product.apply(given[0], layer.weight, layer.bias, given[1], how)  # type: ignore[no-untyped-call]
        return made
    y: Tensor = layer(ACTIVATIONS[before](x) if before else x)
    y = y if slope == 1 else functional.leaky_relu(y, slope)
    return y if more is None else y + more


class _How(NamedTuple):
    """What a layer does beside its weights."""

    kernel: int
    stride: int
    padding: int
    rest: int  # pixels on the lower right that only a transposed convolution has
    spreads: bool
    before: Before
    slope: float


def _fits(layer: nn.Conv2d | nn.ConvTranspose2d, x: Tensor) -> bool:
    """Whether the kernels make this layer, and no slower than torch does."""
    kernel, padding = layer.kernel_size[0], layer.padding[0]
    if not is_square(layer) or layer.padding_mode != "zeros" or isinstance(padding, str) or x.dim() != 4:
        return False
    if layer._forward_hooks:  # who looks at what a layer says sees nothing of a product
        return False
    spreads_to = layer.out_channels if isinstance(layer, nn.ConvTranspose2d) else layer.in_channels
    few = spreads_to <= FEW and (isinstance(layer, nn.ConvTranspose2d) or x.requires_grad)  # see nn/thin.py
    return padding < kernel <= native.LARGEST and min(x.shape[2:]) + 2 * padding >= kernel and not few


def _steps(layers: list[nn.Module]) -> Iterator[_Step]:
    place = 0
    while place < len(layers):
        if stack := stack_from(layers, place):
            place += len(stack.modules)
            yield _Step(stack, Before.NOTHING, 1.0)
            continue
        before = _before(layers[place]) if isinstance(layers[min(place + 1, len(layers) - 1)], CONVOLUTIONS) else 0
        place += before != Before.NOTHING
        layer, behind, slope = layers[place], layers[place + 1 : place + 2], 1.0
        if isinstance(layer, CONVOLUTIONS) and behind:
            slope = _slope(behind[0])
        place += 1 + (slope != 1)
        yield _Step(layer, Before(before), slope)


def _before(layer: nn.Module) -> Before:
    if isinstance(layer, nn.SiLU):
        return Before.SILU
    return Before.ELU if isinstance(layer, nn.ELU) and layer.alpha == 1 else Before.NOTHING


def _slope(layer: nn.Module) -> float:
    """Below 0, of a (leaky) ReLU; 1 for any other layer."""
    if isinstance(layer, nn.ReLU):
        return 0.0
    return layer.negative_slope if isinstance(layer, nn.LeakyReLU) and layer.negative_slope >= 0 else 1.0


class _Product(torch.autograd.Function):
    """A convolution and the activations around it."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, more: Tensor | None, how: _How) -> Tensor:
        ctx.how, ctx.shape = how, _shape(x, weight, how)
        make = native.spread if how.spreads else native.gather
        write = Write(None if bias is None else bias.float(), how.slope, more=None if more is None else _last(more))
        y = make(ctx.shape, Read(_last(x), how.before), _last(weight.float()), write)
        ctx.save_for_backward(x, weight, bias, more, None if how.slope == 1 else y)
        return y

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, bias, more, y = ctx.saved_tensors
        how, (of_x, *of_weights, of_more, _) = ctx.how, ctx.needs_input_grad
        of_weight, of_bias = (weights_wanted(needed) for needed in of_weights)
        if torch.is_grad_enabled():  # it is differentiated again
            back = None if of_weight or of_bias or of_more else _back(how, x)
            if back is None:
                return *_by_torch(ctx, gradient, x, (weight, bias, more)), None
            passed = gradient if y is None else torch.where(y > 0, gradient, how.slope * gradient)
            of_images: Tensor = _Product.apply(passed, weight, None, None, back)  # type: ignore[no-untyped-call]
            return of_images, None, None, None, None
        behind, before = Read(_last(gradient), gate=y, slope=how.slope), Read(_last(x), how.before)
        for_x = for_weight = for_bias = None
        if of_x:
            make = native.gather if how.spreads else native.spread
            write = Write(inner=before.x if how.before else None, before=how.before)
            for_x = make(ctx.shape, behind, _last(weight.float()), write)
        if of_weight:
            sides = (behind, before) if how.spreads else (before, behind)
            for_weight, for_bias = native.weigh(ctx.shape, *sides, biased=of_bias and not how.spreads)
        if of_bias and for_bias is None:
            for_bias = native.add_up(behind)
        return for_x, for_weight, for_bias, gradient if of_more else None, None


def _back(how: _How, x: Tensor) -> _How | None:
    """The layer that makes the gradient of x from the gradient behind a layer, where that is one."""
    rests = {0} if how.spreads else {(side + 2 * how.padding - how.kernel) % how.stride for side in x.shape[2:]}
    if how.before or len(rests) > 1:
        return None
    return how._replace(spreads=not how.spreads, rest=rests.pop(), slope=1.0)


def _last(x: Tensor) -> Tensor:
    return x.contiguous(memory_format=torch.channels_last)


def _shape(x: Tensor, weight: Tensor, how: _How) -> Shape:
    kernel, (images, _, *sides) = weight.shape[2], x.shape
    if how.spreads:
        large = [(side - 1) * how.stride - 2 * how.padding + kernel + how.rest for side in sides]
        return Shape((images, weight.shape[1], *large), tuple(x.shape), kernel, how.stride, how.padding)
    few = [(side + 2 * how.padding - kernel) // how.stride + 1 for side in sides]
    return Shape(tuple(x.shape), (images, weight.shape[0], *few), kernel, how.stride, how.padding)


def _by_torch(ctx: Any, gradient: Tensor, x: Tensor, others: tuple[Any, ...]) -> Iterator[Tensor | None]:
    """The gradients as torch makes them, for what is differentiated again; others: weight, bias, what is added."""
    how, weight = ctx.how, others[0].to(x.dtype)
    bias, more = (None if each is None else each.to(x.dtype) for each in others[1:])
    before = ACTIVATIONS[how.before](x) if how.before else x
    if how.spreads:
        y = functional.conv_transpose2d(before, weight, bias, how.stride, how.padding, how.rest)
    else:
        y = functional.conv2d(before, weight, bias, how.stride, how.padding)
    y = y if how.slope == 1 else functional.leaky_relu(y, how.slope)
    y = y if more is None else y + more
    given = [
        each for each, needed in zip((x, *others), ctx.needs_input_grad, strict=False) if needed and each is not None
    ]
    found = iter(torch.autograd.grad(y, given, gradient, create_graph=True))
    return (next(found) if needed else None for needed in ctx.needs_input_grad[:4])
