"""Weight normalisation, and what a first batch sets (Salimans and Kingma 2016, 1602.07868)."""

from collections.abc import Callable, Collection, Iterator
from functools import partial
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from reverie.nn.masked import MaskedLinear

Network = TypeVar("Network", bound=nn.Module)
QUIET = 0.1  # the deviation that an output starts with
STILL = 1e-6  # a unit that deviates less over a batch is constant, and is not scaled


class WeightNorm(nn.Module):
    """``w = g v / |v|`` for each unit of a layer: how long its weight is, apart from where it points (equation 2).

    A unit that sees nothing, whose v is 0, has w = 0.

    Args:
        axis: of the units in the weight.
        deviation: of a unit over the first batch.
    """

    def __init__(self, axis: int, deviation: float = 1.0) -> None:
        """Take the axis, and what ``set_by_first_batch`` aims at."""
        super().__init__()
        self.axis = axis
        self.deviation = deviation

    def forward(self, g: Tensor, v: Tensor) -> Tensor:
        """Lengths, with a 1 for every axis but that of the units, and directions to the weight, of the shape of v."""
        return v * (g / self._length(v).clamp(min=torch.finfo(v.dtype).tiny))

    def right_inverse(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        """The g and v of a weight: its lengths, and itself."""
        return self._length(weight), weight

    def _length(self, v: Tensor) -> Tensor:
        others = [axis for axis in range(v.dim()) if axis != self.axis]
        length: Tensor = torch.linalg.vector_norm(v, dim=others, keepdim=True)
        return length


def weight_normalised(network: Network, quiet: Collection[nn.Module] = ()) -> Network:
    """The network, each of its linear layers and convolutions normalised; what it computes stays as it is.

    Args:
        network: whatever holds the layers.
        quiet: those that no activation follows: their units deviate by 0.1 over the first batch, others by 1.
    """
    kinds = (nn.Linear, nn.Conv2d, nn.ConvTranspose2d, MaskedLinear)
    for layer in [module for module in network.modules() if isinstance(module, kinds)]:
        axis = 1 if isinstance(layer, nn.ConvTranspose2d) else 0
        norm = WeightNorm(axis, QUIET if layer in quiet else 1.0)
        parametrize.register_parametrization(layer, "weight", norm)
    return network


@torch.no_grad()
def set_by_first_batch(network: nn.Module, look: Callable[[], object]) -> None:
    """Give every unit of every normalised layer mean 0 and its deviation over a batch, the layers in their order.

    With ``t = v x / |v|`` over the batch, and over the places of a convolution: ``g = s / sigma[t]`` and
    ``b = -mu[t] s / sigma[t]`` (equations 5 and 6, where s is 1). A layer without a bias is scaled only, and so not
    at all is a unit that is the same for the whole batch. Each layer sees what those before it now say.

    Args:
        network: holds the layers.
        look: one pass of the batch through it.
    """
    hooks = [layer.register_forward_hook(partial(_set, norm)) for layer, norm in _normalised(network)]
    try:
        look()
    finally:
        for hook in hooks:
            hook.remove()


def _normalised(network: nn.Module) -> Iterator[tuple[nn.Module, WeightNorm]]:
    for layer in network.modules():
        for norm in getattr(getattr(layer, "parametrizations", None), "weight", ()):
            if isinstance(norm, WeightNorm):
                yield layer, norm


def _set(norm: WeightNorm, layer: nn.Module, inputs: object, said: Tensor) -> Tensor:
    """Set g and b of a layer by what it said, and say what it would say now."""
    units = 1 if said.dim() == 4 else said.dim() - 1
    others = [axis for axis in range(said.dim()) if axis != units]
    shape = [-1 if axis == units else 1 for axis in range(said.dim())]
    deviation, mean = torch.std_mean(said, others, correction=0)
    scale = torch.where(deviation > STILL, norm.deviation / deviation, 1.0)
    g = layer.get_parameter("parametrizations.weight.original0")
    g.mul_(scale.view_as(g))
    if not isinstance(layer.bias, Tensor):
        return said * scale.view(shape)
    layer.bias.sub_(mean).mul_(scale)
    return (said - mean.view(shape)) * scale.view(shape)
