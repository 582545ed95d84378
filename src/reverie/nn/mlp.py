"""Fully connected networks."""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from reverie.nn.chain import Chain
from reverie.nn.dense import Dense, last_layer


class Heads(nn.ModuleList):
    """Layers side by side on the same features: (B, F) to (B, the sum of their outputs)."""

    def forward(self, x: Tensor) -> Tensor:
        """Their outputs one after the other."""
        return torch.cat([last_layer(head, x) for head in self], 1)


def mlp(
    sizes: Sequence[int],
    activation: Callable[[], nn.Module] = nn.ReLU,
    output: Callable[[], nn.Module] | None = None,
) -> nn.Sequential:
    """A chain of linear layers, with an activation after each but the last: (B, sizes[0]) to (B, sizes[-1]).

    Args:
        sizes: number of inputs, of each hidden layer, and of outputs.
        activation: makes the module between two layers.
        output: makes the module after the last layer; None for none.

    Example:
        >>> [type(layer).__name__ for layer in mlp([784, 400, 20], output=nn.Tanh)]
        ['Dense', 'ReLU', 'Dense', 'Tanh']
    """
    layers: list[nn.Module] = [Dense(sizes[0], sizes[1])]
    for inputs, outputs in zip(sizes[1:], sizes[2:], strict=False):
        layers += [activation(), Dense(inputs, outputs)]
    return Chain(*layers, *([output()] if output else []))


def gated_mlp(sizes: Sequence[int]) -> nn.Sequential:
    """Gated linear layers and a plain last one, (B, sizes[0]) to (B, sizes[-1]): ``y = (V x + a) * sigmoid(W x + b)``.

    Source: Dauphin et al. 2017, 1612.08083, equation 1.

    Args:
        sizes: number of inputs, of each hidden layer, and of outputs.
    """
    layers: list[nn.Module] = []
    for inputs, outputs in zip(sizes[:-2], sizes[1:-1], strict=True):
        layers += [Dense(inputs, 2 * outputs), nn.GLU(1)]
    return nn.Sequential(*layers, Dense(sizes[-2], sizes[-1]))


def mlp_encoder(
    shape: tuple[int, ...],
    hidden: Sequence[int],
    outputs: int,
    activation: Callable[[], nn.Module] = nn.ReLU,
) -> nn.Sequential:
    """Images (B, *shape) to (B, outputs)."""
    return Chain(nn.Flatten(), *mlp([math.prod(shape), *hidden, outputs], activation))


def mlp_decoder(
    inputs: int,
    hidden: Sequence[int],
    shape: tuple[int, ...],
    activation: Callable[[], nn.Module] = nn.ReLU,
    output: Callable[[], nn.Module] | None = None,
) -> nn.Sequential:
    """Codes (B, inputs) to images (B, *shape)."""
    layers = mlp([inputs, *hidden, math.prod(shape)], activation, output)
    return Chain(*layers, nn.Unflatten(1, shape))
