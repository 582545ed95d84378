"""Distributions: log-probability, Kullback-Leibler divergence, and draws from explicit noise.

They are values: frozen, with tensors for fields. Log-probabilities sum over everything but the first axis,
come in nats, and are computed in float32 or better whatever the network's precision. No shape is broadcast by
accident.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from reverie.nn import gaussians
from reverie.protocols import Distribution, Noise

LOG_2PI = math.log(2 * math.pi)
COLDEST = 1e-6  # the temperature that stands for 0: all mass on the likeliest value

Support = Literal["binary", "256 levels", "continuous"]

Observation = Callable[[Tensor], Distribution]  # from a decoder's output to a distribution over observations


def upcast(x: Tensor) -> Tensor:
    """Return half-precision numbers as float32, and others as they are: densities need the digits."""
    return x.float() if x.dtype in (torch.bfloat16, torch.float16) else x


def standard_normal_log_prob(z: Tensor) -> Tensor:
    """Log-density of N(0, I) in nats, summed over the last axis: ``(..., D)`` to ``(...)``."""
    return -0.5 * (upcast(z).square().sum(-1) + z.shape[-1] * LOG_2PI)


@dataclass(frozen=True)
class Bernoulli:
    """Independent binary values.

    ``log p(x) = sum_i x_i l_i - log(1 + exp(l_i))``, exact for logits of any size.

    Args:
        logits: log-odds l of a one, (B, ...).
    """

    logits: Tensor
    support: ClassVar[Support] = "binary"

    @property
    def mean(self) -> Tensor:
        """Probability of a one."""
        return upcast(self.logits).sigmoid()

    def log_prob(self, x: Tensor) -> Tensor:
        """Log-probability of binary ``x`` in nats, (B,)."""
        _same_shape(x, self.logits)
        logits = upcast(self.logits)
        # Subtracted before they are summed: at logit 200 both terms are 200 and their difference is 0.
        softplus = functional.softplus(logits, threshold=50.0)
        return _sum_event(torch.addcmul(softplus.neg_(), upcast(x), logits))

    def sample(self, noise: Noise, name: str) -> Tensor:
        """Draw zeros and ones."""
        mean = self.mean
        return (noise.uniform(name, tuple(mean.shape)).to(mean) < mean).to(mean.dtype)

    def tempered(self, temperature: float) -> "Bernoulli":
        """The distribution of probabilities to the power ``1 / temperature``, normalised: logits are divided by it."""
        return Bernoulli(upcast(self.logits) / max(temperature, COLDEST))


@dataclass(frozen=True)
class Gaussian:
    """Independent Gaussian values: an observation, or the posterior of a code.

    ``log N(x; m, s^2) = -1/2 sum_i [log 2 pi + log s_i^2 + (x_i - m_i)^2 / s_i^2]``,
    where ``s = exp(log_variance / 2)``.

    Args:
        mean: (B, ...).
        log_variance: one for each value, (B, ...), or one for all, a scalar tensor.

    Raises:
        ValueError: ``log_variance`` has neither the shape of ``mean`` nor that of a scalar.
    """

    mean: Tensor
    log_variance: Tensor
    support: ClassVar[Support] = "continuous"

    def __post_init__(self) -> None:
        """Refuse shapes that would broadcast."""
        _same_shape_or_scalar(self.log_variance, self.mean, "log_variance")

    def log_prob(self, x: Tensor) -> Tensor:
        """Log-density of ``x`` in nats, (B,)."""
        _same_shape(x, self.mean)
        mean, x, log_variance = upcast(self.mean), upcast(x), upcast(self.log_variance)
        if not log_variance.ndim:  # one variance for all values: summing first saves three passes over them
            count = math.prod(mean.shape[1:])
            if log_variance.requires_grad or log_variance.device.type != "cpu":
                return -0.5 * (_squared_distance(x, mean) * torch.exp(-log_variance) + count * (log_variance + LOG_2PI))
            known = float(log_variance)  # calls of a few numbers take longer than what they do
            return _squared_distance(x, mean).mul(-0.5 * math.exp(-known)).sub(0.5 * count * (known + LOG_2PI))
        squares = functional.mse_loss(mean, x, reduction="none")
        return -0.5 * _sum_event(squares * torch.exp(-log_variance) + log_variance + LOG_2PI)

    def sample(self, noise: Noise, name: str) -> Tensor:
        """Draw values, (B, ...)."""
        mean = upcast(self.mean)
        return mean + self._deviation() * noise.normal(name, tuple(mean.shape)).to(mean)

    def sample_with_kl(self, noise: Noise, name: str) -> tuple[Tensor, Tensor]:
        """What ``sample`` and ``kl`` say, (B, D) each."""
        return self.sample(noise, name), self.kl()

    def draw(self, noise: Noise, k: int = 1) -> tuple[Tensor, Tensor]:
        """Draw K codes for each example, together with their log-density: ``z = m + s e``, e standard normal.

        Returns:
            z, (B, K, D), and log q(z), (B, K). Both carry the gradient of the mean and the variance.
        """
        mean = upcast(self.mean)
        (batch, latent) = mean.shape
        e = noise.normal("z", (batch, k, latent)).to(mean)
        z = mean.unsqueeze(1) + self._deviation().expand_as(mean).unsqueeze(1) * e
        log_scale = 0.5 * upcast(self.log_variance).expand_as(mean).sum(1, keepdim=True)
        return z, standard_normal_log_prob(e) - log_scale

    def kl(self) -> Tensor:
        """``KL(N(m, s^2) || N(0, 1)) = 1/2 (m^2 + s^2 - 1 - log s^2)`` for each value, (B, D), nats."""
        mean, log_variance = upcast(self.mean), upcast(self.log_variance)
        return 0.5 * (mean.square() + torch.expm1(log_variance) - log_variance)

    def _deviation(self) -> Tensor:
        return torch.exp(0.5 * upcast(self.log_variance))


class Encoded(Gaussian):
    """The Gaussian of a code, of what an encoder said.

    Args:
        both: mean and log-variance side by side, (B, 2 D), in any precision.

    Raises:
        ValueError: the numbers do not part into as many of each.
    """

    both: Tensor

    def __init__(self, both: Tensor) -> None:
        """Take it whole: training may never ask for its parts."""
        if both.ndim != 2 or both.shape[1] % 2:
            raise ValueError(f"means and log-variances must be (B, 2 D); got {tuple(both.shape)}")
        object.__setattr__(self, "both", both)

    @cached_property
    def mean(self) -> Tensor:
        """(B, D)."""
        return upcast(self.both)[:, : self.both.shape[1] // 2]

    @cached_property
    def log_variance(self) -> Tensor:
        """(B, D)."""
        return upcast(self.both)[:, self.both.shape[1] // 2 :]

    def sample_with_kl(self, noise: Noise, name: str) -> tuple[Tensor, Tensor]:
        """What ``sample`` and ``kl`` say, (B, D) each, in training by one kernel."""
        if not gaussians.quick(self.both):
            return super().sample_with_kl(noise, name)
        examples, both = self.both.shape
        return gaussians.drawn(self.both, noise.normal(name, (examples, both // 2)))


@dataclass(frozen=True)
class Transformed:
    """A Gaussian pushed through a flow: ``z = f(z_0, h)``, ``log q(z) = log q_0(z_0) - log |det df/dz_0|``.

    Source: Rezende and Mohamed 2015, 1505.05770.

    Args:
        base: of z_0, (B, D).
        flow: from z_0 (B, K, D) and h (B, 1, C) to z (B, K, D) and the log-determinant (B, K).
        context: h, what the flow is told about the example, (B, C).
    """

    base: Gaussian
    flow: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
    context: Tensor

    @property
    def mean(self) -> Tensor:
        """Where the flow takes the base's mean, (B, D): a point of the posterior's mass, not its mean."""
        return self.flow(upcast(self.base.mean).unsqueeze(1), self.context.unsqueeze(1))[0].squeeze(1)

    def draw(self, noise: Noise, k: int = 1) -> tuple[Tensor, Tensor]:
        """Draw K codes for each example, (B, K, D), with their log-density, (B, K)."""
        start, log_q = self.base.draw(noise, k)
        z, log_determinant = self.flow(start, self.context.unsqueeze(1))
        return z, log_q - log_determinant


@dataclass(frozen=True)
class DiscretizedLogistic:
    """Independent values on the 256 levels -1, -1 + 2/255, ..., 1 of 8-bit pixels.

    A level has the mass that a logistic distribution puts on its bin; the bins of -1 and 1 reach to infinity
    (Salimans et al. 2017, 1701.05517). With a and b the standardised upper and lower ends of a bin,
    ``log [sigmoid(a) - sigmoid(b)] = log sigmoid(a) + log sigmoid(-b) + log [1 - exp(b - a)]``,
    which loses no digits in the tails; at the edges the terms of the infinite end are zero.

    Args:
        mean: location of the logistic distribution, (B, ...); levels near it are the likeliest.
        log_scale: logarithm of its scale, one for each value, (B, ...), or one for all, a scalar tensor.

    Raises:
        ValueError: ``log_scale`` has neither the shape of ``mean`` nor that of a scalar.
    """

    mean: Tensor
    log_scale: Tensor
    support: ClassVar[Support] = "256 levels"

    def __post_init__(self) -> None:
        """Refuse shapes that would broadcast."""
        _same_shape_or_scalar(self.log_scale, self.mean, "log_scale")

    def log_prob(self, x: Tensor) -> Tensor:
        """Log-probability of levels ``x`` in nats, (B,)."""
        _same_shape(x, self.mean)
        return _sum_event(level_log_mass(upcast(x), upcast(self.mean), upcast(self.log_scale)))

    def sample(self, noise: Noise, name: str) -> Tensor:
        """Draw levels, (B, ...)."""
        mean = upcast(self.mean)
        uniform = noise.uniform(name, tuple(mean.shape)).to(mean)
        return nearest_level(mean + torch.exp(upcast(self.log_scale)) * torch.logit(uniform))


def level_log_mass(x: Tensor, mean: Tensor, log_scale: Tensor) -> Tensor:
    """Log-mass that a logistic distribution puts on the bin of each level ``x``: see ``DiscretizedLogistic``.

    All are float32 or better, and are broadcast: components of a mixture share the levels.
    """
    half = 1 / 255
    precision = torch.exp(-log_scale)
    centred = x - mean
    lowest, highest = x < half - 1, x > 1 - half
    below_upper_end = functional.logsigmoid((centred + half) * precision).masked_fill(highest, 0.0)
    above_lower_end = functional.logsigmoid((half - centred) * precision).masked_fill(lowest, 0.0)
    width = torch.log(-torch.expm1(-2 * half * precision))
    inside = width.expand_as(centred).masked_fill(lowest | highest, 0.0)
    return below_upper_end + above_lower_end + inside


def nearest_level(x: Tensor) -> Tensor:
    """The level of an 8-bit pixel that is nearest to each real number; what lies outside goes to the edges, (...)."""
    return ((x.clamp(-1, 1) + 1) * 127.5).round() / 127.5 - 1


@dataclass(frozen=True)
class Point:
    """The code of a plain autoencoder: all mass on one point.

    Its density there is infinite, and so is its divergence from any Gaussian: a bound made of it is minus
    infinity, which is true, and says that such a model assigns no likelihood.

    Args:
        mean: the point, (B, D).
    """

    mean: Tensor

    def draw(self, noise: Noise, k: int = 1) -> tuple[Tensor, Tensor]:
        """Return the point K times, (B, K, D), and its log-density, which is infinite, (B, K)."""
        z = upcast(self.mean).unsqueeze(1).expand(-1, k, -1)
        return z, torch.full(z.shape[:2], math.inf, dtype=z.dtype, device=z.device)

    def kl(self) -> Tensor:
        """Infinite for each value, (B, D)."""
        return torch.full_like(upcast(self.mean), math.inf)


def unit_gaussian(mean: Tensor) -> Gaussian:
    """The observation of squared error: unit variance, ``-log p(x) = 1/2 |x - m|^2 + D/2 log 2 pi``."""
    return Gaussian(mean, torch.zeros((), device=mean.device))


class SharedGaussian(nn.Module):
    """Gaussian observations with one learned log-variance for all values (Rybkin et al. 2021, 2006.13202)."""

    def __init__(self, log_variance: float = 0.0) -> None:
        """Start at the given log-variance."""
        super().__init__()
        self.log_variance = nn.Parameter(torch.tensor(log_variance))

    def forward(self, mean: Tensor) -> Gaussian:
        """Return the distribution around a decoder's output."""
        return Gaussian(mean, self.log_variance)


