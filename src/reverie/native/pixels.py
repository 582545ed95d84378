"""Four channels of a pixel as one of four pixels, of bf16 tensors with channels last: see pixels.c."""

import torch
from torch import Tensor

from reverie.native.kernels import Pixels, library


def shuffle(few: Tensor, sides: tuple[int, int]) -> Tensor:
    """(N, 4 C, h, w) to (N, C, *sides), at most twice the sides."""
    many = _room((len(few), few.shape[1] // 4, *sides))
    _shuffle(few, many, back=False)
    return many


def unshuffle(many: Tensor, sides: tuple[int, int]) -> Tensor:
    """(N, C, H, W) to (N, 4 C, *sides), at least half the sides; 0 for pixels that lie beyond."""
    few = _room((len(many), 4 * many.shape[1], *sides))
    _shuffle(few, many, back=True)
    return few


def _room(shape: tuple[int, ...]) -> Tensor:
    return torch.empty(shape, dtype=torch.bfloat16, memory_format=torch.channels_last)


def _shuffle(few: Tensor, many: Tensor, *, back: bool) -> None:
    shape = Pixels(len(few), *few.shape[2:], *many.shape[1:])
    library().shuffle(shape, few.data_ptr(), many.data_ptr(), back, torch.get_num_threads())
