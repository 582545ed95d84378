"""Recurrent layers whose weights are handed to torch's fused kernels, so that a part of them can be dropped.

A state is a tuple of tensors (B, H), rows first; a layer is called with x (B, T, D) and gives (B, T, H).
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

Cell = Literal["lstm", "gru", "rnn-tanh", "rnn-relu", "mingru"]
States = tuple[Tensor, ...]

_GATES = {"lstm": 4, "gru": 3, "rnn-tanh": 1, "rnn-relu": 1}
_KERNELS: dict[str, Callable[..., tuple[Tensor, ...]]] = {
    "lstm": torch.lstm,
    "gru": torch.gru,
    "rnn-tanh": torch.rnn_tanh,
    "rnn-relu": torch.rnn_relu,
}


class Recurrent(nn.Module):
    """An LSTM, a GRU or a plain recurrent layer, as in ``torch.nn``.

    Starts with orthogonal recurrent matrices (Saxe et al. 2014, 1312.6120), one for each gate, and with an open forget
    gate (its bias is 1; Jozefowicz et al. 2015).

    Args:
        cell: lstm, gru, rnn-tanh or rnn-relu.
        inputs: D.
        units: H.
    """

    def __init__(self, cell: Cell, inputs: int, units: int) -> None:
        super().__init__()
        gates = _GATES[cell]
        self.cell, self.units = cell, units
        self.tensors = 2 if cell == "lstm" else 1  # of a state
        self.weight_ih = nn.Parameter(nn.init.xavier_uniform_(torch.empty(gates * units, inputs)))
        self.weight_hh = nn.Parameter(torch.cat([nn.init.orthogonal_(torch.empty(units, units)) for _ in range(gates)]))
        self.bias_ih = nn.Parameter(torch.zeros(gates * units))
        self.bias_hh = nn.Parameter(torch.zeros(gates * units))
        if cell == "lstm":
            nn.init.ones_(self.bias_ih[units : 2 * units])

    def forward(self, x: Tensor, state: States, keep: Tensor | None = None) -> tuple[Tensor, States]:
        """The outputs (B, T, H) and the state after the last.

        Args:
            x: (B, T, D).
            state: (B, H) each: h, and for an LSTM c.
            keep: factors of the recurrent matrix (G H, H), for DropConnect (Wan et al. 2013; Merity et al. 2017,
                1708.02182).
        """
        recurrent = self.weight_hh if keep is None else self.weight_hh * keep
        weights = [self.weight_ih, recurrent, self.bias_ih, self.bias_hh]
        if self.cell == "lstm" and x.shape[1] == 1 and not torch.is_grad_enabled():
            # One step: the kernel for sequences packs the weights anew at each call, which took six times as long.
            after_one = torch.lstm_cell(x[:, 0], tuple(state), *weights)
            return after_one[0][:, None], after_one
        before = tuple(tensor[None] for tensor in state)
        start = before if self.cell == "lstm" else before[0]
        output, *after = _KERNELS[self.cell](x, start, weights, True, 1, 0.0, False, False, True)
        return output, tuple(tensor[0] for tensor in after)


class MinGRU(nn.Module):
    """``h_t = (1 - z_t) h_{t-1} + z_t h~_t`` with z and h~ of the input alone (Feng et al. 2024, 2410.01201).

    Args:
        inputs: D.
        units: H.
    """

    tensors = 1

    def __init__(self, inputs: int, units: int) -> None:
        super().__init__()
        self.units = units
        self.both = nn.Linear(inputs, 2 * units)

    def forward(self, x: Tensor, state: States, keep: Tensor | None = None) -> tuple[Tensor, States]:
        """The outputs (B, T, H) and the state after the last; there is no recurrent matrix to drop from."""
        gate, candidate = self.both(x).float().chunk(2, -1)
        z = torch.sigmoid(gate)
        stay, go = (1 - z).unbind(1), (z * candidate).unbind(1)
        h, found = state[0].float(), []
        for keeping, adding in zip(stay, go, strict=True):  # a parallel scan was measured to be slower on processors
            h = torch.addcmul(adding, keeping, h)
            found.append(h)
        return torch.stack(found, 1), (h,)


def stack(cell: Cell, inputs: int, units: Sequence[int]) -> list[Recurrent | MinGRU]:
    """Recurrent layers of a kind, each on the outputs of the one before."""
    sizes = zip([inputs, *units], units, strict=False)
    return [MinGRU(a, b) if cell == "mingru" else Recurrent(cell, a, b) for a, b in sizes]


def fresh(layers: Iterable[Recurrent | MinGRU], rows: int, like: Tensor) -> States:
    """The zero states of layers, one after the other, (B, H) each."""
    return tuple(like.new_zeros(rows, one.units) for one in layers for _ in range(one.tensors))


def dropped(x: Tensor, drawn: Tensor, share: float) -> Tensor:
    """Drop a share of x where ``drawn`` (uniform, broadcast to x) is below it; the rest grows by 1 / (1 - share).

    With ``drawn`` of one step in time it is locked: the same units are dropped at every step (Gal and Ghahramani 2016,
    1512.05287).
    """
    return x * ((drawn >= share) / (1 - share)).to(x.dtype)  # the small factor first: one pass over x, not two


def tied(x: Tensor, embedding: Tensor, bias: Tensor) -> Tensor:
    """Logits ``x E^T + b`` (Press and Wolf 2017, 1608.05859; Inan et al. 2017, 1611.01462): (..., E) to (..., V)."""
    return functional.linear(x, embedding, bias)
