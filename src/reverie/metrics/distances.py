"""Distances between two sets of features: Fréchet and kernel. Pure functions of matrices, in float64."""

from dataclasses import dataclass

import torch
from torch import Tensor

from reverie.engine.noise import generator
from reverie.errors import DataError

BLOCK = 2**18  # numbers of a kernel matrix that are held at once: they stay in the processor's cache
SUBSETS = 10  # disjoint ones, that the error of a kernel distance is read from


@dataclass(frozen=True)
class Moments:
    """Mean and covariance of features: all that the Fréchet distance knows of a set.

    Args:
        mean: (D,), float64.
        covariance: (D, D), float64, with N - 1 in the denominator.
        n: how many rows they are of.
    """

    mean: Tensor
    covariance: Tensor
    n: int

    @classmethod
    def of(cls, features: Tensor) -> "Moments":
        """The moments of features (N, D).

        Raises:
            DataError: there are fewer than two rows.
        """
        check_features(features)
        held = features.double()
        centred = held - held.mean(0)
        return cls(held.mean(0), centred.T @ centred / (len(held) - 1), len(held))

    @property
    def spread(self) -> float:
        """The total variance, ``tr S``."""
        return float(self.covariance.trace())


def frechet_distance(a: Moments, b: Moments) -> float:
    """The squared Fréchet distance of the two Gaussians with these moments.

    ``|m_a - m_b|^2 + tr S_a + tr S_b - 2 tr (S_a S_b)^(1/2)``. The last trace is the sum of the singular values of
    ``S_a^(1/2) S_b^(1/2)``, so that no root of a matrix without symmetry is taken and nothing imaginary is dropped;
    covariances without full rank need no added diagonal. It is biased upwards, the more the smaller N is: two
    samples of N rows each from one Gaussian in D dimensions are at most about ``(D^2 + 5 D) tr S / (2 N D)`` apart,
    which is reached for equal variances; of variances 1/i, i = 1 to 64, they are 1.7 times nearer.
    Source: Dowson and Landau 1982; for images Heusel et al. 2017, arXiv:1706.08500.
    """
    between = float((a.mean - b.mean).square().sum())
    common = float(torch.linalg.svdvals(_root(a.covariance) @ _root(b.covariance)).sum())
    return between + a.spread + b.spread - 2 * common


def _root(symmetric: Tensor) -> Tensor:
    """The symmetric square root of a covariance; eigenvalues below zero are rounding."""
    values, vectors = torch.linalg.eigh(symmetric)
    root: Tensor = (vectors * values.clamp(min=0).sqrt()) @ vectors.T
    return root


def kernel_distance(x: Tensor, y: Tensor, *, seed: int = 0) -> tuple[float, float | None]:
    """The unbiased squared maximum mean discrepancy under the kernel ``k(a, b) = (a.b / D + 1)^3``, and its error.

    ``mean k(x_i, x_j) over i != j + mean k(y_i, y_j) over i != j - 2 mean k(x_i, y_j)``: zero in expectation for one
    law, so that it may be negative. The value is of all rows; its standard error is that of the mean over ten
    disjoint subsets, drawn by the seed: a little more than that of all rows where the two laws are far apart, and up to
    about sqrt(10) times as much where they are near, since the estimate's error then falls as 1/N.
    Source: Bińkowski et al. 2018, arXiv:1801.01401.

    Args:
        x: (N, D).
        y: (M, D).
        seed: of the subsets.

    Returns:
        The value, and its standard error, or None where a subset would have fewer than two rows.
    """
    check_features(x, y)
    x, y = x.double(), y.double()
    if min(len(x), len(y)) < 2 * SUBSETS:
        return _discrepancy(x, y), None
    parts = zip(_shuffled(x, seed, 0).tensor_split(SUBSETS), _shuffled(y, seed, 1).tensor_split(SUBSETS), strict=True)
    each = torch.tensor([_discrepancy(a, b) for a, b in parts], dtype=torch.float64)
    return _discrepancy(x, y), float(each.std() / SUBSETS**0.5)


def _shuffled(x: Tensor, seed: int, which: int) -> Tensor:
    return x[torch.randperm(len(x), generator=generator(seed, "kernel distance", which))]


def _discrepancy(x: Tensor, y: Tensor) -> float:
    n, m = len(x), len(y)
    within = (_kernel_sum(x, x) - _own(x)) / (n * (n - 1)) + (_kernel_sum(y, y) - _own(y)) / (m * (m - 1))
    return float(within - 2 * _kernel_sum(x, y) / (n * m))


def _kernel_sum(x: Tensor, y: Tensor) -> Tensor:
    """The sum of the kernel over all pairs, a block of rows at a time."""
    rows, held = max(1, BLOCK // len(y)), y.T / y.shape[1]
    return torch.stack([_cube((part @ held).add_(1)).sum() for part in torch.split(x, rows)]).sum()


def _own(x: Tensor) -> Tensor:
    """The sum of the kernel of every row with itself."""
    return _cube(x.square().sum(1) / x.shape[1] + 1).sum()


def _cube(x: Tensor) -> Tensor:
    return x * x * x  # a power is ten times as slow


def check_features(*sets: Tensor) -> None:
    """Refuse features that are no finite matrices (N, D) of one width with two rows at least.

    Raises:
        DataError: that is so.
    """
    for x in sets:
        if x.dim() != 2 or len(x) < 2 or x.shape[1] != sets[0].shape[1]:
            shapes = " and ".join(str(tuple(each.shape)) for each in sets)
            raise DataError(f"Features are matrices (N, D) of one width D with N of at least 2; got {shapes}.")
        if not x.isfinite().all():
            raise DataError("Features hold numbers that are not finite: look for NaN in the images.")
