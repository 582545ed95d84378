"""Pictures made of many pictures: sheets, pairs, strips, manifolds and loops.

Images are uint8, numpy or torch, (N, C, H, W) with C = 1, 3 or 4. They are never resampled: each pixel
becomes a square of a whole number of pixels, and transparent ones lie on a fine checkerboard.
"""

import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageColor, ImageDraw
from PIL.PngImagePlugin import PngInfo

from reverie.digits import short
from reverie.errors import UsageError
from reverie.files import write
from reverie.report import files
from reverie.report.theme import THEMES, Name, Theme, font, theme_of

if TYPE_CHECKING:
    from torch import Tensor

Pixels = NDArray[np.uint8]

MARGIN, GAP, BAND = 36, 4, 22
TITLE, CAPTION, LABEL = 24, 16, 15
WIDEST = 120  # of a column label
SMALLEST, LARGEST = 56, 84  # what the longer side of a cell should come to
NARROWEST = 440  # of a card, so that titles have room
MOST = 64_000_000  # pixels of the cells of a sheet: larger ones are taken for an attack where they are opened
LOOP = 336  # what the longer side of a loop should come to


class Axis(NamedTuple):
    """An axis of a manifold: what it is, and its ascending values, one for each row or column."""

    label: str
    values: Sequence[float]


