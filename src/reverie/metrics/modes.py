"""Which classes samples show, how evenly, and what a perfect generator would show at that number of samples."""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from reverie.errors import DataError


def effective_classes(counts: Tensor) -> float:
    """The effective number of classes, ``exp(H)`` with H the entropy of their shares.

    It is C if all classes are equal, and 1 if one class is all there is.

    Args:
        counts: samples of each class, (C,).

    Example:
        >>> effective_classes(torch.tensor([5, 5, 0])), effective_classes(torch.tensor([7, 0, 0]))
        (2.0, 1.0)
    """
    return math.exp(_entropy(counts))


def _entropy(counts: Tensor) -> float:
    if not counts.sum() > 0:
        raise DataError("There are no samples to count the classes of.")
    shares = counts.double() / counts.sum()
    return float(-torch.special.xlogy(shares, shares).sum())


class Modes(NamedTuple):
    """How many of the modes were seen, and ``KL(samples || uniform)`` in nats."""

    seen: float
    divergence: float


def modes(which: Tensor, total: int) -> Modes:
    """Modes that have a sample, and the divergence of their shares from the uniform law, ``log M - H``.

    Source: the test of stacked digits, Metz et al. 2017, arXiv:1611.02163; Srivastava et al. 2017, arXiv:1705.07761.

    Args:
        which: the mode of each sample, (N,) int64 below ``total``.
        total: modes that there are, M.
    """
    counts = torch.bincount(which, minlength=total)
    return Modes(float((counts > 0).sum()), math.log(total) - _entropy(counts))


def perfect_modes(n: int, total: int) -> Modes:
    """What n draws from the uniform law over M modes give in the mean, in nats: the floor of any generator at that n.

    ``E[seen] = M (1 - (1 - 1/M)^n)``, and with c ~ Binomial(n, 1/M) for each mode
    ``E[KL] = log M + M E[c/n log(c/n)]``, both exact; about ``(M - 1) / 2n`` when n is large.

    Example:
        >>> floor = perfect_modes(26_000, 1000)
        >>> round(floor.seen), round(floor.divergence, 4)
        (1000, 0.0193)
    """
    counts = torch.arange(1, n + 1, dtype=torch.float64)
    size, share = torch.tensor(float(n), dtype=torch.float64), counts / n
    log_choose = torch.lgamma(size + 1) - torch.lgamma(counts + 1) - torch.lgamma(size - counts + 1)
    log_mass = log_choose - counts * math.log(total) + (n - counts) * math.log1p(-1 / total)
    mean = float((log_mass.exp() * share * share.log()).sum())
    return Modes(total * -math.expm1(n * math.log1p(-1 / total)), math.log(total) + total * mean)


def stacked(digits: Tensor, classes: int = 10) -> Tensor:
    """The mode of each stack of pictures, (N,): its classes, (N, C), read as one number.

    Example:
        >>> stacked(torch.tensor([[1, 2, 3], [0, 0, 7]]))
        tensor([123,   7])
    """
    places = classes ** torch.arange(digits.shape[1] - 1, -1, -1)
    return (digits * places).sum(1)
