"""Images that are known to be bad: what a distance says of them gives its other values a place."""

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional

from reverie.data.images import Split
from reverie.engine.noise import ItemNoise

NOISE = 0.1  # standard deviation, of the range of pixels
SHIFT = 2  # pixels
BLUR = 3  # pixels, the side of the square that is averaged


def probes(images: Split) -> Mapping[str, Tensor]:
    """Known-bad versions of real images, each by the words for what was done to them; pixels (M, C, H, W) uint8.

    Noise added, shifted to the right and down with the border repeated, blurred by a mean over squares, and, where
    there are classes, without the most frequent one.
    """
    pixels = images.pixels
    made = {"noise": _noisy(pixels), f"shift by {SHIFT} pixels": _shifted(pixels), "blur": _blurred(pixels)}
    if images.labels is not None and images.labels.min() < images.labels.max():
        made["a class left out"] = pixels[images.labels != images.labels.mode().values]
    return made


def _noisy(pixels: Tensor) -> Tensor:
    drawn = ItemNoise(("probe",), range(len(pixels))).normal("noise", tuple(pixels.shape))
    return _levels(pixels + 255 * NOISE * drawn)


def _shifted(pixels: Tensor) -> Tensor:
    height, width = pixels.shape[2:]
    padded = functional.pad(pixels.float(), (SHIFT, 0, SHIFT, 0), mode="replicate")
    return _levels(padded[:, :, :height, :width])


def _blurred(pixels: Tensor) -> Tensor:
    padded = functional.pad(pixels.float(), (BLUR // 2,) * 4, mode="replicate")
    return _levels(functional.avg_pool2d(padded, BLUR, 1))


def _levels(values: Tensor) -> Tensor:
    return values.round().clamp(0, 255).to(torch.uint8)
