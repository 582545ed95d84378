"""Bits in reading order: all pictures sum to one, nothing later is seen, draws are as frequent as that says."""

import itertools

import pytest
import torch
from scipy import stats

from reverie.distributions import Bernoulli
from reverie.engine.noise import StepNoise
from reverie.nn.local import LocalBits, stratified
from reverie.protocols import Distribution

REACH = 2


def network(channels=1, reach=REACH, factor=3.0, depth=1):
    torch.manual_seed(0)
    made = LocalBits(Bernoulli, channels, 4, reach, depth).double()
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.mul_(factor)
    return made


def features(batch, height, width, spread=1.0):
    return spread * torch.randn(batch, 4, height, width, generator=torch.Generator().manual_seed(1)).double()


def pictures(height, width):
    return torch.tensor(list(itertools.product([0.0, 1.0], repeat=height * width))).view(-1, 1, height, width).double()


def mass(made, told, x):
    with torch.no_grad():
        return made(told.expand(len(x), -1, -1, -1)).log_prob(x).exp()


@pytest.mark.parametrize(("reach", "depth"), [(1, 1), (2, 1), (3, 1), (1, 2), (2, 3)])
def test_all_pictures_together_have_probability_one(reach, depth):
    found = mass(network(reach=reach, depth=depth, factor=3.0 / depth), features(1, 3, 3), pictures(3, 3))
    assert float(found.sum()) == pytest.approx(1, abs=1e-10)
    assert found.max() > 4 * found.median()


@pytest.mark.parametrize("channels", [1, 2])
def test_a_bit_sees_those_within_reach_before_it_and_its_own_features(channels):
    made, told = network(channels), features(1, 7, 7).requires_grad_(True)
    x = torch.rand(1, channels, 7, 7).double().requires_grad_(True)
    made.predict(told, x).logits[0, 0, 3, 3].backward()
    seen = [(i - 3, j - 3) for i, j in x.grad.abs().sum((0, 1)).nonzero().tolist()]
    before = [(-i, j) for i in range(REACH, 0, -1) for j in range(-REACH, REACH + 1)]
    assert seen == before + [(0, -j) for j in range(REACH, 0, -1)]
    assert told.grad.abs().sum((0, 1)).nonzero().tolist() == [[3, 3]]


@pytest.mark.parametrize("depth", [2, 3])
def test_a_deeper_network_sees_further_back_and_nothing_later(depth):
    made, told = network(depth=depth), features(1, 11, 15).requires_grad_(True)
    x = torch.rand(1, 1, 11, 15).double().requires_grad_(True)
    made.predict(told, x).logits[0, 0, 7, 7].backward()
    seen = {(i - 7, j - 7) for i, j in x.grad.abs().sum((0, 1)).nonzero().tolist()}
    heard = {(i - 7, j - 7) for i, j in told.grad.abs().sum((0, 1)).nonzero().tolist()}
    steps = {(0, 0), (0, -1), (-1, -1), (-1, 0), (-1, 1)}
    hears = {(0, 0)}
    for _ in range(depth - 1):
        hears = {(i + di, j + dj) for i, j in hears for di, dj in steps}
    near = {(-i, j) for i in range(1, REACH + 1) for j in range(-REACH, REACH + 1)} | {(0, -j) for j in (1, 2)}
    assert heard == hears
    assert seen == {(i + di, j + dj) for i, j in hears for di, dj in near}


@pytest.mark.parametrize("depth", [1, 3])
def test_a_picture_is_the_product_of_its_bits_one_by_one(depth):
    """The walk over pixels and the pass over the whole picture are two computations of one density."""
    made, told, x = network(2, depth=depth), features(3, 4, 5), (torch.rand(3, 2, 4, 5) < 0.5).double()
    whole = made.predict(told, x).mean
    walked, bits = made(told)._walk(1 - x)  # a bit is set where its probability is above 0, and cleared below 1
    assert torch.equal(bits, x)
    assert torch.allclose(walked, whole, atol=1e-12)
    one_by_one = torch.where(x == 1, whole, 1 - whole).log().sum((1, 2, 3))
    assert torch.allclose(made(told).log_prob(x), one_by_one, atol=1e-10)


def test_draws_are_as_frequent_as_their_probabilities():
    made, n = network(), 20_000
    told = features(1, 2, 3)
    expected = mass(made, told, pictures(2, 3)) * n
    drawn = made(told.expand(n, -1, -1, -1)).sample(StepNoise((0,), 0, n, "cpu"), "x")
    code = (drawn.flatten(1) * 2.0 ** torch.arange(5, -1, -1)).sum(1).long()
    counts = torch.bincount(code, minlength=64).double()
    large = expected >= 5
    pooled = [torch.cat([v[large], v[~large].sum()[None]]).numpy() for v in (counts, expected)]
    assert stats.chisquare(*pooled).pvalue > 1e-3


def test_the_mean_is_estimated_without_bias_and_is_the_same_each_time():
    """Over many placements of the same pixel noise: against the mean by enumeration, within four standard errors."""
    made, told = network(), features(1, 2, 3)
    x = pictures(2, 3)
    exact = (mass(made, told, x).view(-1, 1, 1, 1) * x).sum(0)
    walks = 8_000
    thresholds = torch.rand(walks, 1, 2, 3, generator=torch.Generator().manual_seed(5)).double()
    found = made(told.expand(walks, -1, -1, -1))._walk(thresholds)[0]
    assert ((found.mean(0) - exact).abs() < 4 * found.std(0) / walks**0.5 + 1e-9).all()
    assert isinstance(made(told), Distribution)
    assert torch.equal(made(told).mean, made(told).mean)
    assert torch.equal(made(told.expand(2, -1, -1, -1)).mean, made(told).mean.expand(2, -1, -1, -1))
    assert (made(told).mean - exact).abs().max() < 0.25  # eight draws


def test_stratified_numbers_fill_each_part_of_the_range_once():
    drawn = stratified(8, (1, 3, 4))
    assert torch.equal((drawn * 8).floor().sort(0).values[:, 0, 1, 2], torch.arange(8.0))
    assert drawn[:, 0, 0, 0].argsort().tolist() != drawn[:, 0, 0, 1].argsort().tolist()
