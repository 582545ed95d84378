"""Pictures of a game in the plane: where things lie, their colours, and films of them."""

import numpy as np
import pytest
import torch
from PIL import Image, ImageColor

from reverie.report.field import EDGE, Scene, film, picture
from reverie.report.theme import THEMES, theme_of

NONE = torch.empty(0, 2)
LINE = torch.linspace(-EDGE, EDGE, 21)
TILTED = LINE.expand(21, 21)  # rises from left to right, and is 0 in the middle


def drawn(scene, theme="light"):
    return np.asarray(picture(scene, title="it", caption="so", theme=theme)).astype(int)


def inside(image):
    """The square of the plane, by the frame's width and its place above the legend."""
    side = round(0.888 * image.shape[1])
    left, bottom = round(0.056 * image.shape[1]), image.shape[0]
    top = next(y for y in range(100, bottom) if (image[y, left + 5 : left + side - 5] != image[0, 0]).any(1).all())
    return image[top + 4 : top + side - 4, left + 4 : left + side - 4]


def near(image, colour, within=60):
    return np.abs(image - np.asarray(ImageColor.getrgb(colour))).sum(2) < within


@pytest.mark.parametrize("theme", THEMES)
def test_a_generated_point_lies_where_it_is(theme):
    at = torch.tensor([[0.5, -1.0]]).expand(400, 2)
    rows, columns = np.nonzero(near(inside(drawn(Scene(NONE, at, TILTED), theme)), theme_of(theme).classes[9]))
    side = len(inside(drawn(Scene(NONE, at, TILTED), theme)))
    assert columns.mean() / side == pytest.approx((0.5 + EDGE) / (2 * EDGE), abs=0.01)
    assert rows.mean() / side == pytest.approx((EDGE + 1.0) / (2 * EDGE), abs=0.01)


@pytest.mark.parametrize("theme", THEMES)
def test_what_is_taken_for_real_is_blue_and_the_rest_is_brown(theme):
    square = inside(drawn(Scene(NONE, NONE, TILTED), theme))
    left, right = square[:, :100].mean((0, 1)), square[:, -100:].mean((0, 1))
    assert right[2] > right[0] + 10
    assert left[0] > left[2] + 10
    turned = inside(drawn(Scene(NONE, NONE, TILTED.T), theme))
    assert turned[:100].mean((0, 1))[2] > turned[:100].mean((0, 1))[0] + 10  # the last row of places is on top


def test_the_scale_of_the_critic_is_no_matter_but_its_sign_is():
    plain = drawn(Scene(NONE, NONE, TILTED))
    assert np.array_equal(plain, drawn(Scene(NONE, NONE, 1000 * TILTED)))
    assert not np.array_equal(plain, drawn(Scene(NONE, NONE, -TILTED)))
    drawn(Scene(NONE, NONE, torch.zeros(21, 21)))  # a critic that says nothing


def test_an_arrow_points_where_the_point_is_pulled():
    still, at = Scene(NONE, NONE, TILTED), torch.zeros(1, 2)
    moved = inside(drawn(Scene(NONE, NONE, TILTED, at, torch.tensor([[0.0, 2.0]])))) - inside(drawn(still))
    rows, columns = np.nonzero(np.abs(moved).sum(2) > 100)
    side = len(moved)
    assert rows.max() < side / 2 + 5  # up, from the middle
    assert rows.min() < side / 2 - 0.04 * side
    assert abs(columns.mean() - side / 2) < 4


def test_a_film_has_its_frames_in_order_and_stays_on_the_last(tmp_path):
    files = []
    for i, colour in enumerate(("#fbfaf7", "#4649a8", "#bf388e")):
        files.append(tmp_path / f"{i}.png")
        Image.new("RGB", (1120, 800), colour).save(files[-1])
    with Image.open(film(files, tmp_path / "film.gif", milliseconds=100)) as made:
        assert made.n_frames == 3
        assert made.size == (480, 343)
        assert made.info["loop"] == 0
        seen = []
        for i in range(3):
            made.seek(i)
            seen.append((made.info["duration"], made.convert("RGB").getpixel((240, 170))))
    assert [duration for duration, _ in seen] == [100, 100, 800]
    assert seen[2][1] == ImageColor.getrgb("#bf388e")
    assert len({colour for _, colour in seen}) == 3
