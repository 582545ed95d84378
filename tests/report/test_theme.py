"""The colours: readable on their papers, and told apart by every kind of sight."""

import numpy as np
import pytest

from reverie.errors import UsageError
from reverie.report.theme import THEMES, font, theme_of

# Machado, Oliveira and Fernandes 2009, severity 1.0, on linear RGB.
SIGHT = {
    "normal": np.eye(3),
    "protan": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deutan": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
}


def linear(colour):
    values = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def contrast(one, other):
    a, b = sorted((float(linear(c) @ [0.2126, 0.7152, 0.0722]) for c in (one, other)), reverse=True)
    return (a + 0.05) / (b + 0.05)


def oklab(rgb):
    lms = np.cbrt(
        np.clip(rgb, 0, 1)
        @ np.array(
            [
                [0.4122214708, 0.5363325363, 0.0514459929],
                [0.2119034982, 0.6806995451, 0.1073969566],
                [0.0883024619, 0.2817188376, 0.6299787005],
            ]
        ).T
    )
    return (
        lms
        @ np.array(
            [
                [0.2104542553, 0.7936177850, -0.0040720468],
                [1.9779984951, -2.4285922050, 0.4505937099],
                [0.0259040371, 0.7827717662, -0.8086757660],
            ]
        ).T
    )


@pytest.mark.parametrize("name", THEMES)
def test_words_are_readable(name):
    theme = theme_of(name)
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    for colour in (theme.ink, theme.muted, theme.accent):
        assert contrast(colour, theme.paper) >= 4.5


@pytest.mark.parametrize("sight", SIGHT)
@pytest.mark.parametrize("name", THEMES)
def test_classes_are_told_apart(name, sight):
    seen = oklab(np.array([linear(c) for c in theme_of(name).classes]) @ SIGHT[sight].T)
    apart = np.linalg.norm(seen[:, None] - seen[None], axis=-1) + 9 * np.eye(len(seen))
    assert len(seen) == 12
    # Black and white are 1 apart; 0.02 is a difference that is just noticed.
    assert apart.min() >= (0.12 if sight == "normal" else 0.08)


@pytest.mark.parametrize("name", THEMES)
def test_classes_stand_out_from_the_paper(name):
    assert min(contrast(c, theme_of(name).paper) for c in theme_of(name).classes) >= 1.9


def test_font_is_dejavu():
    assert font(15).getname() == ("DejaVu Sans", "Book")


def test_unknown_theme():
    with pytest.raises(UsageError, match='light or dark; got "sepia"'):
        theme_of("sepia")
