"""A draw of a latent layer with its divergence, and their gradient, of tensors.

Means and log-deviations lie side by side, (N, 2 L, H, W) in bf16 with channels last; numbers are (N, L, H, W),
in float32.
"""

import torch
from torch import Tensor

from reverie.native.kernels import Latent, library


def latent_draw(prior: Tensor, posterior: Tensor, e: Tensor, bounds: tuple[float, float]) -> tuple[Tensor, Tensor]:
    """``z = m + s t`` in bf16, and the divergence of the posterior from the prior, (N,): see latent.c."""
    shape = _shape(prior, posterior, e, bounds)
    z, kl = _like(e), torch.empty(len(e))
    library().latent_draw(shape, z.data_ptr(), kl.data_ptr(), torch.get_num_threads())
    return z, kl


def latent_back(
    given: tuple[Tensor, Tensor, Tensor], bounds: tuple[float, float], of_z: Tensor | None, of_kl: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Gradients of the prior and of the posterior, from those of z and of the divergence; none is 0."""
    shape, (prior, posterior, _) = _shape(*given, bounds), given
    of_z = None if of_z is None else of_z.to(torch.bfloat16).contiguous(memory_format=torch.channels_last)
    of_kl = None if of_kl is None else of_kl.float().contiguous()
    made = _like(prior), _like(posterior)
    places = [None if x is None else x.data_ptr() for x in (of_z, of_kl, *made)]
    library().latent_back(shape, *places, torch.get_num_threads())
    return made


def _shape(prior: Tensor, posterior: Tensor, e: Tensor, bounds: tuple[float, float]) -> Latent:
    images, channels, height, width = e.shape
    places = prior.data_ptr(), posterior.data_ptr(), _step(prior), _step(posterior)
    if e.dtype != torch.float32 or not _lies(e, (e.stride(0), 1, width * channels, channels)):
        raise ValueError(f"numbers must be float32 with channels last; these have strides {e.stride()}")
    return Latent(images, height * width, channels, *places, e.data_ptr(), e.stride(0), *bounds)


def _step(x: Tensor) -> int:
    """Numbers from a pixel to the next, of channels that are some of all."""
    height, width = x.shape[2:]
    step = x.stride(3 if width > 1 else 2 if height > 1 else 0)
    if x.dtype != torch.bfloat16 or not _lies(x, (height * width * step, 1, width * step, step)):
        raise ValueError(f"means must be bf16 with channels last; these have strides {x.stride()}")
    return step


def _lies(x: Tensor, strides: tuple[int, ...]) -> bool:
    """Whether a tensor has these strides, where it has more than one number."""
    return all(size == 1 or found == wanted for size, found, wanted in zip(x.shape, x.stride(), strides, strict=True))


def _like(x: Tensor) -> Tensor:
    return torch.empty(x.shape, dtype=torch.bfloat16, memory_format=torch.channels_last)
