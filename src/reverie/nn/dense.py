"""Dense layers with what stands between them as one function, while a processor trains in bf16.

Torch makes a product, an activation, a normalisation, and casts, and back again, each as an operation of its own; the
kernels of ``reverie.native`` make a layer with its activation, and its whole gradient, in one call each.
"""

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from reverie import native
from reverie.native import Activation, Behind, Normed, Running
from reverie.nn.processor import kernels_run, weights_wanted

PLAIN, TANH = Activation(), Activation(squashes=True)


class Dense(nn.Linear):
    """``nn.Linear`` whose weights are copied to bf16 once an update, instead of at each use: see ``engine.twins``."""

    twins: ClassVar[bool] = True


class WideTanh(nn.Tanh):
    """``2 sigmoid(2 x) - 1`` in float32 or better, which a processor computes three times as fast as ``torch.tanh``."""

    def forward(self, x: Tensor) -> Tensor:
        """(...) to (...)."""
        wide = x.to(torch.promote_types(x.dtype, torch.float32))
        return wide.mul(2).sigmoid().mul(2).sub(1)


class Weights(NamedTuple):
    """Of a dense layer, in the precision of the kernels; what there is not is None.

    Args:
        weight: (O, I), bf16.
        bias: (O,), of that kind.
        scale: of the normalisation behind it, (O,).
        shift: of that, (O,).
    """

    weight: Any
    bias: Any
    scale: Any
    shift: Any


class Layer(NamedTuple):
    """A dense layer, the activation behind it, and batch normalisation behind that."""

    dense: nn.Linear
    activation: Activation
    norm: nn.BatchNorm1d | None

    @property
    def weights(self) -> Weights:
        """Its tensors now: twins, where it has them."""
        of = (None, None) if self.norm is None else (self.norm.weight, self.norm.bias)
        weight, bias = self.dense.weight, self.dense.bias
        if weight.dtype == torch.bfloat16:
            return Weights(weight, bias, *of)
        return Weights(weight.bfloat16(), None if bias is None else bias.bfloat16(), *of)


class Stack(NamedTuple):
    """Dense layers one after the other.

    Args:
        layers: these.
        modules: that they are.
        ends: whether what they say is the network's last word, which is float32: densities and costs need the digits.
    """

    layers: list[Layer]
    modules: Sequence[nn.Module]
    ends: bool

    def __call__(self, x: Tensor) -> Tensor:
        """Layer after layer, (B, I) to (B, O); in bf16, but behind a tanh and at the end."""
        if x.dim() != 2 or len(x) < 2:
            for module in self.modules:
                x = module(x)
            return x
        each = [weight for layer in self.layers for weight in layer.weights]
        if not torch.is_grad_enabled():
            return _made(self, x.contiguous(), each)[-1]
        made: Tensor = _Stack.apply(self, x.contiguous(), *each)  # type: ignore[no-untyped-call]
        return made


def stack_from(modules: Sequence[nn.Module], place: int) -> Stack | None:
    """The dense layers in a row from a place on, that the kernels make; None where there is none."""
    layers, begin = [], place
    while place < len(modules) and _serves(modules[place]):
        dense = modules[place]
        activation = _activation(modules[place + 1]) if place + 1 < len(modules) else PLAIN
        place += 1 + (activation != PLAIN)
        norm = modules[place] if place < len(modules) and _serves_norm(modules[place], activation) else None
        place += norm is not None
        layers.append(Layer(dense, activation, norm))  # type: ignore[arg-type]
    if not layers:
        return None
    ends = all(isinstance(module, nn.Flatten | nn.Unflatten) for module in modules[place:])
    return Stack(layers, modules[begin:place], ends and layers[-1].activation.slope == 1 and not layers[-1].norm)


def last_layer(layer: nn.Module, x: Tensor) -> Tensor:
    """What a layer says, as the last word of a network."""
    stack = stack_from([layer], 0) if kernels_run(layer.training, x) else None
    said: Tensor = layer(x) if stack is None else stack(x)
    return said


def _serves(layer: nn.Module) -> bool:
    return isinstance(layer, Dense) and layer.in_features % 2 == 0 and not layer._forward_hooks


def _serves_norm(layer: nn.Module, behind: Activation) -> bool:
    """Whether the kernels normalise by this layer: by the batch, and what is bf16."""
    if not isinstance(layer, nn.BatchNorm1d) or layer._forward_hooks or behind.squashes:
        return False
    return layer.training and layer.affine and layer.momentum is not None


