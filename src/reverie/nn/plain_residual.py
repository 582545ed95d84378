"""Residual players without normalisation, after R3GAN (Huang et al. 2025, 2501.05441, configuration E)."""

import math
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.parameter import Parameter

from reverie.nn.conv import PixelsToRow, Shape
from reverie.nn.dcgan import channels_at_sizes
from reverie.nn.slope import Halved, SlopeConv

Layer = TypeVar("Layer", bound=nn.Module)

SLOPE = 0.2
GAIN = math.sqrt(2 / (1 + SLOPE**2))  # keeps the variance through a leaky rectifier
GROUP = 16  # channels that a grouped convolution mixes


class Block(nn.Module):
    """``x + W3 a(W2 a(W1 x))``: 1x1 to twice the channels, 3x3 in groups of 16, and 1x1 back; (B, C, H, W) to the same.

    The last convolution starts at zero and the others ``L^(-1/4)`` times smaller, L blocks in all, so that a deep
    network starts as a shallow one without any normalisation (Zhang et al. 2019, 1901.09321).

    Args:
        channels: C.
        depth: L.
    """

    def __init__(self, channels: int, depth: int) -> None:
        """Take the sizes."""
        super().__init__()
        wide = 2 * channels
        groups = next(g for g in range(max(1, wide // GROUP), 0, -1) if wide % g == 0)
        self.branch = nn.Sequential(
            SlopeConv(channels, wide, 1),
            nn.LeakyReLU(SLOPE, inplace=True),
            SlopeConv(wide, wide, 3, padding=1, groups=groups),
            nn.LeakyReLU(SLOPE, inplace=True),
            SlopeConv(wide, channels, 1, bias=False),
        )
        for index, gain in ((0, GAIN * depth**-0.25), (2, GAIN * depth**-0.25), (4, 0.0)):
            _scaled(self.branch[index], gain)

    def forward(self, x: Tensor) -> Tensor:
        """Add the branch."""
        y: Tensor = x + self.branch(x)
        return y


class Basis(nn.Module):
    """Codes (B, D) as weights of learned pictures of the base size, (B, C, h, w)."""

    def __init__(self, latent: int, shape: Shape) -> None:
        """Take D and (C, h, w)."""
        super().__init__()
        self.pictures = Parameter(torch.randn(shape))
        self.weights = _scaled(nn.Linear(latent, shape[0], bias=False), 1.0)

    def forward(self, z: Tensor) -> Tensor:
        """Weigh."""
        weighed: Tensor = self.pictures * self.weights(z)[:, :, None, None]
        return weighed.contiguous(memory_format=torch.channels_last)


class Read(nn.Conv2d):
    """Each channel's sum over all its pixels, by learned weights: (B, C, h, w) to (B, C, 1, 1).

    It is a convolution of kernels as large as the picture, each of its own channel; as a product and a sum its
    gradients take no kernels of their own.
    """

    def __init__(self, channels: int, size: tuple[int, int]) -> None:
        """Take C and (h, w)."""
        super().__init__(channels, channels, size, groups=channels, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Weigh and add up."""
        weight = self.weight[:, 0].permute(1, 2, 0).contiguous()  # as the channels of x lie, and so will its gradient's
        read: Tensor = (x.permute(0, 2, 3, 1) * weight).sum((1, 2))
        return read[:, :, None, None]


class Doubled(nn.Module):
    """Twice the size by bilinear interpolation."""

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, C, 2 H, 2 W)."""
        return functional.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)


def residual_generator(latent: int, shape: Shape, width: int, deepest: int, blocks: int) -> nn.Sequential:
    """From a basis of the base size up: (B, latent) to (B, *shape), without an activation at the end.

    Args:
        latent: numbers in a code.
        shape: of an image, (C, H, W).
        width: channels at full size; twice as many at each smaller one.
        deepest: most channels.
        blocks: of each size.
    """
    channels = channels_at_sizes(shape, width, deepest)[::-1]
    count, depth = len(channels) - 1, blocks * len(channels)
    layers: list[nn.Module] = [Basis(latent, (channels[0], shape[1] >> count, shape[2] >> count))]
    for n, outputs in enumerate(channels):
        if n:
            layers += [_changed(channels[n - 1], outputs), Doubled()]
        layers += [Block(outputs, depth) for _ in range(blocks)]
    return nn.Sequential(*layers, _thin(channels[-1], shape[0]))


def residual_features(shape: Shape, width: int, deepest: int, blocks: int) -> tuple[nn.Sequential, int]:
    """The mirror image, (B, *shape) to features (B, F), and F: each channel's sum over the base, by learned weights.

    Args:
        shape: of an image, (C, H, W).
        width: channels at full size; twice as many at each smaller one.
        deepest: most channels, and F.
        blocks: of each size.
    """
    channels = channels_at_sizes(shape, width, deepest)
    count, depth = len(channels) - 1, blocks * len(channels)
    layers: list[nn.Module] = [_thin(shape[0], channels[0])]
    for n, outputs in enumerate(channels):
        if n:
            layers += [Halved(), _changed(channels[n - 1], outputs)]
        layers += [Block(outputs, depth) for _ in range(blocks)]
    last, base = channels[-1], (shape[1] >> count, shape[2] >> count)
    return nn.Sequential(*layers, _scaled(Read(last, base), 1.0), PixelsToRow()), last


def residual_critic(shape: Shape, width: int, deepest: int, blocks: int) -> nn.Sequential:
    """The features with a linear layer to one logit: (B, *shape) to (B, 1)."""
    features, count = residual_features(shape, width, deepest, blocks)
    return nn.Sequential(*features, _scaled(nn.Linear(count, 1, bias=False), 1.0))


def _changed(inputs: int, outputs: int) -> nn.Module:
    return nn.Identity() if inputs == outputs else _thin(inputs, outputs)


def _thin(inputs: int, outputs: int) -> nn.Conv2d:
    return _scaled(SlopeConv(inputs, outputs, 1, bias=False), 1.0)


def _scaled(layer: Layer, gain: float) -> Layer:
    """The layer with normal weights of variance ``gain^2 / fan in``, and biases of 0."""
    weight = layer.weight
    nn.init.normal_(weight, std=gain / math.sqrt(weight[0].numel()))  # type: ignore[arg-type, index]
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
    return layer
