"""Bits that see those drawn just before them: a small causal network on top of a decoder's features.

Sources: Gulrajani et al. 2016, 1611.05013 (PixelVAE); Chen et al. 2016, 1611.02731 (variational lossy autoencoder):
what a few neighbours tell needs no code, so that the code is left to say what they cannot.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from reverie.nn.gated import CausalConv
from reverie.protocols import Distribution, Noise

WALKS = 8  # draws that a mean is estimated from


class LocalBits(nn.Module):
    """From a decoder's features to bits that are drawn in reading order, each given ``reach`` rows and columns before.

    ``logit of x_i = w . silu(M silu(f_i + sum_j W_(i-j) x_j + b) + c) + d``, where j are the pixels before i at most
    ``reach`` rows above, there at most ``reach`` columns to either side. All channels of a pixel are seen together.

    Args:
        observation: the independent bits of logits (B, C, H, W).
        channels: C.
        features: numbers f that the decoder tells each pixel.
        reach: rows above, and columns to either side.
    """

    support: ClassVar[str] = "binary"

    def __init__(
        self, observation: Callable[[Tensor], Distribution], channels: int, features: int, reach: int = 3
    ) -> None:
        """Make the convolutions."""
        super().__init__()
        self.observation, self.channels, self.reach = observation, channels, reach
        self.rows = CausalConv(channels, features, (reach, 2 * reach + 1), (reach, reach))
        self.columns = CausalConv(channels, features, (1, reach), (0, reach))
        self.head = nn.Sequential(nn.SiLU(), nn.Conv2d(features, features, 1), nn.SiLU())
        self.last = nn.Conv2d(features, channels, 1)

    def forward(self, features: Tensor) -> "BitsInOrder":
        """The distribution over images (B, C, H, W) that features (B, F, H, W) stand for."""
        return BitsInOrder(self, features)

    def predict(self, features: Tensor, x: Tensor) -> Distribution:
        """Each bit given those before it in ``x``, (B, C, H, W)."""
        return self.finish(features + self.rows(x) + self.columns(x))

    def finish(self, seen: Tensor) -> Distribution:
        """The bits of pixels from what they are told and what they see, (B, F, H, W)."""
        return self.observation(self.last(self.head(seen)))


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
        _, _, height, width = self._shape
        probabilities, x = (torch.zeros(self._shape).to(self.features) for _ in range(2))
        for i in range(height):
            near_rows = slice(max(0, i - self.network.reach), i + 1)
            above = self.features[:, :, i : i + 1] + self.network.rows(x[:, :, near_rows])[:, :, -1:]
            for j in range(width):
                at = (slice(None), slice(None), slice(i, i + 1), slice(j, j + 1))
                near = x[:, :, i : i + 1, max(0, j - self.network.reach) : j + 1]
                bit = self.network.finish(above[..., j : j + 1] + self.network.columns(near)[..., -1:])
                probabilities[at] = bit.mean
                x[at] = (bit.mean > thresholds[at]).to(x)
        return probabilities, x
