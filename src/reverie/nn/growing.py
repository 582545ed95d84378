"""Progressively grown players (Karras et al. 2018, 1710.10196), at any moment of their growth."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from reverie.nn.conv import PixelsToRow, RowToPixels, Shape
from reverie.nn.dcgan import channels_at_sizes


def form(progress: float, levels: int) -> tuple[int, float]:
    """The level that is grown to, from 0, and the share alpha of its own path, from 0 to 1.

    The first level has one part of the budget, and each further one two: in the first it fades in, in the second it
    stays. Monotone and continuous: a level that has just been added has alpha 0, and is the level below.

    Example:
        >>> [form(p, 3) for p in (0.0, 0.2, 0.3, 0.4, 0.6, 1.0)]
        [(0, 1.0), (1, 0.0), (1, 0.5), (1, 1.0), (2, 0.0), (2, 1.0)]
    """
    parts = progress * (2 * levels - 1)
    if parts < 1:
        return 0, 1.0
    level = min(levels - 1, int((parts + 1) / 2 + 1e-9))
    return level, min(1.0, max(0.0, parts - (2 * level - 1)))


class EqualConv(nn.Conv2d):
    """A convolution whose weights start at N(0, 1) and are scaled in use by ``gain / sqrt(fan in)``.

    Adam moves all weights alike, and so all layers learn at one rate (section 4.1).
    """

    def __init__(self, inputs: int, outputs: int, kernel: int, padding: int = 0, gain: float = math.sqrt(2)) -> None:
        """Take the sizes."""
        super().__init__(inputs, outputs, kernel, padding=padding)
        nn.init.normal_(self.weight)
        nn.init.zeros_(self.bias)  # type: ignore[arg-type]
        self.scale = gain / math.sqrt(self.weight[0].numel())

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, C', H', W')."""
        y: Tensor = self._conv_forward(x, self.weight * self.scale, self.bias)
        return y


class EqualLinear(nn.Linear):
    """A linear layer of the same kind."""

    def __init__(self, inputs: int, outputs: int, gain: float = math.sqrt(2)) -> None:
        """Take the sizes."""
        super().__init__(inputs, outputs)
        nn.init.normal_(self.weight)
        nn.init.zeros_(self.bias)
        self.scale = gain / math.sqrt(inputs)

    def forward(self, x: Tensor) -> Tensor:
        """(B, D) to (B, D')."""
        return functional.linear(x, self.weight * self.scale, self.bias)


