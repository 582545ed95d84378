"""Mixtures of discretised logistics: their probabilities sum to one, and their draws are as frequent as they say."""

import numpy as np
import pytest
import torch
from scipy import stats

from reverie.distributions import DiscretizedLogistic
from reverie.engine.noise import ItemNoise
from reverie.mixtures import LogisticMixture, MixtureOfLogistics, mixture_channels
from reverie.protocols import Distribution

LEVELS = torch.arange(256, dtype=torch.float64) / 127.5 - 1


def numbers(seed, *shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def mixture(channels=3, components=4, pixels=3, batch=2, seed=0, centre=0.6, spread=1.0):
    """A random mixture of images (batch, channels, 1, pixels)."""
    shape = (batch, components, channels, 1, pixels)
    return LogisticMixture(
        numbers(seed, batch, components, 1, pixels),
        centre * numbers(seed + 1, *shape),
        spread * numbers(seed + 2, *shape) - 3,
        numbers(seed + 3, batch, components, channels * (channels - 1) // 2, 1, pixels).tanh(),
    )


def levels(seed, *shape):
    return torch.from_numpy(np.random.default_rng(seed).integers(0, 256, shape)).double() / 127.5 - 1


def first_channels(made, count):
    """The distribution of the first channels alone: those that come later are told of them, not the reverse."""
    pairs = count * (count - 1) // 2
    return LogisticMixture(
        made.logits, made.locations[:, :, :count], made.log_scales[:, :, :count], made.coefficients[:, :, :pairs]
    )


def one_pixel(made, copies):
    """The first pixel of the first image, as many times."""
    parts = (made.logits, made.locations, made.log_scales, made.coefficients)
    return LogisticMixture(*(part[:1, ..., :1].expand(copies, *part.shape[1:-1], 1) for part in parts))


EXTREMES = {
    "random": {},
    "means far outside": {"centre": 20.0},
    "scales tiny": {"spread": 0.0, "centre": 0.3},
    "scales of all sizes": {"spread": 8.0},
    "one component": {"components": 1},
}


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("channel", [0, 1, 2])
@pytest.mark.parametrize("name", EXTREMES)
def test_the_levels_of_a_channel_sum_to_the_probability_of_the_channels_before_it(name, channel, seed):
    made = mixture(seed=10 * seed, **EXTREMES[name])
    if name == "scales tiny":
        made = LogisticMixture(made.logits, made.locations, made.log_scales - 17, made.coefficients)
    before = one_pixel(first_channels(made, channel + 1), 256).sample(ItemNoise(("before",), range(256)), "x")
    x = torch.cat([before[:1, :channel].expand(256, -1, 1, 1), LEVELS.view(256, 1, 1, 1)], 1)
    total = one_pixel(first_channels(made, channel + 1), 256).log_prob(x).logsumexp(0)
    expected = one_pixel(first_channels(made, channel), 1).log_prob(x[:1, :channel]) if channel else torch.zeros(1)
    assert float(total - expected) == pytest.approx(0, abs=1e-8)


@pytest.mark.parametrize("channels", [1, 3])
def test_one_component_without_coefficients_is_the_discretised_logistic(channels):
    made = mixture(channels, components=1)
    made = LogisticMixture(made.logits, made.locations, made.log_scales, 0 * made.coefficients)
    plain = DiscretizedLogistic(made.locations.squeeze(1), made.log_scales.squeeze(1))
    x = levels(0, 2, channels, 1, 3)
    torch.testing.assert_close(made.log_prob(x), plain.log_prob(x), rtol=1e-12, atol=1e-12)


def test_log_prob_is_that_of_scipy_with_means_told_the_true_colours():
    made, x = mixture(), levels(1, 2, 3, 1, 3)
    made = LogisticMixture(made.logits, made.locations, made.log_scales.clamp(min=-2), made.coefficients)
    a = made.coefficients
    red, green, _ = x.unsqueeze(1).unbind(2)
    told = torch.stack(
        [
            made.locations[:, :, 0],
            made.locations[:, :, 1] + a[:, :, 0] * red,
            made.locations[:, :, 2] + a[:, :, 1] * red + a[:, :, 2] * green,
        ],
        2,
    )
    scale = made.log_scales.exp()
    upper = np.where(x.unsqueeze(1) > 1 - 1e-6, np.inf, x.unsqueeze(1) + 1 / 255)
    lower = np.where(x.unsqueeze(1) < 1e-6 - 1, -np.inf, x.unsqueeze(1) - 1 / 255)
    mass = stats.logistic.cdf(upper, told, scale) - stats.logistic.cdf(lower, told, scale)
    every = (made.logits.softmax(1).numpy() * mass.prod(2)).sum(1)
    assert made.log_prob(x).tolist() == pytest.approx(np.log(every).reshape(2, -1).sum(1), rel=1e-6)


@pytest.mark.parametrize("shift", [-30.0, 0.0, 30.0])
@pytest.mark.parametrize("size", [-7.0, 0.0, 20.0])
def test_gradients_are_finite_at_extremes_and_float32_holds_the_digits(shift, size):
    made = mixture()
    parts = [made.logits * 30, made.locations + shift, 0 * made.log_scales + size, made.coefficients]
    x = levels(2, 2, 3, 1, 3)
    leaves = [part.float().requires_grad_() for part in parts]
    value = LogisticMixture(*leaves).log_prob(x.float())
    wide = LogisticMixture(*(leaf.detach().double() for leaf in leaves)).log_prob(x)
    torch.testing.assert_close(value.double(), wide, rtol=1e-5, atol=1e-3)
    value.sum().backward()
    assert all(leaf.grad.isfinite().all() for leaf in leaves)
    assert value.isfinite().all()


class Rows:
    """Noise of many rows from one generator, which is faster than one for each."""

    def uniform(self, name, shape):
        return torch.rand(shape, generator=torch.Generator().manual_seed(len(name)), dtype=torch.float64)


@pytest.mark.parametrize("channel", [0, 1, 2])
def test_draws_are_as_frequent_as_the_probabilities_say(channel):
    """Each draw through its own exact distribution function, given its earlier channels, is uniform."""
    n = 3000
    made = first_channels(mixture(spread=0.5, centre=0.8), channel + 1)
    x = one_pixel(made, n).sample(Rows(), "x")
    level = ((x[:, channel].flatten() + 1) * 127.5).round().long()
    torch.testing.assert_close(level / 127.5 - 1, x[:, channel].flatten(), check_dtype=False)
    every = x.repeat_interleave(256, 0)
    every[:, channel] = LEVELS.repeat(n).view(-1, 1, 1)
    mass = one_pixel(made, 256 * n).log_prob(every).view(n, 256).softmax(1)
    own = mass.gather(1, level[:, None]).squeeze(1)
    below = mass.cumsum(1).gather(1, level[:, None]).squeeze(1) - own
    uniform = below + own * torch.rand(n, generator=torch.Generator().manual_seed(9), dtype=torch.float64)
    counts = np.histogram(uniform, 20, (0, 1))[0]
    assert counts.sum() == n
    assert stats.chisquare(counts).pvalue > 1e-3


def test_the_mean_is_that_of_the_draws_where_no_edge_cuts():
    n = 40_000
    made = one_pixel(mixture(centre=0.1, spread=0.3, components=3), n)
    made = LogisticMixture(made.logits, made.locations, made.log_scales - 1, made.coefficients)
    x = made.sample(Rows(), "x").view(n, 3)
    assert ((x.mean(0) - made.mean[0].flatten()).abs() < 4 * x.std(0) / n**0.5).all()


def test_a_low_temperature_draws_the_centre_of_the_likeliest_component():
    made = mixture(channels=1)
    x = made.tempered(0.0).sample(ItemNoise(("cold",), range(2)), "x")
    best = made.logits.argmax(1, keepdim=True).unsqueeze(2)
    centre = made.locations.gather(1, best).squeeze(1).clamp(-1, 1)
    assert (x - centre).abs().max() <= 1 / 255 + 1e-6
    again = made.tempered(1.0)
    torch.testing.assert_close(again.log_prob(x), made.log_prob(x))
    torch.testing.assert_close(made.tempered(2.0).log_scales.exp(), 2 * made.log_scales.exp())
    torch.testing.assert_close(made.tempered(2.0).logits, made.logits / 2)


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_an_output_becomes_a_mixture(channels):
    observation, m = MixtureOfLogistics(channels, 5), 5
    assert list(observation.parameters()) == []
    made = observation(torch.zeros(2, mixture_channels(channels, m), 3, 4, dtype=torch.bfloat16))
    assert isinstance(made, Distribution)
    assert (made.support, observation.support) == ("256 levels", "256 levels")
    torch.testing.assert_close(made.locations[0, :, 0, 0, 0], torch.tensor([-0.8, -0.4, 0.0, 0.4, 0.8]))
    assert made.mean.shape == (2, channels, 3, 4)
    assert made.log_prob(made.sample(ItemNoise(("a",), range(2)), "x")).dtype == torch.float32
    output = 20 * numbers(0, 2, mixture_channels(channels, m), 3, 4)
    wild, wide = observation(output.float()), observation(output.double())
    assert wild.log_scales.min() == -7
    assert (wild.coefficients.abs() <= 1).all()
    torch.testing.assert_close(
        wild.log_prob(wild.mean).double(), wide.log_prob(wild.mean.double()), rtol=1e-4, atol=0.01
    )


def test_every_output_moves_the_probability():
    output = (0.1 * numbers(0, 1, mixture_channels(3, 2), 1, 1)).requires_grad_()
    MixtureOfLogistics(3, 2)(output).log_prob(levels(0, 1, 3, 1, 1)).sum().backward()
    assert (output.grad != 0).all()


def test_shapes_that_do_not_fit_are_refused():
    made = mixture()
    with pytest.raises(ValueError, match="do not fit"):
        LogisticMixture(made.logits[:, :1], made.locations, made.log_scales, made.coefficients)
    with pytest.raises(ValueError, match="do not fit"):
        LogisticMixture(made.logits, made.locations, made.log_scales, made.coefficients[:, :, :2])
    with pytest.raises(ValueError, match="x has shape"):
        made.log_prob(torch.zeros(2, 1, 1, 3))
    with pytest.raises(ValueError, match="needs 20 channels, got 7"):
        MixtureOfLogistics(3, 2)(torch.zeros(1, 7, 2, 2))