class SharedLogistic(nn.Module):
    """Discretised logistic observations with one learned log-scale (Kingma et al. 2016, 1606.04934)."""

    def __init__(self, log_scale: float = -2.0) -> None:
        """Start at the given log-scale; -2 covers about 35 of the 256 levels."""
        super().__init__()
        self.log_scale = nn.Parameter(torch.tensor(log_scale))

    def forward(self, mean: Tensor) -> DiscretizedLogistic:
        """Return the distribution around a decoder's output."""
        return DiscretizedLogistic(mean, self.log_scale)


def _squared_distance(x: Tensor, mean: Tensor) -> Tensor:
    """``sum (x - m)^2`` of each example, (B,)."""
    if mean.requires_grad and not x.requires_grad and x.dtype == mean.dtype == torch.float32 and gaussians.quick(x):
        return gaussians.distances(x, mean)
    # One pass over the values each way; as a difference that is squared it is seven.
    return _sum_event(functional.mse_loss(mean, x, reduction="none"))


def _sum_event(values: Tensor) -> Tensor:
    return values.flatten(1).sum(1)


def _same_shape(x: Tensor, parameter: Tensor) -> None:
    if x.shape != parameter.shape:
        shapes = f"{tuple(parameter.shape)}; got {tuple(x.shape)}"
        raise ValueError(f"x must have the distribution's shape {shapes}")


def _same_shape_or_scalar(parameter: Tensor, mean: Tensor, name: str) -> None:
    if parameter.ndim and parameter.shape != mean.shape:
        shapes = f"{tuple(mean.shape)} or be a scalar; got {tuple(parameter.shape)}"
        raise ValueError(f"{name} must have the mean's shape {shapes}")
