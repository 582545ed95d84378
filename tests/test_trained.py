"""Some of the test images are some of every class, also where they lie sorted; and classes by name and number."""

from pathlib import Path

import pytest
import torch
from torch import nn

from reverie.data.images import ImageData, Split
from reverie.data.views import unit
from reverie.errors import UsageError
from reverie.trained import Trained, spread


def test_some_images_are_evenly_spaced_and_keep_their_labels():
    labels = torch.arange(10).repeat_interleave(100)  # sorted by class
    pixels = labels.to(torch.uint8).view(-1, 1, 1, 1)
    some = spread(Split(pixels, labels), 50)
    assert torch.equal(some.labels.bincount(), torch.full((10,), 5))
    assert torch.equal(some.pixels.flatten().long(), some.labels)


def test_all_images_are_asked_for_by_none_or_more():
    split = Split(torch.zeros(3, 1, 1, 1, dtype=torch.uint8))
    assert spread(split, None) is split
    assert spread(split, 7) is split


class Told(nn.Module):
    """A model that is told classes, and can do nothing else."""

    classes = ("1", "0", "two")


def trained(model, labels=None):
    split = Split(torch.zeros(4, 1, 1, 1, dtype=torch.uint8), labels)
    data = ImageData("squares", split, split, ("1", "0", "two"), "all", "none")
    return Trained("run", Path(), model, unit(), data)


def test_a_class_is_its_name_and_a_number_only_where_no_class_has_that_name():
    model = trained(Told())
    assert [model.class_number(label) for label in ("1", "0", 0, 1, "two", "2", 2)] == [0, 1, 1, 0, 2, 2, 2]
    for wrong in ("tow", "3", -1, ""):
        with pytest.raises(UsageError, match=f'knows no class "{wrong}"'):
            model.class_number(wrong)


def test_labels_are_those_asked_for_and_else_those_of_the_images():
    labels = torch.tensor([2, 0, 1, 2])
    model = trained(Told(), labels)
    assert model.labels(model.data.test).equal(labels)
    assert model.labels(model.data.test, "0").equal(torch.full((4,), 1))
    with pytest.raises(UsageError, match="needs the class of each image. Give --label with one of: 1, 0, two"):
        model.labels(Split(model.data.test.pixels))


def test_a_model_that_is_told_nothing_is_given_no_labels():
    plain = trained(nn.Identity(), torch.tensor([2, 0, 1, 2]))
    assert plain.labels(plain.data.test) is None
    with pytest.raises(UsageError, match="without labels: leave out --label"):
        plain.labels(plain.data.test, "0")
