"""Masses, rising bounds and brackets against values that are known."""

import math
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from reverie.distributions import Bernoulli, DiscretizedLogistic, Gaussian, SharedLogistic, unit_gaussian
from reverie.engine.noise import ItemNoise
from reverie.verification.findings import Inapplicable
from reverie.verification.likelihoods import (
    At,
    additivity_error,
    alone,
    at,
    bracket,
    fall,
    log_density,
    mass_error,
    proposal,
    upper_bound,
)
from reverie.verification.mathematics import linear

SHAPE = (3, 2, 4)


def numbers(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


OBSERVATIONS = {
    "bernoulli": (Bernoulli, lambda x: (x > 0).double()),
    "logistic": (SharedLogistic(), lambda x: (x.clamp(-1, 1) * 127.5 + 127.5).round() / 127.5 - 1),
    "each logistic": (lambda m: DiscretizedLogistic(m, m - 3), lambda x: x.sign()),
    "unit": (unit_gaussian, lambda x: x),
    "gaussian": (lambda m: Gaussian(m, 2 * m), lambda x: x),
}


@pytest.mark.parametrize("name", OBSERVATIONS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_values_stand_alone_have_mass_one_and_add_up(name, dtype):
    observe, view = OBSERVATIONS[name]
    p, x = observe(numbers(*SHAPE).to(dtype)), view(numbers(*SHAPE, seed=1))
    single = alone(p)
    assert single.mean.shape == (24, 1)
    assert mass_error(single) < 1e-9
    assert additivity_error(p, x).abs().max() < 1e-9
    one = alone(p, torch.tensor([9]))
    torch.testing.assert_close(one.mean.item(), p.mean.flatten()[9].item())


def test_a_mean_over_pixels_does_not_add_up(monkeypatch):
    monkeypatch.setattr("reverie.distributions._sum_event", lambda values: values.flatten(1).mean(1))
    p = Bernoulli(numbers(*SHAPE))
    assert mass_error(alone(p)) < 1e-9  # which one value alone cannot tell
    assert additivity_error(p, torch.ones(SHAPE, dtype=torch.float64)).abs().min() > 1


def test_a_density_that_is_no_density_is_seen(monkeypatch):
    monkeypatch.setattr("reverie.distributions.LOG_2PI", 0.0)
    assert mass_error(alone(unit_gaussian(numbers(*SHAPE)))) == pytest.approx(math.sqrt(2 * math.pi) - 1)


@dataclass(frozen=True)
class Coupled:
    """A distribution with one parameter for each image."""

    mean: Tensor
    mixture: Tensor

    def log_prob(self, x):
        return x.flatten(1).sum(1)


def test_what_does_not_stand_alone_is_not_taken_apart():
    with pytest.raises(Inapplicable, match="Coupled do not stand alone"):
        alone(Coupled(numbers(*SHAPE), numbers(3)))

    class Plain:
        mean = numbers(2, 2)

    with pytest.raises(Inapplicable, match="Plain do not stand alone"):
        alone(Plain())
    with pytest.raises(Inapplicable, match="Plain cannot be listed"):
        mass_error(Plain())


def test_a_fall_is_the_largest_between_one_and_the_next():
    base = numbers(500)
    assert fall([base, base + 0.1, base + 0.2]) == 0
    assert fall([base, base + 0.5, base + 0.2]) == pytest.approx(0.3)
    assert fall([base, base + 0.001 * numbers(500, seed=1)]) == 0
    assert math.isnan(fall([base, base * math.nan]))


def test_a_bracket_names_the_worst_of_its_three_orders():
    base = numbers(500)
    assert bracket(base - 0.1, base + 0.1, base)[0] == 0
    assert bracket(base + 0.1, base - 0.1)[0] == pytest.approx(0.2)
    assert bracket(base + 0.1, base + 0.2, base)[0] == pytest.approx(0.1)
    assert bracket(base - 0.2, base - 0.1, base)[0] == pytest.approx(0.1)
    assert math.isnan(bracket(base, base * math.nan)[0])
    assert bracket(torch.zeros(2), torch.ones(2))[1] == "log p(x) between 0.000 and 1.000 nats"


def test_given_draws_are_weighed_as_a_models_own():
    model, x, noise = linear().model(), numbers(4, 6), ItemNoise(("a",), range(4))
    z, log_q = model.infer(x).draw(noise, 3)
    given = model.log_weights(x, at(model.infer(x), z, log_q), noise, 3)
    torch.testing.assert_close(given, model.log_weights(x, model.infer(x), noise, 3))
    assert At(z, log_q).mean.shape == (4, 2)


@dataclass(frozen=True)
class Inferred:
    posterior: Gaussian
    more: int


def test_given_draws_take_the_posteriors_place_in_whatever_a_model_infers():
    z, log_q, posterior = numbers(4, 3, 2), numbers(4, 3), Gaussian(numbers(4, 2), numbers(4, 2))
    assert at(Inferred(posterior, 7), z, log_q) == Inferred(At(z, log_q), 7)
    assert at(posterior, z, log_q) == At(z, log_q)
    assert torch.equal(proposal(Inferred(posterior, 7)).mean, posterior.mean)


def simulated(n):
    known, z = linear(), numbers(n, 2)
    return known, known.model().decode(z).sample(ItemNoise(("x",), range(n)), "x"), z


@pytest.mark.parametrize("k", [1, 2, 10])
def test_the_upper_bound_is_exact_for_the_exact_posterior(k):
    known, x, z = simulated(20)
    bound = upper_bound(known.model(), x, z, known.model().infer(x), k)
    torch.testing.assert_close(bound, known.log_prob(x), rtol=0, atol=1e-9)


@pytest.mark.parametrize(("widened", "divergence"), [(1.0, math.exp(-1)), (-1.0, math.e - 2)])
def test_the_upper_bound_of_one_draw_is_above_by_the_divergence_and_more_draws_bring_it_down(widened, divergence):
    """``KL(N(0, v) || N(0, v e^w)) = 1/2 (e^-w - 1 + w)`` for each of the two dimensions."""
    known, x, z = simulated(2000)
    loose = known.model(widened)
    gaps = [upper_bound(loose, x, z, loose.infer(x), k) - known.log_prob(x) for k in (1, 10)]
    errors = [float(gap.std() / 2000**0.5) for gap in gaps]
    assert abs(float(gaps[0].mean()) - divergence) < 4 * errors[0]
    assert float(gaps[1].mean()) > 4 * errors[1]
    assert float(gaps[1].mean()) < float(gaps[0].mean()) / 2


def test_a_proposal_is_neither_a_point_nor_endless():
    wide = proposal(Gaussian(torch.zeros(1, 2), torch.tensor([[-1e4, 1e4]])))
    torch.testing.assert_close(wide.stddev, torch.tensor([[1e-6, 1e6]]))


def test_a_posterior_through_a_flow_is_proposed_as_the_gaussian_of_its_draws():
    known = linear(orthogonal=False)
    x = numbers(3, 6)
    r = proposal(known.model_with_flow().encode(x))
    exact = torch.linalg.inv(known.precision) * 0.3
    expected = torch.linalg.solve(known.precision, known.weight.T @ (x - known.centre).T).T
    deviation = exact.diagonal().sqrt().expand(3, 2)
    assert ((r.mean - expected) / deviation).abs().max() < 4 / 8
    assert (r.stddev / deviation - 1).abs().max() < 0.4
    assert log_density(r, expected).shape == (3, 2)
