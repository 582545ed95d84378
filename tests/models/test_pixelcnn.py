"""PixelCNN: an exact density. All pictures sum to one, draws are as frequent as that says, and training finds it."""

import itertools
import math

import pytest
import torch
from scipy import stats

from reverie import protocols
from reverie.distributions import Bernoulli
from reverie.engine.noise import ItemNoise, StepNoise
from reverie.errors import UsageError
from reverie.mixtures import MixtureOfLogistics, mixture_channels
from reverie.models.pixelcnn import PixelCNN
from reverie.nn.gated import GatedPixels


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)


def binary(size=(3, 3), channels=1, features=6, layers=2):
    return PixelCNN(GatedPixels(channels, features, layers, channels), Bernoulli, (channels, *size))


def of_levels(channels=3, size=(3, 4), components=3):
    network = GatedPixels(channels, 6, 2, mixture_channels(channels, components))
    return PixelCNN(network, MixtureOfLogistics(channels, components), (channels, *size))


def sharpened(model, factor=6.0):
    """Weights so large that the pixels depend on each other."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(factor)
    return model


def pictures(height, width):
    return torch.tensor(list(itertools.product([0.0, 1.0], repeat=height * width))).view(-1, 1, height, width)


def probabilities(model, x):
    with torch.no_grad():
        return model.double().log_prob(x.double(), None).value.exp()


@pytest.mark.parametrize("factor", [1.0, 3.0, 6.0])
def test_all_binary_pictures_together_have_probability_one(factor):
    mass = probabilities(sharpened(binary(), factor), pictures(3, 3))
    assert float(mass.sum()) == pytest.approx(1, abs=1e-10)
    assert factor == 1 or mass.max() > 4 * mass.median()


@torch.no_grad()
def test_all_levels_of_a_pixel_are_one_whatever_the_picture():
    """The last pixel's 256 levels sum to the probability of all before it."""
    model = sharpened(of_levels(1), 2.0).double()
    x = torch.randint(0, 256, (1, 1, 3, 4)).double() / 127.5 - 1
    every = x.repeat(256, 1, 1, 1)
    every[:, 0, 2, 3] = torch.arange(256).double() / 127.5 - 1
    made, before = model.predict(x), torch.zeros(1)
    for i, j in list(itertools.product(range(3), range(4)))[:-1]:
        parts = (made.logits, made.locations, made.log_scales, made.coefficients)
        pixel = type(made)(*(part[..., i : i + 1, j : j + 1] for part in parts))
        before = before + pixel.log_prob(x[..., i : i + 1, j : j + 1])
    total = model.log_prob(every, None).value.logsumexp(0)
    assert float(total) == pytest.approx(float(before), abs=1e-8)


def test_draws_have_the_exact_frequencies():
    model, n = sharpened(binary((2, 2))), 20_000
    drawn = model.sample(n, StepNoise(("draws",), 0, n))
    which = (drawn.flatten(1) @ torch.tensor([8.0, 4.0, 2.0, 1.0])).long()
    expected = probabilities(model, pictures(2, 2)) * n
    counts = torch.bincount(which, minlength=16)
    enough = expected >= 5
    observed = torch.cat([counts[enough], counts[~enough].sum()[None]]).double()
    wanted = torch.cat([expected[enough], expected[~enough].sum()[None].clamp(min=1e-6)])
    assert (expected / n).max() - (expected / n).min() > 0.05
    assert stats.chisquare(observed, wanted * n / wanted.sum()).pvalue > 1e-3


def wide():
    """Larger than what a pixel reaches, so that draws are made from a part."""
    return binary((9, 10), layers=1)


@pytest.mark.parametrize("make", [binary, of_levels, wide])
def test_a_draw_is_the_one_that_teacher_forcing_makes_from_the_same_noise(make):
    model, noise = sharpened(make(), 2.0), ItemNoise(("same",), range(4))
    x = model.sample(4, noise)
    with torch.no_grad():
        torch.testing.assert_close(model.predict(x).sample(noise, "x"), x, rtol=0, atol=1e-6)
    assert len(x.unique()) > 1


def test_a_draw_does_not_depend_on_its_neighbours_in_the_sheet():
    model = sharpened(binary(), 2.0)
    whole, part = model.sample(6, ItemNoise(("a",), range(6))), model.sample(2, ItemNoise(("a",), range(3, 5)))
    assert torch.equal(whole[3:5], part)


def test_a_temperature_of_zero_takes_the_likeliest_bit_each_time():
    model = sharpened(binary(), 2.0)
    x = model.sample(3, ItemNoise(("cold",), range(3)), temperature=0.0)
    assert torch.equal(x, (model.predict(x).logits > 0).float())
    bits = Bernoulli(torch.tensor([[0.3, -2.0]]))
    torch.testing.assert_close(bits.tempered(0.5).logits, torch.tensor([[0.6, -4.0]]))


def stripes(n, seed):
    """A first pixel of 0.3, and each later one equal to the one before (in reading order) with 0.9: 4x4 bits."""
    source = torch.Generator().manual_seed(seed)
    flips = (torch.rand(n, 16, generator=source) < 0.1).long()
    flips[:, 0] = torch.rand(n, generator=source) < 0.3
    return (flips.cumsum(1) % 2).float().view(n, 1, 4, 4)


def entropy(p):
    return -p * math.log(p) - (1 - p) * math.log(1 - p)


def test_training_comes_near_the_entropy_of_a_known_distribution():
    """A Markov chain in reading order, whose step over the end of a row only the vertical stack can see."""
    model = binary((4, 4), features=12, layers=2)
    adam = torch.optim.Adam(model.parameters(), 1e-2)
    for step in range(300):
        for group in adam.param_groups:
            group["lr"] = 1e-2 * (1 - step / 300)
        loss = model.loss("pixelcnn", protocols.Batch(stripes(128, step)), None).value.mean()
        adam.zero_grad()
        loss.backward()
        adam.step()
    exact = entropy(0.3) + 15 * entropy(0.1)
    with torch.no_grad():
        cost = -model.log_prob(stripes(20_000, 10_000), None).value
    error = float(cost.std() / 20_000**0.5)
    assert exact - 4 * error < float(cost.mean()) < exact + 0.15


@pytest.mark.parametrize("make", [binary, of_levels])
def test_it_keeps_its_protocols(make):
    model = make()
    assert all(isinstance(model, getattr(protocols, p)) for p in ("Trainable", "Sampler", "Density"))
    assert not isinstance(model, protocols.Autoencoder | protocols.LatentDensity)
    assert dict(model.players) == {"pixelcnn": model}
    assert dict(model.turns) == {"pixelcnn": 1}
    x = model.sample(2, ItemNoise(("a",), range(2)))
    assert x.shape == (2, *model.shape)
    value, kind = model.log_prob(x, None, k=7)
    assert kind == "exact"
    assert torch.equal(value, -model.loss("pixelcnn", protocols.Batch(x), None).value)
    assert torch.equal(value, model.predict(x).log_prob(x))


def test_support_is_that_of_the_observation():
    assert binary().support == "binary"
    assert of_levels().support == "256 levels"


def test_wrong_calls_are_told():
    noise = ItemNoise(("a",), range(1))
    with pytest.raises(UsageError, match="leave the label out"):
        binary().sample(1, noise, label=torch.zeros(1))
    with pytest.raises(UsageError, match="leave the label out"):
        binary().log_prob(torch.zeros(1, 1, 2, 2), noise, label=torch.zeros(1))
    with pytest.raises(UsageError, match="at least 0; got -1"):
        binary().sample(1, noise, temperature=-1.0)
