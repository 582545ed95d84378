"""Convolutional players: sizes and channels as their sources print them, any size that can be halved, and no others."""

import pytest
import torch
from torch import nn

from reverie.errors import UsageError
from reverie.nn import dcgan


def shapes(network, x):
    """The shape after each layer that has weights, without the batch."""
    found = []
    for layer in network:
        x = layer(x)
        if isinstance(layer, nn.Conv2d | nn.Linear | nn.ConvTranspose2d):
            found.append(tuple(x.shape[1:]))
    return found


def kernels(network):
    kinds = (nn.Conv2d, nn.ConvTranspose2d)
    return [(layer.kernel_size[0], layer.stride[0]) for layer in network if isinstance(layer, kinds)]


def test_the_tutorials_pair_has_the_sizes_of_its_print():
    generator, critic = dcgan.tutorial_generator(96, (1, 28, 28)), dcgan.tutorial_critic((1, 28, 28))
    assert shapes(generator, torch.zeros(2, 96)) == [(1024,), (6272,), (64, 14, 14), (1, 28, 28)]
    assert shapes(critic, torch.zeros(2, 1, 28, 28)) == [(32, 24, 24), (64, 8, 8), (1024,), (1,)]
    assert kernels(generator) == [(4, 2), (4, 2)]
    assert kernels(critic) == [(5, 1), (5, 1)]
    assert {layer.negative_slope for layer in critic if isinstance(layer, nn.LeakyReLU)} == {0.01}


@pytest.mark.parametrize(
    "network",
    [
        dcgan.tutorial_generator(96, (1, 28, 28)),
        dcgan.tutorial_critic((1, 28, 28)),
        dcgan.sketch_generator(100, (1, 28, 28)),
        dcgan.sketch_critic((1, 28, 28)),
    ],
    ids=["tutorial generator", "tutorial critic", "sketch generator", "sketch critic"],
)
def test_the_named_pairs_start_with_glorots_weights(network):
    """Uniform with variance 2 / (inputs + outputs), each times the size of the kernel; biases are 0."""
    for layer in (m for m in network if isinstance(m, nn.Conv2d | nn.ConvTranspose2d | nn.Linear)):
        weight = layer.weight.detach()
        total = (weight.shape[0] + weight.shape[1]) * weight[0, 0].numel()
        assert float(weight.var()) == pytest.approx(2 / total, rel=4 / len(weight.flatten()) ** 0.5)
        assert layer.bias is None or not layer.bias.any()


def test_the_sketch_pair_has_the_sizes_of_its_print():
    generator, critic = dcgan.sketch_generator(100, (1, 28, 28)), dcgan.sketch_critic((1, 28, 28))
    assert shapes(generator, torch.zeros(2, 100)) == [(12544,), (128, 7, 7), (64, 14, 14), (1, 28, 28)]
    assert shapes(critic, torch.zeros(2, 1, 28, 28)) == [(64, 14, 14), (128, 7, 7), (1,)]
    assert kernels(generator) == [(5, 1), (5, 2), (5, 2)]
    assert kernels(critic) == [(5, 2), (5, 2)]
    assert all(layer.bias is None for layer in generator if isinstance(layer, nn.Linear | nn.ConvTranspose2d))
    assert [layer.p for layer in critic if isinstance(layer, nn.Dropout)] == [0.3, 0.3]


@pytest.mark.parametrize(
    ("shape", "base"),
    [
        ((1, 28, 28), (7, 7)),
        ((3, 32, 32), (4, 4)),
        ((3, 64, 64), (4, 4)),
        ((2, 16, 16), (4, 4)),
        ((1, 28, 20), (7, 5)),
        ((4, 48, 64), (6, 8)),
        ((1, 30, 30), (15, 15)),
        ((1, 8, 8), (4, 4)),
    ],
)
def test_players_of_any_size_start_from_what_cannot_be_halved(shape, base):
    generator, critic = dcgan.generator(5, shape, 4), dcgan.critic(shape, 4)
    features, count = dcgan.critic_features(shape, 4)
    x = generator(torch.randn(2, 5))
    assert x.shape == (2, *shape)
    assert x.abs().max() <= 1
    assert critic(x).shape == (2, 1)
    assert features(x).shape == (2, count)
    assert generator[1].shape[1:] == base
    assert max(c.out_channels for c in critic if isinstance(c, nn.Conv2d)) <= 8 * 4


def test_no_image_changes_the_logit_of_another():
    critic, x = dcgan.critic((1, 28, 28), 4), torch.randn(3, 1, 28, 28)
    y = torch.cat([x[:1], torch.randn(2, 1, 28, 28)])
    torch.testing.assert_close(critic(x)[0], critic(y)[0])


@pytest.mark.parametrize(
    ("shape", "use"), [((1, 27, 27), 28), ((1, 34, 34), 32), ((3, 100, 100), 96), ((1, 6, 6), 8), ((1, 28, 29), 28)]
)
def test_sizes_that_cannot_be_halved_are_refused_with_one_that_can(shape, use):
    for build in (lambda: dcgan.generator(4, shape, 4), lambda: dcgan.critic(shape, 4)):
        with pytest.raises(UsageError, match=f"{shape[1]}x{shape[2]} ends at .*Use --size {use}"):
            build()
    assert dcgan.generator(4, (1, use, use), 4)(torch.randn(2, 4)).shape == (2, 1, use, use)


@pytest.mark.parametrize(("shape", "use"), [((1, 30, 30), 32), ((1, 12, 12), 16), ((1, 28, 26), 28)])
@pytest.mark.parametrize("build", [dcgan.tutorial_critic, dcgan.sketch_critic])
def test_the_named_pairs_say_which_sizes_they_take(build, shape, use):
    with pytest.raises(UsageError, match=f"multiples of 4; the images are .*Use --size {use}"):
        build(shape)
    assert build((1, use, use))(torch.zeros(2, 1, use, use)).shape == (2, 1)
