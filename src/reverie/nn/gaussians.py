"""Gaussians as one function each, while a processor trains: a draw with its divergence, and squared distances.

They are a handful of operations of a few thousand numbers, whose calls take longer than what they do.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from reverie import native
from reverie.nn.processor import kernels_run


def quick(x: Tensor) -> bool:
    """Whether kernels serve here: a processor trains in bf16, and these numbers are float32 or that."""
    return x.dtype in (torch.float32, torch.bfloat16) and kernels_run(torch.is_grad_enabled(), x)


def drawn(both: Tensor, e: Tensor) -> tuple[Tensor, Tensor]:
    """``z = m + s e`` and ``KL(N(m, s^2) || N(0, 1)) = (m^2 + s^2 - 1 - log s^2) / 2`` of each value, (B, D), in nats.

    Args:
        both: m and ``log s^2`` side by side, (B, 2 D), where ``quick`` says so.
        e: standard normal, (B, D), float32.
    """
    made: tuple[Tensor, Tensor] = _Code.apply(both.contiguous(), e.contiguous())  # type: ignore[no-untyped-call]
    return made


def distances(x: Tensor, mean: Tensor) -> Tensor:
    """``sum (x - m)^2`` of each example, (B,), with a gradient of the mean alone, where ``quick`` says so.

    Args:
        x: (B, ...), float32.
        mean: of that shape.
    """
    made: Tensor = _Distances.apply(x.contiguous(), mean.contiguous())  # type: ignore[no-untyped-call]
    return made


class _Code(torch.autograd.Function):
    """A draw and the divergence."""

    @staticmethod
    def forward(ctx: Any, both: Tensor, e: Tensor) -> tuple[Tensor, Tensor]:
        ctx.save_for_backward(both, e)
        return native.code_draw(both, e)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, of_z: Tensor, of_kl: Tensor) -> tuple[Tensor, None]:
        both, e = ctx.saved_tensors
        return native.code_back(both, e, of_z.contiguous(), of_kl.contiguous()), None


class _Distances(torch.autograd.Function):
    """Squared distances."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, mean: Tensor) -> Tensor:
        ctx.save_for_backward(x, mean)
        return native.distances(x, mean)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[None, Tensor]:
        x, mean = ctx.saved_tensors
        return None, native.distances_back(x, mean, gradient.contiguous())
