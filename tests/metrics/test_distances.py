"""Distances of features against SciPy's matrix root, closed forms, and sums written out."""

import math

import numpy as np
import pytest
import torch
from scipy.linalg import sqrtm

from reverie.errors import DataError
from reverie.metrics import distances
from reverie.metrics.distances import Moments, frechet_distance, kernel_distance


def cloud(n, width, seed=0, shift=0.0):
    source = torch.Generator().manual_seed(seed)
    mixed = torch.randn(width, width, generator=torch.Generator().manual_seed(seed // 2))
    return torch.randn(n, width, generator=source, dtype=torch.float64) @ mixed.double() + shift


def by_scipy(x, y):
    a, b = (np.cov(each.numpy(), rowvar=False) for each in (x, y))
    apart = ((x.mean(0) - y.mean(0)) ** 2).sum().item()
    return apart + np.trace(a) + np.trace(b) - 2 * np.trace(sqrtm(a @ b)).real


@pytest.mark.parametrize(("n", "width"), [(500, 3), (400, 32), (5000, 64)])
def test_frechet_distance_is_that_of_the_matrix_root(n, width):
    x, y = cloud(n, width), cloud(n + 50, width, seed=5, shift=0.3)
    assert frechet_distance(Moments.of(x), Moments.of(y)) == pytest.approx(by_scipy(x, y), rel=1e-9)


def test_frechet_distance_of_diagonal_gaussians_is_closed():
    mean, a, b = (torch.tensor(v, dtype=torch.float64) for v in ([1.0, -2.0, 0.5], [1.0, 4.0, 0.25], [9.0, 1.0, 0.25]))
    first, second = Moments(torch.zeros(3).double(), a.diag(), 10), Moments(mean, b.diag(), 10)
    expected = 5.25 + ((a.sqrt() - b.sqrt()) ** 2).sum().item()  # 5.25 = |mean|^2
    assert frechet_distance(first, second) == pytest.approx(expected, rel=1e-12)
    assert frechet_distance(second, first) == pytest.approx(expected, rel=1e-12)


def test_fewer_rows_than_features_need_no_help():
    """Of rank 19 in 40 dimensions: rotating both sets changes nothing, and a set is at no distance from itself."""
    x, y = cloud(20, 40), cloud(20, 40, seed=4)
    turn = torch.linalg.qr(cloud(40, 40, seed=9)).Q
    plain = frechet_distance(Moments.of(x), Moments.of(y))
    assert frechet_distance(Moments.of(x @ turn), Moments.of(y @ turn)) == pytest.approx(plain, rel=1e-9)
    assert abs(frechet_distance(Moments.of(x), Moments.of(x))) < 1e-6 * Moments.of(x).spread
    gram = (x - x.mean(0)) @ (y - y.mean(0)).T / 19  # tr (S_a S_b)^(1/2) is the nuclear norm of A B'
    apart = ((x.mean(0) - y.mean(0)) ** 2).sum().item() + Moments.of(x).spread + Moments.of(y).spread
    assert plain == pytest.approx(apart - 2 * torch.linalg.svdvals(gram).sum().item(), rel=1e-7)


def test_its_bias_is_what_the_docstring_says():
    """Two samples of one standard normal: (D^2 + 5 D) / 2N, over 40 pairs within four standard errors and 5 %."""
    width, n = 16, 500
    found = [
        frechet_distance(Moments.of(torch.randn(n, width, generator=g)), Moments.of(torch.randn(n, width, generator=g)))
        for g in (torch.Generator().manual_seed(seed) for seed in range(40))
    ]
    mean, error = np.mean(found), np.std(found) / math.sqrt(40)
    assert abs(mean - (width**2 + 5 * width) / (2 * n)) < 4 * error + 0.05 * mean


def test_its_bias_is_smaller_where_variances_differ():
    """Of variances 1/i in 64 dimensions it is 1.7 times smaller than of equal ones with their sum."""
    n, width = 2000, 64
    scale = torch.arange(1, width + 1, dtype=torch.float64).rsqrt()
    sets = [torch.randn(n, width, generator=torch.Generator().manual_seed(s)).double() * scale for s in range(12)]
    found = [frechet_distance(Moments.of(a), Moments.of(b)) for a, b in zip(sets[::2], sets[1::2], strict=True)]
    most = (width**2 + 5 * width) * float(scale.square().sum()) / (2 * n * width)
    assert most / (sum(found) / len(found)) == pytest.approx(1.7, abs=0.1)


def test_neither_order_nor_precision_of_the_rows_counts():
    x, y = cloud(600, 12), cloud(600, 12, seed=5)
    order = torch.randperm(600, generator=torch.Generator().manual_seed(1))
    plain = frechet_distance(Moments.of(x), Moments.of(y))
    assert frechet_distance(Moments.of(x[order]), Moments.of(y)) == pytest.approx(plain, rel=1e-11)
    far = 1000.0  # a mean far from zero costs float32 its covariance
    shifted = frechet_distance(Moments.of((x + far).float()), Moments.of((y + far).float()))
    assert shifted == pytest.approx(plain, rel=1e-3)


def discrepancy(x, y):
    def mean(a, b, same=False):
        total = sum(
            (float(p @ q) / len(p) + 1) ** 3 for i, p in enumerate(a) for j, q in enumerate(b) if not (same and i == j)
        )
        return total / (len(a) * (len(b) - same))

    return mean(x, x, True) + mean(y, y, True) - 2 * mean(x, y)


def test_kernel_distance_is_the_sum_written_out(monkeypatch):
    monkeypatch.setattr(distances, "BLOCK", 7 * 30)
    x, y = cloud(30, 4), cloud(25, 4, seed=3, shift=0.5)
    value, error = kernel_distance(x, y)
    assert value == pytest.approx(discrepancy(x.numpy(), y.numpy()), rel=1e-10)
    assert error > 0
    order = torch.randperm(30, generator=torch.Generator().manual_seed(1))
    assert kernel_distance(x[order], y)[0] == pytest.approx(value, rel=1e-10)
    assert kernel_distance(x[:12], y)[1] is None


def test_kernel_distance_is_unbiased_and_its_error_is_honest():
    """Pairs of samples of one law: zero within four standard errors, and deviations as large as errors say."""
    found = []
    for seed in range(60):
        source = torch.Generator().manual_seed(seed)
        found.append(kernel_distance(*(torch.randn(300, 5, generator=source) for _ in range(2)), seed=seed))
    values, errors = np.array(found).T
    assert abs(values.mean()) < 4 * values.std() / math.sqrt(60)
    assert 0.8 < errors.mean() / values.std() < 2.5
    assert (values < 0).any()


@pytest.mark.parametrize(
    ("x", "words"),
    [
        (torch.zeros(1, 3), "N of at least 2"),
        (torch.zeros(3), "matrices"),
        (torch.full((4, 3), math.nan), "not finite"),
    ],
)
def test_what_is_no_set_of_features_is_refused(x, words):
    with pytest.raises(DataError, match=words):
        Moments.of(x)


def test_widths_must_agree():
    with pytest.raises(DataError, match="one width"):
        kernel_distance(torch.zeros(4, 3), torch.zeros(4, 2))
