"""Stacked digits: what is in each colour, that labels write the digits, and that parts keep apart."""

import numpy as np
import pytest

from reverie.data import load
from reverie.data import stacked as module
from reverie.data.stack import Stack
from reverie.data.stacked import stacked


def digits():
    """Two pictures of each digit, all of one level that tells digit and part: 10 d + 1 to train, 10 d + 2 to test."""
    labels = np.repeat(np.arange(10), 2)
    level = 10 * labels + np.tile([1, 2], 10)
    images = np.broadcast_to(level[:, None, None, None], (20, 1, 2, 3)).astype(np.uint8)
    return Stack(images, labels, tuple("0123456789"), ("train", "test") * 10)


@pytest.fixture
def few(monkeypatch):
    monkeypatch.setattr(module, "COUNTS", {"train": 5000, "test": 2000})


@pytest.mark.parametrize("colours", [2, 3])
def test_each_colour_is_a_digit_of_its_part_and_the_label_writes_them(colours, few):
    found = stacked(digits(), colours)
    assert found.images.shape == (7000, 3, 2, 3)
    assert found.parts == ("train",) * 5000 + ("test",) * 2000
    levels = found.images[:, :, 0, 0].astype(int)
    assert (found.images == found.images[:, :, :1, :1]).all()
    assert (levels[:, colours:] == 0).all()
    assert (levels[:5000, :colours] % 10 == 1).all()
    assert (levels[5000:, :colours] % 10 == 2).all()
    written = [int("".join(str(level // 10) for level in row[:colours])) for row in levels]
    assert found.labels.tolist() == written
    assert len(found.classes) == 10**colours
    assert found.classes[7] == "007"[-colours:]
    shares = np.bincount(levels[:5000, 0] // 10) / 5000
    assert np.abs(shares - 0.1).max() < 0.02


def test_it_is_the_same_again_and_needs_labels_and_parts(few):
    assert np.array_equal(stacked(digits(), 3).images, stacked(digits(), 3).images)
    with pytest.raises(ValueError, match="labels and parts"):
        stacked(Stack(digits().images), 3)


def test_the_named_set_is_made_from_mnist(shared_data, few):
    data = load("stacked-mnist")
    assert data.spec.shape == (3, 28, 28)
    assert (len(data.train), len(data.test), len(data.classes)) == (5000, 2000, 1000)
    mnist = load("mnist")
    for colour, digit in enumerate(f"{int(data.test.labels[0]):03d}"):
        of_digit = mnist.test.pixels[mnist.test.labels == int(digit), 0]
        assert (of_digit == data.test.pixels[0, colour]).flatten(1).all(1).any()
