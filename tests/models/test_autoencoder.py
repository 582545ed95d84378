"""The autoencoder: its cost, its codes, and what it does not claim to be."""

import pytest
import torch

from reverie import protocols
from reverie.engine.noise import StepNoise
from reverie.models.autoencoder import Autoencoder
from reverie.nn.conv import conv_autoencoder_decoder, conv_autoencoder_encoder
from reverie.nn.mlp import mlp_decoder, mlp_encoder

NOISE = StepNoise(("test",), 0, 4)


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)


def flat(shape):
    return Autoencoder(mlp_encoder(shape, [8], 3), mlp_decoder(3, [8], shape), latent=3)


def convolutional(shape):
    return Autoencoder(conv_autoencoder_encoder(shape), conv_autoencoder_decoder(shape), latent=32)


@pytest.mark.parametrize(("make", "shape"), [(flat, (3, 6, 5)), (convolutional, (1, 28, 28))])
def test_it_is_trainable_and_explorable(make, shape):
    model = make(shape)
    x = torch.rand(4, *shape)
    assert isinstance(model, protocols.Trainable)
    assert isinstance(model, protocols.Autoencoder)
    assert not isinstance(model, protocols.Sampler | protocols.Density | protocols.LatentDensity)
    assert dict(model.players) == {"autoencoder": model}
    assert dict(model.turns) == {"autoencoder": 1}
    code = model.encode(x).mean
    assert code.shape == (4, model.latent)
    assert model.decode(code).mean.shape == x.shape


def test_its_cost_is_the_sum_of_squares_of_each_example():
    model, x = flat((1, 6, 6)).double(), torch.rand(4, 1, 6, 6, dtype=torch.float64)
    restored = model.decoder(model.encoder(x))
    cost = model.loss("autoencoder", protocols.Batch(x), NOISE)
    by_hand = torch.stack([sum((a - b) ** 2) for a, b in zip(restored.flatten(1), x.flatten(1), strict=True)])
    torch.testing.assert_close(cost.value, by_hand)
    torch.testing.assert_close(cost.logs["squared_error"], by_hand.detach())
    assert not cost.logs["squared_error"].requires_grad


@pytest.mark.parametrize("make", [flat, convolutional])
def test_every_parameter_gets_a_gradient(make):
    model = make((1, 28, 28))
    x = torch.rand(4, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    model.loss("autoencoder", protocols.Batch(x), NOISE).value.mean().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in model.parameters())


def test_squared_error_is_the_density_of_its_decoder():
    model, x = flat((1, 6, 6)).double(), torch.rand(4, 1, 6, 6, dtype=torch.float64)
    cost = model.loss("autoencoder", protocols.Batch(x), NOISE).value
    log_prob = model.decode(model.encode(x).mean).log_prob(x)
    differences = (log_prob[1:] - log_prob[0], -0.5 * (cost[1:] - cost[0]))
    torch.testing.assert_close(*differences)
