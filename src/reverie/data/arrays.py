"""Readers of array files: ``.npy``, ``.npz``, idx (MNIST) and CIFAR-10 binary batches.

All parse bytes in memory. What a header claims is held against the bytes that are there before anything is
allocated, and nothing that would need a pickle is read.
"""

import io
import math
import re
import struct
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reverie.data.limits import gunzip, printable, size_words
from reverie.data.pictures import Levels
from reverie.data.stack import Stack, as_images, join
from reverie.data.trees import Member
from reverie.errors import DataError

CIFAR_CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
_CIFAR_RECORD = 1 + 3 * 32 * 32  # a label, then the three channels
_AXES, _ADDRESSABLE = 32, 2**63  # what NumPy takes: so many axes (64 in later releases), fewer bytes than that
_IDX_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_IDX_NAME = re.compile(r"(train|t10k|test|valid)[-_](images|labels)[-_.]idx\d[-_]ubyte(\.gz)?$")
_IDX_PARTS = {"train": "train", "t10k": "test", "test": "test", "valid": "validation"}


def parse_npy(data: bytes, what: str) -> NDArray[Any]:
    """Return the array of a ``.npy`` file, without a copy.

    Raises:
        DataError: no ``.npy`` file, Python objects, or a header that claims more than the file holds.
    """
    shape, fortran, dtype, start = _npy_header(data, what)
    if dtype.hasobject or dtype.fields is not None:
        raise DataError(f"{what} holds Python objects or records, not plain numbers; save it as a plain array.")
    if not dtype.itemsize:
        raise DataError(f"{what} holds empty words, not numbers; save it as a plain array of numbers.")
    if all(type(n) is int and n > 0 for n in shape):
        _check_length(math.prod(shape) * dtype.itemsize, len(data) - start, what, exact=False)
    _check_shape(shape, dtype.itemsize, what)
    count = math.prod(shape)
    flat = np.frombuffer(data, dtype, count=count, offset=start) if count else np.empty(0, dtype)
    return flat.reshape(shape, order="F" if fortran else "C")


def _npy_header(data: bytes, what: str) -> tuple[tuple[int, ...], bool, np.dtype[Any], int]:
    stream = io.BytesIO(data)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            version = np.lib.format.read_magic(stream)
            read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            shape, fortran, dtype = read(stream)
    except Exception as error:  # the header is a Python literal, and broken ones fail in many ways
        raise DataError(f"{what} is no .npy file that can be read (its header is broken).") from error
    return shape, fortran, dtype, stream.tell()


def _check_shape(shape: Sequence[Any], itemsize: int, what: str) -> None:
    """Refuse what is no shape; beside an axis of length 0 the others claim no bytes, and NumPy refuses long ones."""
    whole = all(type(n) is int and n >= 0 for n in shape)
    if not whole or len(shape) > _AXES or math.prod(n or 1 for n in shape) * max(1, itemsize) >= _ADDRESSABLE:
        raise DataError(f"{what} cannot be read: of {len(shape)} axes, its shape is {str(shape)[:80]}.")


def _check_length(claimed: int, there: int, what: str, *, exact: bool) -> None:
    if claimed > there or (exact and claimed != there):
        raise DataError(
            f"{what} is cut short or broken: its header claims {size_words(claimed)} of numbers, "
            f"and {size_words(there)} follow."
        )


def parse_idx(data: bytes, what: str) -> NDArray[Any]:
    """Return the array of an idx file, plain or gzipped.

    Raises:
        DataError: no idx file, or one that is cut short.
    """
    data = gunzip(data, what) if data[:2] == b"\x1f\x8b" else data
    if len(data) < 4 or data[:2] != b"\0\0" or data[2] not in _IDX_TYPES or len(data) < 4 + 4 * data[3]:
        raise DataError(f"{what} is no idx file: it does not begin with idx's magic number.")
    dtype, start = np.dtype(_IDX_TYPES[data[2]]), 4 + 4 * data[3]
    shape = struct.unpack(f">{data[3]}I", data[4:start])
    if len(shape) > 4:
        raise DataError(f"{what} has {len(shape)} axes; an idx file of images has 3 or 4.")
    _check_length(math.prod(shape) * dtype.itemsize, len(data) - start, what, exact=True)
    _check_shape(shape, dtype.itemsize, what)
    return np.frombuffer(data, dtype, offset=start).reshape(shape)


def is_idx(data: bytes) -> bool:
    """Whether bytes begin as an idx file does."""
    return len(data) >= 4 and data[:2] == b"\0\0" and data[2] in _IDX_TYPES and 0 < data[3] <= 4


def read_idx(member: Member) -> Stack:
    """Read one idx file of images."""
    array = parse_idx(member.read(), member.name)
    if array.ndim < 3:
        raise DataError(
            f"{member.name} holds {array.ndim}-axis numbers, as labels are; give the file of images or the folder."
        )
    return join([(None, as_images(array, member.name), None)])


def has_idx(members: Sequence[Member]) -> bool:
    """Whether there are images under MNIST's file names."""
    return any((m := _IDX_NAME.search(member.base)) and m[2] == "images" for member in members)


