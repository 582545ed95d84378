"""Samples beside images: a perfect generator is at the floor, and each failing shows where it should."""

import math

import pytest
import torch

from reverie.data import load
from reverie.data.images import Split
from reverie.errors import DataError
from reverie.metrics import classifier as module
from reverie.metrics import extractors
from reverie.metrics.classifier import classifier
from reverie.metrics.extractors import random_network
from reverie.metrics.neighbours import repeated
from reverie.metrics.samples import evaluate_modes, evaluate_samples, yardsticks


@pytest.fixture(scope="module")
def shapes():
    """Circles, squares and triangles: some to know, some held out, and others that a perfect generator might draw."""
    data = load("shapes", size=(16, 16))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "STEPS", 150)
        patch.setattr(module, "EPOCHS", 1)
        patch.setattr(module, "_read", lambda *_: None)
        patch.setattr(module, "write", lambda *_: None)
        patch.setattr(module, "write_json", lambda *_: None)
        known = classifier(data)
    n = len(data.train) // 2
    halves = [Split(data.train.pixels[part], data.train.labels[part]) for part in (slice(0, n), slice(n, None))]
    return *halves, data.test, (known, random_network(data.train))


def measured(shapes, pixels):
    known, _, test, both = shapes
    beside = yardsticks(len(pixels), known, test, both)
    return {f.name: f for f in evaluate_samples(pixels, beside, protocol={"data": "shapes"})}


def test_a_perfect_generator_is_at_the_floor(shapes):
    found = measured(shapes, shapes[1].pixels)
    n = min(len(shapes[1]), len(shapes[2]))
    for title in ("classifier-shapes,64d", "random,64d"):
        fd, floor = found[f"FD[{title}]"], found[f"floor of FD[{title}]"]
        assert 0.5 < fd.value / floor.value < 2
        assert fd.protocol["n"] == floor.protocol["n"] == n
        assert fd.protocol["features"].startswith(title)
        kernel = found[f"KD[{title}]"]
        assert abs(kernel.value) < 5 * kernel.standard_error
    assert found["FD[random,64d]"].note.startswith(
        f"floor {found['floor of FD[random,64d]'].value:.3g}: {n:,} held-out"
    )
    assert "noise" in found["FD[random,64d]"].note
    assert (
        abs(
            found["coverage[classifier-shapes,64d]"].value
            - float(found["coverage[classifier-shapes,64d]"].note.split(": ")[1])
        )
        < 0.15
    )
    assert found["effective_classes"].value > 2.7
    assert abs(found["memory_ratio[pixels]"].value - 1) < 0.1
    assert found["twins"].value < 0.05


def test_a_class_left_out_raises_distance_and_lowers_recall_coverage_and_classes(shapes):
    """The classifier sees it; to random features, circles and triangles are nearly one."""
    whole, some = measured(shapes, shapes[1].pixels), measured(shapes, shapes[1].pixels[shapes[1].labels != 1])
    title = "classifier-shapes,64d"
    assert some[f"FD[{title}]"].value > 2 * whole[f"FD[{title}]"].value
    kernel = some[f"KD[{title}]"]
    assert kernel.value > abs(whole[f"KD[{title}]"].value) + 2 * kernel.standard_error
    assert some["coverage[classifier-shapes,64d]"].value < whole["coverage[classifier-shapes,64d]"].value - 0.15
    assert some["recall[classifier-shapes,64d]"].value < whole["recall[classifier-shapes,64d]"].value - 0.05
    assert some["precision[classifier-shapes,64d]"].value > whole["precision[classifier-shapes,64d]"].value - 0.05
    assert some["effective_classes"].value < 2.3