def sheet(
    images: "Pixels | Tensor",
    *,
    title: str,
    caption: str = "",
    columns: int | Sequence[str] | None = None,
    rows: Sequence[str] = (),
    theme: Name = "light",
) -> Image.Image:
    """A labelled grid of images.

    Args:
        images: (N, C, H, W) uint8, in reading order.
        title: what one sees.
        caption: one line more, in small letters.
        columns: how many, or their labels; without it, as square as N allows.
        rows: labels of the rows.
        theme: light or dark.

    Raises:
        UsageError: images of another type or shape, or none; fewer row labels than rows.
    """
    colours, cells = theme_of(theme), pixels(images)
    labels = [] if isinstance(columns, int | None) else list(columns)
    count = columns if isinstance(columns, int) else len(labels) or _squarest(len(cells))
    if count < 1:
        raise UsageError(f"a sheet needs at least 1 column; got {count}.")
    needed = -(-len(cells) // count)
    if rows and len(rows) != needed:
        raise UsageError(f"{len(cells)} images in {count} columns make {needed} rows; got {len(rows)} row labels.")
    large = _enlarged(cells, count, colours)
    gap = _gap_for(labels, large.shape[2])
    body = _labelled(_grid(large, count, (gap, GAP), colours), labels, list(rows), gap, colours)
    return _card(body, title, caption, colours)


def strip(
    images: "Pixels | Tensor",
    *,
    title: str,
    labels: Sequence[str] = (),
    caption: str = "",
    theme: Name = "light",
) -> Image.Image:
    """One row of images, a label above each: a walk between two of them, or one factor at growing strength.

    Raises:
        UsageError: images of another type or shape, or none; another number of labels than of images.
    """
    count = len(pixels(images))
    if labels and len(labels) != count:
        raise UsageError(f"a strip of {count} images needs {count} labels, or none; got {len(labels)}.")
    return sheet(images, title=title, caption=caption, columns=list(labels) or count, theme=theme)


def pairs(
    originals: "Pixels | Tensor",
    reconstructions: "Pixels | Tensor",
    errors: Sequence[float],
    *,
    title: str,
    unit: str,
    theme: Name = "light",
) -> Image.Image:
    """Originals above their reconstructions, the error of each below, in as many bands as needed.

    Args:
        originals: (N, C, H, W) uint8.
        reconstructions: (N, C, H, W) uint8.
        errors: N numbers.
        title: what one sees.
        unit: what the numbers are, as in ``squared error per pixel``.
        theme: light or dark.

    Raises:
        UsageError: images of another type or shape, or unequal numbers of them.
    """
    colours, above, below = theme_of(theme), pixels(originals), pixels(reconstructions)
    if not len(above) == len(below) == len(errors):
        raise UsageError(
            "each original needs one reconstruction and one error; "
            f"got {len(above)} originals, {len(below)} reconstructions and {len(errors)} errors."
        )
    count = min(10, len(above))
    up, down = _enlarged(above, count, colours), _enlarged(below, count, colours)
    numbers = [short(float(error)).replace("-", "\u2212") for error in errors]
    gap = _gap_for(numbers, up.shape[2])  # one for all bands, so that their columns stand below each other
    bands = [
        _band((up[i : i + count], down[i : i + count]), numbers[i : i + count], gap, colours)
        for i in range(0, len(up), count)
    ]
    return _card(_stacked(bands, BAND, colours), title, f"Below each pair: {unit}.", colours)


def manifold(
    images: "Pixels | Tensor", *, x: Axis, y: Axis, title: str, caption: str = "", theme: Name = "light"
) -> Image.Image:
    """Decoded images of a plane of codes as one continuous picture, with the coordinates along its sides.

    Args:
        images: (rows, columns, C, H, W) uint8; row 0 is the top, where ``y`` is highest.
        x: the axis from left to right.
        y: the axis from bottom to top.
        title: what one sees.
        caption: one line more, in small letters.
        theme: light or dark.

    Raises:
        UsageError: images of another type or shape, or another number of ticks than of rows or columns.
    """
    shape = tuple(images.shape)
    if len(shape) != 5 or shape[:2] != (len(y.values), len(x.values)):
        raise UsageError(
            f"a manifold of {len(y.values)} rows and {len(x.values)} columns needs images of shape "
            f"({len(y.values)}, {len(x.values)}, C, H, W); got {shape}."
        )
    colours, cells = theme_of(theme), pixels(images.reshape(-1, *shape[2:]))
    large = _enlarged(cells, shape[1], colours)
    body = _with_axes(_grid(large, shape[1], (0, 0), colours), large.shape[1:3], x, y, colours)
    return _card(body, title, caption, colours)


def animation(frames: "Pixels | Tensor", path: Path, *, milliseconds: int = 80) -> Path:
    """A GIF that runs forth and back for ever: frames (T, C, H, W), each pixel a square of whole pixels.

    Grey frames keep their values exactly; of colour frames GIF keeps the best 256 colours.
    """
    cells = pixels(frames)
    factor = max(1, LOOP // max(cells.shape[2:]))
    pictures = [
        Image.fromarray(_grey_or_colour(c)) for c in _upscaled(_opaque(cells, factor, theme_of("light")), factor)
    ]
    first, *others = [*pictures, *pictures[-2:0:-1]]
    content = io.BytesIO()
    first.save(content, "GIF", save_all=True, append_images=others, duration=milliseconds, loop=0, optimize=False)
    return write(path, content.getvalue())


def save(image: Image.Image, path: Path, **text: str) -> Path:
    """Write a PNG, whole or not at all, with what it shows (title, run, protocol) in its text fields."""
    fields = PngInfo()
    for key, value in text.items():
        fields.add_text(key, value)
    content = io.BytesIO()
    image.save(content, "PNG", optimize=True, pnginfo=fields)
    return write(path, content.getvalue())


def both(path: Path, draw: Callable[[Name], Image.Image], **text: str) -> tuple[Path, Path]:
    """Write ``x.png`` for light pages and ``x.dark.png`` for dark ones; ``draw(theme)`` makes the image."""
    light, dark = (
        save(draw(theme), place, **text) for theme, place in zip(THEMES, (path, files.dark_of(path)), strict=True)
    )
    return light, dark


def pixels(images: "Pixels | Tensor") -> Pixels:
    """The images as a numpy array (N, C, H, W), once they are known to be ones.

    Raises:
        UsageError: not uint8, not four axes, not 1, 3 or 4 channels, or no image at all.
    """
    held: Any = images
    array = np.asarray(held.detach().cpu() if hasattr(held, "detach") else held)
    if array.dtype != np.uint8:
        raise UsageError(
            f"a picture is drawn from uint8 values, 0 to 255; got {array.dtype}. Scale and round them first."
        )
    if array.ndim != 4 or array.shape[1] not in (1, 3, 4) or 0 in array.shape:
        raise UsageError(f"a picture needs images (N, C, H, W) with C = 1, 3 or 4; got {array.shape}.")
    return array


def _squarest(count: int) -> int:
    """The number of columns that fills a grid with the least waste, near the square, rather wide."""
    root = int(np.ceil(count**0.5))
    return min(range(root, min(count, root + root // 2) + 1), key=lambda c: (-count % c, c))


def _enlarged(cells: Pixels, columns: int, theme: Theme) -> Pixels:
    """(N, C, H, W) to opaque (N, fH, fW, 3), f chosen so that the longer side is about 56 to 84 pixels."""
    longest = max(cells.shape[2:])
    factor = max(1, LARGEST // longest if columns <= 10 else -(-SMALLEST // longest))
    _check_size(len(cells), factor * cells.shape[2], factor * cells.shape[3])
    return _upscaled(_opaque(cells, factor, theme), factor)


def _check_size(count: int, height: int, width: int) -> None:
    """Refuse a picture that programs would not open any more.

    Raises:
        UsageError: it is too large.
    """
    if count * height * width > MOST:
        fitting = max(1, MOST // (height * width))
        raise UsageError(f"{count:,} images of {width}x{height} make too large a picture; draw at most {fitting:,}.")


def _opaque(cells: Pixels, factor: int, theme: Theme) -> Pixels:
    """(N, C, H, W) to (N, H, W, 3): grey repeated, transparency over squares of about 7 screen pixels."""
    last = np.moveaxis(cells, 1, -1)
    if last.shape[-1] != 4:
        return np.ascontiguousarray(np.broadcast_to(last, (*last.shape[:3], 3)))
    square = max(1, 7 // factor)
    rows, columns = np.ogrid[: last.shape[1], : last.shape[2]]
    below = np.array([ImageColor.getrgb(c) for c in theme.checks])[(rows // square + columns // square) % 2]
    alpha = last[..., 3:].astype(np.float64) / 255
    mixed: Pixels = np.rint(last[..., :3] * alpha + below * (1 - alpha)).astype(np.uint8)
    return mixed


def _upscaled(cells: Pixels, factor: int) -> Pixels:
    return cells.repeat(factor, axis=1).repeat(factor, axis=2)


def _grey_or_colour(cell: Pixels) -> Pixels:
    """(H, W) where the three channels agree, so that a GIF holds 256 greys and not a guess."""
    return cell[..., 0] if (cell == cell[..., :1]).all() else cell


def _gap_for(labels: Sequence[str], width: int) -> int:
    """The gap between columns of that width at which their labels do not touch."""
    return max([GAP, *(min(_width(label, LABEL), WIDEST) + 10 - width for label in labels)])


def _grid(cells: Pixels, columns: int, gaps: tuple[int, int], theme: Theme) -> Image.Image:
    count, height, width = cells.shape[:3]
    rows = -(-count // columns)
    size = (columns * (width + gaps[0]) - gaps[0], rows * (height + gaps[1]) - gaps[1])
    grid = Image.new("RGB", size, theme.paper)
    for i, cell in enumerate(cells):
        grid.paste(Image.fromarray(cell), (i % columns * (width + gaps[0]), i // columns * (height + gaps[1])))
    return grid


def _labelled(grid: Image.Image, top: list[str], left: list[str], gap: int, theme: Theme) -> Image.Image:
    """A grid with a label above each column and one before each row."""
    gutter = max((_width(label, LABEL) for label in left), default=0) + (14 if left else 0)
    head = LABEL + 11 if top else 0
    overhang = (gap - GAP) // 2  # of the first and the last label, where labels are wider than cells
    body = Image.new("RGB", (grid.width + gutter + 2 * overhang, grid.height + head), theme.paper)
    body.paste(grid, (gutter + overhang, head))
    pen = ImageDraw.Draw(body)
    across = (grid.width + gap) / max(1, len(top))
    for i, label in enumerate(top):
        fitted = _fitted(label, WIDEST)
        pen.text(
            (gutter + overhang + i * across + (across - gap) / 2, head - 9),
            fitted,
            theme.muted,
            font(LABEL),
            "ms",
        )
    down = (grid.height + GAP) / max(1, len(left))
    for i, label in enumerate(left):
        pen.text((gutter - 14, head + i * down + (down - GAP) / 2), label, theme.muted, font(LABEL), "rm")
    return body


def _band(pair: tuple[Pixels, Pixels], numbers: list[str], gap: int, theme: Theme) -> Image.Image:
    rows = [_grid(part, len(part), (gap, GAP), theme) for part in pair]
    named = _labelled(_stacked(rows, GAP, theme), [], ["original", "reconstruction"], gap, theme)
    body = Image.new("RGB", (named.width, named.height + LABEL + 10), theme.paper)
    body.paste(named)
    pen, width = ImageDraw.Draw(body), pair[0].shape[2]
    for i, number in enumerate(numbers):
        centre = named.width - (gap - GAP) // 2 - rows[0].width + i * (width + gap) + width / 2
        pen.text((centre, named.height + LABEL + 4), number, theme.ink, font(LABEL), "ms")
    return body


def _stacked(parts: list[Image.Image], gap: int, theme: Theme) -> Image.Image:
    size = (max(p.width for p in parts), sum(p.height for p in parts) + gap * (len(parts) - 1))
    body, top = Image.new("RGB", size, theme.paper), 0
    for part in parts:
        body.paste(part, (0, top))
        top += part.height + gap
    return body


def _with_axes(grid: Image.Image, cell: tuple[int, ...], x: Axis, y: Axis, theme: Theme) -> Image.Image:
    """A continuous picture with ticks at the middles of its cells, their values, and the axes' names."""
    across, up = _numbers(x.values), _numbers(y.values)[::-1]
    left = max(_width(label, LABEL) for label in up) + 12 + LABEL + 16
    body = Image.new("RGB", (left + grid.width, grid.height + 2 * LABEL + 34), theme.paper)
    body.paste(grid, (left, 0))
    pen = ImageDraw.Draw(body)
    for i in _thinned(len(across), cell[1], max(_width(label, LABEL) for label in across) + 16):
        middle = left + (i + 0.5) * cell[1]
        pen.line([(middle, grid.height + 3), (middle, grid.height + 7)], theme.muted)
        pen.text((middle, grid.height + 11), across[i], theme.muted, font(LABEL), "ma")
    for i in _thinned(len(up), cell[0], max(_width(label, LABEL) for label in up) + 16):
        middle = (i + 0.5) * cell[0]
        pen.line([(left - 8, middle), (left - 4, middle)], theme.muted)
        pen.text((left - 12, middle), up[i], theme.muted, font(LABEL), "rm")
    pen.text((left + grid.width / 2, body.height - 2), x.label, theme.ink, font(LABEL), "md")
    upright = _line(y.label, theme).rotate(90, expand=True)
    body.paste(upright, (0, (grid.height - upright.height) // 2))
    return body


def _line(text: str, theme: Theme) -> Image.Image:
    image = Image.new("RGB", (_width(text, LABEL) + 2, LABEL + 6), theme.paper)
    ImageDraw.Draw(image).text((0, LABEL), text, theme.ink, font(LABEL), "ls")
    return image


def _thinned(count: int, pitch: int, room: int) -> range:
    """Which of ``count`` ticks are written, so that each has ``room``; as many are left out at either end."""
    every = max(1, -(-room // pitch))
    return range((count - 1) % every // 2, count, every)


def _card(body: Image.Image, title: str, caption: str, theme: Theme) -> Image.Image:
    """A body on its paper, under its title and caption."""
    width = max(body.width, NARROWEST)
    lines = [(line, TITLE, theme.ink) for line in _wrapped(title, TITLE, width)]
    lines += [(line, CAPTION, theme.muted) for line in _wrapped(caption, CAPTION, width)]
    head = sum(round(size * 1.5) for _, size, _ in lines) + (16 if lines else 0)
    card = Image.new("RGB", (width + 2 * MARGIN, body.height + head + 2 * MARGIN), theme.paper)
    pen, top = ImageDraw.Draw(card), MARGIN
    for line, size, colour in lines:
        pen.text((MARGIN, top), line, colour, font(size))
        top += round(size * 1.5)
    card.paste(body, (MARGIN, MARGIN + head))
    return card


def _wrapped(text: str, size: int, width: int) -> list[str]:
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and _width(longer, size) <= width:
            lines[-1] = longer
        else:
            lines.append(_fitted(word, width, size))
    return lines


def _fitted(text: str, width: int, size: int = LABEL) -> str:
    """The text, or as much of it as fits before an ellipsis."""
    if _width(text, size) <= width:
        return text
    shorter = (text[:n] + "…" for n in range(len(text) - 1, 0, -1))
    return next((short for short in shorter if _width(short, size) <= width), "…")


def _width(text: str, size: int) -> int:
    return int(np.ceil(font(size).getlength(text)))


def _numbers(values: Sequence[float]) -> list[str]:
    """All with as many decimals, two at most, as the longest needs; a true minus sign; no negative zero."""
    rounded = [round(float(v), 2) + 0.0 for v in values]
    decimals = next(d for d in (0, 1, 2) if all(round(v, d) == v for v in rounded))
    return [f"{v:.{decimals}f}".replace("-", "\u2212") for v in rounded]
