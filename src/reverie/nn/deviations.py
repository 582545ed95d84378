"""A latent layer's draw in deviations of its prior, ``t = (z - m) / s``: see ``nn.ladder``."""

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from reverie import native
from reverie.nn.processor import kernels_run

LOWEST, HIGHEST = -7.0, 2.0  # of the log-deviations of priors and posteriors


class Drawn(NamedTuple):
    """What a latent layer draws, each (N, L, H, W), in float32 or better; z may be as precise as a layer's input."""

    t: Tensor
    mean: Tensor
    log_deviation: Tensor
    z: Tensor


def draw(prior: Tensor, posterior: Tensor, e: Tensor, training: bool) -> Drawn:
    """Draw z from N(m_q, s_q^2), and say it in deviations of N(m, s^2).

    ``mean = (m_q - m) / s``, ``log_deviation = log s_q - log s``, ``t = mean + exp(log_deviation) e`` and
    ``z = m + s t``. Log-deviations are bounded once, for the draw and for its density; without bounds an early step can
    overflow.

    Args:
        prior: m and log s, (N, 2 L, H, W), or one row for all.
        posterior: m_q and log s_q, (N, 2 L, H, W).
        e: standard normal, (N, L, H, W).
        training: whether the layer trains.
    """
    if kernels_run(training, posterior) and e.dtype == torch.float32:
        if len(prior) < len(posterior):
            prior = prior.expand_as(posterior).contiguous(memory_format=torch.channels_last)
        made: tuple[Tensor, ...] = _Draw.apply(prior, posterior, e)  # type: ignore[no-untyped-call]
        return Drawn(*made)
    (m, log_s), (m_q, log_s_q) = _parts(prior), _parts(posterior)
    mean, log_deviation = (m_q - m) * torch.exp(-log_s), log_s_q - log_s
    t = mean + torch.exp(log_deviation) * e
    return Drawn(t, mean, log_deviation, m + torch.exp(log_s) * t)


def from_prior(prior: Tensor, t: Tensor) -> Tensor:
    """``z = m + s t`` of a code, (N, L, H, W)."""
    m, log_s = _parts(prior)
    return m + torch.exp(log_s) * t


def _parts(both: Tensor) -> tuple[Tensor, Tensor]:
    mean, log_deviation = both.to(torch.promote_types(both.dtype, torch.float32)).chunk(2, 1)
    return mean, log_deviation.clamp(LOWEST, HIGHEST)


class _Draw(torch.autograd.Function):
    """The draw by a kernel: the twenty operations above, and the thirty of their gradient, as two."""

    @staticmethod
    def forward(ctx: Any, prior: Tensor, posterior: Tensor, e: Tensor) -> tuple[Tensor, ...]:
        ctx.save_for_backward(prior, posterior, e)
        ctx.set_materialize_grads(False)
        return native.latent_draw(prior, posterior, e, (LOWEST, HIGHEST))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:
        return *native.latent_back(ctx.saved_tensors, (LOWEST, HIGHEST), gradients), None
