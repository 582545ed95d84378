"""Plots: codes as a scatter, training as curves, lines and bars side by side.

matplotlib is imported by the functions that draw, through its object-oriented interface: importing this
module is cheap, and no global state is touched.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeGuard

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from reverie.errors import UsageError
from reverie.report.theme import Name, Theme, theme_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from mpl_toolkits.mplot3d import Axes3D  # type: ignore[import-untyped]
    from torch import Tensor

Numbers = NDArray[np.float64]
Classes = NDArray[np.int64]

DPI = 120
CLOCKS = ("step", "seconds", "epoch")  # what a row of metrics.jsonl says of time
HELD_OUT = re.compile(r"(?:^|[/_. -])(held[_-]?out|test|valid(?:ation)?|eval)(?:$|[/_. -])")
MARKERS = ("o", "^", "s")  # one for each round through the colours


def scatter(
    codes: "Numbers | Tensor",
    labels: "Sequence[int] | NDArray[np.integer[Any]] | Tensor | None" = None,
    classes: Sequence[str] = (),
    *,
    title: str,
    theme: Name = "light",
) -> Image.Image:
    """Codes in the plane, or in space as one view in perspective and its three projections.

    Args:
        codes: (N, 2) or (N, 3).
        labels: (N,) class of each code; without it all have one colour.
        classes: the names of the classes; without them their numbers.
        title: what one sees.
        theme: light or dark.

    Raises:
        UsageError: codes of another shape, or another number of labels than of codes.
    """
    points, colours = _array(codes), theme_of(theme)
    if points.ndim != 2 or points.shape[1] not in (2, 3) or not len(points):
        raise UsageError(f"a scatter shows codes (N, 2) or (N, 3); got {points.shape}. Choose two or three dimensions.")
    which = np.zeros(len(points), np.int64) if labels is None else _array(labels).astype(np.int64)
    if which.shape != (len(points),):
        raise UsageError(f"{len(points)} codes need as many labels; got {which.shape}.")
    if which.min() < 0:
        raise UsageError(f"labels are the numbers of classes, from 0; got {which.min()}.")
    present = [int(c) for c in np.unique(which)] if labels is not None else []
    names = {c: classes[c] if c < len(classes) else str(c) for c in present}
    draw = _in_plane if points.shape[1] == 2 else _in_space
    return draw(points, which, names, title, colours)


def curves(rows: Sequence[Mapping[str, Any]], *, title: str, theme: Name = "light") -> Image.Image:
    """Training over steps, one panel a quantity: training thin, held-out thick, last values beside.

    Args:
        rows: of ``metrics.jsonl``. Step, seconds and epoch are time; a name with ``held_out``, ``test``,
            ``valid`` or ``eval`` in it is the held-out twin of the name that is left without it, as are
            all of a row that says ``"test": true``.
        title: what one sees.
        theme: light or dark.

    Raises:
        UsageError: there is nothing to draw.
    """
    colours, panels = theme_of(theme), _panels(rows)
    if not panels:
        raise UsageError('curves need rows with a "step" and at least one number beside it; got none.')
    columns = 1 if len(panels) == 1 else 2
    height = 4.4 if len(panels) == 1 else 2.9 * math.ceil(len(panels) / columns)
    figure = _figure(8.6, height + 0.7, colours)
    heading = _heading(figure, title, "thick: held-out; thin: training", colours, 0.4)
    grid = figure.add_gridspec(
        math.ceil(len(panels) / columns), columns, left=0.075, right=0.87 if columns == 1 else 0.86,
        top=heading, bottom=0.5 / (height + 0.7), hspace=0.5, wspace=0.55,
    )  # fmt: skip
    for i, (name, lines) in enumerate(panels.items()):
        _curve_panel(figure.add_subplot(grid[i // columns, i % columns]), name, lines, colours)
    return _image(figure)


def quantities(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """What ``curves`` would show of these rows, by name."""
    return list(_panels(rows))


@dataclass(frozen=True)
class Panel:
    """Lines, dots and bars over one pair of axes.

    Args:
        title: what it shows.
        across: what the x axis is.
        lines: points (N, 2) by name; a name that begins with a space is not written, and its line thin.
        dots: points (N, 2) by name.
        bars: heights (K,) by name, side by side.
        limits: of y, where not all of it matters.
        square: whether x and y have one scale.
    """

    title: str
    across: str
    lines: Mapping[str, Numbers] = field(default_factory=dict)
    dots: Mapping[str, Numbers] = field(default_factory=dict)
    bars: Mapping[str, Numbers] = field(default_factory=dict)
    limits: tuple[float, float] | None = None
    square: bool = False


def panels(parts: Sequence[Panel], *, title: str, caption: str, theme: Name = "light") -> Image.Image:
    """Panels side by side under one heading.

    Args:
        parts: from left to right.
        title: what one sees.
        caption: in a few words, how to read it.
        theme: light or dark.
    """
    colours = theme_of(theme)
    figure = _figure(4.3 * len(parts) + 0.4, 4.9, colours)
    top = _heading(figure, title, caption, colours, 0.35)
    edge = 0.55 / figure.get_figwidth()
    grid = figure.add_gridspec(1, len(parts), left=edge, right=1 - edge / 2, top=top, bottom=0.13, wspace=0.2)
    for i, part in enumerate(parts):
        _panel(figure.add_subplot(grid[0, i]), part, colours)
    return _image(figure)


def _panel(axes: "Axes", part: Panel, theme: Theme) -> None:
    _plain_axes(axes, theme)
    axes.set_title(part.title, color=theme.ink, fontsize=10.5, loc="left", pad=8)
    axes.set_xlabel(part.across, color=theme.muted, fontsize=9, labelpad=4)
    colour = dict(zip([*part.bars, *part.lines, *part.dots], (0, 4, 9, 2, 5, 8), strict=False))
    for i, (name, heights) in enumerate(part.bars.items()):
        wide = 0.8 / len(part.bars)
        places = np.arange(len(heights)) + wide * (i - (len(part.bars) - 1) / 2)
        axes.bar(places, heights, width=0.92 * wide, color=theme.classes[colour[name]], label=name)
    for name, points in part.lines.items():
        plain = name.startswith(" ")
        shade = theme.accent if plain else theme.classes[colour[name]]
        axes.plot(*points.T, linewidth=1.1 if plain else 2.0, color=shade, label=None if plain else name)
    for name, points in part.dots.items():
        across, up = points.T
        axes.scatter(across, up, s=30, linewidths=0, color=theme.classes[colour[name]], zorder=4, label=name)
    if part.limits:
        axes.set_ylim(*part.limits)
    if part.square:
        axes.set_aspect("equal", adjustable="datalim")
    if any(not name.startswith(" ") for name in (*part.lines, *part.dots, *part.bars)):
        axes.legend(frameon=False, fontsize=9, labelcolor=theme.muted, loc="best", handlelength=1.4)


def _array(values: object) -> Numbers:
    held: Any = values
    return np.asarray(held.detach().cpu() if hasattr(held, "detach") else held, dtype=np.float64)


def _figure(width: float, height: float, theme: Theme) -> "Figure":
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), dpi=DPI, facecolor=theme.paper)


def _image(figure: "Figure") -> Image.Image:
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = FigureCanvasAgg(figure)
    canvas.draw()  # type: ignore[no-untyped-call]
    drawn = canvas.buffer_rgba()  # type: ignore[no-untyped-call]
    return Image.fromarray(np.asarray(drawn)).convert("RGB")


def _heading(figure: "Figure", title: str, caption: str, theme: Theme, extra: float = 0.0) -> float:
    """Write title and caption at the top left; return where drawing may start, in parts of the figure."""
    inches = figure.get_figheight()
    figure.text(0.36 / figure.get_figwidth(), 1 - 0.34 / inches, title, color=theme.ink, fontsize=14, va="top")
    figure.text(0.36 / figure.get_figwidth(), 1 - 0.66 / inches, caption, color=theme.muted, fontsize=9.5, va="top")
    return 1 - (1.05 + extra) / inches


def _plain_axes(axes: "Axes", theme: Theme) -> None:
    """Hairlines behind the data, small muted numbers, no frame."""
    axes.set_facecolor(theme.paper)
    axes.tick_params(colors=theme.muted, labelsize=9, length=0, pad=5)
    axes.grid(color=theme.rule, linewidth=0.7)
    axes.set_axisbelow(True)
    for spine in axes.spines.values():
        spine.set_visible(False)


def _in_plane(points: Numbers, which: Classes, names: Mapping[int, str], title: str, theme: Theme) -> Image.Image:
    figure = _figure(8.2, 7.6, theme)
    top = _heading(figure, title, f"{len(points):,} codes", theme)
    axes = figure.add_axes((0.07, 0.06, 0.75 if names else 0.88, top - 0.06))
    _plain_axes(axes, theme)
    _dots(axes, points, which, 40_000, theme)
    axes.set_aspect("equal", adjustable="datalim")
    _write_names(axes, points, which, names, theme)
    _legend(figure, names, theme)
    return _image(figure)


def _in_space(points: Numbers, which: Classes, names: Mapping[int, str], title: str, theme: Theme) -> Image.Image:
    figure = _figure(10.4, 7.6, theme)
    top = _heading(figure, title, f"{len(points):,} codes, in perspective and in three planes", theme)
    right = 0.83 if names else 0.97
    figure.subplots_adjust(left=0.02, right=right, top=top, bottom=0.06, wspace=0.12, hspace=0.4)
    grid = figure.add_gridspec(3, 2, width_ratios=(2.5, 1))
    _perspective(figure.add_subplot(grid[:, 0], projection="3d"), points, which, theme)
    for row, (across, up) in enumerate(((0, 1), (0, 2), (1, 2))):
        axes = figure.add_subplot(grid[row, 1])
        _plain_axes(axes, theme)
        _dots(axes, points[:, (across, up)], which, 12_000, theme)
        axes.set_title(f"dimension {across} across, {up} up", color=theme.muted, fontsize=9, loc="left", pad=6)
        axes.set_aspect("equal", adjustable="datalim")
    _legend(figure, names, theme)
    return _image(figure)


def _perspective(axes: "Axes3D", points: Numbers, which: Classes, theme: Theme) -> None:
    _dots(axes, points, which, 30_000, theme)
    for axis in (axes.xaxis, axes.yaxis, axes.zaxis):
        axis.set_pane_color(theme.paper)
        axis.line.set_color(theme.rule)
        axis._axinfo["grid"].update(color=theme.rule, linewidth=0.7)
        axis._axinfo["tick"].update(inward_factor=0, outward_factor=0)
        axis.label.set(color=theme.muted, fontsize=9.5)
    axes.set_facecolor(theme.paper)
    axes.tick_params(colors=theme.muted, labelsize=8.5)
    axes.set(xlabel="dimension 0", ylabel="dimension 1", zlabel="dimension 2")
    axes.set_box_aspect((1, 1, 1), zoom=0.94)
    axes.view_init(elev=22, azim=-56)


def _dots(axes: "Axes", points: Numbers, which: Classes, area: float, theme: Theme) -> None:
    """All codes, the more the smaller, in a shuffled order: no class lies on top because it came last."""
    order = np.random.default_rng(0).permutation(len(points))
    points, which = points[order], which[order]
    rounds = which // len(theme.classes) % len(MARKERS)
    colours = np.array(theme.classes)[which % len(theme.classes)]
    look: dict[str, Any] = {
        "s": float(np.clip(area / len(points), 4, 26)),
        "alpha": float(np.clip(2500 / len(points), 0.5, 0.9)),
        "linewidths": 0,
    }
    for i in np.unique(rounds):
        axes.scatter(*points[rounds == i].T, **look | {"c": colours[rounds == i], "marker": MARKERS[i]})


def _write_names(axes: "Axes", points: Numbers, which: Classes, names: Mapping[int, str], theme: Theme) -> None:
    """Each class's name at the middle of its codes, so that no colour has to be looked up."""
    from matplotlib.patheffects import withStroke

    halo = [withStroke(linewidth=3.5, foreground=theme.paper)]
    for code, name in names.items():
        x, y = np.median(points[which == code], axis=0)
        axes.text(x, y, name, color=theme.ink, fontsize=11, ha="center", va="center", path_effects=halo)


