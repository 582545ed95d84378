"""How well points in the plane follow a known law: modes found, good points, and a distance to held-out points."""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from reverie.errors import DataError

NEAR = 3.0  # standard deviations around a centre within which a point is good (Srivastava et al. 2017, 1705.07761)
SHARE = 0.1  # of what a perfect generator puts into a mode, that makes the mode found
GOOD = -math.expm1(-(NEAR**2) / 2)  # share of a Gaussian in the plane that lies within: chi-squared with 2 degrees
ANGLES = 180  # directions from 0 to pi


class Found(NamedTuple):
    """How many modes were found, and the share of the N points that are good: both are numbers, not per example."""

    modes: int
    good: float


def found_modes(points: Tensor, centres: Tensor, sigma: float) -> Found:
    """Points within three standard deviations of the nearest centre are good; a mode with enough of them is found.

    Enough is a tenth of its fair share, ``0.1 N / M``, and at least one point.

    Args:
        points: (N, 2).
        centres: of M Gaussians of equal weight, (M, 2).
        sigma: the standard deviation of each.
    """
    distance, nearest = torch.cdist(points.double(), centres.double()).min(1)
    good = distance <= NEAR * sigma
    counts = torch.bincount(nearest[good], minlength=len(centres))
    enough = max(1.0, SHARE * len(points) / len(centres))
    return Found(int((counts >= enough).sum()), float(good.double().mean()))


def sliced_wasserstein(a: Tensor, b: Tensor) -> float:
    """``1/pi int_0^pi W1(<a, u>, <b, u>) d angle(u)``: the mean earth mover's distance of the shadows of two sets.

    On a line the distance is the mean difference of the sorted numbers. The integral is a sum over 180 directions,
    evenly spaced. A shift by v costs ``2 / pi |v|``. Source: Rabin et al. 2012; Bonneel et al. 2015.

    Args:
        a: points (N, 2).
        b: as many others.

    Raises:
        DataError: the sets are of different sizes, or empty.
    """
    if a.shape != b.shape or not len(a):
        raise DataError(f"A sliced distance is between as many points as others; got {len(a)} and {len(b)}.")
    angles = math.pi * torch.arange(ANGLES, dtype=torch.float64) / ANGLES
    directions = torch.stack([angles.cos(), angles.sin()])
    shadows = ((x.double() @ directions).sort(0).values for x in (a, b))
    first, second = shadows
    return float((first - second).abs().mean())
