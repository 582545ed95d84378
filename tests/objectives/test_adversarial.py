"""Costs of the game against closed forms at extreme logits, best critics on five atoms, and Dirac's orbits."""

import math

import numpy as np
import pytest
import torch
from scipy import special, stats

from reverie.errors import UsageError
from reverie.objectives import adversarial
from reverie.objectives.adversarial import cross_entropy, effective_share, ranked
from reverie.objectives.penalties import Judged, ZeroCentred

EXTREME = [0.0, 5.0, -5.0, 20.0, -20.0, 50.0, -50.0, 100.0, -100.0]
COSTS = {
    "minimax": adversarial.minimax(),
    "non-saturating": adversarial.non_saturating(),
    "maximum-likelihood": adversarial.maximum_likelihood(),
    "least-squares": adversarial.least_squares(),
    "wasserstein": adversarial.wasserstein(),
    "hinge": adversarial.hinge(),
    "relativistic": adversarial.relativistic(),
}


def log1pexp(x):
    return np.logaddexp(0, x)


# cost and slope by the fake logit f, for a real logit r, of the generator; cost and slopes by r and f, of the critic
GENERATOR = {
    "minimax": (lambda f, r: -log1pexp(f), lambda f, r: -special.expit(f)),
    "non-saturating": (lambda f, r: log1pexp(-f), lambda f, r: -special.expit(-f)),
    "least-squares": (lambda f, r: (f - 1) ** 2 / 2, lambda f, r: f - 1),
    "wasserstein": (lambda f, r: -f, lambda f, r: -np.ones_like(f)),
    "hinge": (lambda f, r: -f, lambda f, r: -np.ones_like(f)),
    "relativistic": (lambda f, r: log1pexp(r - f), lambda f, r: -special.expit(r - f)),
}
CROSS = (
    lambda r, f: log1pexp(-r) + log1pexp(f),
    lambda r, f: -special.expit(-r),
    lambda r, f: special.expit(f),
)
CRITIC = {
    "minimax": CROSS,
    "non-saturating": CROSS,
    "maximum-likelihood": CROSS,
    "least-squares": (lambda r, f: ((r - 1) ** 2 + f**2) / 2, lambda r, f: r - 1, lambda r, f: f),
    "wasserstein": (lambda r, f: f - r, lambda r, f: -np.ones_like(r), lambda r, f: np.ones_like(f)),
    "hinge": (
        lambda r, f: np.maximum(0, 1 - r) + np.maximum(0, 1 + f),
        lambda r, f: -(r < 1).astype(float),
        lambda r, f: (f > -1).astype(float),
    ),
    "relativistic": (
        lambda r, f: log1pexp(f - r),
        lambda r, f: -special.expit(f - r),
        lambda r, f: special.expit(f - r),
    ),
}


def pairs(dtype):
    grid = torch.tensor(EXTREME, dtype=dtype)
    r, f = (x.flatten().clone().requires_grad_() for x in torch.meshgrid(grid, grid, indexing="ij"))
    return r, f


def close(found, wanted, rtol=1e-6):
    torch.testing.assert_close(found.double(), torch.as_tensor(np.asarray(wanted)).double(), rtol=rtol, atol=1e-7)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", GENERATOR)
def test_the_generators_cost_and_slope_are_exact_up_to_logits_of_a_hundred(name, dtype):
    r, f = pairs(dtype)
    value, slope = GENERATOR[name]
    found = COSTS[name].generator(f, r)
    assert found.shape == f.shape
    close(found.detach(), value(f.detach().double().numpy(), r.detach().double().numpy()))
    (gradient,) = torch.autograd.grad(found.sum(), f)
    close(gradient, slope(f.detach().double().numpy(), r.detach().double().numpy()))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", CRITIC)
def test_the_critics_cost_and_slopes_are_exact_up_to_logits_of_a_hundred(name, dtype):
    r, f = pairs(dtype)
    at = r.detach().double().numpy(), f.detach().double().numpy()
    value, by_real, by_fake = CRITIC[name]
    found = COSTS[name].critic(r, f)
    assert found.shape == f.shape
    close(found.detach(), value(*at))
    gradients = torch.autograd.grad(found.sum(), [r, f])
    close(gradients[0], by_real(*at))
    close(gradients[1], by_fake(*at))


def test_maximum_likelihood_weighs_each_sample_by_its_share_of_the_exponentials():
    f = torch.tensor([*EXTREME, 99.0, 98.0], requires_grad=True)
    found = COSTS["maximum-likelihood"].generator(f, None)
    assert found.shape == f.shape
    close(found.detach(), np.full(len(f), math.log(len(f)) - special.logsumexp(f.detach().double().numpy())))
    (gradient,) = torch.autograd.grad(found.mean(), f)
    close(gradient, -special.softmax(f.detach().double().numpy()), rtol=1e-5)  # a logit of 100 is rounded by 8e-6


