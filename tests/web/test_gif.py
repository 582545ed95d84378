"""Films against Pillow, which decodes them."""

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageSequence

from reverie.web import fetch

SCRIPT = (Path(fetch.__file__).parent / "gif.js").read_text(encoding="utf-8").replace("export ", "")
MAKE = """async ([frames, width, height, order, hundredths]) => {
  const film = gif(frames.map((frame) => Uint8ClampedArray.from(frame)), width, height, order, hundredths);
  return Array.from(new Uint8Array(await film.arrayBuffer()));
}"""


@pytest.fixture(scope="module")
def film(browser):
    """Makes a film of pictures (N, H, W, 3) and opens it by Pillow."""
    page = browser.new_page()
    page.add_script_tag(content=SCRIPT)

    def make(pictures, order=None, hundredths=5):
        n, height, width, _ = pictures.shape
        opaque = np.concatenate([pictures, np.full((n, height, width, 1), 255, np.uint8)], 3)
        frames = [frame.flatten().tolist() for frame in opaque]
        given = [frames, width, height, list(order if order is not None else range(n)), hundredths]
        return Image.open(BytesIO(bytes(page.evaluate(MAKE, given))))

    yield make
    page.close()


def decoded(film):
    return np.stack([np.array(frame.convert("RGB")) for frame in ImageSequence.Iterator(film)])


@pytest.mark.parametrize(("height", "width"), [(1, 1), (7, 5), (90, 130)])
def test_greys_are_kept_exactly(height, width, film):
    # Noise of 11,700 pixels fills the table of codes several times over.
    grey = np.random.default_rng(0).integers(0, 256, (3, height, width, 1), np.uint8)
    pictures = np.repeat(grey, 3, 3)
    np.testing.assert_array_equal(decoded(film(pictures)), pictures)


def test_even_pictures_are_kept_too(film):
    pictures = np.full((2, 64, 64, 3), 77, np.uint8)
    pictures[1] = 0
    np.testing.assert_array_equal(decoded(film(pictures)), pictures)


def test_few_colours_are_kept_exactly(film):
    # No two of them are alike in 15 bits.
    chosen = np.random.default_rng(1).integers(0, 32, (200, 3)).astype(np.uint8) * 8 + 3
    pictures = chosen[np.random.default_rng(2).integers(0, 200, (2, 40, 50))]
    np.testing.assert_array_equal(decoded(film(pictures)), pictures)


def test_many_colours_are_near_and_nearer_than_those_of_a_fixed_palette(film):
    x, y = np.meshgrid(np.linspace(0, 1, 96), np.linspace(0, 1, 96))
    waves = [np.stack([255 * x, 255 * y, 120 + 60 * np.sin(7 * x * y + t)], -1) for t in (0, 1)]
    pictures = np.stack(waves).astype(np.uint8)
    error = np.abs(decoded(film(pictures)).astype(float) - pictures).mean()
    even = [Image.fromarray(p).quantize(palette=_web_safe(), dither=0).convert("RGB") for p in pictures]
    assert error < 0.5 * np.abs(np.stack(even).astype(float) - pictures).mean()
    assert error < 6


def _web_safe():
    """The 216 colours that are even in each channel."""
    palette = Image.new("P", (1, 1))
    palette.putpalette([level * 51 for i in range(216) for level in (i // 36, i // 6 % 6, i % 6)] + [0] * 120)
    return palette


def test_it_goes_there_and_back_for_ever_at_its_speed(film):
    pictures = np.stack([np.full((4, 4, 3), 10 * i, np.uint8) for i in range(4)])
    found = film(pictures, [0, 1, 2, 3, 2, 1], 6)
    assert decoded(found)[:, 0, 0, 0].tolist() == [0, 10, 20, 30, 20, 10]
    assert (found.info["loop"], found.info["duration"]) == (0, 60)