def _legend(figure: "Figure", names: Mapping[int, str], theme: Theme) -> None:
    from matplotlib.lines import Line2D

    number = len(theme.classes)
    looks = {c: (theme.classes[c % number], MARKERS[c // number % len(MARKERS)]) for c in names}
    keys = [
        Line2D([], [], ls="", color=looks[c][0], marker=looks[c][1], ms=7, mew=0, label=name)
        for c, name in names.items()
    ]
    if keys:
        figure.legend(
            handles=keys, loc="upper left", bbox_to_anchor=(0.85, 0.86), frameon=False, fontsize=10,
            labelcolor=theme.muted, handletextpad=0.3, labelspacing=0.55, ncols=math.ceil(len(keys) / 26),
        )  # fmt: skip


def _panels(rows: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Numbers]]:
    """Quantity to {"training": (2, n), "held-out": (2, m)}, steps over values; losses, then held-out; eight at most."""
    found: dict[str, dict[str, list[tuple[float, float]]]] = {}
    for row in rows:
        for key, value in row.items():
            if key not in CLOCKS and _finite(value) and _finite(row.get("step")):
                name, kind = _quantity(key, row.get("test") is True)
                found.setdefault(name, {}).setdefault(kind, []).append((float(row["step"]), float(value)))
    order = sorted(found, key=lambda name: ("loss" not in name, "held-out" not in found[name]))[:8]
    return {name: {kind: np.array(line).T for kind, line in sorted(found[name].items())} for name in order}


def _quantity(key: str, held_out: bool = False) -> tuple[str, str]:
    """The quantity a key is about, and whether of training or of held-out data.

    Example:
        >>> _quantity("held_out_loss"), _quantity("kl/test"), _quantity("latest")
        (('loss', 'held-out'), ('kl', 'held-out'), ('latest', 'training'))
    """
    match = HELD_OUT.search(key)
    name = (key[: match.start()] + " " + key[match.end() :]).strip() if match else key
    return (name or "loss").replace("_", " "), "held-out" if match or held_out else "training"


def _finite(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _curve_panel(axes: "Axes", name: str, lines: Mapping[str, Numbers], theme: Theme) -> None:
    _plain_axes(axes, theme)
    axes.grid(visible=False, axis="x")
    axes.margins(x=0.01)
    low, high = _limits(list(lines.values()))
    axes.set_ylim(low, high)
    cut = any(((line[1] > high) | (line[1] < low)).any() for line in lines.values())
    axes.set_title(
        f"{name} (the start lies outside)" if cut else name, color=theme.ink, fontsize=10.5, loc="left", pad=8
    )
    axes.set_xlabel("step", color=theme.muted, fontsize=9, labelpad=2)
    ends = _apart({kind: float(line[1, -1]) for kind, line in lines.items()}, 0.075 * (high - low))
    for kind, (steps, values) in lines.items():
        thick = kind == "held-out"
        colour, width = (theme.accent, 2.4) if thick else (theme.muted, 0.9)
        dot = "o" if len(steps) == 1 else ""
        axes.plot(steps, values, zorder=3 if thick else 2, marker=dot, color=colour, linewidth=width)
        said = f"{_value(values[-1])} {kind}" if len(lines) > 1 else _value(values[-1])
        axes.annotate(
            said, (1.0, ends[kind]), xycoords=("axes fraction", "data"), xytext=(6, 0), va="center",
            textcoords="offset points", color=colour, fontsize=9.5, annotation_clip=False,
        )  # fmt: skip


def _limits(lines: list[Numbers]) -> tuple[float, float]:
    """The range of the values after the first tenth of the steps, a little widened: the fall is not all."""
    last = max(line[0, -1] for line in lines)
    late = [line[1, line[0] >= 0.1 * last] for line in lines]
    values = np.concatenate(late if max(map(len, late)) >= 10 else [line[1] for line in lines])
    room = 0.08 * (values.max() - values.min()) or max(0.05 * abs(values.max()), 1e-3)
    return float(values.min() - room), float(values.max() + room)


def _apart(ends: Mapping[str, float], distance: float) -> dict[str, float]:
    """Where two labels at the ends of lines go, so that neither covers the other."""
    placed, last = {}, -math.inf
    for kind in sorted(ends, key=lambda k: ends[k]):
        last = max(ends[kind], last + distance)
        placed[kind] = last
    return placed


def _value(number: float) -> str:
    return f"{number:.4g}".replace("-", "\u2212")
