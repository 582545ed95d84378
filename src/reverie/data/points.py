"""Points in the plane, whose law is known: Gaussians on a ring or a grid, a spiral, or the dark of a picture.

No point is stored. Which points a turn sees is a pure function of its noise, so that nothing has to be restored, and
held-out points are those of another key. All laws lie in the square from -1 to 1, but for the tails of their noise.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from reverie.data.pictures import decode, with_channels
from reverie.errors import DataError, UsageError, suggest
from reverie.protocols import Batch, Noise

EPOCH = 25_600  # points that count as an epoch, since there is no last one
SPLIT = "drawn anew for each turn; held-out points have noise of their own"


class Law(Protocol):
    """A law of points."""

    def draw(self, noise: Noise, n: int) -> Tensor:
        """N points, (N, 2) float32."""
        ...

    def tensors(self) -> tuple[Tensor, ...]:
        """The numbers that it is made of, for its fingerprint."""
        ...


@dataclass(frozen=True)
class Gaussians:
    """``1/M sum_m N(c_m, sigma^2 I)``.

    Args:
        centres: c, (M, 2).
        sigma: the standard deviation of each.
    """

    centres: Tensor
    sigma: float

    def draw(self, noise: Noise, n: int) -> Tensor:
        """A centre for each point, and its noise around it."""
        u, around = noise.uniform("centre", (n,)), noise.normal("around", (n, 2))
        which = (u * len(self.centres)).long().clamp(max=len(self.centres) - 1)
        return self.centres.to(u.device)[which] + self.sigma * around

    def tensors(self) -> tuple[Tensor, ...]:
        """Centres and standard deviation."""
        return self.centres, torch.tensor(self.sigma)


@dataclass(frozen=True)
class Spiral:
    """``t (cos 2 pi w t, sin 2 pi w t) + N(0, sigma^2 I)`` with ``t^2`` uniform on [0, 1].

    Args:
        windings: w.
        sigma: the standard deviation across and along.
    """

    windings: float = 2.0
    sigma: float = 0.02

    def draw(self, noise: Noise, n: int) -> Tensor:
        """A place on the curve for each point, and its noise around it."""
        t, around = noise.uniform("along", (n,)).sqrt(), noise.normal("around", (n, 2))
        angle = 2 * math.pi * self.windings * t
        return t[:, None] * torch.stack([angle.cos(), angle.sin()], 1) + self.sigma * around

    def tensors(self) -> tuple[Tensor, ...]:
        """Windings and standard deviation."""
        return (torch.tensor([self.windings, self.sigma]),)


@dataclass(frozen=True)
class Drawing:
    """A density that is constant in each pixel, in proportion to how dark it is; the longer side goes from -1 to 1.

    Args:
        dark: how dark each pixel is, from the top, (H, W), 0 for white.
    """

    dark: Tensor

    def draw(self, noise: Noise, n: int) -> Tensor:
        """A pixel for each point, and a place in it."""
        u, within = noise.uniform("pixel", (n,)), noise.uniform("within", (n, 2))
        mass = self.dark.double().flatten().cumsum(0).to(u.device)
        pixel = torch.searchsorted(mass, u.double() * mass[-1], right=True).clamp(max=len(mass) - 1)
        height, width = self.dark.shape
        column, row = pixel % width + within[:, 0], pixel // width + within[:, 1]
        return torch.stack([2 * column - width, height - 2 * row], 1) / max(height, width)

    def tensors(self) -> tuple[Tensor, ...]:
        """The pixels, and their shape."""
        return self.dark, torch.tensor(self.dark.shape)


@dataclass(frozen=True)
class PointSpec:
    """What a recipe must know of points to build a model: nothing but that they are points in the plane.

    Args:
        name: of their law.
    """

    name: str

    @classmethod
    def of_record(cls, record: Mapping[str, Any]) -> "PointSpec":
        """What is needed to build a trained model again."""
        return cls(record["name"])


@dataclass(frozen=True)
class PointData:
    """Points by their law, with all that a figure's protocol must say of them.

    Args:
        name: of the law.
        law: from noise to points.
    """

    name: str
    law: Law

    @property
    def spec(self) -> PointSpec:
        """The name."""
        return PointSpec(self.name)

    @property
    def modes(self) -> Gaussians | None:
        """The Gaussians, where the law is made of some."""
        return self.law if isinstance(self.law, Gaussians) else None

    def fingerprint(self) -> str:
        """Return the sha256 over the kind of law and its numbers: equal only for equal laws."""
        digest = sha256(type(self.law).__name__.encode())
        for tensor in self.law.tensors():
            digest.update(tensor.double().numpy().tobytes())
        return digest.hexdigest()

    def record(self) -> dict[str, Any]:
        """What a run's record says of the points."""
        return {"name": self.name, "split": SPLIT, "shape": [2], "fingerprint": self.fingerprint()}

    def companions(self) -> dict[str, Any]:
        """What lies beside the weights: nothing."""
        return {}


