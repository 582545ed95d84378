"""Noise: every random number is a pure function of (seed, stream, step, name, row), so there is no state to restore.

A resumed run, a run on two ranks and an uninterrupted run on one draw the same numbers: ``StepNoise`` always draws
for the whole global batch and keeps its own rows. ``ItemNoise`` gives every item (a test image, a sample of a sheet)
numbers of its own, so that no figure depends on how items are batched or how importance samples are chunked.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b

import torch
from torch import Tensor


def generator(*key: object, device: torch.device | str = "cpu") -> torch.Generator:
    """A generator seeded by the hash of a key: different keys give independent streams.

    Example:
        >>> first, second = (torch.rand(3, generator=generator(0, "shuffle", 3)) for _ in range(2))
        >>> torch.equal(first, second)
        True
    """
    return torch.Generator(device).manual_seed(seed_of(*key))


def seed_of(*key: object) -> int:
    """The hash of a key, as a seed."""
    return int.from_bytes(blake2b(repr(key).encode(), digest_size=8).digest(), "big") >> 1


@dataclass(frozen=True)
class StepNoise:
    """The noise of one turn of training.

    Args:
        key: what identifies the turn: seed, player, step, turn.
        start: first row of the global batch that this process holds.
        total: rows of the global batch.
        device: where numbers are drawn; they are reproducible for each kind of device.
    """

    key: tuple[object, ...]
    start: int
    total: int
    device: torch.device | str = "cpu"

    def normal(self, name: str, shape: tuple[int, ...]) -> Tensor:
        """Standard normal numbers of the given shape, (B, ...)."""
        return self._rows(torch.randn, name, shape)

    def uniform(self, name: str, shape: tuple[int, ...]) -> Tensor:
        """Uniform numbers in [0, 1) of the given shape, (B, ...)."""
        return self._rows(torch.rand, name, shape)

    def shared(self, name: str, shape: tuple[int, ...]) -> Tensor:
        """Uniform numbers in [0, 1) of the given shape, the same for all rows and ranks."""
        source = generator(*self.key, name, device=self.device)
        return torch.rand(shape, generator=source, device=self.device)

    def _rows(self, draw: Callable[..., Tensor], name: str, shape: tuple[int, ...]) -> Tensor:
        source = generator(*self.key, name, device=self.device)
        whole = draw((self.total, *shape[1:]), generator=source, device=self.device)
        rows = whole[self.start : self.start + shape[0]]
        if len(rows) < shape[0]:
            raise ValueError(f"noise for {self.total - self.start} rows was asked for {shape[0]}")
        return rows


@dataclass(frozen=True)
class ItemNoise:
    """The noise of evaluation and of pictures: one stream per item, whatever the batch.

    Args:
        key: what the numbers are for: seed and purpose.
        items: the index of each row of the batch.
        draws: of the K importance samples on the second axis, those of this chunk: (first, last, K). Without it the
            second axis is an axis like the others.
    """

    key: tuple[object, ...]
    items: Sequence[int]
    draws: tuple[int, int, int] | None = None
    _drawn: dict[tuple[str, str, tuple[int, ...]], Tensor] = field(default_factory=dict)

    def chunk(self, first: int, last: int, total: int) -> "ItemNoise":
        """The same noise for importance samples ``first`` to ``last`` (exclusive) of ``total``."""
        return ItemNoise(self.key, self.items, (first, last, total), self._drawn)

    def normal(self, name: str, shape: tuple[int, ...]) -> Tensor:
        """Standard normal numbers of the given shape, (B, ...) or (B, K, ...)."""
        return self._rows(torch.randn, name, shape)

    def uniform(self, name: str, shape: tuple[int, ...]) -> Tensor:
        """Uniform numbers in [0, 1) of the given shape, (B, ...) or (B, K, ...)."""
        return self._rows(torch.rand, name, shape)

    def shared(self, name: str, shape: tuple[int, ...]) -> Tensor:
        """Uniform numbers in [0, 1) of the given shape, the same for all items."""
        return torch.rand(shape, generator=generator(*self.key, name))

    def _rows(self, draw: Callable[..., Tensor], name: str, shape: tuple[int, ...]) -> Tensor:
        if shape[0] != len(self.items):
            raise ValueError(f"noise for {len(self.items)} items was asked for {shape[0]} rows")
        first, last, total = self.draws or (0, 0, 0)
        full = (total, *shape[2:]) if self.draws else shape[1:]
        slot = (draw.__name__, name, full)
        if slot not in self._drawn:
            rows = [draw(full, generator=generator(*self.key, item, name)) for item in self.items]
            self._drawn[slot] = torch.stack(rows)
        whole = self._drawn[slot]
        return whole[:, first:last] if self.draws else whole
