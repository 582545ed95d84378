"""Images: ``load`` reads any source into uint8 tensors, split into training and test images."""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from reverie.data.album import Album, Picture, stack_album
from reverie.data.pictures import SUFFIXES, Channels, Size, fit_levels, narrow, with_channels
from reverie.data.sources import Source, open_source
from reverie.data.stack import Stack
from reverie.data.trees import read_file
from reverie.errors import DataError, UsageError

EVERY = 10  # of a person's own images, every so many-th is for testing


@dataclass(frozen=True)
class ImageSpec:
    """What a recipe must know of its data to build a model."""

    name: str
    shape: tuple[int, int, int]  # C, H, W
    classes: tuple[str, ...] = ()

    @property
    def pixels(self) -> int:
        """The numbers in one image, C * H * W."""
        channels, height, width = self.shape
        return channels * height * width

    @classmethod
    def of_record(cls, record: Mapping[str, Any]) -> "ImageSpec":
        """The name, shape and classes that ``ImageData.record`` gave."""
        channels, height, width = record["shape"]
        return cls(record["name"], (channels, height, width), tuple(record["classes"]))


@dataclass(frozen=True)
class Split:
    """Images and their labels."""

    pixels: Tensor  # (N, C, H, W) uint8
    labels: Tensor | None = None  # (N,) int64, indices into the classes

    def __len__(self) -> int:
        """The number of images."""
        return len(self.pixels)


@dataclass(frozen=True)
class ImageData:
    """A set of images, split, with all that a figure's protocol must say of it."""

    name: str
    train: Split
    test: Split
    classes: tuple[str, ...]
    split: str  # in words: "official 60,000 / 10,000"
    license: str

    @property
    def spec(self) -> ImageSpec:
        """The name, shape and classes."""
        channels, height, width = self.train.pixels.shape[1:]
        return ImageSpec(self.name, (channels, height, width), self.classes)

    def fingerprint(self) -> str:
        """Return the sha256 over the shapes, pixels and labels of both parts: equal only for equal data."""
        digest = sha256()
        for part in (self.train, self.test):
            for tensor in (part.pixels, part.labels):
                digest.update(repr(None if tensor is None else tuple(tensor.shape)).encode())
                if tensor is not None:
                    digest.update(tensor.contiguous().numpy(force=True).data)
        return digest.hexdigest()

    def record(self) -> dict[str, Any]:
        """What a run's record says of the images."""
        return {
            "name": self.name,
            "split": self.split,
            "fingerprint": self.fingerprint(),
            "shape": list(self.spec.shape),
            "classes": list(self.classes),
            "train": len(self.train),
            "test": len(self.test),
        }

    def companions(self) -> dict[str, Any]:
        """What lies beside the weights, by file: nothing."""
        return {}


def load(source: str | Path, *, size: Size | None = None, channels: Channels = "auto") -> ImageData:
    """Read images from any source: a name of the catalog, a folder, an archive or a file.

    Args:
        source: as a person writes it after ``--data``.
        size: height and width; images of another size are cropped at the centre and resized (Lanczos).
        channels: ``auto`` keeps the fewest that lose nothing: grey if every image is, RGBA if anything is
        transparent.

    Returns:
        Training and test images as they come, or else every 10th image, in sorted order, for testing.

    Raises:
        DataError: the source is missing, broken, too large, or no source of images.
        UsageError: ``size`` or ``channels`` is not of a kind that exists.

    Example:
        >>> load("shapes", size=(16, 16)).spec
        ImageSpec(name='shapes', shape=(3, 16, 16), classes=('circle', 'square', 'triangle'))
    """
    _check_arguments(size, channels)
    opened = open_source(source, size)
    stack = _stacked(opened, size, channels)
    train, test, words = _divided(stack.parts, len(stack.images), opened)
    return ImageData(
        opened.name,
        _part(stack, train),
        _part(stack, test),
        (opened.entry.classes if opened.entry and stack.labels is not None else ()) or stack.classes,
        words,
        opened.entry.license if opened.entry else "not stated",
    )


def _check_arguments(size: Size | None, channels: str) -> None:
    if size is not None and not (len(size) == 2 and all(1 <= n <= 4096 for n in size)):
        raise UsageError(f"--size must be one or two numbers between 1 and 4096, as in 28 or 28x20; got {size}.")
    if channels not in ("auto", "grey", "rgb", "rgba"):
        raise UsageError(f"--channels must be auto, grey, rgb or rgba; got {channels}.")


def _stacked(source: Source, size: Size | None, channels: Channels) -> Stack:
    """The images of a source, of the size and with the channels that were asked for."""
    if isinstance(source.found, Album):
        return stack_album(source.found, source.title, size, channels)
    stack = source.found
    images = narrow(stack.images) if channels == "auto" else with_channels(stack.images, channels)
    if size and images.shape[2:] != size:
        images = np.stack([fit_levels(image, size) for image in images])
    return Stack(images, stack.labels, stack.classes, stack.parts)


def _divided(parts: tuple[str, ...] | None, n: int, source: Source) -> tuple[NDArray[np.bool_], NDArray[np.bool_], str]:
    """Which images are for training and which for testing, and how that was decided, in words."""
    if n < 2:
        raise DataError(f"{source.title} holds {n} image; at least 2 are needed, one to train on and one to test.")
    names = np.array(parts or [""] * n)
    held = "test" if "test" in names else "validation"
    train, test = names == "train", names == held
    if not train.any() or not test.any():
        return _every_tenth(names, train, source)
    rest = int((~train & ~test).sum())
    left = f"; {rest:,} other images are left out" if rest else ""
    words = f"as given, {train.sum():,} / {test.sum():,}{left}"
    return train, test, source.entry.split if source.entry and source.entry.split else words


def _every_tenth(
    names: NDArray[np.str_], train: NDArray[np.bool_], source: Source
) -> tuple[NDArray[np.bool_], NDArray[np.bool_], str]:
    used = train if train.any() else np.ones(len(names), bool)
    if used.sum() < 2:
        raise DataError(f"{source.title} holds 1 image for training and none for testing; at least 2 are needed.")
    test = np.zeros(len(names), bool)
    test[np.flatnonzero(used)[::EVERY]] = True
    by = "by sorted name" if isinstance(source.found, Album) else "by position"
    given = source.entry.split if source.entry and source.entry.split else f"every {EVERY}th image is test, {by}"
    rest = int((~used).sum())
    return used & ~test, test, given + (f"; {rest:,} other images are left out" if rest else "")


def _part(stack: Stack, chosen: NDArray[np.bool_]) -> Split:
    pixels = torch.from_numpy(np.ascontiguousarray(stack.images[chosen]))
    return Split(pixels, None if stack.labels is None else torch.from_numpy(stack.labels[chosen]))


def read_images(source: str | Path, *, size: Size, channels: Channels) -> Split:
    """Read all images of a source, one or many, undivided: what a trained model is shown.

    Args:
        source: as for ``load``, or a single image.
        size: height and width of the model's images.
        channels: those of the model's images.

    Raises:
        DataError: as for ``load``.
    """
    path = Path(source).expanduser()
    if path.suffix.lower() in SUFFIXES and path.is_file():
        stack = stack_album(Album((Picture(path.name, lambda: read_file(path)),)), str(source), size, channels)
    else:
        stack = _stacked(open_source(source, size), size, channels)
    return _part(stack, np.ones(len(stack.images), bool))
