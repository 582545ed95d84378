"""Muon: steps along the nearest orthogonal matrix of the momentum, for the kernels of deep networks.

Sources: Jordan et al. 2024, "Muon: an optimizer for hidden layers in neural networks"; Bernstein and Newhouse 2024,
2409.20325 (steepest descent under the spectral norm). A kernel (O, I, ...) is a matrix of O rows.
"""

from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from typing import Any

import torch
from torch import Tensor, nn

from reverie.engine.adam import Adam

A, B, C = 3.4445, -4.7750, 2.0315  # of the odd polynomial a s + b s^3 + c s^5 that lifts singular values towards 1
ROUNDS = 5  # of it; singular values end between 0.68 and 1.14 where they began above 0.0025 of the matrix's norm
SMALLEST = 8  # rows and columns that make a matrix worth it; smaller ones take steps of Adam, like vectors do
EPS = 1e-7  # against a norm of 0


def orthogonalised(stacks: Sequence[Tensor]) -> list[Tensor]:
    """About ``U V^T`` of each ``M = U S V^T``, by Newton-Schulz iterations without a decomposition.

    Exactly ``U p(S / |M|) V^T`` with ``p`` the polynomial of this module, iterated five times. A step multiplies by
    ``Q = A I + B X X^T + C (X X^T)^2``, and those products commute: ``X X^T`` becomes ``Q X X^T Q``, so that all steps
    work on the short side's square alone, those of all matrices together that have such a side; and M is multiplied
    once.

    Args:
        stacks: matrices of equal sides, (N, R, C) each.
    """
    wide = [stack.mT if stack.shape[1] > stack.shape[2] else stack for stack in stacks]
    unit = [x / (x.norm(dim=(1, 2), keepdim=True) + EPS) for x in wide]
    lifts = _lifts([torch.bmm(x, x.mT) for x in unit])
    turned = [torch.bmm(lift, x) for lift, x in zip(lifts, unit, strict=True)]
    return [y if x is stack else y.mT for y, x, stack in zip(turned, wide, stacks, strict=True)]


def _lifts(squares: Sequence[Tensor]) -> list[Tensor]:
    """The product of all steps' Q for each ``X X^T``, those of one side in one go: few calls for many kernels."""
    found = list(squares)
    for side in {square.shape[1] for square in squares}:
        places = [place for place, square in enumerate(squares) if square.shape[1] == side]
        together = _lift(torch.cat([squares[place] for place in places]))
        parts = torch.split(together, [len(squares[place]) for place in places])
        for place, part in zip(places, parts, strict=True):
            found[place] = part
    return found


def _lift(square: Tensor) -> Tensor:
    step = _q(square)
    product = step
    for _ in range(ROUNDS - 1):
        square = torch.bmm(torch.bmm(step, square), step)
        step = _q(square)
        product = torch.bmm(step, product)
    return product


def _q(square: Tensor) -> Tensor:
    q = torch.baddbmm(square, square, square, beta=B, alpha=C)
    q.diagonal(dim1=1, dim2=2).add_(A)
    return q


class Muon(Adam):
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
        super().__init__([group for group in groups if group["params"]])

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Move every parameter that has a gradient."""
        for group in self.param_groups:
            if "momentum" in group:
                self._turn([p for p in group["params"] if p.grad is not None], group)
        return super().step(closure)

    def _turn(self, parameters: Sequence[nn.Parameter], group: dict[str, Any]) -> None:
        """One step of the matrices; their gradients are used up."""
        weights: list[Tensor] = sorted(parameters, key=_sides)
        gradients = [w.grad for w in weights if w.grad is not None]
        momenta = [self._momentum(w) for w in weights]
        torch._foreach_lerp_(momenta, gradients, 1 - group["momentum"])
        ahead = torch._foreach_lerp(gradients, momenta, group["momentum"])
        alike = [list(same) for _, same in groupby(ahead, key=_sides)]
        turned = orthogonalised([torch.stack([_as_matrix(a) for a in same]) for same in alike])
        steps = [step for stack in turned for step in _stretch(stack)]
        torch._foreach_add_(weights, [_as(a, s) for a, s in zip(ahead, steps, strict=True)], alpha=-group["lr"])
        for weight in weights:
            weight.grad = None  # Adam leaves out what has none

    def _momentum(self, weight: Tensor) -> Tensor:
        state = self.state[weight]
        if not state:
            # Adam reads a count in every state that it loads.
            state |= {"step": torch.tensor(0.0), "momentum": torch.zeros_like(weight)}
        momentum: Tensor = state["momentum"]
        return momentum


def _stretch(stack: Tensor) -> list[Tensor]:
    """Each matrix of a stack (N, R, C), times ``max(1, R / C)^(1/2)``."""
    return list(max(1.0, stack.shape[1] / stack.shape[2]) ** 0.5 * stack)


def is_matrix(parameter: Tensor) -> bool:
    """Whether a parameter is turned: at least 8 rows and 8 columns."""
    return parameter.dim() > 1 and min(_sides(parameter)) >= SMALLEST


def _as_matrix(kernel: Tensor) -> Tensor:
    """(O, I), the columns as memory has them: nothing is copied, and what turns a matrix does not see their order."""
    return kernel.permute(_order(kernel)).flatten(1)


def _as(kernel: Tensor, matrix: Tensor) -> Tensor:
    """The inverse of ``_as_matrix``, for a matrix beside the kernel."""
    order = _order(kernel)
    places = sorted(range(kernel.dim()), key=order.__getitem__)
    return matrix.view([kernel.shape[axis] for axis in order]).permute(places)


def _order(kernel: Tensor) -> list[int]:
    return [0, *sorted(range(1, kernel.dim()), key=kernel.stride, reverse=True)]


def _sides(parameter: Tensor) -> tuple[int, int]:
    return parameter.shape[0], parameter.numel() // parameter.shape[0]
