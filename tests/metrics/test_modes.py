"""Modes against counts by hand, and the floor of a perfect generator against simulated ones."""

import math

import numpy as np
import pytest
import torch
from scipy.stats import binom, entropy

from reverie.errors import DataError
from reverie.metrics.modes import effective_classes, modes, perfect_modes, stacked


def test_the_effective_number_of_classes_is_the_exponential_of_the_entropy():
    counts = torch.tensor([3, 1, 0, 9, 7])
    assert effective_classes(counts) == pytest.approx(math.exp(entropy(counts.numpy())), rel=1e-12)
    assert effective_classes(torch.full((10,), 4)) == pytest.approx(10, rel=1e-12)
    with pytest.raises(DataError, match="no samples"):
        effective_classes(torch.zeros(3))


def test_modes_are_counted_and_their_divergence_is_from_the_uniform_law():
    which = torch.tensor([0, 0, 0, 2, 2, 5])
    found = modes(which, 8)
    assert found.seen == 3
    shares = np.array([3, 0, 2, 0, 0, 1, 0, 0]) / 6
    assert found.divergence == pytest.approx(entropy(shares, np.full(8, 1 / 8)), rel=1e-12)


@pytest.mark.parametrize(("n", "seen", "divergence"), [(2000, 863, 0.285), (5000, 993, 0.104), (26_000, 1000, 0.0194)])
def test_the_floor_is_that_of_simulated_perfect_generators(n, seen, divergence):
    """Within four standard errors of 40 simulations; and the figures that were measured before, to their digits."""
    floor = perfect_modes(n, 1000)
    source = torch.Generator().manual_seed(n)
    found = np.array([modes(torch.randint(0, 1000, (n,), generator=source), 1000) for _ in range(40)])
    mean, error = found.mean(0), found.std(0) / math.sqrt(40)
    assert abs(floor.seen - mean[0]) <= 4 * error[0] + 0.01
    assert abs(floor.divergence - mean[1]) < 4 * error[1]
    assert floor.seen == pytest.approx(seen, abs=2)
    assert floor.divergence == pytest.approx(divergence, rel=0.01)


def test_the_floor_is_the_binomial_sum_of_scipy():
    n, total = 60, 7
    counts = np.arange(1, n + 1)
    mean = (binom.pmf(counts, n, 1 / total) * counts / n * np.log(counts / n)).sum()
    assert perfect_modes(n, total).divergence == pytest.approx(math.log(total) + total * mean, rel=1e-10)
    assert perfect_modes(n, total).seen == pytest.approx(total * (1 - (1 - 1 / total) ** n), rel=1e-12)


def test_a_stack_is_a_number():
    assert stacked(torch.tensor([[9, 9, 9], [0, 1, 0]])).tolist() == [999, 10]
    assert stacked(torch.tensor([[1, 2]]), classes=3).tolist() == [5]
