"""Reading the documents: their blocks, sections and tables, and running a command as a person would."""

import re
import shlex
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from reverie.cli import main

ROOT = Path(__file__).parent.parent
PAGES = [
    ROOT / "README.md",
    ROOT / "CHANGELOG.md",
    ROOT / "CONTRIBUTING.md",
    *sorted((ROOT / "docs").glob("*.md")),
]


class Block(NamedTuple):
    """A fenced block: its language, the words after it, and its lines."""

    language: str
    words: str
    text: str


def blocks(page: Path, language: str) -> list[Block]:
    """The fenced blocks of one language, in order."""
    found = re.findall(r"^```(\w+)([^\n]*)\n(.*?)^```$", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    return [Block(tag, words.strip(), text) for tag, words, text in found if tag == language]


def sections(page: Path, level: int = 2) -> dict[str, str]:
    """The text below each heading of a level, by heading."""
    parts = re.split(rf"^{'#' * level} +(.+)$", without_blocks(page.read_text(encoding="utf-8")), flags=re.MULTILINE)
    return {heading.strip(): text for heading, text in zip(parts[1::2], parts[2::2], strict=True)}


def without_blocks(text: str) -> str:
    """A page without what stands in fenced blocks, where a line may begin with a hash."""
    return re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE)


def write_files(page: Path, folder: Path) -> list[Path]:
    """Write the Python blocks whose first line is ``# name.py`` into a folder."""
    files = []
    for block in blocks(page, "python"):
        if name := re.match(r"# (\w+\.py)\n", block.text):
            files.append(folder / name[1])
            files[-1].write_text(block.text, encoding="utf-8")
    return files


def reverie(words: str, monkeypatch: pytest.MonkeyPatch) -> int:
    """Run a line that begins with ``reverie`` in this process; its exit code."""
    program, *rest = shlex.split(words, comments=True)
    assert program == "reverie", words
    monkeypatch.setattr(sys, "argv", [program, *rest])
    with pytest.raises(SystemExit) as end:
        main()
    return int(end.value.code or 0)
