"""Batches: which images each step sees, as a pure function, and images that stay on the device.

Nothing here has a state that a checkpoint would have to keep: step 1,000 of a resumed run sees the images
that step 1,000 of an uninterrupted run saw.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b

import torch
from torch import Tensor

from reverie.data.images import Split
from reverie.errors import UsageError
from reverie.protocols import Batch, Noise


def order(n: int, seed: int, epoch: int) -> Tensor:
    """Return the order in which an epoch visits the training set: a permutation of 0 .. n-1, int64 (n,).

    Example:
        >>> sorted(order(5, seed=0, epoch=3).tolist())
        [0, 1, 2, 3, 4]
    """
    return _order(n, seed, epoch).clone()


@lru_cache(maxsize=4)
def _order(n: int, seed: int, epoch: int) -> Tensor:
    digest = blake2b(f"order {n} {seed} {epoch}".encode(), digest_size=8).digest()
    source = torch.Generator().manual_seed(int.from_bytes(digest, "big") >> 1)
    return torch.randperm(n, generator=source)


def indices(n: int, batch: int, step: int, seed: int) -> Tensor:
    """Return the images of one step's global batch, int64 (batch,).

    An epoch has ``n // batch`` steps; the images left over are dropped, others in each epoch.

    Raises:
        UsageError: the batch is larger than the training set.
    """
    if not 1 <= batch <= n:
        raise UsageError(
            f"a batch of {batch} does not fit a training set of {n} images: "
            f"give --batch between 1 and {n}, or more images."
        )
    epoch, place = divmod(step, n // batch)
    return _order(n, seed, epoch)[place * batch : (place + 1) * batch].clone()


class Resident:
    """A split whose 8-bit pixels and labels stay on one device, from which batches are taken there."""

    def __init__(self, split: Split, device: torch.device | str) -> None:
        """Copy a split to the device."""
        self.pixels = split.pixels.to(device)  # (N, C, H, W) uint8
        self.labels = None if split.labels is None else split.labels.to(device)  # (N,) int64

    def __len__(self) -> int:
        """The number of images."""
        return len(self.pixels)

    def take(self, indices: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return the pixels, uint8 (B, C, H, W), and labels, int64 (B,) or None, of the given images."""
        there = indices.to(self.pixels.device, non_blocking=True)
        labels = None if self.labels is None else self.labels.index_select(0, there)
        return self.pixels.index_select(0, there), labels


@dataclass(frozen=True)
class ImageStock:
    """Images on a device, taken in a new order each epoch.

    Args:
        images: the training images.
        observe: how pixels, uint8 (B, C, H, W), become what the model sees.
    """

    images: Resident
    observe: Callable[[Tensor, Noise], Tensor]

    def turns(self, batch: int) -> int:
        """Full batches in an epoch."""
        return len(self.images) // batch

    def take(self, turn: int, batch: int, rows: range, seed: int, noise: Noise) -> Batch:
        """Those rows of the batch that ``indices`` names for a turn."""
        pixels, label = self.images.take(indices(len(self.images), batch, turn, seed)[rows.start : rows.stop])
        return Batch(self.observe(pixels, noise), label)

    def continues(self, turn: int, batch: int) -> bool:
        """Always: images have no order, and a model that carries a state keeps it."""
        return True
