"""A flow, whatever it is made of: its log-determinant, its reach and its context, by autograd.

A flow takes (B, K, D) and a context (B, 1, H) to (B, K, D) and log-determinants (B, K), as
``distributions.Transformed`` asks (Rezende and Mohamed 2015, 1505.05770).
"""

import copy
from collections.abc import Callable
from typing import TypeVar

import torch
from torch import Tensor, nn

from reverie.engine.noise import generator
from reverie.verification.findings import largest

Flow = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
Moved = TypeVar("Moved", bound=Flow)


def log_determinant_error(flow: Flow, start: Tensor, context: Tensor) -> float:
    """The largest ``|log|det dz/dz_0| - log-determinant|`` in nats, the Jacobian by autograd.

    Args:
        flow: the flow.
        start: z_0, (B, K, D).
        context: h, (B, 1, H).

    Raises:
        ValueError: what the flow returns has other shapes than (B, K, D) and (B, K).
    """
    with torch.no_grad():
        z, log_determinant = flow(start, context)
    if z.shape != start.shape or log_determinant.shape != start.shape[:2]:
        raise ValueError(
            f"a flow takes {tuple(start.shape)} to itself and log-determinants {tuple(start.shape[:2])}; "
            f"got {tuple(z.shape)} and {tuple(log_determinant.shape)}"
        )
    expected = torch.linalg.slogdet(jacobians(flow, start, context)).logabsdet
    return largest(log_determinant.flatten() - expected)


def zero_share(flow: Flow, start: Tensor, context: Tensor) -> float:
    """The share of the Jacobian's entries that are zero at every point: numbers that never reach others.

    Two autoregressive steps in opposite orders leave none; in the same order they leave a triangle of zeros.
    """
    return float((jacobians(flow, start, context) == 0).all(0).double().mean())


def unheard_share(flow: Flow, start: Tensor, context: Tensor) -> float:
    """The share of the context's numbers that move nothing at any point."""
    leaf = context.detach().requires_grad_()
    z, _ = flow(start, leaf)
    # One combination of all numbers of z, with weights by chance: a number of h that moves any of them moves it.
    chance = torch.randn(z.shape, generator=generator("verify", "chance"), dtype=z.dtype)
    (moves,) = torch.autograd.grad((z * chance.to(z.device)).sum(), leaf, allow_unused=True)
    return 1.0 if moves is None else float((moves == 0).flatten(0, -2).all(0).double().mean())


def jacobians(flow: Flow, start: Tensor, context: Tensor) -> Tensor:
    """``dz/dz_0`` at every point alone, (B K, D, D)."""
    b, k, d = start.shape
    found = [
        _jacobian(_of_start(flow, context[i : i + 1]), start[i, j].view(1, 1, d)) for i in range(b) for j in range(k)
    ]
    return torch.stack(found).view(b * k, d, d)


def _of_start(flow: Flow, context: Tensor) -> Callable[[Tensor], Tensor]:
    return lambda start: flow(start, context)[0]


def _jacobian(function: Callable[[Tensor], Tensor], at: Tensor) -> Tensor:
    """The derivative of (1, K, D) by (1, 1, E), (1, K, D, 1, 1, E)."""
    found: Tensor = torch.autograd.functional.jacobian(function, at, vectorize=True)  # type: ignore[no-untyped-call]
    return found


def moved(flow: Moved) -> Moved:
    """A copy in float64 with weights that are nowhere zero: a fresh flow is often the identity, and shows nothing.

    A flow that is no module is left as it is.
    """
    if not isinstance(flow, nn.Module):
        return flow
    twin = copy.deepcopy(flow).double().requires_grad_(False)
    source = generator("verify", "flow")
    for parameter in twin.parameters():
        width = max(1, parameter[0].numel()) if parameter.dim() > 1 else 1
        step = torch.randn(parameter.shape, generator=source, dtype=torch.float64) / width**0.5
        parameter.add_(step.to(parameter.device))
    return twin
