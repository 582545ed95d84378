"""A draw of a latent layer in deviations of its prior, and its gradient, of tensors.

Means and log-deviations lie side by side, (N, 2 L, H, W) in bf16 with channels last; numbers are (N, L, H, W),
in float32.
"""

import torch
from torch import Tensor

from reverie.native.kernels import Latent, library


def latent_draw(prior: Tensor, posterior: Tensor, e: Tensor, bounds: tuple[float, float]) -> tuple[Tensor, ...]:
    """``t = mean + exp(ld) e``, mean, ld, and ``z = m + s t`` in bf16: see latent.c."""
    shape = _shape(prior, posterior, e, bounds)
    t, mean, ld = (_like(e, torch.float32) for _ in range(3))
    z = _like(e, torch.bfloat16)
    library().latent_draw(shape, *(x.data_ptr() for x in (t, mean, ld, z)), torch.get_num_threads())
    return t, mean, ld, z


def latent_back(
    given: tuple[Tensor, Tensor, Tensor], bounds: tuple[float, float], gradients: tuple[Tensor | None, ...]
) -> tuple[Tensor, Tensor]:
    """Gradients of the prior and of the posterior, from those of t, mean, ld and z."""
    shape, (prior, posterior, _) = _shape(*given, bounds), given
    *precise, of_z = gradients
    ready = [None if g is None else _last(g.float()) for g in precise]
    ready.append(None if of_z is None else _last(of_z.to(torch.bfloat16)))
    made = _like(prior, torch.bfloat16), _like(posterior, torch.bfloat16)
    places = [None if x is None else x.data_ptr() for x in (*ready, *made)]
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


def _like(x: Tensor, kind: torch.dtype) -> Tensor:
    return torch.empty(x.shape, dtype=kind, memory_format=torch.channels_last)


def _last(x: Tensor) -> Tensor:
    return x.contiguous(memory_format=torch.channels_last)