def test_pictures_of_something_else_lower_precision_and_keep_recall(shapes):
    """Half of the samples are noise. Random features see it; a classifier finds some class in many of them."""
    _, fresh, test, _ = shapes
    n = len(test)
    mixed = fresh.pixels[:n].clone()
    source = torch.Generator().manual_seed(0)
    mixed[::2] = torch.randint(0, 256, mixed[::2].shape, generator=source, dtype=torch.uint8)
    whole, some = (measured(shapes, pixels) for pixels in (fresh.pixels[:n], mixed))
    assert whole["precision[random,64d]"].value > 0.85
    assert abs(some["precision[random,64d]"].value - whole["precision[random,64d]"].value / 2) < 0.05
    assert some["precision[classifier-shapes,64d]"].value > 0.7
    assert some["recall[random,64d]"].value > whole["recall[random,64d]"].value - 0.25
    assert some["FD[random,64d]"].value > 5 * whole["FD[random,64d]"].value


def test_copies_and_repetitions_are_found(shapes):
    known, fresh, _, _ = shapes
    copied = measured(shapes, known.pixels)
    assert copied["memory_ratio[pixels]"].value == 0
    assert copied["memory_ratio[classifier-shapes,64d]"].value < 0.02
    repeated = measured(shapes, fresh.pixels[:5].repeat(20, 1, 1, 1))
    assert repeated["twins"].value == 1
    assert repeated["twins"].note.endswith("95 are equal to others")
    assert repeated["coverage[classifier-shapes,64d]"].value < 0.3


def test_neither_the_order_nor_the_batch_counts(shapes, monkeypatch):
    pixels = shapes[1].pixels[: len(shapes[2])]
    plain = measured(shapes, pixels)
    order = torch.randperm(len(pixels), generator=torch.Generator().manual_seed(3))
    monkeypatch.setattr(extractors, "BATCH", 33)
    turned = measured(shapes, pixels[order])
    for name, figure in plain.items():
        assert turned[name].value == pytest.approx(figure.value, rel=1e-4, abs=1e-3), name


def test_too_few_are_refused(shapes):
    with pytest.raises(DataError, match="1 samples"):
        measured(shapes, shapes[1].pixels[:1])


class Reader:
    """Reads the digit that the first pixel writes."""

    protocol = {"features": "reader"}

    def look(self, pixels):
        return None, pixels[:, 0, 0, 0].long()


def test_modes_of_stacks_are_read_colour_by_colour():
    """Two digits: 40 modes as even as can be, beside the floor of as many draws and held-out images of all 100."""

    def stacks(numbers):
        digits = torch.stack([numbers // 10, numbers % 10, torch.zeros_like(numbers)], 1)
        return digits.to(torch.uint8)[:, :, None, None].expand(-1, -1, 4, 4)

    samples, real = stacks(torch.arange(4000) % 40), stacks(torch.arange(300) % 100)
    count, divergence = evaluate_modes(samples, real, Reader(), colours=2, protocol={})
    assert (count.value, count.protocol["n"]) == (40, 4000)
    assert divergence.value == pytest.approx(math.log(100 / 40), rel=1e-9)
    assert count.note == (
        "of 100; a perfect generator: 100.0; 300 held-out images: 100; with a tenth of their share: 40"
    )
    assert divergence.note == "a perfect generator: 0.0124; 300 held-out images: 0.0000"


def test_twins_are_told_beside_those_of_held_out_images(shapes):
    """Of 20 held-out images the nearest pair alone is two: 0.1, and not 0.01."""
    known, fresh, test, both = shapes
    beside = yardsticks(20, known, test, both)
    twins = {f.name: f for f in evaluate_samples(fresh.pixels[:20], beside, protocol={})}["twins"]
    share = float(repeated(beside[0].held_out, beside[0].held_out).mean())
    assert share >= 0.05
    assert twins.note.startswith(f"held-out images: {share:.3g}; ")


def test_memory_is_left_out_where_every_held_out_image_occurs_in_training(shapes):
    known, fresh, _, both = shapes
    beside = yardsticks(50, known, Split(known.pixels[:50], known.labels[:50]), both)
    found = evaluate_samples(fresh.pixels[:50], beside, protocol={})
    assert all(math.isfinite(figure.value) for figure in found)
    assert not [figure for figure in found if figure.name.startswith("memory_ratio")]