@dataclass(frozen=True)
class Plane:
    """Points as they are, (B, 2)."""

    @property
    def protocol(self) -> str:
        """The view in words."""
        return "points as they are"

    def fixed(self, data: PointData) -> PointData:
        """The points: nothing of them is decided before training."""
        return data

    def check(self, data: PointData, batch: int) -> None:
        """Refuse a batch of more points than an epoch."""
        if batch > EPOCH:
            raise UsageError(f"--batch {batch} is more than the {EPOCH:,} points of an epoch: give a smaller one.")

    def stock(self, data: PointData, device: torch.device | str) -> "PointStock":
        """Points without end; they are drawn where the noise is."""
        return PointStock(data.law)


@dataclass(frozen=True)
class PointStock:
    """Points of a law, drawn by the noise of each turn."""

    law: Law

    def turns(self, batch: int) -> int:
        """Turns of an epoch."""
        return EPOCH // batch

    def take(self, turn: int, batch: int, rows: range, seed: int, noise: Noise) -> Batch:
        """Those rows of the points of a turn, (B, 2): the noise knows seed, turn and row."""
        return Batch(self.law.draw(noise, len(rows)))

    def continues(self, turn: int, batch: int) -> bool:
        """Always: points have no order."""
        return True


def ring(count: int = 8, sigma: float = 0.05) -> Gaussians:
    """Gaussians on the unit circle, the first at (1, 0)."""
    angles = 2 * math.pi * torch.arange(count) / count
    return Gaussians(torch.stack([angles.cos(), angles.sin()], 1), sigma)


def grid(side: int = 5, sigma: float = 0.05) -> Gaussians:
    """Gaussians on a square grid from -1 to 1."""
    places = torch.linspace(-1, 1, side)
    return Gaussians(torch.cartesian_prod(places, places), sigma)


LAWS: dict[str, Callable[[], Law]] = {"ring": ring, "grid": grid, "spiral": Spiral}


def load_points(source: str | Path) -> PointData:
    """Points by the name of their law, or by a picture, whose dark pixels are their density.

    Raises:
        DataError: there is no such law and no such file, or the file is no picture, or all white.
    """
    if source in LAWS:
        return PointData(str(source), LAWS[str(source)]())
    path = Path(source).expanduser()
    if not path.is_file():
        raise DataError(
            f'Points are {", ".join(LAWS)}, or a picture whose dark pixels are their density; there is no "{source}".'
            f"{suggest(str(source), list(LAWS))}"
        )
    return PointData(path.stem, Drawing(_dark(path)))


def _dark(path: Path) -> Tensor:
    try:
        levels, _ = decode(path.read_bytes())
    except (DataError, OSError) as error:
        words = error.strerror if isinstance(error, OSError) else error
        raise DataError(f"{path} {words}. Give a picture, or one of {', '.join(LAWS)}.") from error
    dark = 255 - torch.from_numpy(with_channels(levels, "grey")[0].copy()).float()
    if not dark.any():
        raise DataError(f"{path} is all white: there is no point to draw. Give a picture with dark pixels.")
    return dark
