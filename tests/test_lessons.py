"""Lessons hold: every curve against autograd, a closed form, or another way to the same number."""

import math

import numpy as np
import pytest
import torch
from scipy.spatial.distance import jensenshannon
from scipy.special import rel_entr

from reverie.lessons import GUESSES, HUMPS, LETTERS, costs, duel, fits, jensen_shannon, kl, orbit


@pytest.mark.parametrize(
    ("name", "cost"),
    [
        ("minimax", lambda logit: torch.log(1 - logit.sigmoid())),
        ("non-saturating", lambda logit: -torch.log(logit.sigmoid())),
        ("maximum likelihood", lambda logit: -logit.exp()),
    ],
)
def test_costs_and_slopes_are_those_of_autograd(name, cost):
    lesson = costs(50)
    logit = torch.tensor(np.log(lesson.answer / (1 - lesson.answer)), requires_grad=True)
    value = cost(logit)
    np.testing.assert_allclose(lesson.cost[name], value.detach().numpy(), rtol=1e-9)
    (slope,) = torch.autograd.grad(value.sum(), logit)
    np.testing.assert_allclose(lesson.slope[name], -slope.numpy(), rtol=1e-9)


def test_divergences_are_those_of_scipy():
    assert kl(LETTERS, GUESSES) == pytest.approx(rel_entr(LETTERS, GUESSES).sum(), rel=1e-12)
    assert jensen_shannon(LETTERS, GUESSES) == pytest.approx(jensenshannon(LETTERS, GUESSES) ** 2, rel=1e-12)
    assert kl(np.array([0.5, 0.5]), np.array([1.0, 0.0])) == math.inf
    assert jensen_shannon(np.array([1.0, 0.0]), np.array([0.0, 1.0])) == pytest.approx(math.log(2))


def test_the_critic_that_learns_is_the_best_one_and_its_value_is_the_divergence():
    lesson = duel(steps=4000)
    np.testing.assert_allclose(lesson.learned, lesson.best, atol=1e-6)
    assert lesson.values[-1] == pytest.approx(lesson.bound, abs=1e-10)
    assert lesson.values[0] == pytest.approx(-math.log(4))
    assert (np.diff(lesson.values) >= -1e-15).all()
    assert duel().values[-1] == pytest.approx(lesson.bound, abs=1e-3)  # what the page shows


def test_orbits_leave_go_round_or_arrive():
    size = {
        name: np.linalg.norm(orbit(steps=600, rate=0.2, **how), axis=1)
        for name, how in {"at once": {}, "in turns": {"in_turns": True}, "penalty": {"penalty": 0.5}}.items()
    }
    assert size["at once"][-1] > 1.5 * size["at once"][0]
    assert 0.6 < size["in turns"][-100:].min() < size["in turns"][-100:].max() < 1.7
    assert size["penalty"][-1] < 1e-6


@pytest.mark.parametrize("penalty", [0.0, 0.5, 2.0])
def test_near_the_middle_an_orbit_is_its_eigenvalues(penalty):
    """One step at once is I + rate J: its largest eigenvalue is the growth of the orbit."""
    values = np.linalg.eigvals(np.array([[0, 0.5], [-0.5, -penalty]]))
    closed = -penalty / 2 + np.array([1, -1]) * np.sqrt(complex(penalty**2 / 4 - 0.25))
    np.testing.assert_allclose(sorted(values, key=np.imag), sorted(closed, key=np.imag), atol=1e-12)
    rate = 0.01
    if penalty:
        whole = orbit(steps=3000, rate=rate, penalty=penalty)
        size = np.log(np.linalg.norm(whole, axis=1))
        assert (size[3000] - size[2000]) / 1000 == pytest.approx(rate * closed.real.max(), rel=0.05)


def test_the_nearest_gaussians_are_the_ones_they_must_be():
    x, p, (likely, sharp, between) = fits()
    step = x[1] - x[0]
    assert p.sum() * step == pytest.approx(1, abs=1e-6)
    mean = sum(w * m for w, m, _ in HUMPS)
    deviation = math.sqrt(sum(w * (s**2 + m**2) for w, m, s in HUMPS) - mean**2)
    assert abs(likely.mean - mean) <= 0.05
    assert abs(likely.deviation - deviation) <= 0.05
    assert abs(sharp.mean - HUMPS[0][1]) < 0.15  # one hump, the heavier
    assert abs(sharp.deviation - HUMPS[0][2]) < 0.15
    assert sharp.deviation < between.deviation <= likely.deviation
    assert min(likely.value, sharp.value, between.value) > 0
