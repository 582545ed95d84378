"""Help pages: rows wrap to the terminal, and a flag says what it takes, its range and its default."""

import inspect
from pathlib import Path
from typing import Literal

import pytest

from reverie.arguments import Count, Positive, Rate, keywords
from reverie.cli.help import kind_of, overview, page, rows


def settings(*, rate: Rate = 0.1, hidden: tuple[Count, ...] = (8, 4), ema: float = 0.0, json: bool = False) -> None: ...


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (int, ("N", [])),
        (Path | None, ("PATH", [])),
        (Literal["a", "b"], ("WORD", ["a, b"])),
        (Rate, ("X", ["above 0 and at most 1"])),
        (Positive | None, ("X", ["above 0"])),
        (tuple[Count, ...], ("N ...", ["at least 1"])),
        (bool, ("", [])),
    ],
)
def test_a_type_in_words(kind, words):
    assert kind_of(kind) == words


def test_a_page_tells_range_and_default():
    flags = [(flag, f"about {name}.") for name, flag in keywords(settings).items()]
    text = page("reverie x", "One.\n\nTwo ``words``.", {"Flags": flags})
    assert text.startswith("Usage: reverie x\n\nOne.\n\nTwo words.\n\nFlags:\n")
    assert "  --rate X        about rate. (above 0 and at most 1; default 0.1)" in text
    assert "  --hidden N ...  about hidden. (at least 1; default 8 4)" in text
    assert "  --ema X         about ema. (default 0.0)" in text
    assert "  --json          about json." in text
    assert inspect.signature(settings).parameters["json"].default is False


@pytest.mark.parametrize("columns", ["20", "80", "200"])
def test_rows_wrap_to_the_terminal(columns, monkeypatch):
    monkeypatch.setenv("COLUMNS", columns)
    text = rows([("a", "word " * 60), ("a-name-that-is-longer-than-its-column", "words")])
    assert max(map(len, text.splitlines())) <= max(60, min(110, int(columns)))
    assert max(map(len, overview().splitlines()[:-2])) <= max(60, min(110, int(columns)))
