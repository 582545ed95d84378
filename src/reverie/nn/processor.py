"""What layers ask that have a way of their own to train on a processor."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import torch
from torch import Tensor, nn

from reverie import native

_of_images_alone = ContextVar("of_images_alone", default=False)


def trains_on_processor(module: nn.Module, x: Tensor) -> bool:
    """Whether a processor trains; in evaluation torch's own kernels do as well."""
    return module.training and x.device.type == "cpu"


def kernels_run(training: bool, x: Tensor) -> bool:
    """Whether a processor trains in bf16, with kernels of one's own: see ``reverie.native``."""
    half = torch.is_autocast_enabled("cpu") and torch.get_autocast_dtype("cpu") == torch.bfloat16
    return training and half and x.device.type == "cpu" and native.available()


def short(x: Tensor, *others: Tensor | None) -> tuple[Tensor | None, ...]:
    """The tensors in the precision that autocast multiplies in, where it is on: custom functions see none of it."""
    kind = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else x.dtype
    return x.to(kind), *(None if other is None else other.to(kind) for other in others)


@contextmanager
def of_images_alone() -> Iterator[None]:
    """Tell layers of one's own that a gradient is asked for images alone: torch tells this to its own layers only."""
    token = _of_images_alone.set(True)
    try:
        yield
    finally:
        _of_images_alone.reset(token)


def weights_wanted(*needed: bool) -> bool:
    """Whether a gradient of any weight is to be made, of those that could be."""
    return any(needed) and not _of_images_alone.get()
