"""Views: how 8-bit pixels become what a model sees, and back.

======================  ==============================  =====================================
view                    x                               for
======================  ==============================  =====================================
``unit()``              pixel / 255, in [0, 1]          grey values as they are
``symmetric()``         pixel / 127.5 - 1, in [-1, 1]   generators that end in tanh
``bits(mode)``          0 or 1                          Bernoulli likelihoods
``levels()``            pixel / 127.5 - 1, 256 levels   discretised likelihoods
======================  ==============================  =====================================
"""

from dataclasses import dataclass, replace
from hashlib import blake2b, sha256
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from reverie.data.batches import ImageStock, Resident
from reverie.data.images import ImageData, Split
from reverie.errors import UsageError
from reverie.protocols import Noise

BITS_SEED = 0  # of every fixed draw, so that figures of different runs are of the same bits
_BLOCK = 64  # images that share a generator


@dataclass(frozen=True)
class View:
    """How pixels become observations. Made by ``unit``, ``symmetric``, ``bits`` and ``levels``."""

    name: Literal["unit", "symmetric", "bits", "levels"]
    mode: Literal["dynamic", "static", "threshold"] | None = None

    @property
    def binary(self) -> bool:
        """Whether x holds only 0 and 1, as a Bernoulli likelihood needs."""
        return self.name == "bits"

    @property
    def protocol(self) -> str:
        """The view in words, for the protocol of a figure."""
        words = {
            "unit": "pixels in [0, 1]",
            "symmetric": "pixels in [-1, 1]",
            "levels": "256 levels in [-1, 1]",
            "dynamic": f"dynamic binarisation, test bits fixed (seed {BITS_SEED})",
            "static": f"static binarisation, all bits fixed (seed {BITS_SEED})",
            "threshold": "binarised at 128",
        }
        return words[self.mode or self.name]

    def fix(self, split: Split, part: Literal["train", "test"]) -> Split:
        """Draw once the bits that stay fixed; afterwards those pixels are 0 or 255.

        The bit of an image depends on its pixels, its index in the split and the part, and on nothing else.
        Images that hold only 0 and 255 already, and views other than ``bits``, are left as they are.
        """
        if not self.binary or (self.mode == "dynamic" and part == "train") or is_binary(split.pixels):
            return split
        ink = split.pixels >= 128 if self.mode == "threshold" else _fixed_draw(split.pixels, part)
        return Split(ink.to(torch.uint8) * 255, split.labels, split.pixels)

    def fixed(self, data: ImageData) -> ImageData:
        """Return the data with the bits that stay fixed; see ``fix``."""
        return replace(data, train=self.fix(data.train, "train"), test=self.fix(data.test, "test"))

    def check(self, data: ImageData, batch: int) -> None:
        """Refuse a batch of more images than there are."""
        if batch > len(data.train):
            raise UsageError(
                f"--batch {batch} is more than the {len(data.train)} training images of {data.name}; "
                f"give --batch {max(1, len(data.train) // 4)}, or more images."
            )

    def stock(self, data: ImageData, device: torch.device | str) -> ImageStock:
        """Return the training images on a device."""
        return ImageStock(Resident(data.train, device), self)

    def __call__(self, pixels: Tensor, noise: Noise) -> Tensor:
        """Return x, float32, for training; only dynamic bits draw, x ~ Bernoulli(pixel / 255)."""
        if self.mode != "dynamic":
            return self.still(pixels)
        return (noise.uniform("bits", tuple(pixels.shape)) < pixels / 255).float()

    def still(self, pixels: Tensor) -> Tensor:
        """Return x, float32, without any draw; bits that were not fixed before are those at or above 128."""
        if self.binary:
            return (pixels >= 128).float()
        return pixels / 255 if self.name == "unit" else (pixels / 127.5).sub_(1)

    def pixels(self, x: Tensor) -> Tensor:
        """Return uint8 pixels for pictures; x may be a mean, and what lies outside the range is clipped."""
        return (self.picture(x.detach()) * 255).round().to(torch.uint8)

    def picture(self, x: Tensor) -> Tensor:
        """Return values in [0, 1], float32; x may be a mean, and what lies outside the range is clipped."""
        unit = x.float() if self.name in ("unit", "bits") else (x.float() + 1) / 2
        return unit.clamp(0, 1)


def unit() -> View:
    """Return the view x = pixel / 255."""
    return View("unit")


def symmetric() -> View:
    """Return the view x = pixel / 127.5 - 1."""
    return View("symmetric")


def bits(mode: Literal["dynamic", "static", "threshold"] = "dynamic") -> View:
    """Return the view of bits: drawn anew each time, drawn once, or pixel >= 128.

    Test images always have fixed bits (Salakhutdinov and Murray, 2008; Burda et al., 2015, arXiv:1509.00519).
    """
    return View("bits", mode)


def levels() -> View:
    """Return the view of 256 levels, x = pixel / 127.5 - 1, for likelihoods of 8-bit values."""
    return View("levels")


def bits_hash(split: Split) -> str:
    """Return the sha256 of a split's bits (pixel >= 128, packed by image), which names a fixed draw."""
    ink = (split.pixels >= 128).flatten(1).numpy(force=True)
    return sha256(np.packbits(ink, axis=1).tobytes()).hexdigest()


def is_binary(pixels: Tensor) -> bool:
    """Whether every pixel is 0 or 255."""
    return bool(((pixels == 0) | (pixels == 255)).all())


def _fixed_draw(pixels: Tensor, part: str) -> Tensor:
    """Bits ~ Bernoulli(pixel / 255), drawn on the processor so that every device sees the same."""
    blocks = pixels.cpu().split(_BLOCK)  # type: ignore[no-untyped-call]
    drawn = [_uniform(part, i, pixels.shape[1:])[: len(b)] < b / 255 for i, b in enumerate(blocks)]
    return torch.cat(drawn).to(pixels.device)


def _uniform(part: str, block: int, shape: torch.Size) -> Tensor:
    digest = blake2b(f"bits {BITS_SEED} {part} {block}".encode(), digest_size=8).digest()
    source = torch.Generator().manual_seed(int.from_bytes(digest, "big") >> 1)
    return torch.rand((_BLOCK, *shape), generator=source)
