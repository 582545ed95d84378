"""The stack: images of one size in one array, what every reader ends in."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reverie.data.limits import check_decoded, encodable
from reverie.data.pictures import Levels
from reverie.errors import DataError


@dataclass(frozen=True)
class Stack:
    """Images of one size, their labels, and the part of each where the source says it."""

    images: Levels  # (N, C, H, W)
    labels: NDArray[np.int64] | None = None  # (N,)
    classes: tuple[str, ...] = ()
    parts: tuple[str, ...] | None = None  # one name per image


def join(pieces: Sequence[tuple[str | None, Levels, NDArray[Any] | None]], classes: tuple[str, ...] = ()) -> Stack:
    """Join the pieces (part, images, labels) of one source; labels are kept only where every piece has them.

    Raises:
        DataError: the pieces differ in size, or labels do not match the images or the classes.
    """
    shapes = {images.shape[1:] for _, images, _ in pieces}
    if len(shapes) > 1:
        sizes = " and ".join(" x ".join(map(str, s)) for s in sorted(shapes)[:2])
        raise DataError(f"the arrays hold images of different shapes ({sizes}); all must be equal.")
    labels = None
    if all(piece[2] is not None for piece in pieces):
        labels = np.concatenate([_labels(given, len(images)) for _, images, given in pieces if given is not None])
    images = pieces[0][1] if len(pieces) == 1 else np.concatenate([images for _, images, _ in pieces])
    parts = None
    if any(part for part, _, _ in pieces):
        parts = tuple(part or "train" for part, images, _ in pieces for _ in range(len(images)))
    return Stack(images, labels, _classes(labels, classes), parts)


def _labels(given: NDArray[Any], count: int) -> NDArray[np.int64]:
    if given.dtype.kind not in "iub":
        raise DataError(f"labels must be whole numbers; these are {given.dtype}.")
    flat = given.reshape(-1)
    if len(flat) != count:
        raise DataError(f"{len(flat):,} labels do not match {count:,} images; there must be one for each.")
    return flat.astype(np.int64)


def _classes(labels: NDArray[np.int64] | None, classes: tuple[str, ...]) -> tuple[str, ...]:
    if labels is None or not len(labels):
        return ()
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or high >= (len(classes) or 100_000):
        raise DataError(
            f"labels must lie between 0 and {(len(classes) or 100_000) - 1}; these go from {low} to {high}."
        )
    return tuple(map(encodable, classes)) or tuple(map(str, range(high + 1)))


def as_images(array: NDArray[Any], what: str) -> Levels:
    """Return an array of numbers as levels (N, C, H, W).

    Accepted are (N, H, W), (N, H, W, C), (N, C, H, W) with 1, 3 or 4 channels, and (N, H * H) rows of square
    images; whole numbers 0..255, numbers 0..1, and truth values.

    Raises:
        DataError: another shape, or other numbers.
    """
    if array.size == 0:
        raise DataError(f"{what} holds no images: its shape is {array.shape}.")
    channels_first = _arranged(array, what)
    check_decoded(array.size, what)
    return as_levels(channels_first, what)


def _arranged(array: NDArray[Any], what: str) -> NDArray[Any]:
    if array.ndim == 2 and isqrt(array.shape[1]) ** 2 == array.shape[1]:
        side = isqrt(array.shape[1])
        return array.reshape(-1, 1, side, side)
    if array.ndim == 3:
        return array[:, None]
    if array.ndim == 4 and array.shape[3] in (1, 3, 4):
        return array.transpose(0, 3, 1, 2)
    if array.ndim == 4 and array.shape[1] in (1, 3, 4):
        return array
    raise DataError(
        f"{what} has shape {array.shape}; images are expected as (N, H, W), (N, H, W, C) or (N, "
        "C, H, W) with "
        "1, 3 or 4 channels, or as (N, H * H) rows of square images."
    )


def as_levels(array: NDArray[Any], what: str) -> Levels:
    """Return numbers as 8-bit levels: 0..255 as they are, 0..1 (numbers, truth values, bits) times 255."""
    if array.dtype.kind not in "uifb":
        raise DataError(f"{what} holds {array.dtype}, not numbers.")
    if array.dtype.kind == "b":
        return array.astype(np.uint8) * np.uint8(255)
    low, high = array.min(), array.max()
    if not (low >= 0 and high <= 255):  # written so that not-a-number fails
        raise DataError(f"{what} holds values from {low} to {high}; expected are 0 to 255, or 0 to 1.")
    if high <= 1:
        return (
            np.rint(array * 255.0).astype(np.uint8)
            if array.dtype.kind == "f"
            else array.astype(np.uint8) * np.uint8(255)
        )
    return (np.rint(array) if array.dtype.kind == "f" else array).astype(np.uint8)
