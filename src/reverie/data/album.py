"""Albums: image files that are still to be decoded, and their decoding into one stack."""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from reverie.data.limits import SHOWN, Problem, check_decoded, printable
from reverie.data.pictures import COUNT, Channels, Levels, Size, decode, strict_pillow, with_channels
from reverie.data.stack import Stack
from reverie.data.trees import natural
from reverie.errors import DataError

_TOGETHER = 16  # pictures decoded at a time: enough for every thread, few enough to hold at full size
_NAMES: dict[int, Channels] = {count: name for name, count in COUNT.items()}  # type: ignore[misc]


@dataclass(frozen=True)
class Picture:
    """One image file, not yet decoded."""

    name: str
    read: Callable[[], bytes] = field(repr=False)
    part: str | None = None
    label: str | None = None


@dataclass(frozen=True)
class Album:
    """Image files that are still to be decoded, and the files that cannot be used."""

    pictures: tuple[Picture, ...]
    problems: tuple[Problem, ...] = ()

    @property
    def classes(self) -> tuple[str, ...]:
        """The labels, sorted naturally; none if any picture lacks one."""
        labels = {p.label for p in self.pictures}
        return () if None in labels else tuple(sorted((x for x in labels if x is not None), key=natural))


@dataclass(frozen=True)
class Decoded:
    """A picture's levels (C, H, W) and the mode of its file."""

    levels: Levels
    mode: str


def decoded(pictures: Sequence[Picture], size: Size | None) -> Iterator[tuple[Picture, Decoded | Problem]]:
    """Yield every picture in order with its levels, or with what is wrong with it."""

    def attempt(picture: Picture) -> Decoded | Problem:
        try:
            return Decoded(*decode(picture.read(), size))
        except DataError as error:
            return Problem(picture.name, str(error))

    with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
        for start in range(0, len(pictures), _TOGETHER):
            few = pictures[start : start + _TOGETHER]
            with strict_pillow():
                results = list(pool.map(attempt, few))
            yield from zip(few, results, strict=True)


def stack_album(album: Album, title: str, size: Size | None, channels: Channels) -> Stack:
    """Decode an album whole.

    Raises:
        DataError: some file cannot be used, the images differ in size and no size is given, or they are too
        many.
    """
    problems, good, images, total = list(album.problems), [], [], 0
    for picture, result in decoded(album.pictures, size):
        if isinstance(result, Problem):
            problems.append(result)
            continue
        good.append(picture)
        images.append(result.levels)
        total += result.levels.size
        check_decoded(total, title)
        _check_size(good, images)
    if problems:
        raise DataError(_broken(problems, len(album.pictures) + len(album.problems), title))
    if not images:
        raise DataError(f"{title} holds no images.")
    classes = album.classes
    labels = np.array([classes.index(p.label or "") for p in good], np.int64) if classes else None
    parts = tuple(p.part or "" for p in good) if any(p.part for p in good) else None
    return Stack(_filled(images, channels, title), labels, classes, parts)


def _check_size(pictures: Sequence[Picture], images: Sequence[Levels]) -> None:
    first, last = images[0].shape[1:], images[-1].shape[1:]
    if first != last:
        raise DataError(
            f"the images differ in size: {printable(pictures[0].name)} is {first[0]} x "
            f"{first[1]} (height x width), "
            f"{printable(pictures[-1].name)} is {last[0]} x {last[1]}. Give the size that all shall have: "
            "--size 28, or --size 28x20 for height x width."
        )


def _broken(problems: Sequence[Problem], count: int, title: str) -> str:
    more = [f"  and {len(problems) - SHOWN:,} more"] if len(problems) > SHOWN else []
    lines = [
        f"{len(problems):,} of {count:,} files in {title} cannot be used:",
        *(f"  {p}" for p in problems[:SHOWN]),
        *more,
    ]
    return "\n".join([*lines, f"Repair or remove them. `reverie data check {title}` lists all of them."])


def _filled(images: list[Levels], channels: Channels, title: str) -> NDArray[np.uint8]:
    """One array of all images; the list is emptied on the way, so that memory holds them about once."""
    name = _NAMES[max(len(image) for image in images)] if channels == "auto" else channels
    whole = np.empty((len(images), COUNT[name], *images[0].shape[1:]), np.uint8)
    check_decoded(whole.nbytes, title)
    for i in reversed(range(len(images))):
        whole[i] = with_channels(images.pop(), name)  # type: ignore[arg-type]
    return whole