def read_idx_folder(members: Sequence[Member]) -> Stack:
    """Read the files that are named as MNIST's four, gzipped or not."""
    found = {(m[1], m[2]): member for member in members if (m := _IDX_NAME.search(member.base))}
    pieces = []
    for word in (w for w in _IDX_PARTS if (w, "images") in found):
        images = found[word, "images"]
        labels = found.get((word, "labels"))
        values = None if labels is None else parse_idx(labels.read(), labels.name)
        pieces.append((_IDX_PARTS[word], as_images(parse_idx(images.read(), images.name), images.name), values))
    return join(pieces)


def has_cifar(members: Sequence[Member]) -> bool:
    """Whether there are CIFAR-10 binary batches."""
    return any(re.fullmatch(r"data_batch_\d+\.bin", m.base) for m in members)


def read_cifar(members: Sequence[Member]) -> Stack:
    """Read CIFAR-10 binary batches; ``test_batch.bin`` is for testing, every other one for training."""
    pieces = []
    for member in members:
        part = "test" if member.base.startswith("test") else "train"
        pieces.append((part, *_parse_cifar(member.read(), member.name)))
    return join(pieces, CIFAR_CLASSES)


def _parse_cifar(data: bytes, what: str) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    if not data or len(data) % _CIFAR_RECORD:
        raise DataError(
            f"{what} is cut short: {len(data)} bytes are no multiple of CIFAR-10's {_CIFAR_RECORD} an image."
        )
    records = np.frombuffer(data, np.uint8).reshape(-1, _CIFAR_RECORD)
    return records[:, 1:].reshape(-1, 3, 32, 32), records[:, 0]


def read_npy(member: Member) -> Stack:
    """Read one ``.npy`` file of images."""
    return join([(None, as_images(parse_npy(member.read(), member.name), member.name), None)])


def read_categories(members: Sequence[Member]) -> Stack:
    """Read a folder of ``.npy`` files, each a category, as Quick, Draw! comes."""
    arrays = {category(m.name): parse_npy(m.read(), m.name) for m in members}
    return _stack_categories(arrays)


def category(name: str) -> str:
    """Return the category that a file is named after.

    Example:
        >>> category("full_numpy_bitmap_cat.npy")
        'cat'
    """
    return PurePosixPath(name).stem.removeprefix("full_numpy_bitmap_")


def _stack_categories(arrays: Mapping[str, NDArray[Any]]) -> Stack:
    pieces = []
    for label, (name, array) in enumerate(arrays.items()):
        pieces.append((None, as_images(array, printable(name)), np.full(len(array), label)))
    if len(pieces) == 1:
        return join([(None, pieces[0][1], None)])
    return join(pieces, tuple(arrays))


def read_npz(members: Sequence[Member]) -> Stack:
    """Read a ``.npz`` file: images with labels, parts (``x_train``, ...), or one array per class.

    Raises:
        DataError: Python objects, or no array that holds images.
    """
    readers = {m.name.removesuffix(".npy"): _npy_reader(m) for m in members if m.name.endswith(".npy")}
    lower = {name.casefold(): name for name in readers}
    classes = _names(readers, lower)
    pieces: list[tuple[str | None, Levels, NDArray[Any] | None]] = []
    for part in ("train", "test", "validation", ""):
        images, labels = _named(lower, _IMAGES[part]), _named(lower, _LABELS[part])
        if images and (part or not pieces):
            given = readers[labels]() if labels else None
            pieces.append((part or None, as_images(readers[images](), images), given))
    if pieces:
        return join(pieces, classes)
    arrays = {name: read() for name, read in readers.items()}
    pictures = {name: array for name, array in arrays.items() if array.ndim in (2, 3, 4)}
    if not pictures:
        raise DataError(
            f"no array of this .npz file holds images; it has {', '.join(map(printable, arrays)) or 'none'}."
        )
    return _stack_categories(pictures)


def _npy_reader(member: Member) -> Callable[[], NDArray[Any]]:
    return lambda: parse_npy(member.read(), printable(member.name))


def _both(words: Sequence[str], part: str) -> tuple[str, ...]:
    return tuple(name for word in words for name in (f"{word}_{part}", f"{part}_{word}"))


_X, _Y = ("images", "x", "data"), ("labels", "y", "targets")
_IMAGES = {
    "train": (*_both(_X, "train"), "train"),
    "test": (*_both(_X, "test"), "test"),
    "validation": (*_both(_X, "valid"), *_both(_X, "val"), "valid", "validation"),
    "": (*_X, "arr_0"),
}
_LABELS = {
    "train": _both(_Y, "train"),
    "test": _both(_Y, "test"),
    "validation": (*_both(_Y, "valid"), *_both(_Y, "val")),
    "": (*_Y, "label", "subject", "arr_1"),
}


ARRAY_NAMES = frozenset(name for group in (*_IMAGES.values(), *_LABELS.values()) for name in group)


def _named(lower: Mapping[str, str], words: Sequence[str]) -> str | None:
    return next((lower[word] for word in words if word in lower), None)


def _names(readers: Mapping[str, Callable[[], NDArray[Any]]], lower: Mapping[str, str]) -> tuple[str, ...]:
    key = _named(lower, ("class_names", "classes"))
    names = readers[key]() if key else np.empty(0, "U1")
    return tuple(map(str, names.reshape(-1))) if names.dtype.kind == "U" else ()
