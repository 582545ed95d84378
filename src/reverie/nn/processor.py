"""What layers ask that have a way of their own to train on a processor."""

import torch
from torch import Tensor, nn


def trains_on_processor(module: nn.Module, x: Tensor) -> bool:
    """Whether a processor trains; in evaluation torch's own kernels do as well."""
    return module.training and x.device.type == "cpu"


def short(x: Tensor, *others: Tensor | None) -> tuple[Tensor | None, ...]:
    """The tensors in the precision that autocast multiplies in, where it is on: custom functions see none of it."""
    kind = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else x.dtype
    return x.to(kind), *(None if other is None else other.to(kind) for other in others)
