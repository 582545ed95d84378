"""Masked networks, whose outputs see only the numbers before them (Germain et al. 2015, 1502.03509)."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from reverie.errors import UsageError


class MaskedLinear(nn.Module):
    """A linear layer some of whose weights are not there: ``y = (W * M) x + b``, (..., inputs) to (..., outputs).

    Weights start uniform within ``1 / sqrt(n)``, n the inputs that a unit really has, and biases start at 0.

    Args:
        mask: M, (outputs, inputs), true where an output sees an input.
    """

    mask: Tensor

    def __init__(self, mask: Tensor) -> None:
        """Take the mask, which is made again with the network and therefore not saved."""
        super().__init__()
        self.register_buffer("mask", mask.to(torch.get_default_dtype()), persistent=False)
        bound = self.mask.sum(1, keepdim=True).clamp(min=1).rsqrt()
        self.weight = nn.Parameter((2 * torch.rand(mask.shape) - 1) * bound * self.mask)
        self.bias = nn.Parameter(torch.zeros(len(mask)))

    def forward(self, x: Tensor) -> Tensor:
        """(..., inputs) to (..., outputs)."""
        return functional.linear(x, self.weight * self.mask, self.bias)


class MADE(nn.Module):
    """A masked autoencoder with context: output i depends on x_1 ... x_{i-1}, strictly, and on all of the context.

    Input i has degree i. A hidden unit of degree d sees what has degree at most d, so that it depends on x_1 ... x_d;
    output i sees what has degree below i (Germain et al. 2015, 1502.03509, equations 8 and 9). The degrees of a hidden
    layer are spread evenly over 0 ... D - 1; units of degree 0 know the context alone. The context is added to every
    layer by a projection of its own, without a mask (Kingma et al. 2016, 1606.04934), and the outputs also see the
    inputs directly, so that every allowed dependence is there however narrow the layers are.

    Args:
        inputs: D, at least 2.
        context: H, numbers of the context.
        hidden: units of each hidden layer; none makes a linear map.
        outputs: numbers for each input.
        activation: makes the module after each hidden layer.

    Raises:
        UsageError: there are fewer than 2 inputs.
    """

    def __init__(
        self,
        inputs: int,
        context: int,
        hidden: Sequence[int],
        outputs: int = 2,
        activation: Callable[[], nn.Module] = nn.ELU,
    ) -> None:
        """Make the layers."""
        super().__init__()
        if inputs < 2:
            raise UsageError(
                f"An autoregressive network tells each number what came before it, and {inputs} number has nothing "
                "before it: take a code of at least 2 numbers (--latent 2), or no flow (--flow 0)."
            )
        self.inputs = inputs
        self.outputs = outputs
        self.activation = activation()
        of_inputs = seen = torch.arange(1, inputs + 1)
        layers = []
        for units in hidden:
            degrees = torch.arange(1, units + 1) * inputs // (units + 1)
            layers.append(MaskedLinear(degrees.unsqueeze(1) >= seen))
            seen = degrees
        self.hidden = nn.ModuleList(layers)
        seen = torch.cat([of_inputs, seen]) if hidden else of_inputs
        self.last = MaskedLinear(of_inputs.repeat(outputs).unsqueeze(1) > seen)
        widths = [*hidden, outputs * inputs]
        self.told = nn.ModuleList(nn.Linear(context, width, bias=False) for width in widths)

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        """(..., D) and a context (..., H), which may have 1 where x has K, to (..., outputs, D)."""
        *told, told_last = (projection(context) for projection in self.told)
        y = x
        for layer, shift in zip(self.hidden, told, strict=True):
            y = self.activation(layer(y) + shift)
        seen = torch.cat([x, y], -1) if self.hidden else x
        said: Tensor = self.last(seen) + told_last
        return said.view(*said.shape[:-1], self.outputs, self.inputs)
