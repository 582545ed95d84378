"""Progressively grown players: their parts against definitions, and growth that changes nothing at its start."""

from itertools import pairwise

import numpy as np
import pytest
import torch

from reverie.nn.growing import (
    EqualConv,
    EqualLinear,
    GrowingCritic,
    GrowingGenerator,
    MinibatchDeviation,
    PixelNorm,
    form,
)


@pytest.mark.parametrize(("batch", "group"), [(8, 4), (6, 3), (5, 1), (2, 2)])
def test_the_plane_is_the_mean_deviation_of_each_group(batch, group):
    x = torch.randn(batch, 3, 4, 5, dtype=torch.float64)
    y = MinibatchDeviation(4)(x)
    assert torch.equal(y[:, :3], x)
    members = x.numpy().reshape(group, batch // group, 3, 4, 5)
    wanted = np.sqrt(members.var(0) + 1e-8).mean((1, 2, 3))
    for i in range(batch):
        np.testing.assert_allclose(y[i, 3].numpy(), np.full((4, 5), wanted[i % (batch // group)]), rtol=1e-6)


def test_members_of_a_group_may_change_places():
    x = torch.randn(8, 2, 3, 3)
    places = torch.tensor([2, 1, 0, 3, 4, 5, 6, 7])  # 0 and 2 are of one group of four
    torch.testing.assert_close(MinibatchDeviation(4)(x)[:, 2], MinibatchDeviation(4)(x[places])[:, 2])


@pytest.mark.parametrize("levels", [2, 3, 4])
def test_growth_is_monotone_reaches_all_and_gives_each_level_its_part(levels):
    seen = [form(p / 7000, levels) for p in range(7001)]
    depths = [level - 1 + alpha for level, alpha in seen]
    assert depths == sorted(depths)
    assert max(b - a for a, b in pairwise(depths)) < 0.01
    assert seen[0] == (0, 1.0)
    assert seen[-1] == (levels - 1, 1.0)
    for level in range(levels):
        share = sum(found == (level, 1.0) for found in seen) / 7001
        assert share == pytest.approx(1 / (2 * levels - 1), abs=0.01)


def test_equal_layers_scale_in_use_and_start_with_unit_weights():
    conv, linear = EqualConv(32, 64, 3, 1), EqualLinear(500, 40, gain=1.0)
    assert conv.weight.std().item() == pytest.approx(1, abs=0.02)
    x = torch.randn(2, 32, 5, 5)
    wanted = torch.nn.functional.conv2d(x, conv.weight * (2 / (32 * 9)) ** 0.5, conv.bias, padding=1)
    torch.testing.assert_close(conv(x), wanted)
    z = torch.randn(3, 500)
    torch.testing.assert_close(linear(z), z @ linear.weight.t() / 500**0.5 + linear.bias)


def test_pixel_norm_gives_channels_of_mean_square_one():
    x = 7 * torch.randn(2, 16, 3, 3)
    y = PixelNorm()(x)
    torch.testing.assert_close(y.square().mean(1), torch.ones(2, 3, 3))
    torch.testing.assert_close(y / y[:, :1], x / x[:, :1], rtol=1e-4, atol=1e-4)


SHAPE = (2, 16, 16)  # levels of 4, 8 and 16 pixels


@pytest.fixture
def players():
    torch.manual_seed(0)
    return GrowingGenerator(5, SHAPE, 4, 8), GrowingCritic(SHAPE, 4, 8)


def at(network, level, alpha, x):
    """The network at the moment of its growth that has this level and alpha."""
    network.grow((2 * level - 1 + alpha) / 5 if level else 0.1)
    found = form(network.progress.item(), 3)
    assert found == (level, pytest.approx(alpha, abs=1e-6))
    return network(x)


@pytest.mark.parametrize("level", [1, 2])
def test_a_level_that_is_just_added_changes_nothing_and_one_that_is_grown_goes_its_own_way(players, level):
    for network, x in zip(players, (torch.randn(4, 5), torch.randn(4, *SHAPE)), strict=True):
        old, start, half, end = (
            at(network, *form, x) for form in ((level - 1, 1.0), (level, 0.0), (level, 0.5), (level, 1.0))
        )
        torch.testing.assert_close(start, old, rtol=1e-5, atol=1e-6)
        assert (end - old).abs().max() > 1e-3
        if network is players[0]:
            torch.testing.assert_close(half, (start + end) / 2)
        with torch.no_grad():
            for weight in network.colours[level - 1].parameters():
                weight.mul_(3)  # the colours of the level below, which a grown level does not use
        assert torch.equal(at(network, level, 1.0, x), end)


def test_at_its_first_level_a_picture_has_sixteen_large_pixels_and_the_critic_sees_their_means(players):
    generator, critic = players
    image = at(generator, 0, 1.0, torch.randn(3, 5))
    blocks = image.unfold(2, 4, 4).unfold(3, 4, 4)
    assert torch.equal(blocks, blocks[..., :1, :1].expand_as(blocks))
    x = torch.randn(3, *SHAPE)
    means = x.unfold(2, 4, 4).unfold(3, 4, 4).mean((4, 5)).repeat_interleave(4, 2).repeat_interleave(4, 3)
    torch.testing.assert_close(at(critic, 0, 1.0, x), critic(means))


def test_levels_that_are_not_there_yet_get_no_slope(players):
    generator, critic = players
    critic.grow(0.1)
    value = critic(at(generator, 0, 1.0, torch.randn(4, 5))).sum()
    for network in players:
        later = [*network.levels[1:].parameters(), *network.colours[1:].parameters()]
        found = torch.autograd.grad(value, later, allow_unused=True, retain_graph=True)
        assert all(gradient is None for gradient in found)