def test_the_slope_of_maximum_likelihood_is_that_of_the_mean_exponential_over_its_value():
    f = torch.linspace(-2, 3, 7, dtype=torch.float64, requires_grad=True)
    (ours,) = torch.autograd.grad(COSTS["maximum-likelihood"].generator(f, None).mean(), f)
    (plain,) = torch.autograd.grad(-f.exp().mean(), f)
    torch.testing.assert_close(ours * f.exp().mean(), plain)


@pytest.mark.parametrize("targets", [(-1.0, 1.0, 0.0), (0.0, 1.0, 1.0)])
def test_least_squares_has_its_three_targets(targets):
    a, b, c = targets
    cost = adversarial.least_squares(fake=a, real=b, aim=c)
    r, f = torch.tensor([0.3, 2.0]), torch.tensor([-0.7, 4.0])
    close(cost.critic(r, f), (r.numpy() - b) ** 2 / 2 + (f.numpy() - a) ** 2 / 2)
    close(cost.generator(f, None), (f.numpy() - c) ** 2 / 2)


def test_drift_adds_the_squares_of_real_logits():
    r, f = torch.tensor([0.3, -2.0]), torch.tensor([1.0, 5.0])
    torch.testing.assert_close(adversarial.wasserstein(0.5).critic(r, f), f - r + 0.5 * r * r)


# Five atoms: p and q are multiples of 1/20, so that a batch of twenty holds each as often as it is likely.
P, Q = np.array([8, 5, 4, 2, 1]) / 20, np.array([2, 3, 4, 5, 6]) / 20


def best_logits(critic):
    """The critic of the atoms that pays least, by Newton's steps; the batch pairs every real with every fake atom."""
    logits = torch.zeros(5, dtype=torch.float64, requires_grad=True)
    weight = torch.tensor(np.outer(P, Q).flatten())

    def paid():
        r, f = torch.meshgrid(logits, logits, indexing="ij")
        return (weight * critic(r.flatten(), f.flatten())).sum()

    search = torch.optim.LBFGS([logits], max_iter=500, tolerance_grad=1e-12, tolerance_change=1e-15)

    def closure():
        search.zero_grad()
        value = paid()
        value.backward()
        return value

    for _ in range(5):
        search.step(closure)
    return logits.detach().numpy(), float(paid().detach())


def test_the_best_critic_is_the_log_ratio_and_its_value_is_twice_the_divergence_less_log_four():
    logits, paid = best_logits(COSTS["minimax"].critic)
    np.testing.assert_allclose(logits, np.log(P / Q), atol=1e-6)
    middle = (P + Q) / 2
    divergence = (special.rel_entr(P, middle).sum() + special.rel_entr(Q, middle).sum()) / 2
    assert -paid == pytest.approx(2 * divergence - math.log(4), abs=1e-10)


def test_a_smoothed_target_scales_the_data_and_not_the_model():
    logits, _ = best_logits(cross_entropy(0.1))
    np.testing.assert_allclose(special.expit(logits), 0.9 * P / (P + Q), atol=1e-6)


def test_the_best_critic_of_least_squares_and_of_pairs():
    np.testing.assert_allclose(best_logits(COSTS["least-squares"].critic)[0], P / (P + Q), atol=1e-6)
    relative = best_logits(COSTS["relativistic"].critic)[0]
    np.testing.assert_allclose(relative - relative[0], np.log(P / Q) - np.log(P / Q)[0], atol=1e-5)


def test_at_the_best_critic_maximum_likelihood_weighs_by_the_ratio_of_densities():
    counts = (20 * Q).astype(int)
    f = torch.tensor(np.repeat(np.log(P / Q), counts), requires_grad=True)
    cost = COSTS["maximum-likelihood"].generator(f, None)
    torch.testing.assert_close(cost.detach(), torch.zeros(20, dtype=torch.float64))
    (gradient,) = torch.autograd.grad(cost.mean(), f)
    np.testing.assert_allclose(-20 * gradient.numpy(), np.repeat(P / Q, counts))


def test_pairs_ignore_a_constant_cost_log_two_where_all_are_alike_and_do_not_saturate():
    cost, r, f = COSTS["relativistic"], torch.tensor([1.0, -2.0]), torch.tensor([0.5, 3.0])
    torch.testing.assert_close(cost.critic(r + 7, f + 7), cost.critic(r, f))
    torch.testing.assert_close(cost.generator(f, r), cost.critic(f, r))
    torch.testing.assert_close(cost.critic(r, r), torch.full((2,), math.log(2)))
    f = torch.tensor([0.0], requires_grad=True)
    (gradient,) = torch.autograd.grad(cost.generator(f, torch.tensor([20.0])).sum(), f)
    assert float(gradient) == pytest.approx(-1, abs=1e-6)
    with pytest.raises(ValueError, match="real images in the generator's turn"):
        cost.generator(f, None)


