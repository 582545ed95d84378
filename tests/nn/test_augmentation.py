"""Augmentation: each policy against its definition pixel by pixel, by numbers of each image's own, with its slope."""

import pytest
import torch

from reverie.engine.noise import StepNoise
from reverie.nn.augmentation import augmentation

NOISE = StepNoise((0,), 0, 200)


def images(shape=(200, 1, 16, 24)):
    return torch.rand(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64) + 1  # nowhere zero


def test_nothing_is_the_identity():
    x = images()
    assert augmentation([])(x, NOISE, "real") is x


def test_translation_moves_by_up_to_an_eighth_and_zeros_come_in():
    x = images()
    y, seen = augmentation(["translation"])(x, NOISE, "real"), set()
    for before, after in zip(x[:, 0], y[:, 0], strict=True):
        padded = torch.nn.functional.pad(before, (3, 3, 2, 2))
        fits = [
            (i, j) for i in range(5) for j in range(7) if torch.equal(padded[i : i + 16, j : j + 24], after)
        ]  # (16 + 4) // 8 = 2 rows and (24 + 4) // 8 = 3 columns either way
        assert len(fits) == 1
        seen.add(fits[0])
    assert len(seen) == 35


def test_cutout_zeroes_a_window_of_half_of_each_side_that_may_stick_out():
    x = images()
    y = augmentation(["cutout"])(x, NOISE, "real")
    gone = y[:, 0] == 0
    assert torch.equal(y[:, 0][~gone], x[:, 0][~gone])
    rows, columns = gone.any(2).sum(1), gone.any(1).sum(1)
    assert torch.equal(gone.sum((1, 2)), rows * columns)
    assert (int(rows.min()), int(rows.max()), int(columns.min()), int(columns.max())) == (4, 8, 6, 12)


def test_colour_shifts_and_scales_about_the_means():
    x = images((200, 3, 5, 5))
    y = augmentation(["colour"])(x, NOISE, "real")
    brightness, saturation, contrast = NOISE.uniform("real/colour/amounts", (200, 3)).double().unbind(1)
    for i in range(0, 200, 37):
        z = x[i] + brightness[i] - 0.5
        z = (z - z.mean(0)) * 2 * saturation[i] + z.mean(0)
        torch.testing.assert_close(y[i], (z - z.mean()) * (contrast[i] + 0.5) + z.mean())


@pytest.mark.parametrize("policy", ["colour", "translation", "cutout"])
def test_each_image_has_numbers_of_its_own_and_the_slope_comes_back(policy):
    x, change = images((200, 2, 8, 8)), augmentation([policy])
    y = change(x, NOISE, "real")
    torch.testing.assert_close(change(torch.cat([x[:5], x[5:] * 2]), NOISE, "real")[:5], y[:5])
    assert torch.equal(change(x, NOISE, "real"), y)
    assert not torch.equal(change(x, NOISE, "fake"), y)
    small = images((3, 2, 4, 4)).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: change(x, NOISE, "real"), small)
