"""Shapes: procedural pictures of circles, squares and triangles, whose factors are known.

Every picture is drawn from its signed distance, so that edges are smooth at any size and factors may vary
continuously.
"""

import colorsys
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reverie.data.pictures import Levels, Size
from reverie.data.stack import Stack

KINDS = ("circle", "square", "triangle")
GROUND = (24, 26, 38)  # a dark blue, on which every hue shows
_SQUARE = np.sqrt(4 / np.pi)  # the same for a square of half side 1
_TRIANGLE = np.sqrt(np.sqrt(27) / np.pi)  # radius of the circle of the area of a triangle of inradius 1
Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Factors:
    """What every picture shows; arrays of one number per picture."""

    kind: NDArray[np.int64]  # index into KINDS
    hue: Numbers  # 0 .. 1 around the wheel
    radius: Numbers  # as a part of the side
    x: Numbers  # of the centre, 0 left .. 1 right
    y: Numbers  # of the centre, 0 top .. 1 bottom
    turn: Numbers  # radians


def factors(n: int, seed: int = 0) -> Factors:
    """Draw the factors of ``n`` pictures, independently and uniformly; every shape lies whole in its picture.

    The first pictures of a larger set are those of a smaller one.
    """
    # The stream of RandomState is frozen, so the set is the same with every release of numpy.
    kind, hue, radius, x, y, turn = np.random.RandomState(seed).random_sample((n, 6)).T
    return Factors(
        kind=(kind * len(KINDS)).astype(np.int64),
        hue=hue,
        radius=0.16 + 0.08 * radius,
        x=0.4 + 0.2 * x,
        y=0.4 + 0.2 * y,
        turn=2 * np.pi * turn,
    )


def draw(given: Factors, size: Size = (32, 32)) -> Levels:
    """Draw pictures of the given height and width, uint8 (N, 3, H, W)."""
    images = np.empty((len(given.kind), 3, *size), np.uint8)
    for i in range(len(images)):
        ink = _coverage(given, i, size)[None]
        colour = np.array(colorsys.hsv_to_rgb(given.hue[i], 0.62, 0.96)) * 255
        images[i] = np.rint(ink * colour[:, None, None] + (1 - ink) * np.array(GROUND)[:, None, None])
    return images


def _coverage(given: Factors, i: int, size: Size) -> Numbers:
    """How much of each pixel is covered, 0 .. 1, from the distance to the edge in pixels."""
    side = min(size)
    rows, columns = np.ogrid[: size[0], : size[1]]
    dx = (columns + 0.5 - given.x[i] * size[1]) / side
    dy = (rows + 0.5 - given.y[i] * size[0]) / side
    cos, sin = np.cos(given.turn[i]), np.sin(given.turn[i])
    u, v = cos * dx + sin * dy, cos * dy - sin * dx
    distance = _distance(int(given.kind[i]), u, v) - given.radius[i]
    covered: Numbers = np.clip(0.5 - distance * side, 0, 1)
    return covered


def _distance(kind: int, u: Numbers, v: Numbers) -> Numbers:
    """The gauge of a shape: the radius of the circle of the area of the shape through (u, v)."""
    corner = np.sqrt(3) / 2
    gauges: dict[str, Numbers] = {
        "circle": np.hypot(u, v),
        "square": np.maximum(np.abs(u), np.abs(v)) * _SQUARE,
        "triangle": np.maximum(np.maximum(v, corner * u - v / 2), -corner * u - v / 2) * _TRIANGLE,
    }
    return gauges[KINDS[kind]]


def read_shapes(size: Size | None, n: int = 6000, seed: int = 0) -> Stack:
    """Return the named set ``shapes``, drawn at the size that is asked for; the label is the kind."""
    given = factors(n, seed)
    return Stack(draw(given, size or (32, 32)), given.kind, KINDS)
