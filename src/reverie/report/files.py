"""A run folder, as the report reads it, and its templates."""

import json
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reverie.errors import DataError
from reverie.files import read_lines


@dataclass(frozen=True)
class Record:
    """What a run folder tells; what is missing there is empty here."""

    name: str
    facts: Mapping[str, Any]  # run.json
    config: Mapping[str, Any]  # config.toml, tables laid flat
    rows: tuple[Mapping[str, Any], ...]  # metrics.jsonl
    figures: tuple[Mapping[str, Any], ...]  # of eval.json
    samples: tuple[Path, ...]  # in the order of training, light variants
    pictures: tuple[Path, ...]
    course: tuple[Mapping[str, Any], ...] = ()  # course.jsonl: what a text model said as training went on

    @property
    def recipe(self) -> str:
        """The recipe's name, or ''."""
        return str(self.facts.get("recipe") or self.config.get("recipe") or "")

    @property
    def data(self) -> Mapping[str, Any]:
        """What run.json says of the data."""
        data = self.facts.get("data") or self.config.get("data") or {}
        return data if isinstance(data, Mapping) else {"name": data}


def read(folder: Path) -> Record:
    """Read a run folder; only what is missing is left out.

    Raises:
        DataError: there is no such folder, or a file in it cannot be read as what it should be.
    """
    if not folder.is_dir():
        raise DataError(f'there is no run folder "{folder}". List the runs with: reverie runs')
    evaluation = _json(folder / "eval.json")
    return Record(
        name=folder.resolve().name,
        facts=_json(folder / "run.json"),
        config=dict(_flat(_toml(folder / "config.toml"))),
        rows=tuple(read_lines(folder / "metrics.jsonl")),
        figures=tuple(evaluation.get("figures", ())),
        samples=_pictures(folder / "samples"),
        pictures=_pictures(folder / "pictures"),
        course=tuple(read_lines(folder / "course.jsonl")),
    )


def _json(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DataError(f'"{path}" is not JSON ({error}). Restore it, or delete it to leave it out.') from error
    if not isinstance(content, dict):
        raise DataError(f'"{path}" should hold a JSON object. Restore it, or delete it to leave it out.')
    return content


def _toml(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DataError(f'"{path}" is not TOML ({error}). Restore it, or delete it to leave it out.') from error


def _flat(table: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from _flat(value)
        else:
            yield key, value


def _pictures(folder: Path) -> tuple[Path, ...]:
    return tuple(sorted(p for p in folder.glob("*.png") if not p.name.endswith(".dark.png")))


def render(template: str, **values: object) -> str:
    """Fill in a template of ``report/templates``; in HTML every value is escaped."""
    from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

    environment = Environment(
        loader=PackageLoader("reverie.report", "templates"),
        autoescape=select_autoescape(enabled_extensions=("html.j2",)),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template(template).render(**values)


def dark_of(path: Path) -> Path:
    """The dark variant of a picture: ``x.png`` to ``x.dark.png``."""
    return path.with_suffix(".dark.png")
