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

    _stacks: Sequence["_Stack"] = ()  # of the last step

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Move every parameter that has a gradient."""
        for group in self.param_groups:
            if "momentum" in group:
                self._turn([p for p in group["params"] if p.grad is not None], group)
        return super().step(closure)

    def _turn(self, parameters: Sequence[nn.Parameter], group: dict[str, Any]) -> None:
        """One step of the matrices; their gradients are used up."""
        stacks = self._stacks_of(parameters)
        ahead = [stack.look_ahead(group["momentum"]) for stack in stacks]
        for stack, turned in zip(stacks, orthogonalised(ahead), strict=True):
            torch.mul(turned, max(1.0, turned.shape[1] / turned.shape[2]) ** 0.5, out=stack.ahead)
        weights: list[Tensor] = [weight for stack in stacks for weight in stack.weights]
        torch._foreach_add_(weights, [step for stack in stacks for step in stack.steps], alpha=-group["lr"])
        for weight in parameters:
            weight.grad = None  # Adam leaves out what has none

    def _stacks_of(self, parameters: Sequence[nn.Parameter]) -> Sequence["_Stack"]:
        """The stacks of these weights: those of the last step, unless other weights move or a state was loaded."""
        momenta = [self.state[weight].get("momentum") for weight in parameters]
        held = [momentum for stack in self._stacks for momentum in stack.momenta]
        if {id(momentum) for momentum in momenta} != {id(momentum) for momentum in held}:
            alike = groupby(sorted(parameters, key=_sides), key=_sides)
            self._stacks = [_Stack(list(same), self.state) for _, same in alike]
        return self._stacks


class _Stack:
    """Kernels of equal sides, whose momenta are one tensor (N, R, C); views of it have the kernels' shapes.

    Args:
        weights: the kernels.
        state: of each; its momentum becomes one of the views.
    """

    def __init__(self, weights: Sequence[nn.Parameter], state: dict[Tensor, dict[str, Any]]) -> None:
        self.weights = weights
        self.momentum: Tensor
        self.ahead: Tensor
        self.momentum, self.ahead = weights[0].new_zeros(2, len(weights), *_sides(weights[0]))
        self.momenta, self.steps = (list(map(_as, weights, room)) for room in (self.momentum, self.ahead))
        for weight, momentum in zip(weights, self.momenta, strict=True):
            if state[weight]:
                momentum.copy_(state[weight]["momentum"])
            # Adam reads a count in every state that it loads.
            state[weight] |= {"step": torch.tensor(0.0), "momentum": momentum}

    def look_ahead(self, momentum: float) -> Tensor:
        """Follow the gradients with the momenta, and look ahead: (N, R, C), for the step to be written into."""
        torch._foreach_copy_(self.steps, [weight.grad for weight in self.weights if weight.grad is not None])
        self.momentum.lerp_(self.ahead, 1 - momentum)
        self.ahead.lerp_(self.momentum, momentum)
        return self.ahead


def is_matrix(parameter: Tensor) -> bool:
    """Whether a parameter is turned: at least 8 rows and 8 columns."""
    return parameter.dim() > 1 and min(_sides(parameter)) >= SMALLEST


def _as(kernel: Tensor, matrix: Tensor) -> Tensor:
    """A matrix (O, I) in the kernel's shape, its columns as memory has them: what turns it does not see their order."""
    order = [0, *sorted(range(1, kernel.dim()), key=kernel.stride, reverse=True)]
    places = sorted(range(kernel.dim()), key=order.__getitem__)
    return matrix.view([kernel.shape[axis] for axis in order]).permute(places)


def _sides(parameter: Tensor) -> tuple[int, int]:
    return parameter.shape[0], parameter.numel() // parameter.shape[0]