def dirac(cost, steps, rate, gamma=0.0):
    """Mescheder et al. 2018: data at 0, the generator is a point t, the critic is c x; both move at once."""
    t, c, path = torch.tensor(0.0), torch.tensor(1.0), []
    penalty = ZeroCentred(lambda progress: gamma, fake=False)
    for _ in range(steps):
        t, c = t.detach().double().requires_grad_(), c.detach().double().requires_grad_()
        real = torch.zeros(1, 1, dtype=torch.float64, requires_grad=True)
        of_real, of_fake = (c * real).flatten(), (c * t).view(1)
        paid = cost.critic(of_real, of_fake)
        if gamma:
            paid = paid + penalty(Judged(real, real, of_real, of_fake), torch.clone, None, 0.0)[0]
        (by_c,) = torch.autograd.grad(paid.sum(), c, retain_graph=True)
        (by_t,) = torch.autograd.grad(cost.generator(of_fake, of_real).sum(), t)
        t, c = t - rate * by_t, c - rate * by_c
        path.append([t.item(), c.item()])
    return np.array(path)


@pytest.mark.parametrize("gamma", [0.0, 1.0, 3.0])
def test_diracs_game_of_wasserstein_follows_its_matrix(gamma):
    """t' = t + h c and c' = (1 - gamma h) c - h t: outwards without the penalty, inwards with it."""
    h, steps = 0.1, 60
    step = np.array([[1, h], [-h, 1 - gamma * h]])
    wanted = [np.linalg.matrix_power(step, n) @ [0.0, 1.0] for n in range(1, steps + 1)]
    found = dirac(COSTS["wasserstein"], steps, h, gamma)
    np.testing.assert_allclose(found, wanted, atol=1e-12)
    radius = np.linalg.norm(found, axis=1)
    if gamma:
        assert radius[-1] < 0.1
    else:
        np.testing.assert_allclose(radius, (1 + h * h) ** (np.arange(1, steps + 1) / 2))


def test_diracs_game_turns_without_a_penalty_and_settles_with_it():
    """Eigenvalues at the equilibrium: -gamma / 2 +- sqrt(gamma^2 / 4 - f'(0)^2) with f'(0) = 1/2 of the log-sigmoid."""
    free = np.linalg.norm(dirac(COSTS["minimax"], 500, 0.05), axis=1)
    assert (np.diff(free) > 0).all()
    radius = np.linalg.norm(dirac(COSTS["non-saturating"], 2000, 0.02, 0.5), axis=1)
    decay = np.log(radius[-1] / radius[1000]) / (999 * 0.02)
    assert decay == pytest.approx(-0.25, abs=0.01)


def test_ranked_is_the_statistic_of_mann_and_whitney():
    source = torch.Generator().manual_seed(0)
    real, fake = (torch.randint(0, 9, (40,), generator=source).double() for _ in range(2))
    u = stats.mannwhitneyu(real.numpy(), fake.numpy()).statistic
    assert float(ranked(real, fake)) == pytest.approx(u / 1600)
    assert float(ranked(real + 10, fake)) == 1.0
    assert float(ranked(real, real)) == 0.5


def test_the_effective_share_counts_who_carries_the_slope():
    assert float(effective_share(torch.full((8,), 100.0))) == pytest.approx(1.0, rel=1e-4)
    assert float(effective_share(torch.tensor([100.0, *[-100.0] * 7]))) == pytest.approx(1 / 8)
    w = np.array([1.0, 2.0, 3.0])
    assert float(effective_share(torch.tensor(np.log(w)))) == pytest.approx(w.sum() ** 2 / (w**2).sum() / 3)
    assert COSTS["maximum-likelihood"].watch(torch.zeros(4))["effective"] == 1
    assert COSTS["hinge"].watch(torch.zeros(4)) == {}


@pytest.mark.parametrize("name", COSTS)
def test_shapes_that_would_broadcast_are_refused(name):
    with pytest.raises(ValueError, match="as many real as fake"):
        COSTS[name].critic(torch.zeros(3), torch.zeros(1))
    with pytest.raises(ValueError, match=r"must be \(B,\)"):
        COSTS[name].generator(torch.zeros(3, 1), torch.zeros(3, 1))


@pytest.mark.parametrize("smoothing", [-0.1, 0.5, math.nan])
def test_smoothing_stays_below_a_half(smoothing):
    with pytest.raises(UsageError, match="below 0.5"):
        cross_entropy(smoothing)
