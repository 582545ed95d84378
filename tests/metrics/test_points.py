"""Modes and good points against closed forms, and the sliced distance against SciPy and an integral."""

import math

import numpy as np
import pytest
import torch
from scipy import stats

from reverie.data.points import grid, ring
from reverie.engine.noise import ItemNoise, StepNoise
from reverie.errors import DataError
from reverie.metrics.points import ANGLES, GOOD, found_modes, sliced_wasserstein

N = 20_000


def test_of_the_law_itself_all_modes_are_found_and_the_share_is_that_of_chi_squared():
    assert pytest.approx(stats.chi2(2).cdf(9)) == GOOD
    for law in (ring(), grid()):
        modes, good = found_modes(law.draw(StepNoise((0,), 0, N), N), law.centres, law.sigma)
        assert modes == len(law.centres)
        assert abs(good - GOOD) < 4 * math.sqrt(GOOD * (1 - GOOD) / N)


def test_a_mode_is_found_from_a_tenth_of_its_fair_share_on():
    centres = torch.tensor([[0.0, 0.0], [1.0, 0.0]])
    for few, modes in ((9, 1), (10, 2)):  # of 200 points a fair share is 100
        points = torch.cat([centres[:1].expand(200 - few, 2), centres[1:].expand(few, 2)])
        assert found_modes(points, centres, 0.1) == (modes, 1.0)


def test_a_point_is_good_up_to_three_standard_deviations_from_the_nearest_centre():
    centres = torch.tensor([[0.0, 0.0], [1.0, 0.0]])
    points = torch.tensor([[0.0, 0.299], [0.0, 0.301], [0.71, 0.0], [0.5, 0.0]])
    assert found_modes(points, centres, 0.1) == (2, 0.5)
    assert found_modes(points[[1, 3]], centres, 0.1) == (0, 0.0)


def test_a_shift_costs_two_over_pi_of_its_length():
    points, shift = torch.randn(500, 2, generator=torch.Generator().manual_seed(0)), torch.tensor([0.3, -0.4])
    assert sliced_wasserstein(points, points.flip(0)) == pytest.approx(0, abs=1e-12)
    assert sliced_wasserstein(points, points + shift) == pytest.approx(2 / math.pi * 0.5, rel=1e-3)


def test_two_gaussians_of_different_width():
    """In each direction W1 of N(0, s^2) and N(0, t^2) is |s - t| E|z| with E|z| = sqrt(2 / pi)."""
    points = torch.randn(N, 2, generator=torch.Generator().manual_seed(1))
    assert sliced_wasserstein(points, 3 * points) == pytest.approx(2 * math.sqrt(2 / math.pi), rel=0.01)


def test_each_direction_is_scipys_distance():
    a, b = torch.randn(2, 300, 2, generator=torch.Generator().manual_seed(2)).unbind()
    b = b * torch.tensor([0.2, 1.5]) + 0.3
    angles = np.pi * np.arange(ANGLES) / ANGLES
    directions = np.stack([np.cos(angles), np.sin(angles)])
    pairs = zip((a.numpy() @ directions).T, (b.numpy() @ directions).T, strict=True)
    expected = np.mean([stats.wasserstein_distance(first, second) for first, second in pairs])
    assert sliced_wasserstein(a, b) == pytest.approx(expected, rel=1e-6)
    assert sliced_wasserstein(b, a) == pytest.approx(expected, rel=1e-6)


def test_missing_modes_cost_more_than_two_draws_of_one_law():
    law, n = ring(), 2000
    a, b = (law.draw(ItemNoise((key,), range(n)), n) for key in "ab")
    half = b[b[:, 0] > 0].repeat(3, 1)[:n]
    assert sliced_wasserstein(a, half) > 10 * sliced_wasserstein(a, b)


def test_sets_of_different_sizes_are_refused():
    with pytest.raises(DataError, match="3 and 2"):
        sliced_wasserstein(torch.zeros(3, 2), torch.zeros(2, 2))
