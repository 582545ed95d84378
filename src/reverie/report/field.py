"""A game in the plane: real and generated points, what the critic takes for real, and where the generator is pulled."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from reverie.files import write
from reverie.report.plots import Numbers, _array, _figure, _heading, _image
from reverie.report.theme import Name, Theme, theme_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from torch import Tensor

EDGE = 1.45  # of the square that is shown, from -EDGE to EDGE
REACH = 0.16  # length of the longest arrows
SOFT = 0.5  # of a colour in what lies behind the points
BANDS = 15
FRAME = 480  # pixels of a film's width
OFTEN, FAR = 192, 64  # colours of a film: the frequent ones, for soft bands, and the outermost, for ink and accents


@dataclass(frozen=True)
class Scene:
    """What a picture of a game shows.

    Args:
        real: points of the law, (N, 2).
        generated: points of the generator, (M, 2).
        level: of the critic at a square of places, row by row from the bottom, (G, G); 0 is the middle.
        pulled: generated points with arrows, (K, 2).
        pull: the arrows, (K, 2).
    """

    real: "Tensor"
    generated: "Tensor"
    level: "Tensor | None" = None
    pulled: "Tensor | None" = None
    pull: "Tensor | None" = None


def picture(scene: Scene, *, title: str, caption: str, theme: Name = "light") -> Image.Image:
    """One moment of a game: the critic's level behind, real points small, generated ones with their arrows.

    Args:
        scene: what is shown.
        title: what one sees.
        caption: figures.
        theme: light or dark.
    """
    colours = theme_of(theme)
    figure = _figure(6.4, 7.3, colours)
    top = _heading(figure, title, caption, colours, -0.05)
    axes = figure.add_axes((0.056, top - 0.888 * 6.4 / 7.3, 0.888, 0.888 * 6.4 / 7.3))
    axes.set(xlim=(-EDGE, EDGE), ylim=(-EDGE, EDGE), xticks=[], yticks=[], facecolor=colours.paper)
    for spine in axes.spines.values():
        spine.set_color(colours.rule)
    if scene.level is not None:
        _behind(axes, _array(scene.level), colours)
    _points(axes, scene, colours)
    handles, names = axes.get_legend_handles_labels()
    figure.legend(
        handles, names, loc="lower left", bbox_to_anchor=(0.035, 0.01), ncols=len(names), frameon=False, fontsize=9.5,
        labelcolor=colours.muted, handletextpad=0.2, columnspacing=1.4, markerscale=1.4,
    )  # fmt: skip
    if scene.level is not None:
        words = "blue: taken for real   dashed: midway   arrows: pull"
        figure.text(0.944, 0.031, words, color=colours.muted, fontsize=9.5, ha="right")
    return _image(figure)


def _behind(axes: "Axes", level: Numbers, theme: Theme) -> None:
    """Soft bands towards one colour where the critic says real, towards another where it says generated."""
    from matplotlib.colors import LinearSegmentedColormap, to_rgb

    def soft(colour: str) -> tuple[float, float, float]:
        red, green, blue = SOFT * np.asarray(to_rgb(colour)) + (1 - SOFT) * np.asarray(to_rgb(theme.paper))
        return float(red), float(green), float(blue)

    ends = [soft(theme.classes[2]), to_rgb(theme.paper), soft(theme.classes[6])]
    shades = LinearSegmentedColormap.from_list("critic", ends)
    places = np.linspace(-EDGE, EDGE, len(level))
    bands = np.linspace(-1, 1, BANDS + 1)
    axes.contourf(places, places, balanced(level), bands, cmap=shades, antialiased=True)
    if level.min() < 0 < level.max():
        axes.contour(places, places, level, [0.0], colors=[theme.muted], linewidths=1.1, linestyles="dashed")


def balanced(level: Numbers) -> Numbers:
    """Between -1 and 1, each side of 0 in its own scale: what is taken for real is often a small part of the plane."""
    high, low = np.clip(level, 0, None), np.clip(-level, 0, None)
    tops = [float(np.quantile(side[side > 0], 0.9)) if side.any() else 1.0 for side in (high, low)]
    balanced: Numbers = np.clip(high / tops[0], 0, 1) - np.clip(low / tops[1], 0, 1)
    return balanced


def _points(axes: "Axes", scene: Scene, theme: Theme) -> None:
    real, generated, strong = _array(scene.real), _array(scene.generated), theme.classes[9]
    axes.scatter(real[:, 0], real[:, 1], s=5, color=theme.ink, alpha=0.28, linewidths=0, label="real")
    axes.scatter(
        generated[:, 0], generated[:, 1], s=9, color=strong, alpha=0.75, linewidths=0, label="generated", zorder=3
    )
    if scene.pulled is None or scene.pull is None:
        return
    axes.quiver(
        *_array(scene.pulled).T, *arrows(_array(scene.pull)).T, angles="xy", scale_units="xy", scale=1, width=0.0032,
        color=theme.ink, alpha=0.8, zorder=4, headwidth=4, headlength=4.5, headaxislength=4,
    )  # fmt: skip


def arrows(pull: Numbers) -> Numbers:
    """Pulls as long as they can be shown, (K, 2): nine tenths to scale, the strongest no longer than ``REACH``."""
    length = np.linalg.norm(pull, axis=1, keepdims=True)
    shown: Numbers = pull / np.maximum(length, float(np.quantile(length, 0.9)) or 1.0) * REACH
    return shown


def film(frames: Sequence[Path], path: Path, *, milliseconds: int = 160) -> Path:
    """A GIF of pictures of one size, in their order, that stays on the last one and begins again.

    Args:
        frames: PNG files.
        path: where to.
        milliseconds: each frame; the last one stays eight times as long.
    """
    pictures = [_small(frame) for frame in frames]
    palette = _palette(_strip(pictures))
    first, *others = [each.quantize(palette=palette, dither=Image.Dither.NONE) for each in pictures]
    content, times = io.BytesIO(), [milliseconds] * len(others) + [8 * milliseconds]
    first.save(content, "GIF", save_all=True, append_images=others, duration=times, loop=0)
    return write(path, content.getvalue())


def _palette(strip: Image.Image) -> Image.Image:
    often, far = (
        strip.quantize(count, method, dither=Image.Dither.NONE).getpalette() or []
        for count, method in ((OFTEN, Image.Quantize.MEDIANCUT), (FAR, Image.Quantize.MAXCOVERAGE))
    )
    palette = Image.new("P", (1, 1))
    palette.putpalette(often[: 3 * OFTEN] + far[: 3 * FAR])
    return palette


def _strip(pictures: Sequence[Image.Image]) -> Image.Image:
    """All frames in one picture, a quarter as wide and high, for colours that are those of none alone."""
    width, height = pictures[0].width // 4, pictures[0].height // 4
    strip = Image.new("RGB", (width, height * len(pictures)))
    for i, each in enumerate(pictures):
        strip.paste(each.resize((width, height), Image.Resampling.NEAREST), (0, i * height))
    return strip


def _small(path: Path) -> Image.Image:
    with Image.open(path) as image:
        height = round(image.height * FRAME / image.width)
        return image.convert("RGB").resize((FRAME, height), Image.Resampling.LANCZOS)
