"""Look-alikes: the nearest training image is found in pixels and in features, and the nearest samples come first."""

import numpy as np
import torch
from PIL import Image
from torch import nn

from reverie.actions.lookalikes import SHOWN, closeness, draw_lookalikes, nearest_rows, shown
from reverie.data import load
from reverie.data.views import symmetric
from reverie.metrics.extractors import random_network
from reverie.metrics.neighbours import nearest
from reverie.metrics.samples import some, yardsticks
from reverie.trained import Trained

DATA = load("shapes", size=(16, 16))
BESIDE = yardsticks(100, DATA.train, DATA.test, [random_network(DATA.train)])


def test_a_copy_is_beside_its_original_and_a_change_of_one_pixel_does_not_hide_it():
    places = torch.tensor([5, 17, 3000])
    copies = DATA.train.pixels[places].clone()
    copies[:, 0, 0, 0] ^= 8
    rows = nearest_rows(copies, BESIDE)
    assert rows.shape == (9, 3, 16, 16)
    assert rows[:3].equal(copies)
    assert rows[3:6].equal(DATA.train.pixels[places])
    assert rows[6:].equal(DATA.train.pixels[places])


def test_nearest_is_what_all_distances_say():
    """In pixels and in features, over all 5,400 training images, in numpy."""
    asked = DATA.test.pixels[:4]
    known, features = BESIDE[0].known.numpy(), BESIDE[0].extractor.features(asked).numpy()
    by_features = [int(((known - each) ** 2).sum(1).argmin()) for each in features]
    flat = DATA.train.pixels.flatten(1).numpy().astype(np.float64)
    by_pixels = [int(((flat - each) ** 2).sum(1).argmin()) for each in asked.flatten(1).numpy()]
    assert by_features != by_pixels
    rows = nearest_rows(asked, BESIDE)
    assert rows[4:8].equal(DATA.train.pixels[by_pixels])
    assert rows[8:].equal(DATA.train.pixels[by_features])


def test_held_out_images_are_as_close_as_held_out_images_and_copies_are_at_zero():
    assert abs(float(closeness(BESIDE[0].test.pixels, BESIDE[0]).mean()) - 1) < 1e-6
    assert float(closeness(DATA.train.pixels[:9], BESIDE[0]).max()) == 0


def test_half_of_those_shown_are_the_nearest_and_half_the_first_of_the_others():
    ratio = torch.ones(40)
    ratio[[30, 2, 35, 7, 11, 20]] = torch.tensor([0.1, 0.2, 0.3, 0.4, 0.5, 0.6])
    assert shown(ratio) == [30, 2, 35, 7, 11, 20, 0, 1, 3, 4, 5, 6]
    assert len(shown(ratio)) == SHOWN
    assert shown(torch.tensor([0.5, 0.1, 0.9])) == [1, 0, 2]
    assert shown(torch.tensor([0.5])) == [0]


def test_the_picture_lies_among_those_of_the_run(tmp_path):
    trained = Trained("painter", tmp_path, nn.Identity(), symmetric(), DATA)
    light, dark = draw_lookalikes(trained, DATA.test.pixels[:20], BESIDE)
    assert (light, dark) == (tmp_path / "pictures" / "lookalikes.png", tmp_path / "pictures" / "lookalikes.dark.png")
    with Image.open(light) as image:
        assert image.info["Title"] == "Samples and their nearest training images"
        assert image.width > 12 * 16 * 3


def test_closeness_is_the_distance_itself_where_held_out_images_occur_in_training():
    copies = yardsticks(100, DATA.train, some(DATA.train, 100), [random_network(DATA.train)])[0]
    distance = nearest(copies.extractor.features(DATA.test.pixels[:9]), copies.known).sqrt()
    assert closeness(DATA.test.pixels[:9], copies).equal(distance)
    assert float(closeness(DATA.train.pixels[:9], copies).max()) == 0
