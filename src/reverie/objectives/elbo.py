"""Lower bounds of the log-likelihood, per example, in nats."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from reverie.errors import UsageError
from reverie.protocols import LatentDensity, LogProb, Loss, Noise


def elbo(log_likelihood: Tensor, kl: Tensor, beta: float = 1.0) -> Tensor:
    """The evidence lower bound ``E_q[log p(x|z)] - beta KL(q(z|x) || p(z))``.

    Source: Kingma & Welling 2014, 1312.6114; with ``beta`` other than 1, Higgins et al. 2017. With
    ``beta`` below 1 it is no bound.

    Args:
        log_likelihood: log p(x|z) at a draw from q, (B,).
        kl: the divergence, exact or from the same draw, (B,).
        beta: weight of the divergence.

    Returns:
        (B,).

    Raises:
        ValueError: the two are not of one shape (B,).
    """
    if log_likelihood.ndim != 1 or log_likelihood.shape != kl.shape:
        shapes = f"{tuple(log_likelihood.shape)} and {tuple(kl.shape)}"
        raise ValueError(f"log_likelihood and kl must have one shape (B,); got {shapes}")
    return torch.sub(log_likelihood, kl, alpha=beta)


@dataclass(frozen=True)
class Bound:
    """Which bound a latent-variable model is trained on. Reported figures know nothing of it.

    Args:
        beta: weight of the divergence (Higgins et al. 2017); 1 is the likelihood's bound.
        free_bits: the least that each part of the divergence counts, nats (Kingma et al. 2016, 1606.04934).
        warmup: part of the budget over which the divergence's weight rises from 0 to ``beta`` (Sonderby et al.
            2016, 1602.02282).
        k: draws of the importance-weighted bound (Burda et al. 2016, 1509.00519); 1 is the evidence lower bound.

    Raises:
        UsageError: several draws together with a beta, free bits or a warm-up, which belong to the ELBO.
    """

    beta: float = 1.0
    free_bits: float = 0.0
    warmup: float = 0.0
    k: int = 1

    def __post_init__(self) -> None:
        """Refuse what does not go together."""
        if self.k > 1 and (self.beta != 1 or self.free_bits or self.warmup):
            raise UsageError(
                f"The importance-weighted bound of {self.k} draws has no separate divergence to weigh: leave beta at "
                "1, and free bits and warm-up at 0, or train with 1 draw."
            )

    def of(self, log_likelihood: Tensor, kl: Tensor, progress: float) -> Tensor:
        """The weighed evidence lower bound of each example, (B,), from log p(x|z), (B,), and KL, (B, parts)."""
        paid = free_bits(kl, self.free_bits) if self.free_bits else kl.sum(1)
        rise = min(1.0, progress / self.warmup) if self.warmup else 1.0
        return elbo(log_likelihood, paid, self.beta * rise)


def free_bits(kl: Tensor, nats: float) -> Tensor:
    """The divergence with a floor under the batch's mean of each part: ``sum_j max(nats, mean_B KL_j)``.

    A part below its floor gets no gradient, so that early training does not switch it off. This is an objective of
    training and never a reported figure. The mean is that of the rows given: with ranks, of each rank's share.
    Source: Kingma et al. 2016, 1606.04934, equation 15.

    Args:
        kl: (B, parts).
        nats: the floor of each part; 0 leaves the divergence as it is, where no part is negative.

    Returns:
        (B,), whose mean is the sum above.
    """
    return torch.where(kl.mean(0) > nats, kl, torch.full_like(kl, nats)).sum(1)


def importance_bound(log_weights: Tensor) -> Tensor:
    """The importance-weighted bound ``log 1/K sum_k w_k`` (Burda et al. 2016, 1509.00519).

    It rises with K in expectation, from the evidence lower bound at K = 1 to log p(x).

    Args:
        log_weights: log p(x, z_k) - log q(z_k|x), (B, K).

    Returns:
        (B,).

    Raises:
        ValueError: ``log_weights`` is not (B, K) with K at least 1.
    """
    _check_weights(log_weights)
    return torch.logsumexp(log_weights, 1) - math.log(log_weights.shape[1])


def importance_loss(log_likelihood: Tensor, log_ratio: Tensor) -> Loss:
    """Minus the importance-weighted bound of each example, to be trained (Burda et al. 2016, 1509.00519).

    Args:
        log_likelihood: log p(x|z_k), (B, K).
        log_ratio: log p(z_k) - log q(z_k|x), (B, K).

    Returns:
        The loss, (B,), with the means over draws of its two parts for the logs.
    """
    logs = {"reconstruction": -log_likelihood.detach().mean(1), "kl": -log_ratio.detach().mean(1)}
    return Loss(-importance_bound(log_likelihood + log_ratio), logs)


def importance_log_prob(model: LatentDensity, x: Tensor, noise: Noise, k: int, *label: Tensor | None) -> LogProb:
    """The importance-weighted bound of log p(x), or of log p(x|label), with k draws (Burda et al. 2016, 1509.00519).

    Raises:
        UsageError: k is below 1.
    """
    if k < 1:
        raise UsageError(f"The number of importance samples must be at least 1; got {k}.")
    log_likelihood, log_ratio = model.log_weights(x, model.infer(x, *label), noise, k)
    return LogProb(importance_bound(log_likelihood + log_ratio), "bound")


class LogMeanExp:
    """The importance-weighted bound of draws that come in chunks, in float64.

    Divides by the number of draws that came, not by the number that were planned.

    Example:
        >>> total = LogMeanExp()
        >>> total.add(torch.tensor([[0.0, 0.0]]))
        >>> total.add(torch.tensor([[math.log(4.0)]]))
        >>> round(float(total.bound().exp()), 6)  # the mean of 1, 1 and 4
        2.0
    """

    def __init__(self) -> None:
        """Start with no draws."""
        self.count = 0
        self._log_sum = torch.tensor(-math.inf, dtype=torch.float64)
        self._log_sum_of_squares = self._log_sum

    def add(self, log_weights: Tensor) -> None:
        """Take in more log-weights of the same examples, (B, K)."""
        _check_weights(log_weights)
        log_weights = log_weights.double()
        self.count += log_weights.shape[1]
        self._log_sum = torch.logaddexp(self._log_sum.to(log_weights.device), log_weights.logsumexp(1))
        squares = (2 * log_weights).logsumexp(1)
        self._log_sum_of_squares = torch.logaddexp(self._log_sum_of_squares.to(log_weights.device), squares)

    def bound(self) -> Tensor:
        """``log 1/K sum_k w_k``, (B,)."""
        self._check_drawn()
        return self._log_sum - math.log(self.count)

    def effective_sample_size(self) -> Tensor:
        """``(sum_k w_k)^2 / sum_k w_k^2``, (B,): K for equal weights, 1 when one of them is all."""
        self._check_drawn()
        return torch.exp(2 * self._log_sum - self._log_sum_of_squares)

    def _check_drawn(self) -> None:
        if not self.count:
            raise ValueError("no log-weights were added")


def _check_weights(log_weights: Tensor) -> None:
    if log_weights.ndim != 2 or not log_weights.shape[1]:
        raise ValueError(f"log_weights must be (B, K) with K at least 1; got {tuple(log_weights.shape)}")
