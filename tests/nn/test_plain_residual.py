"""Residual players without normalisation: their scale at the start, their sizes, and what they do not mix."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from reverie.nn.plain_residual import Basis, Block, Read, residual_critic, residual_features, residual_generator


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)


def test_a_block_starts_as_the_identity_and_has_the_paths_of_its_print():
    block, x = Block(16, depth=4), torch.randn(2, 16, 6, 6)
    assert torch.equal(block(x), x)
    layers = [m for m in block.branch if isinstance(m, nn.Conv2d)]
    assert [(m.in_channels, m.out_channels, m.kernel_size[0], m.groups) for m in layers] == [
        (16, 32, 1, 1),
        (32, 32, 3, 2),  # groups of 16 channels
        (32, 16, 1, 1),
    ]


@pytest.mark.parametrize("depth", [1, 16])
def test_weights_start_with_the_variance_of_their_equation(depth):
    first = Block(256, depth).branch[0].weight
    assert float(first.detach().var()) == pytest.approx(2 / 1.04 / depth**0.5 / 256, rel=0.03)


def test_a_basis_weighs_learned_pictures():
    basis, z = Basis(5, (3, 2, 4)), torch.randn(6, 5)
    wanted = torch.einsum("chw,cd,bd->bchw", basis.pictures, basis.weights.weight, z)
    torch.testing.assert_close(basis(z), wanted)


@pytest.mark.parametrize(("shape", "counts"), [((1, 28, 28), [8, 16, 20]), ((3, 32, 32), [8, 16, 20, 20])])
def test_players_double_and_halve_through_all_sizes(shape, counts):
    generator, critic = residual_generator(5, shape, 8, 20, 2), residual_critic(shape, 8, 20, 2)
    features, count = residual_features(shape, 8, 20, 2)
    x = generator(torch.randn(3, 5))
    assert x.shape == (3, *shape)
    assert critic(x).shape == (3, 1)
    assert features(x).shape == (3, count)
    assert count == counts[-1]
    wide = [m.branch[0].in_channels for m in critic if isinstance(m, Block)]
    assert wide == [c for c in counts for _ in range(2)]
    assert [m.branch[0].in_channels for m in generator if isinstance(m, Block)] == wide[::-1]


@torch.no_grad()
def test_fresh_players_keep_the_scale_of_what_comes_in():
    x = residual_generator(64, (1, 28, 28), 32, 128, 1)(torch.randn(400, 64))
    assert 0.3 < float(x.std()) < 1.5
    logits = residual_critic((1, 28, 28), 32, 128, 1)(torch.randn(400, 1, 28, 28))
    assert 0.05 < float(logits.std()) < 3


def test_reading_is_a_convolution_of_the_whole_picture_in_each_channel():
    layer, x = Read(3, (4, 5)).double(), torch.randn(2, 3, 4, 5, dtype=torch.float64).requires_grad_()
    expected = functional.conv2d(x, layer.weight, groups=3)
    torch.testing.assert_close(layer(x), expected, rtol=1e-12, atol=1e-12)


def test_no_image_changes_the_logit_of_another():
    critic, x = residual_critic((1, 16, 16), 8, 16, 1), torch.randn(3, 1, 16, 16)
    y = torch.cat([x[:1], torch.randn(2, 1, 16, 16)])
    torch.testing.assert_close(critic(x)[0], critic(y)[0])
