"""The ladder: its sizes, what depends on what, and where every layer starts."""

import itertools
import math

import pytest
import torch

from reverie.errors import UsageError
from reverie.nn.deviations import HIGHEST, LOWEST
from reverie.nn.ladder import Ladder, LatentLayer, ResidualBlock, Rung, rung_sizes

SHAPE = (1, 12, 20)  # rungs of 6x10, 3x5 and 2x3: one of them is rounded up
RUNGS = (Rung(4), Rung(6, 2, 2, 3), Rung(8, 1, 1, 5))


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)


def stirred(ladder):
    """All weights away from their special starts, in float64."""
    for weight in ladder.parameters():
        torch.nn.init.normal_(weight, std=0.2)
    return ladder.double()


def descent(ladder, n=3):
    x = torch.randn(n, *SHAPE, dtype=torch.float64)
    return ladder.climb(x), torch.randn(n, ladder.latent, dtype=torch.float64)


def test_every_image_comes_back_at_its_size():
    ladder = Ladder(SHAPE, 2, RUNGS).double()
    hints, e = descent(ladder)
    found = ladder.descend(hints, e)
    assert [tuple(hint.shape[1:]) for hint in hints] == [(8, 2, 3), (6, 3, 5), (6, 3, 5)]
    assert ladder.cells == [(2, 3, 5), (3, 5, 3), (3, 5, 3)]
    assert ladder.latent == sum(ladder.counts) == 30 + 45 + 45
    assert found.output.shape == (3, 2, 12, 20)
    assert found.code.shape == found.mean.shape == found.log_deviation.shape == (3, 120)


def test_a_drawn_code_decodes_to_the_output_it_was_drawn_with():
    ladder = stirred(Ladder(SHAPE, 2, RUNGS))
    hints, e = descent(ladder)
    found = ladder.descend(hints, e)
    torch.testing.assert_close(ladder.decode(found.code), found.output)
    torch.testing.assert_close(found.code, found.mean + found.log_deviation.exp() * e)


def test_a_layer_knows_the_layers_above_and_the_image_and_nothing_else():
    """The Jacobian of the moments with respect to e: blocks below the diagonal, and no others."""
    ladder = stirred(Ladder((1, 6, 6), 1, (Rung(4), Rung(4, 1, 2, 1), Rung(4, 1, 1, 2))))
    x, e = torch.randn(1, 1, 6, 6, dtype=torch.float64), torch.randn(1, ladder.latent, dtype=torch.float64)
    hints = ladder.climb(x)
    jacobian = torch.autograd.functional.jacobian(lambda e: ladder.descend(hints, e).mean[0], e)[:, 0]
    ends = list(itertools.accumulate(ladder.counts, initial=0))
    for i, j in itertools.product(range(len(ladder.counts)), repeat=2):
        block = jacobian[ends[i] : ends[i + 1], ends[j] : ends[j + 1]]
        assert bool(block.any()) == (j < i), (i, j)
    by_image = torch.autograd.functional.jacobian(lambda x: ladder.descend(ladder.climb(x), e).mean[0], x)
    assert all(bool(part.any()) for part in by_image.flatten(1).split(ladder.counts))


def test_at_the_start_the_prior_of_every_layer_is_standard_normal_and_the_posterior_near_it():
    ladder = Ladder(SHAPE, 1, RUNGS)
    hints = ladder.climb(torch.randn(5, *SHAPE))
    found = ladder.descend(hints, torch.randn(5, ladder.latent))
    assert found.mean.abs().max() < 0.2
    assert found.log_deviation.abs().max() < 0.2
    assert found.mean.abs().max() > 0
    for layer in (step for step in ladder.steps if isinstance(step, LatentLayer)):
        h, t = torch.randn(5, layer.parts[1], 3, 3), torch.randn(5, layer.parts[0] // 2, 3, 3)
        below, drawn = layer(h, t, None)
        _, added, _ = layer.joint(torch.nn.functional.silu(h)).split(layer.parts, 1)
        torch.testing.assert_close(below, layer.block(h + added + layer.project(t)))  # z = t
        assert drawn is None


def test_one_clamp_holds_the_draw_and_what_the_density_is_told():
    layer = LatentLayer(4, 2, 1.0).double()
    layer.posterior.bias.data[2:] = torch.tensor([1e4, -1e4])
    e = torch.randn(3, 2, 5, 5, dtype=torch.float64)
    h, hint = torch.randn(2, 3, 4, 5, 5, dtype=torch.float64)
    _, drawn = layer(h, e, hint)
    assert drawn.log_deviation[:, 0].eq(HIGHEST).all()
    assert drawn.log_deviation[:, 1].eq(LOWEST).all()
    torch.testing.assert_close((drawn.t - drawn.mean) / e, drawn.log_deviation.exp())


def test_a_layer_scales_its_number_by_the_prior_it_read_off_the_state():
    layer = LatentLayer(4, 2, 1.0).double()
    torch.nn.init.normal_(layer.joint.weight, std=0.2)
    h, t = torch.randn(3, 4, 5, 5, dtype=torch.float64), torch.randn(3, 2, 5, 5, dtype=torch.float64)
    read = layer.joint(torch.nn.functional.silu(h))
    z = read[:, :2] + torch.exp(read[:, 2:4]) * t
    torch.testing.assert_close(layer(h, t, None)[0], layer.block(h + read[:, 4:8] + layer.project(z)))


def test_residual_blocks_start_smaller_the_more_there_are():
    x = torch.randn(2, 4, 6, 6)
    torch.manual_seed(1)
    whole = ResidualBlock(4, 1.0)
    torch.manual_seed(1)
    quarter = ResidualBlock(4, 0.25)
    bias = whole.second.bias.view(-1, 1, 1)
    torch.testing.assert_close(quarter(x) - x - bias, 0.25 * (whole(x) - x - bias))


@pytest.mark.parametrize(("side", "rungs", "sizes"), [(28, 3, [14, 7, 4]), (32, 4, [16, 8, 4, 2]), (2, 1, [1])])
def test_rungs_halve_and_round_up(side, rungs, sizes):
    assert rung_sizes((1, side, side), rungs) == [(size, size) for size in sizes]


@pytest.mark.parametrize(("shape", "rungs", "size"), [((1, 27, 28), 3, 28), ((3, 4, 4), 3, 6), ((1, 1, 1), 1, 2)])
def test_a_size_that_cannot_be_halved_is_told_the_next_one(shape, rungs, size):
    with pytest.raises(UsageError, match=f"Use --size {size}"):
        rung_sizes(shape, rungs)
    heights = rung_sizes((1, size, size), rungs)
    assert all(a > b for a, b in itertools.pairwise([(size, size), *heights]))


def test_a_ladder_without_latent_layers_on_top_is_refused():
    for rungs in ((), (Rung(4, 1, 1, 2), Rung(4))):
        with pytest.raises(UsageError, match="topmost"):
            Ladder((1, 8, 8), 1, rungs)


def test_moments_are_float32_in_bfloat16_networks_and_close_to_float64():
    ladder = Ladder(SHAPE, 1, RUNGS)
    x, e = torch.randn(4, *SHAPE), torch.randn(4, ladder.latent)
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        half = ladder.descend(ladder.climb(x), e)
    with torch.no_grad():
        exact = ladder.double().descend(ladder.climb(x.double()), e.double())
    assert half.code.dtype == half.mean.dtype == half.log_deviation.dtype == torch.float32
    assert float((half.code - exact.code).abs().max()) < 0.02
    assert not math.isnan(float(half.output.sum()))
