"""Muon: steps along the nearest orthogonal matrix of the momentum, for the kernels of deep networks.

Sources: Jordan et al. 2024, "Muon: an optimizer for hidden layers in neural networks"; Bernstein and Newhouse 2024,
2409.20325 (steepest descent under the spectral norm). A kernel (O, I, ...) is a matrix of O rows.
"""

from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from typing import Any

import torch
from torch import Tensor, nn

A, B, C = 3.4445, -4.7750, 2.0315  # of the odd polynomial a s + b s^3 + c s^5 that lifts singular values towards 1
ROUNDS = 5  # of it; singular values end between 0.68 and 1.14 where they began above 0.0025 of the matrix's norm
SMALLEST = 8  # rows and columns that make a matrix worth it; smaller ones take steps of Adam, like vectors do
EPS = 1e-7  # against a norm of 0


def orthogonalised(matrices: Tensor) -> Tensor:
    """About ``U V^T`` of each ``M = U S V^T``, (N, R, C), by Newton-Schulz iterations without a decomposition.

    Exactly ``U p(S / |M|) V^T`` with ``p`` the polynomial of this module, iterated five times. A step multiplies by
    ``Q = A I + B X X^T + C (X X^T)^2``, and those products commute: ``X X^T`` becomes ``Q X X^T Q``, so that all steps
    work on the short side's square alone, and M is multiplied once.
    """
    tall = matrices.shape[1] > matrices.shape[2]
    x: Tensor = matrices.mT if tall else matrices
    x = x / (x.norm(dim=(1, 2), keepdim=True) + EPS)
    square, one = x @ x.mT, torch.eye(x.shape[1]).to(x)
    product = one.expand_as(square)
    for _ in range(ROUNDS):
        step = torch.baddbmm(A * one + B * square, square, square, alpha=C)
        product, square = step @ product, step @ square @ step
    x = product @ x
    return x.mT if tall else x


class Muon(torch.optim.Adam):
    """Orthogonalised momentum for matrices, Adam (Kingma and Ba 2015, 1412.6980) for all else.

    For a matrix W (O, I) with gradient g: ``m <- b m + (1 - b) g``, ``u = b m + (1 - b) g`` (Nesterov's look ahead),
    ``W <- W - rate max(1, O / I)^(1/2) orthogonalised(u)``: every direction moves equally far, however small its
    gradient.

    Args:
        parameters: what is trained; a kernel with at least 8 rows and 8 columns counts as a matrix.
        rate: of the matrices: the spectral norm of a step.
        others: Adam's rate, for the rest.
        momentum: b.
    """

    def __init__(
        self, parameters: Iterable[nn.Parameter], rate: float = 0.02, others: float = 3e-3, momentum: float = 0.95
    ) -> None:
        """Take the parameters and the rates."""
        given = list(parameters)
        matrices = [p for p in given if is_matrix(p)]
        rest = [p for p in given if not is_matrix(p)]
        groups = [{"params": matrices, "lr": rate, "momentum": momentum}, {"params": rest, "lr": others}]
        super().__init__([group for group in groups if group["params"]], fused=True)

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Move every parameter that has a gradient."""
        for group in self.param_groups:
            if "momentum" in group:
                self._turn([p for p in group["params"] if p.grad is not None], group)
        return super().step(closure)

    def _turn(self, parameters: Sequence[nn.Parameter], group: dict[str, Any]) -> None:
        """One step of the matrices, those of equal sides together; their gradients are used up."""
        for (rows, columns), same in groupby(sorted(parameters, key=_sides), key=_sides):
            weights: list[Tensor] = list(same)
            gradients = [w.grad for w in weights if w.grad is not None]
            momenta = [self._momentum(w) for w in weights]
            torch._foreach_lerp_(momenta, gradients, 1 - group["momentum"])
            ahead = torch._foreach_lerp(gradients, momenta, group["momentum"])
            turned = orthogonalised(torch.stack([a.reshape(rows, columns) for a in ahead]))
            steps = [t.view(w.shape) for t, w in zip(turned, weights, strict=True)]
            torch._foreach_add_(weights, steps, alpha=-group["lr"] * max(1.0, rows / columns) ** 0.5)
            for weight in weights:
                weight.grad = None  # Adam leaves out what has none

    def _momentum(self, weight: Tensor) -> Tensor:
        state = self.state[weight]
        if not state:
            # Adam reads a count in every state that it loads.
            state |= {"step": torch.tensor(0.0), "momentum": torch.zeros_like(weight)}
        momentum: Tensor = state["momentum"]
        return momentum


def is_matrix(parameter: Tensor) -> bool:
    """Whether a parameter is turned: at least 8 rows and 8 columns."""
    return parameter.dim() > 1 and min(_sides(parameter)) >= SMALLEST


def _sides(parameter: Tensor) -> tuple[int, int]:
    return parameter.shape[0], parameter[0].numel()
