"""The report of a run: one HTML page that holds all its pictures and needs nothing but itself."""

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from PIL import Image
from PIL.PngImagePlugin import PngImageFile

from reverie.errors import DataError
from reverie.files import write
from reverie.report import files, plots, table
from reverie.report.files import Record
from reverie.report.health import verdict
from reverie.report.theme import theme_of

STRIP = 8  # sheets of samples that are shown, from the first to the last
SAID = 6  # epochs of the course of a text model that are shown

Thing = TypeVar("Thing")


@dataclass(frozen=True)
class Picture:
    """A picture inside the page."""

    light: str  # a data URI
    dark: str  # another, or '' where there is one variant only
    width: int
    height: int
    alt: str
    caption: str


def write_page(folder: Path) -> Path:
    """Write ``report.html`` from what lies in a run folder; what is missing there is left out.

    Raises:
        DataError: there is no such folder, or a file in it is broken.
    """
    record = files.read(folder)
    page = files.render(
        "page.html.j2",
        record=record,
        light=theme_of("light"),
        dark=theme_of("dark"),
        summary=summary(record),
        samples=[_sample(path, record.name) for path in _spread(record.samples, STRIP)],
        course=course(record.course),
        groups=[
            (table.words(group.common), [_row(figure, group.common) for figure in group.figures])
            for group in table.groups(record.figures)
        ],
        training=_training(record),
        health=verdict(record.rows),
        pictures=[_inline(path, "", "") for path in record.pictures],
        config=[(name, _shown(value)) for name, value in record.config.items()],
        facts=_facts(record),
        version=(record.facts.get("versions") or {}).get("reverie", ""),
    )
    return write(folder / "report.html", page.encode())


def summary(record: Record) -> str:
    """What the run is, in a sentence."""
    made = f"A {record.recipe} model" if record.recipe else "A model"
    data = f" trained on {record.data['name']}" if record.data.get("name") else ""
    count = record.facts.get("parameters")
    return f"{made}{data}{f', with {count:,} parameters' if isinstance(count, int) else ''}."


def duration(seconds: float) -> str:
    """Seconds in words.

    Example:
        >>> duration(0.4), duration(75), duration(7260)
        ('0.4 s', '1 min 15 s', '2 h 1 min')
    """
    if seconds < 60:
        return f"{seconds:.3g} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def _row(figure: Mapping[str, Any], common: Mapping[str, Any]) -> dict[str, str]:
    return {
        "name": str(figure["name"]).replace("_", " "),
        "amount": table.amount(figure),
        "unit": str(figure.get("unit") or ""),
        "protocol": table.words(table.own(figure, common)),
        "note": str(figure.get("note") or ""),
    }


def course(lines: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """What a text model went on with at each temperature, for some epochs; a line written twice counts once."""
    epochs = {line["epoch"]: line for line in lines if {"epoch", "nats", "rows"} <= line.keys() and line["rows"]}
    if not epochs:
        return None
    shown = _spread([epochs[epoch] for epoch in sorted(epochs)], SAID)
    return {
        "seed": shown[-1]["rows"][0]["seed"],
        "temperatures": [row["temperature"] for row in shown[-1]["rows"]],
        "epochs": shown,
    }


def _facts(record: Record) -> list[tuple[str, str]]:
    """What run.json says of data, machine and course, in the order one asks."""
    facts, data = record.facts, record.data
    listed: list[tuple[str, Any]] = [
        ("status", " ".join(str(facts[key]) for key in ("status", "reason") if facts.get(key))),
        ("created", facts.get("created")),
        ("data", data.get("name")),
        ("split", data.get("split")),
        ("shape of an example", " × ".join(map(str, data.get("shape") or ()))),
        ("classes", ", ".join(map(str, data.get("classes") or ()))),
        ("data fingerprint", data.get("fingerprint")),
        ("parameters", facts.get("parameters")),
        ("steps", facts.get("steps")),
        ("weights", facts.get("weights")),
        ("training time", duration(facts["seconds"]) if facts.get("seconds") else None),
        ("seed", facts.get("seed")),
        ("device", facts.get("device")),
        ("threads", facts.get("threads")),
        (
            "versions",
            ", ".join(f"{name} {version}" for name, version in (facts.get("versions") or {}).items()),
        ),
    ]
    return [(name, _shown(value)) for name, value in listed if value not in (None, "")]


def _shown(value: object) -> str:
    """A setting as one writes it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    return ", ".join(map(_shown, value)) if isinstance(value, list | tuple) else str(value)


def _spread(things: Sequence[Thing], count: int) -> list[Thing]:
    """At most ``count`` things, evenly spaced, with the first and the last."""
    if len(things) <= count:
        return list(things)
    return [things[round(i * (len(things) - 1) / (count - 1))] for i in range(count)]


def _sample(path: Path, run: str) -> Picture:
    when = f"step {int(path.stem):,}" if path.stem.isdecimal() else path.stem.replace("_", " ")
    return _inline(path, f"Images made by {run} at {when}", when)


def _look(path: Path) -> tuple[int, int, str]:
    """Width, height, and what a picture says it shows, or else its name; of the header, whatever its size."""
    try:
        with PngImageFile(path) as image:
            said = {str(key).lower(): str(value) for key, value in image.info.items()}
            width, height = image.size
    except (OSError, SyntaxError) as error:  # the latter is PIL's word for what is no PNG
        raise DataError(f'"{path}" is not a picture. Draw it again, or delete it to leave it out.') from error
    words = (said.get("title") or path.stem).replace("_", " ")
    return width, height, words[:1].upper() + words[1:]


def _inline(path: Path, alt: str, caption: str) -> Picture:
    """A picture as a part of the page; what it says of itself where no words are given."""
    width, height, said = _look(path)
    dark = files.dark_of(path)
    twin = _uri(dark.read_bytes()) if dark.exists() else ""
    return Picture(_uri(path.read_bytes()), twin, width, height, alt or said, caption or said)


def _uri(png: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"


def _training(record: Record) -> Picture | None:
    """The curves of training, drawn from metrics.jsonl."""
    if not plots.quantities(record.rows):
        return None
    light, dark = (plots.curves(record.rows, title=record.name, theme=theme) for theme in ("light", "dark"))
    named = ", ".join(plots.quantities(record.rows))
    return inline(light, dark, f"Curves over training steps: {named}")


def inline(light: Image.Image, dark: Image.Image, alt: str) -> Picture:
    """A picture that was drawn just now, in both variants, as a part of a page."""
    return Picture(_png(light), _png(dark), *light.size, alt, "")


def _png(image: Image.Image) -> str:
    content = io.BytesIO()
    image.save(content, "PNG", optimize=True)
    return _uri(content.getvalue())
