"""Priors over codes: what a latent-variable model draws from.

A prior is a module that is asked with the model's own encoder, because some priors are made of what the encoder says
about remembered examples. What it answers has a log-density over codes, and draws.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from reverie.distributions import LOG_2PI, Gaussian, standard_normal_log_prob, upcast
from reverie.errors import UsageError
from reverie.protocols import Noise, Posterior

Encode = Callable[[Tensor], Posterior]


@runtime_checkable
class CodeDensity(Protocol):
    """A distribution over codes."""

    def log_prob(self, z: Tensor) -> Tensor:
        """Log-density in nats, (..., D) to (...)."""

    def sample(self, n: int, noise: Noise, temperature: float = 1.0) -> Tensor:
        """Draw n codes, (n, D)."""


@dataclass(frozen=True)
class Normal:
    """The standard normal over D numbers.

    Args:
        latent: D.
        device: where draws are put.
    """

    latent: int
    device: torch.device | str = "cpu"

    def log_prob(self, z: Tensor) -> Tensor:
        """``log N(z; 0, I)``, (..., D) to (...)."""
        return standard_normal_log_prob(z)

    def sample(self, n: int, noise: Noise, temperature: float = 1.0) -> Tensor:
        """Draw n codes, (n, D); ``temperature`` scales the standard deviation."""
        return temperature * noise.normal("z", (n, self.latent)).to(self.device)


@dataclass(frozen=True)
class Mixture:
    """A mixture of Gaussians with equal weights.

    Args:
        components: C Gaussians over D numbers, (C, D).
    """

    components: Gaussian

    def log_prob(self, z: Tensor) -> Tensor:
        """``log 1/C sum_c N(z; m_c, s_c^2)``, (..., D) to (...)."""
        # |z - m|^2 / s^2 is expanded into two matrix products, which need no (..., C, D) numbers; in float64, since
        # its terms are much larger than their sum. Autocast leaves float64 alone.
        mean, log_variance = self.components.mean.double(), self.components.log_variance.double()
        precision, codes = torch.exp(-log_variance), z.double()
        squares = codes.square() @ precision.T - 2 * codes @ (mean * precision).T  # (..., C)
        constant = (mean.square() * precision + log_variance + LOG_2PI).sum(1)  # (C,)
        log_density = torch.logsumexp(-0.5 * (squares + constant), -1) - math.log(len(mean))
        return log_density.to(upcast(z).dtype)

    def sample(self, n: int, noise: Noise, temperature: float = 1.0) -> Tensor:
        """Draw n codes, (n, D): a component by chance, then a code from it."""
        mean = self.components.mean
        which = (noise.uniform("component", (n,)) * len(mean)).long().to(mean.device)
        deviation = torch.exp(0.5 * self.components.log_variance)[which]
        return mean[which] + temperature * deviation * noise.normal("z", (n, mean.shape[1])).to(mean)


class Prior(nn.Module):
    """What a latent-variable model asks for its p(z).

    Args:
        latent: D.
    """

    def __init__(self, latent: int) -> None:
        """Take the number of dimensions."""
        super().__init__()
        self.latent = latent

    def given(self, encode: Encode) -> CodeDensity:
        """The distribution, with the model's encoder at hand."""
        raise NotImplementedError


class StandardNormal(Prior):
    """The prior N(0, I), which knows nothing.

    Args:
        latent: D.
    """

    def given(self, encode: Encode) -> Normal:
        """The distribution; the encoder is not asked."""
        return Normal(self.latent)


class VampPrior(Prior):
    """The variational mixture of posteriors, ``p(z) = 1/C sum_c q(z|u_c)``, with learned pseudo-inputs u.

    Source: Tomczak and Welling 2018, 1705.07120, equation 9.

    Args:
        start: the first pseudo-inputs, (C, *shape) in the model's own range, for example training images.
        latent: D.
        low: smallest value of an observation; pseudo-inputs are kept within the range.
        high: largest value.
    """

    def __init__(self, start: Tensor, latent: int, low: float = 0.0, high: float = 1.0) -> None:
        """Take the first pseudo-inputs."""
        super().__init__(latent)
        self.pseudo_inputs = nn.Parameter(start.clone())
        self.low = low
        self.high = high

    def given(self, encode: Encode) -> Mixture:
        """The mixture of the posteriors of the pseudo-inputs.

        Raises:
            UsageError: the posterior is not Gaussian.
        """
        posterior = encode(self.pseudo_inputs.clamp(self.low, self.high))
        if not isinstance(posterior, Gaussian):
            raise UsageError("A mixture of posteriors needs Gaussian ones: leave out the flow, or take another prior.")
        return Mixture(posterior)
