"""A Gaussian code's draw with its divergence, and squared distances, of float32 tensors, with their gradients."""

import torch
from torch import Tensor

from reverie.native.kernels import Code, library


def code_draw(mean: Tensor, log_variance: Tensor, e: Tensor) -> tuple[Tensor, Tensor]:
    """``z = m + s e`` and ``KL(N(m, s^2) || N(0, 1))`` of each value, (B, D): see codes.c."""
    z, kl = torch.empty_like(e), torch.empty_like(e)
    library().code_draw(_code(mean, log_variance, e), z.data_ptr(), kl.data_ptr(), torch.get_num_threads())
    return z, kl


def code_back(given: tuple[Tensor, Tensor, Tensor], of_z: Tensor, of_kl: Tensor) -> tuple[Tensor, Tensor]:
    """The gradients of the mean and of the log-variance, from those of z and of the divergence, without gaps."""
    made = torch.empty_like(of_z), torch.empty_like(of_z)
    places = [x.data_ptr() for x in (of_z, of_kl, *made)]
    library().code_back(_code(*given), *places, torch.get_num_threads())
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


def _code(mean: Tensor, log_variance: Tensor, e: Tensor) -> Code:
    places = mean.data_ptr(), log_variance.data_ptr(), mean.stride(0), log_variance.stride(0), e.data_ptr()
    return Code(*e.shape, *places)
