"""Inverse autoregressive flow (Kingma et al. 2016, 1606.04934)."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional


class InverseAutoregressiveStep(nn.Module):
    """``z' = sigma * z + (1 - sigma) * m``, ``sigma = sigmoid(s + b)``, where m_i and s_i see h and z_1 ... z_{i-1}.

    The Jacobian is triangular with sigma on its diagonal: ``log |det dz'/dz| = sum_i log sigma_i``. All of z' is
    computed at once; the way back goes number by number. With b = 2, sigma starts near 0.88, and the step near the
    identity (equations 12 to 14 of the paper).

    Args:
        network: from z (..., D) and a context (..., H) to m and s, (..., 2, D), where entry i must not depend on z_i
            or what comes after it, as in ``reverie.nn.masked.MADE``.
        bias: b.
    """

    def __init__(self, network: nn.Module, bias: float = 2.0) -> None:
        """Take the network."""
        super().__init__()
        self.network = network
        self.bias = bias

    def forward(self, z: Tensor, context: Tensor) -> tuple[Tensor, Tensor]:
        """Take z (..., D), in float32 or better, and h (..., H) to z' (..., D) and ``log |det dz'/dz|`` (...)."""
        m, gate = self._mean_and_gate(z, context)
        return torch.sigmoid(gate) * z + torch.sigmoid(-gate) * m, functional.logsigmoid(gate).sum(-1)

    def inverse(self, z: Tensor, context: Tensor) -> tuple[Tensor, Tensor]:
        """Take z' (..., D) and h (..., H) to z (..., D) and ``log |det dz'/dz|`` (...), by D passes of the network."""
        d = z.shape[-1]
        known = z[..., :0]
        for i in range(d):
            # What is not yet known is 0, whatever is in it: m_i and s_i do not depend on it.
            m, gate = (part[..., i] for part in self._mean_and_gate(functional.pad(known, (0, d - i)), context))
            solved = (z[..., i] - torch.sigmoid(-gate) * m) * torch.exp(-functional.logsigmoid(gate))
            known = torch.cat([known, solved.unsqueeze(-1)], -1)
        return known, self(known, context)[1]

    def _mean_and_gate(self, z: Tensor, context: Tensor) -> tuple[Tensor, Tensor]:
        """The step's m and s + b, (..., D) each, in the precision of z: the network's may be lower."""
        m, s = self.network(z, context).to(z.dtype).unbind(-2)
        return m, s + self.bias


class Flow(nn.Module):
    """Autoregressive steps in turn, the order of the numbers reversed after each (section 4 of the paper).

    After an odd number of steps the order is reversed once more, so that z_i comes out where it went in. From two steps
    on, every number depends on every other. A permutation has determinant 1: the log-determinants add up.

    A flow with a later start waits until so much of a training's budget is spent; till then its model leaves it out.
    Independent noise makes a decoder find axes (Rolinek et al. 2019, 1812.06775); a flow that is there from the
    beginning takes that need away, and codes of many numbers stay blurred (docs/flows.md).

    Args:
        steps: each from z (..., D) and h to z' and ``log |det dz'/dz|``, with a way back named ``inverse``.
        start: part of the budget.
    """

    steps: Sequence[InverseAutoregressiveStep]
    progress: Tensor

    def __init__(self, steps: Sequence[InverseAutoregressiveStep], start: float = 0.0) -> None:
        """Take the steps."""
        super().__init__()
        self.steps = nn.ModuleList(steps)  # type: ignore[assignment]
        self.start = start
        if start:
            self.register_buffer("progress", torch.ones(()))  # of the training that these weights come from

    def follow(self, progress: float) -> None:
        """Take note of how much of the budget is spent, 0 to 1."""
        if self.start:
            self.progress.fill_(progress)

    @property
    def waits(self) -> bool:
        """Whether the posterior is still what the flow is given."""
        return self.start > 0 and bool(self.progress < self.start)

    def forward(self, z: Tensor, context: Tensor) -> tuple[Tensor, Tensor]:
        """Take z (..., D), in float32 or better, and h (..., H) to z' (..., D) and ``log |det dz'/dz|`` (...)."""
        total = z.new_zeros(z.shape[:-1])
        for step in self.steps:
            z, log_determinant = step(z, context)
            z, total = z.flip(-1), total + log_determinant
        return self._restored(z), total

    def inverse(self, z: Tensor, context: Tensor) -> tuple[Tensor, Tensor]:
        """Take z' (..., D) and h (..., H) to z (..., D) and ``log |det dz'/dz|`` (...), the forward map's own."""
        z, total = self._restored(z), z.new_zeros(z.shape[:-1])
        for step in reversed(self.steps):
            z, log_determinant = step.inverse(z.flip(-1), context)
            total = total + log_determinant
        return z, total

    def _restored(self, z: Tensor) -> Tensor:
        return z.flip(-1) if len(self.steps) % 2 else z
