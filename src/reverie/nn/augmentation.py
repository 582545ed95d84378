"""Differentiable augmentation of real and fake images alike (Zhao et al. 2020, 2006.10738)."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Literal

import torch
from torch import Tensor

from reverie.protocols import Noise

Policy = Literal["colour", "translation", "cutout"]


def augmentation(policies: Sequence[Policy]) -> Callable[[Tensor, Noise, str], Tensor]:
    """Return a function of images (B, C, H, W) in [-1, 1], noise and the name of the draw, to images of that shape.

    Each image is changed by numbers of its own: its colour (brightness, saturation, contrast), its place (by up to an
    eighth of each side, zeros come in), and a square of half of each side that is set to zero. The slope reaches the
    images through all of them, so that a generator learns from them; it does not learn to make them, as long as
    unchanged images are the likeliest of all that could have been changed into what is seen.
    """
    steps = {"colour": _colour, "translation": _translation, "cutout": _cutout}

    def apply(x: Tensor, noise: Noise, name: str) -> Tensor:
        for policy in policies:
            x = steps[policy](x, partial(_uniform, noise, f"{name}/{policy}", len(x)))
        return x

    return apply


def _uniform(noise: Noise, name: str, rows: int, what: str, numbers: int) -> Tensor:
    return noise.uniform(f"{name}/{what}", (rows, numbers))


def _colour(x: Tensor, uniform: Callable[[str, int], Tensor]) -> Tensor:
    brightness, saturation, contrast = (u.view(-1, 1, 1, 1) for u in uniform("amounts", 3).to(x).unbind(1))
    x = x + brightness - 0.5
    grey = x.mean(1, keepdim=True)
    x = grey + (x - grey) * 2 * saturation
    mean = x.mean((1, 2, 3), keepdim=True)
    return mean + (x - mean) * (contrast + 0.5)


def _translation(x: Tensor, uniform: Callable[[str, int], Tensor]) -> Tensor:
    u = uniform("shift", 2)
    rows, columns = (_shifted(u[:, i], side, x.device) for i, side in enumerate(x.shape[2:]))
    padded = torch.nn.functional.pad(x, (1, 1, 1, 1))  # a border of zeros, which all that lies outside is read from
    image = torch.arange(len(x), device=x.device)[:, None, None]
    return padded.permute(0, 2, 3, 1)[image, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


def _shifted(u: Tensor, side: int, device: torch.device) -> Tensor:
    """The place in a padded row that each place of the result is read from, (B, side)."""
    most = (side + 4) // 8
    shift = (u * (2 * most + 1)).long().clamp(max=2 * most) - most
    places = torch.arange(side, device=u.device) + shift[:, None] + 1
    return places.clamp(0, side + 1).to(device)


def _cutout(x: Tensor, uniform: Callable[[str, int], Tensor]) -> Tensor:
    u = uniform("place", 2)
    inside = []
    for i, side in enumerate(x.shape[2:]):
        size = side // 2
        centre = (u[:, i] * (side + 1 - size % 2)).long()
        places = torch.arange(side, device=u.device)[None] - (centre - size // 2)[:, None]
        inside.append((places >= 0) & (places < size))
    return x * ~(inside[0][:, None, :, None] & inside[1][:, None, None, :]).to(x.device)
