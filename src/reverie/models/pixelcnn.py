"""PixelCNN (van den Oord et al. 2016, 1601.06759 and 1606.05328): an exact density, one pixel after the other."""

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from reverie.distributions import Support
from reverie.errors import check_temperature, refuse_label
from reverie.nn.alone import Alone
from reverie.nn.gated import GatedPixels
from reverie.protocols import Batch, Distribution, LogProb, Loss, Noise


class Tempered(Distribution, Protocol):
    """A distribution over images that can be made sharper."""

    def tempered(self, temperature: float) -> Distribution:
        """The same with less chance in it: a temperature of 1 changes nothing, 0 leaves the likeliest."""


class PixelObservation(Protocol):
    """From the network's output, (B, outputs, H, W), to a distribution over images that is independent over pixels."""

    @property
    def support(self) -> Support:
        """The values that have probabilities."""

    def __call__(self, output: Tensor, /) -> Tempered:
        """The distribution."""


class PixelCNN(Alone):
    """An image is drawn pixel by pixel: ``log p(x) = sum_i log p(x_i | x_1 ... x_{i-1})``, in reading order.

    All factors are computed at once where the image is known, so that the likelihood is exact and costs one pass. A
    draw computes one pixel after the other, from the rows and columns within the network's reach.

    Args:
        network: gated convolutions, causal over pixels.
        observation: what the network's output says about a pixel: Bernoulli logits, or a mixture of logistics.
        shape: of an image, (C, H, W).
    """

    player = "pixelcnn"

    def __init__(self, network: GatedPixels, observation: PixelObservation, shape: tuple[int, int, int]) -> None:
        """Take the parts."""
        super().__init__()
        self.network = network
        self.observation = observation
        self.shape = shape

    @property
    def support(self) -> Support:
        """The values that the model gives probabilities to."""
        return self.observation.support

    def loss(self, player: str, batch: Batch, noise: Noise) -> Loss:
        """The exact negative log-likelihood of each example, nats, (B,)."""
        return Loss(-self.predict(batch.x).log_prob(batch.x))

    def predict(self, x: Tensor) -> Tempered:
        """The distribution of each pixel given those before it in ``x``, (B, C, H, W)."""
        return self.observation(self.network(x))

    def log_prob(self, x: Tensor, noise: Noise, *, k: int = 1, label: Tensor | None = None) -> LogProb:
        """``log p(x)``, exact, nats, (B,); neither noise nor k changes it.

        Raises:
            UsageError: a label is given.
        """
        refuse_label(label)
        return LogProb(self.predict(x).log_prob(x), "exact")

    @torch.no_grad()
    def sample(self, n: int, noise: Noise, *, label: Tensor | None = None, temperature: float = 1.0) -> Tensor:
        """Draw n images, (n, C, H, W), pixel by pixel.

        Args:
            n: how many.
            noise: of the whole image at once, of which each pixel takes its own number.
            label: none; the model knows no labels.
            temperature: divides the logits (of bits, or of a mixture's weights) and multiplies the scales of logistics.
                1 draws from the model; 0 takes the likeliest bit, or the centre of the likeliest component, each time.

        Raises:
            UsageError: a label is given, or the temperature is negative.
        """
        refuse_label(label)
        check_temperature(temperature)
        _, height, width = self.shape
        x = torch.zeros(n, *self.shape).to(next(self.parameters()))
        for i in range(height):
            top = max(0, i - self.network.reach)
            above = [seen[:, :, -1:] for seen in self.network.above(x[:, :, top : i + 1])]
            for j in range(width):
                near = slice(max(0, j - self.network.reach), j + 1)
                output = self.network.along(x[:, :, i : i + 1, near], [seen[..., near] for seen in above])[..., -1:]
                at = _Pixel(noise, (height, width), (i, j))
                pixel = self.observation(output).tempered(temperature).sample(at, "x")
                x[:, :, i : i + 1, j : j + 1] = pixel
        return x


@dataclass(frozen=True)
class _Pixel:
    """The noise of one pixel, out of that of the whole image: one draw for the image instead of one for each pixel."""

    whole: Noise
    size: tuple[int, int]
    place: tuple[int, int]

    def normal(self, name: str, shape: tuple[int, ...]) -> Tensor:
        """Standard normal numbers, (B, ..., 1, 1)."""
        return self._at(self.whole.normal(name, (*shape[:-2], *self.size)))

    def uniform(self, name: str, shape: tuple[int, ...]) -> Tensor:
        """Uniform numbers, (B, ..., 1, 1)."""
        return self._at(self.whole.uniform(name, (*shape[:-2], *self.size)))

    def shared(self, name: str, shape: tuple[int, ...]) -> Tensor:
        """Uniform numbers that are the same for all rows and pixels."""
        return self.whole.shared(name, shape)

    def _at(self, drawn: Tensor) -> Tensor:
        i, j = self.place
        return drawn[..., i : i + 1, j : j + 1]