class PixelNorm(nn.Module):
    """``x / sqrt(mean_c x^2 + 1e-8)`` at each pixel: channels of mean square 1 (section 4.2)."""

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, ...) to the same."""
        y = x.float()
        return (y * torch.rsqrt(y.square().mean(1, keepdim=True) + 1e-8)).to(x.dtype)


class MinibatchDeviation(nn.Module):
    """One more plane: how far the images of a group differ, (B, C, H, W) to (B, C + 1, H, W).

    The standard deviation over the group of each number, averaged over channels and pixels, the same at each place.
    A critic with this plane sees when all fakes look alike (section 3).

    Args:
        group: images in a group; where it does not divide the batch, the largest number below it that does.
    """

    def __init__(self, group: int = 4) -> None:
        """Take the size of a group."""
        super().__init__()
        self.group = group

    def forward(self, x: Tensor) -> Tensor:
        """Add the plane."""
        batch, _, height, width = x.shape
        group = next(g for g in range(min(self.group, batch), 0, -1) if batch % g == 0)
        y = x.reshape(group, batch // group, *x.shape[1:])
        y = y if x.dtype == torch.float64 else y.float()
        variance = (y - y.mean(0)).square().mean(0)  # over so few, torch's own took 12 times as long
        deviation = (variance + 1e-8).sqrt().mean((1, 2, 3))  # (B / group,)
        plane = deviation.repeat(group).view(batch, 1, 1, 1).expand(-1, -1, height, width)
        return torch.cat([x, plane.to(x.dtype)], 1)


class GrowingGenerator(nn.Module):
    """Codes (B, D) to images (B, C, H, W), whose detail comes level by level.

    At a level it draws a picture of that size, and shows it at full size; while the level fades in, it shows
    ``(1 - alpha)`` of the picture that the level below would draw.

    Args:
        latent: D.
        shape: of an image, (C, H, W).
        width: channels at full size; twice as many at each smaller one.
        deepest: most channels.
    """

    progress: Tensor

    def __init__(self, latent: int, shape: Shape, width: int, deepest: int) -> None:
        """Take the sizes."""
        super().__init__()
        channels = channels_at_sizes(shape, width, deepest)[::-1]
        count = len(channels) - 1
        base = (channels[0], shape[1] >> count, shape[2] >> count)
        start = nn.Sequential(
            PixelNorm(),
            EqualLinear(latent, math.prod(base), gain=math.sqrt(2) / 4),
            RowToPixels(base),
            *_after(),
            *_conv(base[0], base[0]),
        )
        steps = [
            nn.Sequential(nn.Upsample(scale_factor=2), *_conv(a, b), *_conv(b, b))
            for a, b in zip(channels, channels[1:], strict=False)
        ]
        self.levels = nn.ModuleList([start, *steps])
        self.colours = nn.ModuleList([EqualConv(c, shape[0], 1, gain=1.0) for c in channels])
        self.size = shape[1:]
        self.register_buffer("progress", torch.ones(()))

    def grow(self, progress: float) -> None:
        """Take the form of this part of the budget."""
        self.progress.fill_(progress)

    def forward(self, z: Tensor) -> Tensor:
        """Draw, at full size."""
        level, alpha = form(self.progress.item(), len(self.levels))
        below, h = z, self.levels[0](z)
        for step in self.levels[1 : level + 1]:
            below, h = h, step(h)
        image: Tensor = self._shown(self.colours[level](h))
        if alpha < 1:
            image = torch.lerp(self._shown(self.colours[level - 1](below)), image, alpha)
        return image

    def _shown(self, image: Tensor) -> Tensor:
        return functional.interpolate(image, self.size)


class GrowingCritic(nn.Module):
    """The mirror image: images (B, C, H, W), shrunk to the size of the level by means of squares, to logits (B, 1).

    Args:
        shape: of an image, (C, H, W).
        width: channels at full size; twice as many at each smaller one.
        deepest: most channels.
    """

    progress: Tensor

    def __init__(self, shape: Shape, width: int, deepest: int) -> None:
        """Take the sizes."""
        super().__init__()
        channels = channels_at_sizes(shape, width, deepest)[::-1]
        last, count = channels[0], len(channels) - 1
        pixels = (shape[1] >> count) * (shape[2] >> count)
        end = nn.Sequential(
            MinibatchDeviation(),
            EqualConv(last + 1, last, 3, 1),
            nn.LeakyReLU(0.2),
            PixelsToRow(),
            EqualLinear(last * pixels, last),
            nn.LeakyReLU(0.2),
            EqualLinear(last, 1, gain=1.0),
        )
        steps = [
            nn.Sequential(
                EqualConv(b, b, 3, 1), nn.LeakyReLU(0.2), EqualConv(b, a, 3, 1), nn.LeakyReLU(0.2), nn.AvgPool2d(2)
            )
            for a, b in zip(channels, channels[1:], strict=False)
        ]
        self.levels = nn.ModuleList([end, *steps])
        self.colours = nn.ModuleList([nn.Sequential(EqualConv(shape[0], c, 1), nn.LeakyReLU(0.2)) for c in channels])
        self.register_buffer("progress", torch.ones(()))

    def grow(self, progress: float) -> None:
        """Take the form of this part of the budget."""
        self.progress.fill_(progress)

    def forward(self, x: Tensor) -> Tensor:
        """Judge."""
        level, alpha = form(self.progress.item(), len(self.levels))
        h = self.colours[level](self._shrunk(x, level))
        for number in range(level, 0, -1):
            h = self.levels[number](h)
            if alpha < 1 and number == level:
                h = torch.lerp(self.colours[level - 1](self._shrunk(x, level - 1)), h, alpha)
        logits: Tensor = self.levels[0](h)
        return logits

    def _shrunk(self, x: Tensor, level: int) -> Tensor:
        factor = 1 << (len(self.levels) - 1 - level)
        return functional.avg_pool2d(x, factor) if factor > 1 else x


def _after() -> list[nn.Module]:
    return [nn.LeakyReLU(0.2), PixelNorm()]


def _conv(inputs: int, outputs: int) -> list[nn.Module]:
    return [EqualConv(inputs, outputs, 3, 1), *_after()]
