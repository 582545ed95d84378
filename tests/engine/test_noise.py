"""Noise is a pure function of its key: resumed, split and chunked work draws the same numbers."""

import pytest
import torch
from scipy import stats

from reverie.engine.noise import ItemNoise, StepNoise, generator


def test_a_share_of_the_batch_draws_its_rows_of_the_whole():
    whole = StepNoise((0, "vae", 7), 0, 10).normal("z", (10, 3))
    parts = [StepNoise((0, "vae", 7), start, 10).normal("z", (size, 3)) for start, size in ((0, 4), (4, 6))]
    assert torch.equal(torch.cat(parts), whole)


@pytest.mark.parametrize("change", [(1, "vae", 7), (0, "critic", 7), (0, "vae", 8)])
def test_every_part_of_the_key_matters(change):
    usual = StepNoise((0, "vae", 7), 0, 10)
    assert not torch.equal(StepNoise(change, 0, 10).normal("z", (10, 3)), usual.normal("z", (10, 3)))
    assert not torch.equal(usual.normal("other", (10, 3)), usual.normal("z", (10, 3)))
    assert torch.equal(usual.normal("z", (10, 3)), usual.normal("z", (10, 3)))


def test_numbers_of_an_item_depend_on_no_batch_and_no_chunk():
    whole = ItemNoise(("test",), range(6)).chunk(0, 10, 10).normal("z", (6, 10, 2))
    batches = [ItemNoise(("test",), items) for items in (range(4), range(4, 6))]
    pieces = [
        torch.cat([noise.chunk(a, b, 10).normal("z", (len(noise.items), b - a, 2)) for a, b in ((0, 3), (3, 10))], 1)
        for noise in batches
    ]
    assert torch.equal(torch.cat(pieces), whole)


def test_item_noise_refuses_rows_that_are_not_items():
    with pytest.raises(ValueError, match="3 items was asked for 4 rows"):
        ItemNoise(("test",), range(3)).normal("z", (4, 2))


def test_step_noise_refuses_more_rows_than_there_are():
    """Several rows of an example belong on an axis of their own: those of other ranks would be others."""
    with pytest.raises(ValueError, match="noise for 6 rows was asked for 12"):
        StepNoise((0, "vae", 7), 4, 10).normal("z", (12, 3))
    assert StepNoise((0, "vae", 7), 4, 10).normal("z", (6, 3)).shape == (6, 3)


def test_the_numbers_are_normal_and_uniform():
    noise = StepNoise((0, "law"), 0, 20_000)
    assert stats.kstest(noise.normal("z", (20_000, 1)).flatten().numpy(), "norm").pvalue > 1e-3
    assert stats.kstest(noise.uniform("u", (20_000, 1)).flatten().numpy(), "uniform").pvalue > 1e-3
    steps = torch.stack([StepNoise((0, "law", step), 0, 1).normal("z", (1, 1)).flatten() for step in range(4000)])
    assert stats.kstest(steps.flatten().numpy(), "norm").pvalue > 1e-3  # seeds of neighbouring steps are unrelated


def test_generator_is_the_same_for_the_same_key():
    a, b = (torch.rand(4, generator=generator(0, "x", 3)) for _ in range(2))
    assert torch.equal(a, b)
