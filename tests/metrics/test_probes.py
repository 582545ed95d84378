"""Known-bad images are what their words say."""

import torch

from reverie.data.images import Split
from reverie.metrics.probes import NOISE, probes


def test_each_probe_is_what_it_says():
    pixels = torch.full((300, 1, 9, 9), 128, dtype=torch.uint8)
    pixels[:, :, 4, 4] = 200
    labels = torch.arange(300) % 3 * (torch.arange(300) < 290)
    made = probes(Split(pixels, labels))
    assert list(made) == ["noise", "shift by 2 pixels", "blur", "a class left out"]
    assert all(bad.dtype == torch.uint8 for bad in made.values())
    noise = (made["noise"].double() - pixels.double()).flatten()
    assert abs(float(noise.std()) - 255 * NOISE) < 0.5
    assert abs(float(noise.mean())) < 0.7
    shifted = made["shift by 2 pixels"]
    assert (shifted[:, :, 6, 6] == 200).all()
    assert (shifted[:, :, 4, 4] == 128).all()
    assert shifted[0, 0, 3:6, 3:6].eq(128).all()
    assert made["blur"][0, 0, 3:6, 3:6].eq(136).all()  # (8 * 128 + 200) / 9
    assert made["blur"][0, 0, 0, 0] == 128
    assert len(made["a class left out"]) == int((labels != 0).sum())  # the most frequent one


def test_without_labels_no_class_is_left_out():
    assert "a class left out" not in probes(Split(torch.zeros(4, 1, 8, 8, dtype=torch.uint8)))
    assert "a class left out" not in probes(Split(torch.zeros(4, 1, 8, 8, dtype=torch.uint8), torch.ones(4).long()))
