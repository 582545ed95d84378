"""A latent layer's draw in deviations of its prior, ``t = (z - m) / s``: see ``nn.ladder``."""

from functools import cached_property
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from reverie import native
from reverie.nn.processor import kernels_run

LOWEST, HIGHEST = -7.0, 2.0  # of the log-deviations of priors and posteriors


class Drawn:
    """A draw z from a posterior N(m_q, s_q^2), said in deviations of a prior N(m, s^2).

    ``mean = (m_q - m) / s``, ``log_deviation = log s_q - log s``, ``t = mean + exp(log_deviation) e`` and
    ``z = m + s t``, each (N, L, H, W), in float32 or better. Log-deviations are bounded once, for the draw and for its
    density; without bounds an early step can overflow.

    Args:
        prior: m and log s, (N, 2 L, H, W), or one row for all.
        posterior: m_q and log s_q, (N, 2 L, H, W).
        e: standard normal, (N, L, H, W).
    """

    def __init__(self, prior: Tensor, posterior: Tensor, e: Tensor) -> None:
        """Draw."""
        (m, log_s), (m_q, log_s_q) = _parts(prior), _parts(posterior)
        self.mean, self.log_deviation = (m_q - m) * torch.exp(-log_s), log_s_q - log_s
        self.t = self.mean + torch.exp(self.log_deviation) * e
        self.z = m + torch.exp(log_s) * self.t

    @property
    def kl(self) -> Tensor:
        """``KL(N(m_q, s_q^2) || N(m, s^2)) = sum (mean^2 + r^2 - 1) / 2 - log r``, r = s_q / s, in nats, (N,)."""
        each = 0.5 * (self.mean.square() + torch.expm1(2 * self.log_deviation)) - self.log_deviation
        return each.flatten(1).sum(1)

    @property
    def whole(self) -> "Drawn":
        """All of it: this."""
        return self


class QuicklyDrawn:
    """The same by a kernel, which makes z, in bf16, and the divergence: forty operations and their gradients as two."""

    def __init__(self, prior: Tensor, posterior: Tensor, e: Tensor) -> None:
        """Draw."""
        if len(prior) < len(posterior):
            prior = prior.expand_as(posterior).contiguous(memory_format=torch.channels_last)
        self._given = prior, posterior, e
        self.z, self.kl = _Draw.apply(*self._given)  # type: ignore[no-untyped-call]

    @cached_property
    def whole(self) -> Drawn:
        """What the kernel leaves out too."""
        return Drawn(*self._given)


def draw(prior: Tensor, posterior: Tensor, e: Tensor, training: bool) -> Drawn | QuicklyDrawn:
    """Draw z from a posterior, in training with the kernel where there is one; arguments as of ``Drawn``."""
    quick = kernels_run(training, posterior) and e.dtype == torch.float32
    return QuicklyDrawn(prior, posterior, e) if quick else Drawn(prior, posterior, e)


def from_prior(prior: Tensor, t: Tensor) -> Tensor:
    """``z = m + s t`` of a code, (N, L, H, W)."""
    m, log_s = _parts(prior)
    return m + torch.exp(log_s) * t


def _parts(both: Tensor) -> tuple[Tensor, Tensor]:
    mean, log_deviation = both.to(torch.promote_types(both.dtype, torch.float32)).chunk(2, 1)
    return mean, log_deviation.clamp(LOWEST, HIGHEST)


class _Draw(torch.autograd.Function):
    """z and the divergence."""

    @staticmethod
    def forward(ctx: Any, prior: Tensor, posterior: Tensor, e: Tensor) -> tuple[Tensor, Tensor]:
        ctx.save_for_backward(prior, posterior, e)
        ctx.set_materialize_grads(False)
        return native.latent_draw(prior, posterior, e, (LOWEST, HIGHEST))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, of_z: Tensor | None, of_kl: Tensor | None) -> tuple[Tensor | None, ...]:
        return *native.latent_back(ctx.saved_tensors, (LOWEST, HIGHEST), of_z, of_kl), None
