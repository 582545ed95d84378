"""A ladder of latent layers: a network that climbs from the image, and one that comes down from above and draws.

The descending network carries a state h through rungs of rising size. At each latent layer it knows the prior of that
layer's z given all layers above; with what the climbing network saw there, it knows the posterior too. Sources:
Sonderby et al. 2016, 1602.02282; Kingma et al. 2016, 1606.04934; Child 2021, 2011.10650. Shapes: N rows, D numbers in
a code, C channels.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise, repeat
from typing import NamedTuple

import torch
from torch import Tensor, nn

from reverie.errors import UsageError
from reverie.native import Before
from reverie.nn.chain import Chain, convolved
from reverie.nn.conv import Shape
from reverie.nn.deviations import Drawn, QuicklyDrawn, draw, from_prior
from reverie.nn.enlarge import Enlarge


@dataclass(frozen=True)
class Rung:
    """One scale of a ladder, half as high and wide as the one below it.

    Args:
        width: channels of the states.
        blocks: residual blocks on the way up, and on the way down where there are no latent layers.
        layers: latent layers, each with a residual block of its own on the way down.
        latent: channels of each latent layer.
    """

    width: int
    blocks: int = 1
    layers: int = 0
    latent: int = 0


class Descent(NamedTuple):
    """One way down the ladder.

    Args:
        output: (N, outputs, H, W).
        drawn: at each layer, topmost first.
    """

    output: Tensor
    drawn: Sequence[Drawn | QuicklyDrawn]

    @property
    def code(self) -> Tensor:
        """The numbers t of all layers, (N, D)."""
        return torch.cat([_row(layer.whole.t) for layer in self.drawn], 1)

    @property
    def mean(self) -> Tensor:
        """Of the posterior of the code, (N, D)."""
        return torch.cat([_row(layer.whole.mean) for layer in self.drawn], 1)

    @property
    def log_deviation(self) -> Tensor:
        """Of the posterior of the code, (N, D)."""
        return torch.cat([_row(layer.whole.log_deviation) for layer in self.drawn], 1)

    @property
    def kl(self) -> Tensor:
        """``KL(q(z_l|z_<l, x) || p(z_l|z_<l))`` of each layer, given the draws above it, in nats, (N, layers)."""
        return torch.stack([layer.kl for layer in self.drawn], 1)


class ResidualBlock(nn.Module):
    """``x + conv(silu(conv(silu(x))))`` with 3x3 kernels, (N, C, H, W) to the same.

    Args:
        width: C.
        scale: factor on the last weights at the start.
    """

    def __init__(self, width: int, scale: float) -> None:
        """Take the number of channels."""
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)
        self.second.weight.data.mul_(scale)

    def forward(self, x: Tensor) -> Tensor:
        """Add what the two convolutions say."""
        return convolved(self.second, convolved(self.first, x, Before.SILU), Before.SILU, more=x)


class LatentLayer(nn.Module):
    """One latent layer with the residual block below it.

    ``p(z|h) = N(m, s^2)`` and ``q(z|h, x) = N(m_q, s_q^2)``: m and s are read off the state h, m_q and s_q off the
    state and the image. In deviations of the prior, ``t = (z - m) / s``, the prior is N(0, 1), the posterior
    ``N((m_q - m) / s, (s_q / s)^2)``, and ``log p(z|h) - log q(z|h, x) = log N(t; 0, 1) - log q(t|h, x)``. One
    convolution of h gives m, log s, what is added to h whatever is drawn, and the state's part in the posterior.

    Args:
        width: channels C of the state.
        latent: channels L of z.
        scale: factor at the start on all that is added to the state.
    """

    def __init__(self, width: int, latent: int, scale: float) -> None:
        """Take the numbers of channels."""
        super().__init__()
        self.parts = [2 * latent, width, width]
        self.joint = nn.Conv2d(width, sum(self.parts), 3, padding=1)
        self.posterior = nn.Conv2d(width, 2 * latent, 1)
        self.project = nn.Conv2d(latent, width, 1)
        self.block = ResidualBlock(width, scale)
        self._start(latent, width, scale)

    @torch.no_grad()
    def _start(self, latent: int, width: int, scale: float) -> None:
        """Every prior starts at N(0, 1), and every posterior near it."""
        for joint in (self.joint.weight, self.joint.bias):
            if joint is not None:
                joint[: 2 * latent] = 0
                joint[2 * latent : 2 * latent + width] *= scale
        self.posterior.weight *= 0.1
        nn.init.zeros_(self.posterior.bias)  # type: ignore[arg-type]
        self.project.weight *= scale

    def forward(self, h: Tensor, numbers: Tensor, hint: Tensor | None) -> tuple[Tensor, Drawn | QuicklyDrawn | None]:
        """One layer down.

        Args:
            h: the state, (N, C, H, W).
            numbers: t itself where there is no hint; else standard normal e, and ``t = mean + deviation e``;
                (N, L, H, W).
            hint: what the image says, (N, C, H, W), or nothing.

        Returns:
            The state below, and with a hint what was drawn from q(t).
        """
        prior, added, question = torch.split(convolved(self.joint, h, Before.SILU), self.parts, 1)
        drawn = None
        if hint is not None:
            posterior = convolved(self.posterior, question + hint, Before.SILU)
            drawn = draw(prior, posterior, numbers, self.training)
        z = from_prior(prior, numbers) if drawn is None else drawn.z
        below: Tensor = self.block(convolved(self.project, z, more=h + added))
        return below, drawn


class Ladder(nn.Module):
    """The two networks, which share nothing but the hints that the climbing one leaves at each latent layer.

    The code has a standard normal prior: it is each layer's t, ``z = m(h) + s(h) t``, in rows of pixels with channels
    side by side, the topmost layer first. Everything added to a state starts smaller by the root of the number
    of blocks, instead of a normalisation (Child 2021).

    Args:
        shape: of one image, (C, H, W).
        outputs: channels of what the descending network ends in.
        rungs: the scales, finest first: H/2, H/4, ... rounded up. The last has latent layers.

    Raises:
        UsageError: a size that cannot be halved for every rung, or no latent layer at the top.
    """

    def __init__(self, shape: Shape, outputs: int, rungs: Sequence[Rung]) -> None:
        """Build both networks."""
        super().__init__()
        if not rungs or not rungs[-1].layers:
            raise UsageError("A ladder needs at least one latent layer on its topmost, smallest rung.")
        sizes = rung_sizes(shape, len(rungs))
        self.cells = [(*size, rung.latent) for size, rung in zip(sizes, rungs, strict=True) for _ in range(rung.layers)]
        self.cells.reverse()
        self.counts = [height * width * latent for height, width, latent in self.cells]
        self.layers = [rung.layers for rung in rungs]
        self.rises = nn.ModuleList(_rises(shape[0], rungs))
        self.hints = nn.ModuleList(nn.Conv2d(r.width, r.layers * r.width, 1) for r in rungs if r.layers)
        self.top = nn.Parameter(0.1 * torch.randn(1, rungs[-1].width, *sizes[-1]))
        self.steps = nn.ModuleList(_steps(outputs, rungs, [shape[1:], *sizes]))

    @property
    def latent(self) -> int:
        """Numbers in the code, D."""
        return sum(self.counts)

    def climb(self, x: Tensor) -> list[Tensor]:
        """What the image (N, C, H, W) says to each latent layer, topmost first."""
        found: list[Tensor] = []
        hints = iter(self.hints)
        for rise, layers in zip(self.rises, self.layers, strict=True):
            x = rise(x)
            if layers:
                found = [*convolved(next(hints), x, Before.SILU).chunk(layers, 1), *found]
        return found

    def descend(self, hints: Sequence[Tensor], e: Tensor) -> Descent:
        """Draw from the posterior of each layer with standard normal numbers (N, D)."""
        return self._walk(e, hints)

    def decode(self, code: Tensor) -> Tensor:
        """The output, (N, outputs, H, W), of codes (N, D)."""
        return self._walk(code, repeat(None)).output

    def _walk(self, numbers: Tensor, hints: Sequence[Tensor] | Iterator[None]) -> Descent:
        given = zip(self._planes(numbers), hints, strict=False)
        # One row: all images are the same until the first z is added.
        h: Tensor = self.top
        drawn: list[Drawn | QuicklyDrawn] = []
        for step in self.steps:
            if isinstance(step, LatentLayer):
                h, found = step(h, *next(given))
                drawn += [] if found is None else [found]
            else:
                h = step(h)
        return Descent(h, drawn)

    def _planes(self, numbers: Tensor) -> Iterator[Tensor]:
        """Rows (N, D) as one (N, L, H, W) for each layer, channels last."""
        for row, cell in zip(torch.split(numbers, self.counts, 1), self.cells, strict=True):
            yield row.view(-1, *cell).permute(0, 3, 1, 2)


def rung_sizes(shape: Shape, rungs: int) -> list[tuple[int, int]]:
    """Height and width of each rung, finest first: halves, rounded up below the first.

    Raises:
        UsageError: a side is odd, or too small for so many rungs.
    """
    smallest = max(2, 2 ** (rungs - 1) + 2 * (rungs > 1))
    if min(shape[1:]) < smallest or any(side % 2 for side in shape[1:]):
        size = max(smallest, *(side + side % 2 for side in shape[1:]))
        raise UsageError(
            f"A ladder of {rungs} rungs halves an image {rungs} times: its sides must be even, and at least {smallest} "
            f"pixels; the images are {shape[1]}x{shape[2]}. Use --size {size}."
        )
    sizes = [(shape[1], shape[2])]
    for _ in range(rungs):
        height, width = sizes[-1]
        sizes.append(((height + 1) // 2, (width + 1) // 2))
    return sizes[1:]


def _rises(channels: int, rungs: Sequence[Rung]) -> Iterator[Chain]:
    """To each rung from the one below: a strided convolution, with 5x5 kernels of the image, and residual blocks."""
    scale = max(1, sum(rung.blocks for rung in rungs)) ** -0.5
    yield Chain(nn.Conv2d(channels, rungs[0].width, 5, stride=2, padding=2), *_blocks(rungs[0], scale))
    for lower, upper in pairwise(rungs):
        strided = nn.Conv2d(lower.width, upper.width, 3, stride=2, padding=1)
        yield Chain(nn.SiLU(), strided, *_blocks(upper, scale))


def _steps(outputs: int, rungs: Sequence[Rung], sizes: Sequence[tuple[int, ...]]) -> Iterator[nn.Module]:
    """All modules of the descending network in order; sizes are those of the image and of all rungs."""
    scale = max(1, sum(rung.layers or rung.blocks for rung in rungs)) ** -0.5
    widths = [outputs, *(rung.width for rung in rungs)]
    for place in reversed(range(len(rungs))):
        rung = rungs[place]
        yield from (LatentLayer(rung.width, rung.latent, scale) for _ in range(rung.layers))
        yield from () if rung.layers else _blocks(rung, scale)
        height, width = sizes[place]
        yield Enlarge(rung.width, widths[place], (height, width))


def _blocks(rung: Rung, scale: float) -> list[ResidualBlock]:
    return [ResidualBlock(rung.width, scale) for _ in range(rung.blocks)]


def _row(plane: Tensor) -> Tensor:
    return plane.permute(0, 2, 3, 1).flatten(1)  # (N, L, H, W) to (N, H W L); no copy where channels come last
