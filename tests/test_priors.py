"""Priors against torch.distributions, by integration, and by the frequencies of their draws."""

import itertools
import math

import pytest
import torch
from torch.distributions import Categorical, Independent, MixtureSameFamily
from torch.distributions import Normal as TorchNormal

from reverie.distributions import Gaussian, Point
from reverie.engine.noise import StepNoise
from reverie.errors import UsageError
from reverie.priors import Mixture, Normal, StandardNormal, VampPrior


def components(count=4, latent=2):
    source = torch.Generator().manual_seed(0)
    return Gaussian(*(torch.randn(count, latent, generator=source, dtype=torch.float64) for _ in range(2)))


def test_the_standard_normal():
    z = torch.randn(5, 3, 2, dtype=torch.float64)
    expected = TorchNormal(0.0, 1.0).log_prob(z).sum(-1)
    torch.testing.assert_close(StandardNormal(2).given(lambda x: components()).log_prob(z), expected)
    noise = StepNoise((0,), 0, 4000)
    half = Normal(2).sample(4000, noise, temperature=0.5)
    assert half.shape == (4000, 2)
    assert abs(half.std() - 0.5) < 0.02


def test_a_mixture_is_that_of_torch_and_integrates_to_one():
    parts = components()
    each = Independent(TorchNormal(parts.mean, (0.5 * parts.log_variance).exp()), 1)
    oracle = MixtureSameFamily(Categorical(torch.ones(4, dtype=torch.float64)), each)
    z = 2 * torch.randn(6, 3, 2, dtype=torch.float64)
    torch.testing.assert_close(Mixture(parts).log_prob(z), oracle.log_prob(z))
    line = torch.linspace(-12, 12, 601, dtype=torch.float64)
    grid = torch.tensor(list(itertools.product(line.tolist(), repeat=2)), dtype=torch.float64)
    assert abs(Mixture(parts).log_prob(grid).exp().sum() * (line[1] - line[0]) ** 2 - 1) < 1e-6


def test_a_narrow_mixture_in_half_precision_keeps_its_digits():
    """Terms of 1e7 cancel in the density of a component of deviation 1e-3, also where products are in bfloat16."""
    parts = Gaussian(torch.full((3, 4), 3.1), torch.full((3, 4), 2 * math.log(1e-3)))
    z = parts.mean + 1e-3 * torch.randn(3, 4, generator=torch.Generator().manual_seed(0))
    deviation = (0.5 * parts.log_variance.double()).exp()
    expected = TorchNormal(parts.mean.double(), deviation).log_prob(z.double()).sum(-1).float()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = Mixture(parts).log_prob(z)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-4)


def test_draws_of_a_mixture_have_its_moments():
    parts, n = components(), 40_000
    drawn = Mixture(parts).sample(n, StepNoise((1,), 0, n))
    mean = parts.mean.mean(0)
    variance = (parts.log_variance.exp() + parts.mean.square()).mean(0) - mean.square()
    assert ((drawn.mean(0) - mean).abs() < 4 * (variance / n).sqrt()).all()
    assert ((drawn.var(0) / variance - 1).abs() < 0.1).all()


def test_a_temperature_of_zero_leaves_the_means_of_the_components():
    parts = components()
    drawn = Mixture(parts).sample(50, StepNoise((1,), 0, 50), temperature=0.0)
    assert (torch.cdist(drawn, parts.mean).min(1).values < 1e-6).all()


def test_a_vamp_prior_of_posteriors_through_a_flow_is_refused():
    with pytest.raises(UsageError, match="leave out the flow"):
        VampPrior(torch.rand(3, 1, 2, 2), 2).given(lambda x: Point(x.flatten(1)))


def test_the_vamp_prior_is_the_mean_of_posteriors_and_learns_its_inputs():
    prior = VampPrior(torch.rand(3, 1, 2, 2), 2)

    def encode(x):
        rows = x.flatten(1)
        return Gaussian(rows[:, :2], rows[:, 2:])

    z = torch.randn(7, 2)
    by_hand = torch.stack(
        [TorchNormal(u[:2], (0.5 * u[2:]).exp()).log_prob(z).sum(-1) for u in prior.pseudo_inputs.flatten(1)]
    )
    torch.testing.assert_close(prior.given(encode).log_prob(z), by_hand.logsumexp(0) - math.log(3))
    prior.given(encode).log_prob(z).sum().backward()
    assert prior.pseudo_inputs.grad.abs().min() > 0
