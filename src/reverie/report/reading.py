"""Pages on which a text is read: how surprising each of its characters is, and what of it was copied.

Whatever is in a text is shown and never run: the templates escape all of it.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from reverie.files import write
from reverie.report import files, table
from reverie.report.theme import Theme, theme_of

EDGES = (0.5, 1.0, 2.0, 3.0, 4.0, 6.0, 8.0)  # bits at which one colour ends and the next begins
TINTS = (0.0, 0.07, 0.14, 0.21, 0.29, 0.38, 0.48, 1.0)  # how much of the accent each colour has
LONGEST = 200_000  # characters that a page shows, the first ones
PLACES = 20  # of the most surprising that are listed


@dataclass(frozen=True)
class Cell:
    """A part of a text that came as one symbol, and its surprise in bits; None where it was not scored."""

    text: str
    bits: float | None


@dataclass(frozen=True)
class Tint:
    """A colour of the heat map, with one to write on it in, and what it stands for."""

    paper: str
    ink: str
    words: str


@dataclass(frozen=True)
class Mark:
    """A run of a text that was copied: where it begins, how long it is, and where its source begins, in characters."""

    start: int
    length: int
    source: int


def tints(theme: Theme) -> list[Tint]:
    """The colours of the heat map, from the paper to the accent."""
    steps = [f"below {EDGES[0]:g}", *(f"{a:g} to {b:g}" for a, b in zip(EDGES, EDGES[1:], strict=False))]
    words = [*steps, f"{EDGES[-1]:g} or more"]
    inks = [theme.ink if tint < 1 else theme.paper for tint in TINTS]
    return [Tint(mixed(theme.paper, theme.accent, t), ink, w) for t, ink, w in zip(TINTS, inks, words, strict=True)]


def mixed(one: str, other: str, share: float) -> str:
    """A colour between two, with this share of the other.

    Example:
        >>> mixed("#000000", "#ff8000", 0.5)
        '#804000'
    """
    pairs = [(int(one[i : i + 2], 16), int(other[i : i + 2], 16)) for i in (1, 3, 5)]
    return "#" + "".join(f"{round(a + (b - a) * share):02x}" for a, b in pairs)


def level(bits: float | None) -> int:
    """Which colour a surprise has, 0 to 7."""
    return 0 if bits is None else sum(bits >= edge for edge in EDGES)


def write_surprise(
    path: Path,
    cells: Sequence[Cell],
    *,
    title: str,
    lead: str,
    figures: Sequence[Mapping[str, Any]],
) -> Path:
    """Write a page that colours each part of a text by its surprise.

    Args:
        path: of the page.
        cells: the text.
        title: of the page.
        lead: what it is, in a sentence.
        figures: of the whole text.
    """
    text = "".join(cell.text for cell in cells)
    page = files.render(
        "surprise.html.j2",
        title=title,
        lead=lead,
        light=theme_of("light"),
        dark=theme_of("dark"),
        tints={"light": tints(theme_of("light")), "dark": tints(theme_of("dark"))},
        runs=list(_runs(_first(cells))),
        left_out=max(0, len(text) - LONGEST),
        places=list(_places(cells)),
        figures=[(str(f["name"]).replace("_", " "), table.amount(f), f["unit"]) for f in figures],
        protocol=table.words(table.shared(figures)),
    )
    return write(path, page.encode("utf-8", "replace"))


def _first(cells: Iterable[Cell]) -> Iterator[Cell]:
    """The cells within the first ``LONGEST`` characters."""
    count = 0
    for cell in cells:
        count += len(cell.text)
        if count > LONGEST:
            return
        yield cell


def _runs(cells: Iterable[Cell]) -> Iterator[tuple[int, str]]:
    """Neighbours of one colour together; the end of a line, which has no width to colour, alone."""
    for (number, _, _), run in groupby(enumerate(cells), key=_alike):
        yield number, "".join(cell.text for _, cell in run)


def _alike(place: tuple[int, Cell]) -> tuple[int, bool, int]:
    number, cell = place
    ends = cell.text == "\n"
    return level(cell.bits), ends, number if ends else 0


def _places(cells: Sequence[Cell]) -> Iterator[dict[str, Any]]:
    """The most surprising cells, each with its line and what is around it."""
    scored = [number for number, cell in enumerate(cells) if cell.bits is not None and cell.text]
    lines, line = [], 1
    for cell in cells:
        lines.append(line)
        line += cell.text.count("\n")
    for number in sorted(scored, key=lambda n: -(cells[n].bits or 0.0))[:PLACES]:
        before, after = cells[max(0, number - 40) : number], cells[number + 1 : number + 25]
        yield {
            "line": lines[number],
            "bits": cells[number].bits,
            "before": _shown(before)[-40:],
            "text": _shown([cells[number]]),
            "after": _shown(after)[:24],
        }


def _shown(cells: Iterable[Cell]) -> str:
    """A text on one line."""
    return "".join(cell.text for cell in cells).replace("\n", "\N{DOWNWARDS ARROW WITH CORNER LEFTWARDS}")


def write_copies(
    path: Path, text: str, marks: Sequence[Mark], *, title: str, lead: str, report: Mapping[str, Any]
) -> Path:
    """Write a page that marks what of a text was copied.

    Args:
        path: of the page.
        text: the text.
        marks: in the order of the text.
        title: of the page.
        lead: what it is, in a sentence.
        report: ``longest``, ``usual_longest``, ``shares`` and ``marked_from``, as a memorisation report writes them.
    """
    start, length = report["longest"]["start"], report["longest"]["length"]
    page = files.render(
        "copies.html.j2",
        title=title,
        lead=lead,
        light=theme_of("light"),
        dark=theme_of("dark"),
        parts=list(_parts(text, marks)),
        longest=text[start : start + length],
        report=report,
    )
    return write(path, page.encode("utf-8", "replace"))


def _parts(text: str, marks: Sequence[Mark]) -> Iterator[tuple[str, Mark | None]]:
    """The text in parts that were copied and parts that were not; a mark that overlaps the last one begins after it."""
    reached = 0
    for mark in marks:
        start, end = max(reached, mark.start), mark.start + mark.length
        if start > reached:
            yield text[reached:start], None
        yield text[start:end], mark
        reached = max(reached, end)
    if reached < len(text):
        yield text[reached:], None
