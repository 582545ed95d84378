"""Dense layers with the activation behind them, batch normalisation, and their gradients, of tensors.

Weights of dense layers are bf16, (O, I), as ``nn.Linear`` has them, and so are their biases, (O,); I is even. What is
read is bf16 or float32, what is made is bf16, but for a tanh, which is float32.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from reverie.native.kernels import Dense, Given, Gradients, Norm, Said, library

SHORT = torch.bfloat16


class Activation(NamedTuple):
    """What stands behind a dense layer.

    Args:
        slope: of a (leaky) ReLU below 0; 1 for none.
        squashes: whether it is a tanh.
    """

    slope: float = 1.0
    squashes: bool = False


class Behind(NamedTuple):
    """A gradient behind an activation.

    Args:
        gradient: (B, O), bf16 or float32.
        y: what the activation said, (B, O).
        activation: which.
    """

    gradient: Tensor
    y: Tensor
    activation: Activation

    def as_given(self) -> Given:
        """For the kernels."""
        slope, squashes = self.activation
        gate = None if slope == 1 else self.y.data_ptr()
        return _given(self.gradient, gate, self.y.data_ptr() if squashes else None, slope)


class Running(NamedTuple):
    """What a batch normalisation keeps over batches.

    Args:
        mean: (F,), float32.
        variance: of that kind.
        batches: how many there were, int64.
        moved: by what part means and variances move.
    """

    mean: Tensor
    variance: Tensor
    batches: Tensor
    moved: float


class Normed(NamedTuple):
    """Batch normalisation of rows, (B, F), and what its gradient needs.

    Args:
        x: bf16.
        weight: (F,), float32.
        bias: of that kind.
        eps: beside the variance.
        moments: room for means and for one over deviations, (2, F).
    """

    x: Tensor
    weight: Tensor
    bias: Tensor
    eps: float
    moments: Tensor

    def as_norm(self, running: Running | None) -> Norm:
        """For the kernels; what is kept over batches moves, where there is any."""
        mean = self.moments.data_ptr()
        root = mean + self.moments.stride(0) * self.moments.element_size()
        places = self.weight.data_ptr(), self.bias.data_ptr(), mean, root
        if running is None:
            return Norm(*self.x.shape, self.eps, 0.0, *places)
        *kept, moved = running
        return Norm(*self.x.shape, self.eps, moved, *places, *(x.data_ptr() for x in kept))


def dense(x: Tensor, weight: Tensor, bias: Tensor | None, activation: Activation, *, wide: bool = False) -> Tensor:
    """``leaky(x W' + b)`` or ``tanh(x W' + b)``, (B, O), of x, (B, I); in float32 if wide.

    Raises:
        ValueError: wide numbers behind a (leaky) ReLU, which the gradient cannot read.
    """
    slope, squashes = activation
    if wide and slope != 1:
        raise ValueError("what stands behind a (leaky) ReLU is bf16")
    y = torch.empty(len(x), len(weight), dtype=torch.float32 if wide or squashes else SHORT)
    said = Said(y.data_ptr(), slope, y.dtype == torch.float32, squashes)
    places = weight.data_ptr(), None if bias is None else bias.data_ptr(), said
    library().dense(_shape(x, weight), _given(x), *places, torch.get_num_threads())
    return y


def dense_back(
    behind: Behind, x: Tensor, weight: Tensor, *, of_x: bool, of_weight: bool
) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
    """The gradients of x, of the weight and of the bias, as far as they are asked for; those of both weights."""
    for_x = torch.empty(x.shape, dtype=SHORT) if of_x else None
    for_weight = torch.empty_like(weight) if of_weight else None
    for_bias = torch.empty(len(weight), dtype=SHORT) if of_weight else None
    to = Gradients(*(None if made is None else made.data_ptr() for made in (for_x, for_weight, for_bias)))
    places = behind.as_given(), _given(x), weight.data_ptr(), to
    library().dense_back(_shape(x, weight), *places, torch.get_num_threads())
    return for_x, for_weight, for_bias


def batch_norm(of: Normed, running: Running | None = None) -> Tensor:
    """``(x - mean) / sqrt(variance + eps) w + b``, bf16; running means and variances move along."""
    y = torch.empty_like(of.x)
    library().norm(of.as_norm(running), of.x.data_ptr(), y.data_ptr(), torch.get_num_threads())
    return y


def batch_norm_back(of: Normed, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The gradients of x, of the weight and of the bias."""
    made = torch.empty_like(of.x), torch.empty_like(of.weight), torch.empty_like(of.bias)
    places = [x.data_ptr() for x in (of.x, gradient, *made)]
    library().norm_back(of.as_norm(None), *places, torch.get_num_threads())
    return made


def _shape(x: Tensor, weight: Tensor) -> Dense:
    return Dense(len(x), x.shape[1], len(weight))


def _given(x: Tensor, gate: int | None = None, squashed: int | None = None, slope: float = 1.0) -> Given:
    return Given(x.data_ptr(), gate, squashed, slope, x.dtype == SHORT)
