"""What ``reverie data check`` says of a text: symbols, lines, the split, and every file that cannot be used."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from reverie.data.catalog import CATALOG
from reverie.data.corpus import divided
from reverie.data.limits import Problem, printable
from reverie.data.text import located_text, read_one, read_utf8, text_files
from reverie.data.utf8 import Utf8, pieces
from reverie.errors import DataError


@dataclass(frozen=True)
class Counts:
    """What a text holds.

    Args:
        characters: how often each comes.
        words: how often each run without spaces comes.
        lines: how many there are.
        longest: characters of the longest line.
    """

    characters: Counter[str]
    words: Counter[str]
    lines: int
    longest: int

    @classmethod
    def of(cls, data: Utf8) -> "Counts":
        """Count UTF-8, a piece at a time."""
        words, lines, longest, begun = Counter[str](), 0, 0, 0
        for piece in pieces(data):
            words.update(piece.split())
            first, *rest = piece.split("\n")
            lengths = [begun + len(first), *map(len, rest)]
            lines, longest, begun = lines + len(rest), max(longest, *lengths), lengths[-1]
        return cls(characters_of(data), words, lines + (begun > 0), longest)

    def __add__(self, other: "Counts") -> "Counts":
        """Of two texts together."""
        characters, words = self.characters + other.characters, self.words + other.words
        return Counts(characters, words, self.lines + other.lines, max(self.longest, other.longest))


def characters_of(data: Utf8) -> Counter[str]:
    """How often each character comes in UTF-8, counted a piece at a time."""
    counts = np.zeros(0, np.int64)
    for piece in pieces(data):
        more = np.bincount(np.frombuffer(piece.encode("utf-32-le"), "<u4"), minlength=len(counts))
        more[: len(counts)] += counts
        counts = more
    return Counter({chr(int(point)): int(counts[point]) for point in np.flatnonzero(counts)})


@dataclass(frozen=True)
class TextReport:
    """What a source of text holds.

    Args:
        source: what was asked for.
        files: how many were read.
        whole: all that can be used.
        parts: the characters of each part of the split.
        split: how the parts came to be, in words.
        problems: what cannot be used, and why.
    """

    source: str
    files: int
    whole: Counts
    parts: Mapping[str, Counter[str]] = field(default_factory=dict)
    split: str = "none yet, for not everything can be used"
    problems: tuple[Problem, ...] = ()

    @property
    def unseen(self) -> Counter[str]:
        """Characters of the other parts that the training part does not have: a model of characters knows none."""
        known = self.parts.get("train", Counter())
        others = [counts for part, counts in self.parts.items() if part != "train"]
        return Counter({c: n for c, n in sum(others, Counter()).items() if c not in known})


def read(source: str | Path) -> TextReport:
    """Look at every file of a text.

    Args:
        source: as for ``load_text``.

    Raises:
        DataError: there is no such text, or a folder without any.
    """
    entry = CATALOG.get(source) if isinstance(source, str) else None
    if entry and not entry.places:  # it is made, and lies in no file
        return _divided(str(source), 0, read_utf8(source), entry.split)
    path = located_text(source)
    found: dict[str, list[bytes]] = {}
    files, problems = text_files(path), []
    for part, members in files.items():
        for file in members:
            try:
                found.setdefault(part, []).append(read_one(file))
            except DataError as error:
                reason = str(error).removeprefix(printable(str(file))).lstrip(" ,")
                problems.append(Problem(file.name, reason))
    count = sum(map(len, files.values()))
    joined = {part: Utf8.of(b"\n".join(data)) for part, data in found.items()}
    if problems:
        return TextReport(str(source), count, _whole(joined), problems=tuple(problems))
    return _divided(str(source), count, joined, entry.split if entry else "")


def _divided(source: str, files: int, found: Mapping[str, Utf8], split: str) -> TextReport:
    """The reading of a text whose files are all good; one that is too short to be split is a problem."""
    whole = _whole(found)
    try:
        parts, words = divided(found, Path(source).name)
    except DataError as error:
        return TextReport(source, files, whole, problems=(Problem(source, str(error)),))
    return TextReport(source, files, whole, {part: characters_of(data) for part, data in parts.items()}, split or words)


def _whole(found: Mapping[str, Utf8]) -> Counts:
    return sum((Counts.of(data) for data in found.values()), Counts(Counter(), Counter(), 0, 0))
