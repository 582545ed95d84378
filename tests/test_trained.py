"""Some of the test images are some of every class, also where they lie sorted."""

import torch

from reverie.data.images import Split
from reverie.trained import spread


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
