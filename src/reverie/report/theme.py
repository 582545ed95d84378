"""The visual language: two papers, two inks, one accent, twelve class colours, one typeface."""

from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from PIL import ImageFont

from reverie.errors import UsageError

Name = Literal["light", "dark"]
THEMES: tuple[Name, Name] = ("light", "dark")


@dataclass(frozen=True)
class Theme:
    """Colours as ``#rrggbb``; ink, muted and accent stand at least 4.5 to 1 against the paper."""

    paper: str
    ink: str
    muted: str  # captions, labels, ticks
    rule: str  # hairlines
    accent: str
    checks: tuple[str, str]  # what lies under transparent pixels
    classes: tuple[str, ...]


# Both palettes have the same hues. They were found by maximising the smallest distance in OKLab between any
# two colours, over normal, protanope and deuteranope sight (Machado et al. 2009) and both papers; then
# ordered so that the first ones differ the most.
_LIGHT = Theme(
    paper="#fbfaf7",
    ink="#1d1d1f",
    muted="#67655f",
    rule="#e3e0d8",
    accent="#4649a8",
    checks=("#ffffff", "#e9e7e1"),
    classes=(
        "#1f3ebb",
        "#b5ab3a",
        "#894d0b",
        "#9f8ec9",
        "#0f6f61",
        "#6d8903",
        "#3c76b6",
        "#2bc4a2",
        "#6a3082",
        "#bf388e",
        "#860a32",
        "#c5786b",
    ),
)
_DARK = Theme(
    paper="#19191b",
    ink="#ededea",
    muted="#a5a39c",
    rule="#333336",
    accent="#a9adff",
    checks=("#2b2b2e", "#38383b"),
    classes=(
        "#4c78f8",
        "#e9df71",
        "#c18148",
        "#d2c2ff",
        "#51a494",
        "#9fbe4f",
        "#70abee",
        "#6ff9d4",
        "#a165bb",
        "#fb70c4",
        "#c34c63",
        "#fdac9c",
    ),
)


def theme_of(name: str) -> Theme:
    """The theme of that name.

    Raises:
        UsageError: a name other than light or dark.
    """
    themes: dict[str, Theme] = {"light": _LIGHT, "dark": _DARK}
    if name not in themes:
        raise UsageError(f'a theme is light or dark; got "{name}".')
    return themes[name]


@cache
def font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """DejaVu Sans from matplotlib's files, found without importing it; else Pillow's own typeface."""
    package = find_spec("matplotlib")
    places = list(package.submodule_search_locations or ()) if package else []
    files = [Path(p, "mpl-data", "fonts", "ttf", "DejaVuSans.ttf") for p in places]
    found = next((file for file in files if file.exists()), None)
    return ImageFont.truetype(str(found), size) if found else ImageFont.load_default(size)
