"""The model card: ``model/README.md`` in the Hub's layout, filled from the run folder."""

import html
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from reverie.files import write
from reverie.report import files, table
from reverie.report.files import Record
from reverie.report.page import duration, summary


def write_card(folder: Path) -> Path:
    """Write the model card of a run, and beside it the picture it shows: both travel with the weights.

    Raises:
        DataError: there is no such folder, or a file in it is broken.
    """
    record = files.read(folder)
    picture = (*record.pictures[:1], *record.samples[-1:])[-1:]
    for source in picture:
        write(folder / "model" / "picture.png", source.read_bytes())
    card = files.render(
        "card.md.j2",
        tags=[json.dumps(tag) for tag in _tags(record)],
        name=text(record.name),
        summary=text(summary(record)),
        picture=bool(picture),
        data=_data(record),
        groups=[
            (text(table.words(group.common)), [_row(figure, group.common) for figure in group.figures])
            for group in table.groups(record.figures)
        ],
        training=_training(record),
        limits=_limits(record),
    )
    return write(folder / "model" / "README.md", card.encode())


def text(value: object) -> str:
    r"""A value as plain words of Markdown: on one line, with nothing that is read as markup.

    Example:
        >>> text("a|b <i>")
        'a\\|b &lt;i&gt;'
    """
    line = html.escape(" ".join(str(value).split()), quote=False)
    return "".join("\\" + c if c in "\\`*_[]|#" else c for c in line)


def _tags(record: Record) -> list[str]:
    return ["reverie", "pytorch", "generative-model", *([record.recipe] if record.recipe else [])]


def _row(figure: Mapping[str, Any], common: Mapping[str, Any]) -> list[str]:
    name = str(figure["name"]).replace("_", " ")
    return [text(part) for part in (name, table.amount(figure), figure.get("unit") or "", table.remark(figure, common))]


def _data(record: Record) -> list[str]:
    """Sentences about the data."""
    data, said = record.data, []
    if data.get("name"):
        split = f" ({data['split']})" if data.get("split") else ""
        said.append(f"The training data is {data['name']}{split}.")
    if data.get("shape"):
        said.append(f"One example has the shape {' × '.join(map(str, data['shape']))}.")
    if data.get("classes"):
        said.append(f"Its {len(data['classes'])} classes are {', '.join(map(str, data['classes']))}.")
    if data.get("fingerprint"):
        said.append(f"Its fingerprint is {data['fingerprint']}.")
    return [text(sentence) for sentence in said]


def _training(record: Record) -> list[str]:
    """Sentences about the training."""
    facts, said = record.facts, []
    if facts.get("steps"):
        said.append(f"{facts['steps']:,} steps")
    if facts.get("weights"):
        said.append(f"weights of {facts['weights']}")
    if facts.get("seconds"):
        said.append(duration(facts["seconds"]))
    if facts.get("device"):
        said.append(f"on {facts['device']}")
    if facts.get("seed") is not None:
        said.append(f"seed {facts['seed']}")
    said += [f"{name} {version}" for name, version in (facts.get("versions") or {}).items()]
    return [text(part) for part in said]


def _limits(record: Record) -> list[str]:
    """What a reader must not expect, from what the run says of itself."""
    name = record.data.get("name") or "its training data"
    said = [
        f"The model has seen {name} only: it knows no others, and repeats what is uneven there.",
        "Figures may be compared with others only where the protocols are equal.",
    ]
    if not record.figures:
        said.append("It was not evaluated; nothing is known of its quality.")
    if record.facts.get("status") not in (None, "finished", "running"):
        reason = f" ({record.facts['reason']})" if record.facts.get("reason") else ""
        said.append(f"The training is not complete: {record.facts['status']}{reason}.")
    return [text(sentence) for sentence in said]
