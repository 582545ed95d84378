"""Bits that see those drawn just before them: a small causal network on top of a decoder's features.

Sources: Gulrajani et al. 2016, 1611.05013 (PixelVAE); Chen et al. 2016, 1611.02731 (variational lossy autoencoder):
what a few neighbours tell needs no code, so that the code is left to say what they cannot.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import ClassVar, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import silu

from reverie.nn.gated import CausalConv
from reverie.protocols import Distribution, Noise

WALKS = 8  # draws that a mean is estimated from


class LocalBits(nn.Module):
    """From a decoder's features to bits that are drawn in reading order, each given ``reach`` rows and columns before.

    ``h_i = f_i + sum_j W_(i-j) x_j + b``, where j are the pixels before i at most ``reach`` rows above, there at most
    ``reach`` columns to either side; ``logit of x_i = w . silu(M silu(h_i) + c) + d``. A deeper network adds to h what
    it makes of h at the pixel, the one before it and the three above. All channels of a pixel are seen together.

    Args:
        observation: the independent bits of logits (B, C, H, W).
        channels: C.
        features: numbers f that the decoder tells each pixel.
        reach: rows above, and columns to either side.
        depth: layers that see pixels around: 1 sees bits, the others what the layer before says.
    """

    support: ClassVar[str] = "binary"

    def __init__(
        self,
        observation: Callable[[Tensor], Distribution],
        channels: int,
        features: int,
        reach: int = 3,
        depth: int = 1,
    ) -> None:
        """Make the convolutions."""
        super().__init__()
        self.observation, self.channels, self.reach = observation, channels, reach
        self.rows = CausalConv(channels, features, (reach, 2 * reach + 1), (reach, reach))
        self.columns = CausalConv(channels, features, (1, reach), (0, reach))
        self.deeper = nn.ModuleList(Onward(features) for _ in range(depth - 1))
        self.head = nn.Sequential(nn.SiLU(), nn.Conv2d(features, features, 1), nn.SiLU())
        self.last = nn.Conv2d(features, channels, 1)

    def forward(self, features: Tensor) -> "BitsInOrder":
        """The distribution over images (B, C, H, W) that features (B, F, H, W) stand for."""
        return BitsInOrder(self, features)

    def predict(self, features: Tensor, x: Tensor) -> Distribution:
        """Each bit given those before it in ``x``, (B, C, H, W)."""
        seen = features + self.rows(x) + self.columns(x)
        for layer in self.deeper:
            seen = layer(seen)
        return self.finish(seen)

    def finish(self, seen: Tensor) -> Distribution:
        """The bits of pixels from what they are told and what they see, (B, F, H, W)."""
        return self.observation(self.last(self.head(seen)))


class Onward(nn.Module):
    """A residual layer over features of which each knows only the bits before its pixel, and so do its own.

    It sees them at the pixel, the one before it and the three above, (B, F, H, W) to the same.

    Args:
        features: F.
    """

    def __init__(self, features: int) -> None:
        """Make the convolutions."""
        super().__init__()
        self.rows = CausalConv(features, features, (1, 3), (1, 1))
        self.columns = CausalConv(features, features, (1, 2), (0, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Add what the two convolutions say."""
        lively = silu(x)
        added: Tensor = self.rows(lively) + self.columns(lively)
        return x + added


def stratified(n: int, shape: tuple[int, ...]) -> Tensor:
    """N numbers in [0, 1) at each place, one in each n-th of the range, in an order of the place's own: (n, *shape)."""
    source = torch.Generator().manual_seed(0)  # of pictures, which shall be the same each time
    order = torch.rand(n, *shape, generator=source).argsort(0)
    return (order + torch.rand(n, *shape, generator=source)) / n


@dataclass(frozen=True)
class BitsInOrder:
    """Images of bits of which each depends on those before it: ``log p(x) = sum_i log p(x_i | x_1 ... x_{i-1})``.

    Args:
        network: that says how.
        features: what the decoder tells each pixel, (B, F, H, W).
    """

    network: LocalBits
    features: Tensor
    support: ClassVar[str] = "binary"
    sequential: ClassVar[bool] = True  # its mean and its draws take a step for each pixel

    @property
    def mean(self) -> Tensor:
        """The mean, (B, C, H, W), estimated from draws that are always the same: no closed form gives it.

        The average over 8 draws of ``p(x_i = 1 | x_1 ... x_{i-1})``, whose expectation is ``p(x_i = 1)``; the draws are
        stratified at each pixel.
        """
        batch, *shape = self._shape
        thresholds = stratified(WALKS, tuple(shape)).to(self.features).repeat(batch, 1, 1, 1)
        every = BitsInOrder(self.network, self.features.repeat_interleave(WALKS, 0))
        return every._walk(thresholds)[0].view(batch, WALKS, *shape).mean(1)

    def log_prob(self, x: Tensor) -> Tensor:
        """Exact log-probability in nats, (B,): all factors at once.

        Raises:
            ValueError: another shape.
        """
        return self.network.predict(self.features, x).log_prob(x)

    def sample(self, noise: Noise, name: str) -> Tensor:
        """Draw an image, pixel by pixel."""
        return self._walk(noise.uniform(name, self._shape).to(self.features.device))[1]

    @property
    def _shape(self) -> tuple[int, ...]:
        batch, _, height, width = self.features.shape
        return batch, self.network.channels, height, width

    @torch.no_grad()
    def _walk(self, thresholds: Tensor) -> tuple[Tensor, Tensor]:
        """Set each bit whose probability, given those set before it, is above its threshold; probabilities and bits."""
        network, (_, _, height, width) = self.network, self._shape
        probabilities, x = (torch.zeros(self._shape).to(self.features) for _ in range(2))
        lively = [torch.zeros_like(self.features) for _ in network.deeper]  # what each deeper layer sees
        for i in range(height):
            near_rows = slice(max(0, i - network.reach), i + 1)
            above = self.features[:, :, i : i + 1] + network.rows(x[:, :, near_rows])[:, :, -1:]
            aboves = [layer.rows(seen[:, :, near_rows])[:, :, -1:] for layer, seen in self._deeper(lively)]
            for j in range(width):
                at = (slice(None), slice(None), slice(i, i + 1), slice(j, j + 1))
                near = (*at[:3], slice(max(0, j - network.reach), j + 1))
                total = above[..., j : j + 1] + network.columns(x[near])[..., -1:]
                for (layer, seen), over in zip(self._deeper(lively), aboves, strict=True):
                    seen[at] = silu(total)
                    total = total + over[..., j : j + 1] + layer.columns(seen[near])[..., -1:]
                bit = network.finish(total)
                probabilities[at] = bit.mean
                x[at] = (bit.mean > thresholds[at]).to(x)
        return probabilities, x

    def _deeper(self, seen: list[Tensor]) -> Iterator[tuple[Onward, Tensor]]:
        """Each deeper layer with what it sees."""
        return ((cast(Onward, layer), each) for layer, each in zip(self.network.deeper, seen, strict=True))
