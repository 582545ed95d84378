"""Mixtures of discretised logistics: probabilities of 8-bit pixels whose colours depend on each other.

Source: Salimans et al. 2017, 1701.05517, section 2.1 and 2.2. Like the other distributions they are values, in nats and
in float32 or better.
"""

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from reverie.distributions import COLDEST, Support, level_log_mass, nearest_level, upcast
from reverie.protocols import Noise

SMALLEST = -7.0  # of a log-scale: a fourth of a level
START = -2.0  # log-scale of every component where the network says 0


@dataclass(frozen=True)
class LogisticMixture:
    """Pixels on 256 levels, each from a mixture of M discretised logistics; its C channels share the component.

    ``log p(x) = sum_pixels log sum_m w_m prod_c mass(x_c; m_c + sum_{j<c} a_cj x_j, s_c)``, where ``mass`` is that of
    the level's bin under a logistic distribution (see ``DiscretizedLogistic``): green is told the true red, and blue
    the true red and green. With one channel there is nothing to tell.

    Args:
        logits: of the weights w, (B, M, H, W).
        locations: m, (B, M, C, H, W).
        log_scales: logarithms of s, (B, M, C, H, W).
        coefficients: a, (B, M, C (C - 1) / 2, H, W), in the order a_10, a_20, a_21, ...

    Raises:
        ValueError: the shapes do not fit each other.
    """

    logits: Tensor
    locations: Tensor
    log_scales: Tensor
    coefficients: Tensor
    support: ClassVar[Support] = "256 levels"

    def __post_init__(self) -> None:
        """Refuse shapes that would broadcast."""
        batch, components, channels, height, width = self.locations.shape
        pairs = channels * (channels - 1) // 2
        if (
            self.logits.shape != (batch, components, height, width)
            or self.log_scales.shape != self.locations.shape
            or self.coefficients.shape != (batch, components, pairs, height, width)
        ):
            shapes = [tuple(t.shape) for t in (self.logits, self.locations, self.log_scales, self.coefficients)]
            raise ValueError(f"logits, locations, log_scales and coefficients do not fit each other: {shapes}")

    @property
    def mean(self) -> Tensor:
        """The mean level, (B, C, H, W), but for what the edges of the range cut off each logistic."""
        colours: list[Tensor] = []
        for channel in range(self.locations.shape[2]):
            colours.append(self._location(channel, colours).clamp(-1, 1))
        weights = upcast(self.logits).softmax(1).unsqueeze(2)
        return (weights * torch.stack(colours, 2)).sum(1)

    def log_prob(self, x: Tensor) -> Tensor:
        """Log-probability of levels ``x``, (B, C, H, W), in nats, (B,).

        Raises:
            ValueError: ``x`` has another shape.
        """
        batch, _, channels, height, width = self.locations.shape
        if x.shape != (batch, channels, height, width):
            raise ValueError(f"x has shape {tuple(x.shape)}, expected {(batch, channels, height, width)}")
        x = upcast(x).unsqueeze(1)  # (B, 1, C, H, W)
        colours = list(x.unbind(2))
        locations = torch.stack([self._location(c, colours[:c]) for c in range(channels)], 2)
        mass = level_log_mass(x, locations, upcast(self.log_scales)).sum(2)  # (B, M, H, W)
        return torch.logsumexp(mass + upcast(self.logits).log_softmax(1), 1).flatten(1).sum(1)

    def sample(self, noise: Noise, name: str) -> Tensor:
        """Draw levels, (B, C, H, W): a component for each pixel, then its channels one after the other."""
        chosen = self._component(noise, name)
        batch, _, channels, height, width = chosen.locations.shape
        uniform = noise.uniform(name, (batch, channels, height, width)).to(chosen.locations)
        deviations = torch.exp(upcast(chosen.log_scales)).squeeze(1) * torch.logit(uniform)
        colours: list[Tensor] = []
        for channel in range(channels):
            location = chosen._location(channel, colours)  # (B, 1, H, W)
            colours.append(nearest_level(location + deviations[:, channel : channel + 1]))
        return torch.cat(colours, 1)

    def tempered(self, temperature: float) -> "LogisticMixture":
        """Logits of the weights divided by ``temperature``, and scales multiplied by it."""
        temperature = max(temperature, COLDEST)
        log_scales = upcast(self.log_scales) + math.log(temperature)
        return LogisticMixture(upcast(self.logits) / temperature, self.locations, log_scales, self.coefficients)

    def _location(self, channel: int, earlier: list[Tensor]) -> Tensor:
        """``m_c + sum_{j<c} a_cj x_j``, (B, M, H, W), from earlier channels, each (B, M or 1, H, W)."""
        first = channel * (channel - 1) // 2
        location = upcast(self.locations[:, :, channel])
        for j, x in enumerate(earlier):
            location = location + upcast(self.coefficients[:, :, first + j]) * x
        return location

    def _component(self, noise: Noise, name: str) -> "LogisticMixture":
        """The mixture of one component that each pixel drew."""
        reached = upcast(self.logits).softmax(1).cumsum(1)
        batch, components, height, width = reached.shape
        uniform = noise.uniform(f"{name} component", (batch, 1, height, width)).to(reached)
        which = (uniform >= reached).sum(1, keepdim=True).clamp(max=components - 1)  # (B, 1, H, W)

        def of(parameter: Tensor) -> Tensor:
            index = which.unsqueeze(2).expand(-1, -1, parameter.shape[2], -1, -1)
            return parameter.gather(1, index)

        return LogisticMixture(
            self.logits.gather(1, which), of(self.locations), of(self.log_scales), of(self.coefficients)
        )


def mixture_channels(channels: int, components: int) -> int:
    """Outputs a network needs for each pixel of C channels and M components: ``M (1 + 2 C + C (C - 1) / 2)``.

    Example:
        >>> mixture_channels(1, 10), mixture_channels(3, 10)
        (30, 100)
    """
    return components * (1 + 2 * channels + channels * (channels - 1) // 2)


class MixtureOfLogistics(nn.Module):
    """Observations that are mixtures of discretised logistics, from a network's output.

    Where the output is 0, the M components have one weight and lie evenly over the range, with the log-scale -2.
    Log-scales are kept at -7 or above, and coefficients within (-1, 1).

    Args:
        channels: C of the images.
        components: M.
    """

    support: ClassVar[Support] = LogisticMixture.support

    def __init__(self, channels: int, components: int = 10) -> None:
        """Take the numbers of channels and components."""
        super().__init__()
        self.channels = channels
        self.components = components

    def forward(self, output: Tensor) -> LogisticMixture:
        """From (B, ``mixture_channels(C, M)``, H, W) to the distribution of images (B, C, H, W).

        Raises:
            ValueError: another number of channels.
        """
        c, m = self.channels, self.components
        if output.shape[1] != mixture_channels(c, m):
            raise ValueError(f"a mixture needs {mixture_channels(c, m)} channels, got {output.shape[1]}")
        by_component = upcast(output).reshape(output.shape[0], m, -1, *output.shape[2:])  # (B, M, 1 + 2 C + ..., H, W)
        pairs = c * (c - 1) // 2
        logits, locations, log_scales, coefficients = torch.split(by_component, [1, c, c, pairs], 2)
        evenly = (2 * torch.arange(m, device=output.device) + 1) / m - 1
        return LogisticMixture(
            logits.squeeze(2),
            locations + evenly.to(locations).view(m, 1, 1, 1),
            (log_scales + START).clamp(min=SMALLEST),
            coefficients.tanh(),
        )
