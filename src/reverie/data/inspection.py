"""Inspection: what ``reverie data check`` says of a source, past the first broken file."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path

from reverie.data.album import Album, decoded
from reverie.data.limits import Problem
from reverie.data.pictures import COUNT, Levels, narrow
from reverie.data.sources import open_source
from reverie.data.stack import Stack

UNDIVIDED, UNLABELLED = "undivided", "unlabelled"


@dataclass
class Inspection:
    """What a source holds."""

    source: str
    count: int = 0  # images that can be decoded
    sizes: Counter[tuple[int, int]] = field(default_factory=Counter)  # (height, width) -> images
    modes: Counter[str] = field(default_factory=Counter)  # mode of the file -> images
    parts: Counter[str] = field(default_factory=Counter)  # train, test, validation -> images
    classes: Counter[str] = field(default_factory=Counter)  # label -> images
    duplicates: int = 0  # images equal, pixel by pixel, to an earlier one
    problems: tuple[Problem, ...] = ()
    thumbnails: list[Levels] = field(default_factory=list)  # the first images, each (C, H, W)

    @property
    def sound(self) -> bool:
        """Whether ``load`` would take every file: none is broken (it may still ask for a size)."""
        return self.count > 0 and not self.problems


def inspect(source: str | Path, *, thumbnails: int = 64) -> Inspection:
    """Look at every image of a source.

    Args:
        source: as for ``load``.
        thumbnails: how many of the first images to keep for a contact sheet.

    Raises:
        DataError: the source as a whole is missing, broken, too large, or no source of images.
    """
    opened = open_source(source)
    seen: set[bytes] = set()
    result = Inspection(opened.title)
    if isinstance(opened.found, Album):
        _inspect_album(result, opened.found, seen, thumbnails)
    else:
        _inspect_stack(result, opened.found, seen, thumbnails)
        names = opened.entry.classes if opened.entry and opened.entry.classes else opened.found.classes
        result.classes = _class_counts(opened.found, names)
    return result


def _inspect_album(result: Inspection, album: Album, seen: set[bytes], thumbnails: int) -> None:
    problems = list(album.problems)
    for picture, outcome in decoded(album.pictures, None):
        if isinstance(outcome, Problem):
            problems.append(outcome)
            continue
        _count(result, outcome.levels, seen, thumbnails)
        result.modes[outcome.mode] += 1
        result.parts[picture.part or UNDIVIDED] += 1
        result.classes[picture.label or UNLABELLED] += 1
    result.problems = tuple(problems)


def _inspect_stack(result: Inspection, stack: Stack, seen: set[bytes], thumbnails: int) -> None:
    images = narrow(stack.images)
    for levels in images:
        _count(result, levels, seen, thumbnails)
    mode = next(name for name, count in COUNT.items() if count == images.shape[1])
    result.modes[mode] = len(images)
    result.parts = Counter(stack.parts or [UNDIVIDED] * len(images))


def _class_counts(stack: Stack, names: Sequence[str]) -> Counter[str]:
    if stack.labels is None:
        return Counter({UNLABELLED: len(stack.images)})
    return Counter(names[label] for label in stack.labels)


def _count(result: Inspection, levels: Levels, seen: set[bytes], thumbnails: int) -> None:
    result.count += 1
    result.sizes[levels.shape[1], levels.shape[2]] += 1
    if len(result.thumbnails) < thumbnails:
        result.thumbnails.append(levels)
    key = blake2b(repr(levels.shape).encode() + levels.tobytes(), digest_size=16).digest()
    result.duplicates += key in seen
    seen.add(key)