def _activation(layer: nn.Module) -> Activation:
    if layer._forward_hooks:
        return PLAIN
    if isinstance(layer, nn.ReLU):
        return Activation(0.0)
    if isinstance(layer, nn.LeakyReLU) and layer.negative_slope >= 0:
        return Activation(layer.negative_slope)
    return TANH if isinstance(layer, nn.Tanh) else PLAIN


class _Stack(torch.autograd.Function):
    """Dense layers one after the other."""

    @staticmethod
    def forward(ctx: Any, stack: Stack, x: Tensor, *weights: Tensor | None) -> Tensor:
        kept = _made(stack, x, weights)
        ctx.layers = stack.layers
        ctx.save_for_backward(*kept, *weights)
        return kept[-1]

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        saved, count = ctx.saved_tensors, len(Weights._fields) * len(ctx.layers)
        kept, weights = list(saved[:-count]), saved[-count:]
        if torch.is_grad_enabled():  # it is differentiated again
            return None, *_by_torch(ctx, gradient, kept[0], weights)
        _, of_x, *asked = ctx.needs_input_grad
        of_weight, found = weights_wanted(*asked), list[Tensor | None]()
        gradient = gradient.contiguous()
        for place, of in reversed(list(enumerate(_grouped(weights)))):
            layer, more = ctx.layers[place], list[Tensor | None]([None, None])
            if layer.norm:
                _, moments, x = kept.pop(), kept.pop(), kept[-1]
                normed = Normed(x, of.scale, of.shift, layer.norm.eps, moments)
                gradient, *more = native.batch_norm_back(normed, gradient.to(x.dtype))
            behind, x = Behind(gradient, kept.pop(), layer.activation), kept[-1]
            back = place > 0 or of_x
            for_x, *both = native.dense_back(behind, x, of.weight, of_x=back, of_weight=of_weight)
            found = [*both, *more, *found]
            gradient = gradient if for_x is None else for_x
        given = (each if needed else None for each, needed in zip(found, asked, strict=True))
        return None, gradient if of_x else None, *given


def _made(stack: Stack, x: Tensor, weights: Sequence[Tensor | None]) -> list[Tensor]:
    """What was given, and what each layer said; of a normalisation its means and deviations, then what it said."""
    kept = [x]
    for place, (layer, of) in enumerate(zip(stack.layers, _grouped(weights), strict=True), 1):
        wide = stack.ends and place == len(stack.layers)
        x = native.dense(x, of.weight, of.bias, layer.activation, wide=wide)
        kept.append(x)
        if layer.norm:
            normed = Normed(x, of.scale, of.shift, layer.norm.eps, torch.empty(2, x.shape[1]))
            x = native.batch_norm(normed, _running(layer.norm))
            kept += [normed.moments, x]
    return kept


def _running(norm: nn.BatchNorm1d) -> Running | None:
    """What a normalisation keeps over batches, if it does."""
    mean, variance, batches = norm.running_mean, norm.running_var, norm.num_batches_tracked
    if mean is None or variance is None or batches is None or norm.momentum is None:
        return None
    return Running(mean, variance, batches, norm.momentum)


def _grouped(weights: Sequence[Tensor | None]) -> Iterator[Weights]:
    count = len(Weights._fields)
    return (Weights(*weights[place : place + count]) for place in range(0, len(weights), count))


def _by_torch(ctx: Any, gradient: Tensor, x: Tensor, weights: Sequence[Tensor | None]) -> Iterator[Tensor | None]:
    """The gradients as torch makes them, for what is differentiated again."""
    y = x
    for layer, of in zip(ctx.layers, _grouped(weights), strict=True):
        y, (slope, squashes) = functional.linear(y.to(of.weight.dtype), of.weight, of.bias), layer.activation
        y = y.float().tanh() if squashes else y if slope == 1 else functional.leaky_relu(y, slope)
        if layer.norm:
            y = functional.batch_norm(y, None, None, of.scale, of.shift, training=True, eps=layer.norm.eps)
    needed = ctx.needs_input_grad[1:]
    given = [each for each, asked in zip((x, *weights), needed, strict=True) if asked and each is not None]
    found = iter(torch.autograd.grad(y, given, gradient, create_graph=True))
    return (next(found) if asked else None for asked in needed)
