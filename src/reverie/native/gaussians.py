"""A Gaussian code's draw with its divergence, and squared distances, of tensors, with their gradients.

Means and log-variances lie side by side, (B, 2 D), bf16 or float32; all other numbers are float32. None has gaps.
"""

import torch
from torch import Tensor

from reverie.native.kernels import Code, library


def code_draw(both: Tensor, e: Tensor) -> tuple[Tensor, Tensor]:
    """``z = m + s e`` and ``KL(N(m, s^2) || N(0, 1))`` of each value, (B, D): see gaussians.c."""
    z, kl = torch.empty_like(e), torch.empty_like(e)
    library().code_draw(_code(both, e), z.data_ptr(), kl.data_ptr(), torch.get_num_threads())
    return z, kl


def code_back(both: Tensor, e: Tensor, of_z: Tensor, of_kl: Tensor) -> Tensor:
    """The gradient of means and log-variances, from those of z and of the divergence, without gaps."""
    made = torch.empty_like(both)
    places = [x.data_ptr() for x in (of_z, of_kl, made)]
    library().code_back(_code(both, e), *places, torch.get_num_threads())
    return made


def distances(x: Tensor, mean: Tensor) -> Tensor:
    """``sum (x - m)^2`` of each example, (B,); both are (B, ...), without gaps."""
    made = torch.empty(len(x))
    places = x.data_ptr(), mean.data_ptr(), len(x), x.numel() // len(x), made.data_ptr()
    library().distances(*places, torch.get_num_threads())
    return made


def distances_back(x: Tensor, mean: Tensor, gradient: Tensor) -> Tensor:
    """The gradient of the mean, from that of each distance, (B,)."""
    made = torch.empty_like(mean)
    places = x.data_ptr(), mean.data_ptr(), len(x), x.numel() // len(x), gradient.data_ptr(), made.data_ptr()
    library().distances_back(*places, torch.get_num_threads())
    return made


def _code(both: Tensor, e: Tensor) -> Code:
    return Code(*e.shape, both.data_ptr(), e.data_ptr(), both.dtype == torch.bfloat16)
