"""Rows of results.jsonl, and the tables of the documentation that are made from them."""

import json
from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import Any

import torch

import reverie
from reverie.engine.machine import describe

HERE = Path(__file__).parent
RESULTS, DOCS = HERE / "results.jsonl", HERE.parent / "docs"


def rows(kind: str) -> list[dict[str, Any]]:
    """All rows of a kind, the oldest first."""
    there = RESULTS.read_text().splitlines() if RESULTS.exists() else []
    return [row for row in map(json.loads, there) if row["kind"] == kind]


def keep(kind: str, **row: Any) -> None:
    """Append a row, with the day, the processor and the versions."""
    append({"kind": kind, **row, **here()})


def here() -> dict[str, Any]:
    """The day, the processor and the versions."""
    return {
        "date": date.today().isoformat(),
        "device": describe(torch.device("cpu")),
        "versions": {"reverie": reverie.__version__, "torch": torch.__version__},
    }


def append(row: dict[str, Any]) -> None:
    """Append a row as it is."""
    with RESULTS.open("a") as file:
        file.write(json.dumps(row) + "\n")


def put(page: str, name: str, text: str) -> None:
    """Put what was rendered into a page of the documentation, between the marks of that name."""
    path, begin, end = DOCS / page, f"<!-- {name} -->", f"<!-- end of {name} -->"
    before, rest = path.read_text().split(begin)
    path.write_text(f"{before}{begin}\n{text}\n{end}{rest.split(end)[1]}")


def table(head: Iterable[str], lines: Iterable[Iterable[str]]) -> str:
    """A table in Markdown; words in its place where nothing was run yet."""
    cells = [list(line) for line in lines]
    if not cells:
        return "Not run yet."
    names = list(head)
    words = [f"| {' | '.join(line)} |" for line in [names, *cells]]
    return "\n".join([words[0], "|---" * len(names) + "|", *words[1:]])
