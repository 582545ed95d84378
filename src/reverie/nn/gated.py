"""Gated convolutions that see a picture in reading order: each pixel knows those before it, and no other.

Source: van den Oord et al. 2016, 1606.05328. The vertical stack sees the rows above, the horizontal one the
pixels to the left, and takes from the vertical one at each layer: together they have no blind spot.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional


class CausalConv(nn.Conv2d):
    """A convolution that looks up and to the left: (B, C, H, W) to (B, C', H, W).

    Rows are padded above alone, and columns on the left by ``padding`` and on the right by what keeps the width. With a
    kernel of r rows and a padding of r - 1, row i sees the rows i - r + 1 to i; with a padding of r, the rows i - r to
    i - 1. The same holds for columns.

    Args:
        inputs: C.
        outputs: C'.
        kernel: rows and columns.
        padding: of rows above and of columns on the left.
    """

    def __init__(self, inputs: int, outputs: int, kernel: tuple[int, int], padding: tuple[int, int]) -> None:
        """Take the numbers of channels, the kernel and how far it is shifted."""
        super().__init__(inputs, outputs, kernel)
        above, left = padding
        self.sides = (left, kernel[1] - 1 - left, above, kernel[0] - 1 - above)  # a negative side is cropped

    def forward(self, x: Tensor) -> Tensor:
        """Pad and convolve."""
        return super().forward(functional.pad(x, self.sides))


def gate(x: Tensor) -> Tensor:
    """``tanh(a) sigmoid(b)`` of the two halves of the channels (equation 2): (B, 2 F, H, W) to (B, F, H, W)."""
    a, b = x.chunk(2, 1)
    return torch.tanh(a) * torch.sigmoid(b.clone())  # of half of each pixel it takes six times as long


class GatedLayer(nn.Module):
    """One layer of both stacks (figure 2 of the paper), with kernels of 3.

    Args:
        features: F of either stack.
    """

    def __init__(self, features: int) -> None:
        """Make the convolutions."""
        super().__init__()
        self.vertical = CausalConv(features, 2 * features, (2, 3), (1, 1))
        self.across = nn.Conv2d(2 * features, 2 * features, 1)
        self.horizontal = CausalConv(features, 2 * features, (1, 2), (0, 1))
        self.out = nn.Conv2d(features, 2 * features, 1)

    def down(self, v: Tensor) -> tuple[Tensor, Tensor]:
        """The vertical stack: its next features, (B, F, H, W), and what it tells the horizontal one, (B, 2 F, H, W)."""
        features = self.vertical(v)
        return gate(features), self.across(features)

    def along(self, h: Tensor, from_above: Tensor) -> tuple[Tensor, Tensor]:
        """The horizontal stack: its next features and its share of the output, each (B, F, H, W)."""
        change, skip = self.out(gate(self.horizontal(h) + from_above)).chunk(2, 1)
        return h + change, skip


class GatedPixels(nn.Module):
    """The gated PixelCNN's network: the output at a pixel depends on the pixels before it in reading order alone.

    A pixel sees ``layers + 4`` rows above, ``layers + 3`` columns to either side there, and as many to the left in its
    own row. No pixel further than ``reach`` rows or columns away changes its output, so that it can be computed from
    these alone. All channels of a pixel are seen together, and none by itself.

    Args:
        channels: C of the images.
        features: F of either stack.
        layers: how many.
        outputs: numbers for each pixel.
    """

    def __init__(self, channels: int, features: int, layers: int, outputs: int) -> None:
        """Make the stacks and the two convolutions of single pixels that end in the output."""
        super().__init__()
        self.reach = layers + 4
        self.rows = CausalConv(channels, features, (4, 7), (4, 3))
        self.columns = CausalConv(channels, features, (1, 3), (0, 3))
        self.layers = cast("Sequence[GatedLayer]", nn.ModuleList(GatedLayer(features) for _ in range(layers)))
        self.head = nn.Sequential(nn.ReLU(), nn.Conv2d(features, features, 1), nn.ReLU())
        self.last = nn.Conv2d(features, outputs, 1)

    def above(self, x: Tensor) -> Iterator[Tensor]:
        """What the rows above each pixel tell each layer of the horizontal stack, (B, 2 F, H, W), one by one."""
        v = self.rows(x)
        for layer in self.layers:
            v, from_above = layer.down(v)
            yield from_above

    def along(self, x: Tensor, above: Iterable[Tensor]) -> Tensor:
        """The output, (B, outputs, H, W), from the rows themselves and what ``above`` tells of the rows over them."""
        h = self.columns(x)
        total: Tensor | float = 0.0
        for layer, from_above in zip(self.layers, above, strict=True):
            h, skip = layer.along(h, from_above)
            total = total + skip
        seen = self.head(total)
        with torch.autocast(x.device.type, enabled=False):  # bf16 would round a mean to a level or more
            output: Tensor = self.last(seen.to(self.last.weight.dtype))
        return output

    def forward(self, x: Tensor) -> Tensor:
        """Images (B, C, H, W) to (B, outputs, H, W)."""
        return self.along(x, self.above(x))
