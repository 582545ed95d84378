"""Several processes that train as one, by ``torch.distributed``: every sum over the batch is a sum over ranks."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import Tensor

MEETING, WORKING = timedelta(seconds=60), timedelta(hours=2)


@dataclass(frozen=True)
class World:
    """Which process this is, of how many."""

    rank: int = 0
    size: int = 1
    group: dist.ProcessGroup | None = None

    @property
    def first(self) -> bool:
        """Whether this process writes the files."""
        return self.rank == 0

    def share(self, batch: int) -> tuple[int, int]:
        """The rows of a global batch that this rank holds: first, and one past the last."""
        return batch * self.rank // self.size, batch * (self.rank + 1) // self.size

    def sum_(self, tensor: Tensor) -> Tensor:
        """Add a tensor up over all ranks, in place."""
        if self.size > 1:
            dist.all_reduce(tensor, group=self.group)
        return tensor

    def wait(self) -> None:
        """Wait until every rank is here."""
        if self.size > 1:
            dist.barrier(group=self.group)


@contextmanager
def world(device: torch.device) -> Iterator[World]:
    """Join the processes that ``torchrun`` started, if it did."""
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield World()
        return
    # Meeting is quick or has failed; a collective may wait long for a rank that measures or writes.
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo", timeout=MEETING)
    try:
        yield World(dist.get_rank(), size, dist.new_group(timeout=WORKING))
    finally:
        dist.destroy_process_group()
