"""Costs of the adversarial game, of logits, per example: what the critic pays, and what the generator pays.

A critic gives one logit l for each image, high where it takes the image for real; ``D(x) = sigmoid(l(x))``. No cost
ever forms the probability: ``log D = -softplus(-l)`` and ``log(1 - D) = -softplus(l)`` are exact where sigmoid is 0 or
1 in floating point, and so are their gradients.

==================  =========================================  ===================  ====================
cost                critic, of real r and fake f               generator            its slope in f
==================  =========================================  ===================  ====================
minimax             softplus(-r) + softplus(f)                 -softplus(f)         -sigmoid(f)
non-saturating      softplus(-r) + softplus(f)                 softplus(-f)         sigmoid(f) - 1
maximum likelihood  softplus(-r) + softplus(f)                 -log mean exp(f)     -exp(f) / sum exp(f)
least squares       (r - b)^2 / 2 + (f - a)^2 / 2              (f - c)^2 / 2        f - c
Wasserstein         f - r                                      -f                   -1
hinge               relu(1 - r) + relu(1 + f)                  -f                   -1
relativistic        softplus(f - r)                            softplus(r - f)      -sigmoid(r - f)
==================  =========================================  ===================  ====================
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import softplus

from reverie.errors import UsageError


def no_figures(fake: Tensor) -> Mapping[str, Tensor]:
    """Nothing to watch of logits (B,)."""
    return {}


@dataclass(frozen=True)
class Cost:
    """What the players pay, each (B,) per example, of logits (B,).

    Args:
        critic: of the logits of real and of fake images.
        generator: of the logits of fake images, and of those of real ones where the cost is paired.
        paired: whether a pair of one real and one fake image is judged together.
        watch: figures of the generator's logits worth logging.
    """

    critic: Callable[[Tensor, Tensor], Tensor]
    generator: Callable[[Tensor, Tensor | None], Tensor]
    paired: bool = False
    watch: Callable[[Tensor], Mapping[str, Tensor]] = no_figures


def minimax(smoothing: float = 0.0) -> Cost:
    """The game of the value ``E log D(x) + E log(1 - D(G(z)))``, which both players play (Goodfellow et al. 2014).

    The generator's slope is ``-sigmoid(f)``: it vanishes where the critic is sure of itself, so the game saturates.
    Source: 1406.2661, equation 1.

    Args:
        smoothing: how far the target of real images lies below 1, see ``cross_entropy``.
    """
    return Cost(cross_entropy(smoothing), lambda fake, real: -softplus(_checked(fake)))


def non_saturating(smoothing: float = 0.0) -> Cost:
    """The same critic; the generator raises ``log D(G(z))``, with slope ``sigmoid(f) - 1`` (Goodfellow et al. 2014).

    Its fixed point is that of ``minimax``, and its slope is 1 where that of ``minimax`` is 0.
    Source: 1406.2661, section 3.

    Args:
        smoothing: how far the target of real images lies below 1, see ``cross_entropy``.
    """
    return Cost(cross_entropy(smoothing), lambda fake, real: softplus(-_checked(fake)))


def maximum_likelihood(smoothing: float = 0.0) -> Cost:
    """The same critic; the generator raises ``log E exp(f)``, whose slope is that of the likelihood.

    With the best critic ``exp(f) = p_data / p_model``, so that the slope of ``-E exp(f)`` is that of the likelihood,
    estimated by importance weights. Those weights have mean 1 there, so that dividing by their mean over the batch
    changes nothing at the best critic: the cost is ``-log mean exp(f)``, the same for each row, with slope
    ``-exp(f_i) / sum_j exp(f_j)``. ``-mean exp(f)`` itself overflows float32 at a logit of 89. A few samples carry the
    slope: ``effective`` is the share of the batch that does.

    Source: Goodfellow 2014, 1412.6515; Goodfellow's tutorial 2016, 1701.00160, section 3.2.4.

    Args:
        smoothing: how far the target of real images lies below 1, see ``cross_entropy``.
    """

    def generator(fake: Tensor, real: Tensor | None) -> Tensor:
        return (math.log(len(fake)) - torch.logsumexp(_checked(fake), 0)).expand_as(fake)

    return Cost(cross_entropy(smoothing), generator, watch=lambda fake: {"effective": effective_share(fake)})


def least_squares(fake: float = 0.0, real: float = 1.0, aim: float = 1.0) -> Cost:
    """Targets in place of classes (Mao et al. 2017, 1611.04076, equation 9).

    Args:
        fake: the critic's target a for fake images.
        real: its target b for real ones.
        aim: the generator's target c. ``b - c = 1`` and ``b - a = 2`` make the game a Pearson divergence.
    """

    def critic(r: Tensor, f: Tensor) -> Tensor:
        _alike(r, f)
        return ((r - real).square() + (f - fake).square()) / 2

    return Cost(critic, lambda f, r: (_checked(f) - aim).square() / 2)


def wasserstein(drift: float = 0.0) -> Cost:
    """The difference of means, for a critic that is kept 1-Lipschitz (Arjovsky et al. 2017, 1701.07875).

    Args:
        drift: weight of the real logits' squares, which keeps them near 0 (Karras et al. 2018, 1710.10196, A.1).
    """

    def critic(real: Tensor, fake: Tensor) -> Tensor:
        _alike(real, fake)
        return fake - real + drift * real.square()

    return Cost(critic, lambda fake, real: -_checked(fake))


def hinge() -> Cost:
    """Margins of 1 for the critic, the mean for the generator (Lim & Ye 2017, 1705.02894; Miyato et al. 1802.05957)."""

    def critic(real: Tensor, fake: Tensor) -> Tensor:
        _alike(real, fake)
        return torch.relu(1 - real) + torch.relu(1 + fake)

    return Cost(critic, lambda fake, real: -_checked(fake))


def relativistic() -> Cost:
    """Each real image against one fake image (Jolicoeur-Martineau 2018, 1807.00734; Huang et al. 2025, 2501.05441).

    The critic pays ``softplus(f - r)``, the generator ``softplus(r - f)``, which does not saturate where the critic
    wins; a constant added to the critic changes nothing. The best critic is ``log p_data / p_model`` up to a constant.
    """

    def critic(real: Tensor, fake: Tensor) -> Tensor:
        _alike(real, fake)
        return softplus(fake - real)

    def generator(fake: Tensor, real: Tensor | None) -> Tensor:
        if real is None:
            raise ValueError("the relativistic cost needs the logits of real images in the generator's turn")
        return critic(fake, real)

    return Cost(critic, generator, paired=True)


def cross_entropy(smoothing: float = 0.0) -> Callable[[Tensor, Tensor], Tensor]:
    """``-(1 - s) log D(x) - s log(1 - D(x)) - log(1 - D(G(z)))``, the critic's cost of three of the games, (B,).

    Smoothing is one-sided (Salimans et al. 2016, 1606.03498): with targets ``1 - s`` and 0 the best critic is
    ``(1 - s) p_data / (p_data + p_model)``; a target above 0 for fakes would put p_model into the numerator, and reward
    the generator for staying where it is.

    Args:
        smoothing: s, from 0 to below 1/2.

    Raises:
        UsageError: s is outside that range.
    """
    if not 0 <= smoothing < 0.5:
        raise UsageError(f"--smoothing lowers the target of real images from 1 and must be below 0.5; got {smoothing}.")

    def critic(real: Tensor, fake: Tensor) -> Tensor:
        _alike(real, fake)
        # (1 - s) softplus(-r) + s softplus(r), with softplus(r) = softplus(-r) + r
        value = softplus(-real) + softplus(fake)
        return value + smoothing * real if smoothing else value

    return critic


def effective_share(log_weights: Tensor) -> Tensor:
    """``(sum w)^2 / (B sum w^2)``, a number (): 1 for equal weights ``w = exp(l)``, 1 / B when one of them is all."""
    return torch.exp(2 * torch.logsumexp(log_weights, 0) - torch.logsumexp(2 * log_weights, 0)) / len(log_weights)


def ranked(real: Tensor, fake: Tensor) -> Tensor:
    """Share of pairs (real i, fake j) whose real logit is the higher, ties by half, a number (): the batch's AUC.

    1/2 says that the critic cannot tell, 1 that it is never wrong (Mann and Whitney 1947).
    """
    _alike(real, fake)
    difference = real[:, None] - fake[None, :]
    return (difference.sign().mean() + 1) / 2


def _checked(logits: Tensor) -> Tensor:
    if logits.ndim != 1:
        raise ValueError(f"logits must be (B,), one for each image; got {tuple(logits.shape)}")
    return logits


def _alike(real: Tensor, fake: Tensor) -> None:
    if _checked(real).shape != _checked(fake).shape:
        raise ValueError(f"as many real as fake logits are needed; got {len(real)} and {len(fake)}")
