"""Unpack the sets that lie in a compact form into the standard layouts that the package reads everywhere.

Usage:
    python benchmarks/unpack_data.py [DATA] [CACHE]

DATA (default ``$REVERIE_DATA``) holds ``cifar10/cifar10_lossless.npz``, ``quickdraw/quickdraw_*.npz`` and
``binarized-mnist/binarized_mnist.npz``. CACHE (default ``$REVERIE_CACHE``, or the platform's folder for
caches) gets CIFAR-10 binary batches, one ``.npy`` for each category, and idx files. What is there already is
left alone.
"""

import hashlib
import lzma
import os
import struct
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reverie.data.catalog import cache

Bytes = NDArray[np.uint8]

CIFAR_SHA256 = {  # of the pixels in the order image, row, column, channel
    "train": "47af8b02cfcfb6cdf3dbbd1969ad7f1b70f4413f6f80f437b020ee4e5bc8304a",
    "test": "f9b1e2130bab680db56eb06d886f7f1ad0f1183907ceff4659d1735c890f5b04",
}


def main() -> None:
    """Unpack every set whose compact form is there."""
    data = Path(sys.argv[1] if len(sys.argv) > 1 else os.environ.get("REVERIE_DATA", "."))
    target = Path(sys.argv[2]) if len(sys.argv) > 2 else cache()
    unpack(data / "cifar10/cifar10_lossless.npz", target / "cifar10", unpack_cifar)
    unpack(data / "quickdraw/quickdraw_110x400.npz", target / "quickdraw", unpack_labelled_drawings)
    unpack(data / "quickdraw/quickdraw_6x3000.npz", target / "quickdraw-6", unpack_drawings)
    unpack(data / "binarized-mnist/binarized_mnist.npz", target / "binarized-mnist", unpack_bits)


def unpack(source: Path, target: Path, write: Callable[[Path, Path], None]) -> None:
    """Write into a folder beside the target and rename it, so that the target is whole or not there."""
    if target.exists():
        print(f"{target}: there already")
    elif not source.exists():
        print(f"{source}: not there, skipped")
    else:
        partial = target.with_name(f"{target.name}.partial-{os.getpid()}")
        partial.mkdir(parents=True)
        write(source, partial)
        partial.rename(target)
        print(f"{target}: unpacked from {source.name}")


def unpack_cifar(source: Path, target: Path) -> None:
    """Write the six binary batches: for every image its label, then red, green and blue rows."""
    with np.load(source, allow_pickle=False) as file:
        residuals = np.frombuffer(lzma.decompress(file["xz"].tobytes()), np.uint8).reshape(3, -1, 32, 32)
        labels = file["labels"]
    images = restore_colours(restore_levels(residuals))
    check_cifar(images)
    for number in range(6):
        rows = slice(10_000 * number, 10_000 * (number + 1))
        records = np.concatenate([labels[rows, None], images[rows].reshape(-1, 3072)], axis=1)
        name = "test_batch.bin" if number == 5 else f"data_batch_{number + 1}.bin"
        (target / name).write_bytes(records.astype(np.uint8).tobytes())


def restore_levels(residuals: Bytes) -> Bytes:
    """Add to each residual the prediction from its neighbours: the median edge detector of JPEG-LS.

    Weinberger, Seroussi and Sapiro (2000). Residuals and levels are (C, N, H, W), modulo 256.
    """
    # (H, W, C, N): one pixel of all images lies together.
    levels = np.ascontiguousarray(residuals.transpose(2, 3, 0, 1))
    for row, column in np.ndindex(levels.shape[:2]):
        if row and column:
            guess = predict(levels[row, column - 1], levels[row - 1, column], levels[row - 1, column - 1])
        elif row or column:
            guess = levels[row, column - 1] if column else levels[row - 1, column]
        else:
            guess = np.full_like(levels[0, 0], 128)
        levels[row, column] += guess
    return levels.transpose(2, 3, 0, 1)


def predict(left: Bytes, up: Bytes, corner: Bytes) -> Bytes:
    """The median of left, up and left + up - corner."""
    low, high = np.minimum(left, up), np.maximum(left, up)
    plane = left + up - corner  # wraps only where one of the other two is taken
    return np.where(corner >= high, low, np.where(corner <= low, high, plane))


def restore_colours(coded: Bytes) -> Bytes:
    """From (G, R - G + 128, B - G + 128) to images (N, RGB, H, W)."""
    green = coded[0]
    shift = np.uint8(128)
    return np.stack([coded[1] + green - shift, green, coded[2] + green - shift], axis=1)


def check_cifar(images: Bytes) -> None:
    """Hold the decoded pixels against their published sha256."""
    for part, rows in (("train", slice(50_000)), ("test", slice(50_000, None))):
        pixels = np.ascontiguousarray(images[rows].transpose(0, 2, 3, 1))
        if hashlib.sha256(pixels.data).hexdigest() != CIFAR_SHA256[part]:
            raise SystemExit(
                f"CIFAR-10 {part}: the decoded pixels have another sha256; the source is not what it should be."
            )


def unpack_labelled_drawings(source: Path, target: Path) -> None:
    """Write one .npy of (N, 28, 28) for each class."""
    with np.load(source, allow_pickle=False) as file:
        images, labels, names = file["images"], file["labels"], file["class_names"]
    for number, name in enumerate(names):
        np.save(target / f"{name}.npy", images[labels == number])


def unpack_drawings(source: Path, target: Path) -> None:
    """Write each array, which is named after its category."""
    with np.load(source, allow_pickle=False) as file:
        for name in file.files:
            np.save(target / f"{name}.npy", file[name])


def unpack_bits(source: Path, target: Path) -> None:
    """Write idx files of 0 and 255, so that every viewer shows them."""
    with np.load(source, allow_pickle=False) as file:
        for part, name in (("train", "train"), ("valid", "valid"), ("test", "t10k")):
            bits = np.unpackbits(file[part], axis=1, count=784)
            header = struct.pack(">4I", 0x0803, len(bits), 28, 28)
            (target / f"{name}-images-idx3-ubyte").write_bytes(header + (bits * np.uint8(255)).tobytes())


if __name__ == "__main__":
    main()
