"""Walks through a latent space: interpolation, the manifold, traversals and attribute directions.

Pure functions of tensors, for any model that satisfies ``protocols.Autoencoder``. Nothing here draws a
picture. Shapes: D dimensions of a code, S steps or strengths, N codes.
"""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from reverie.errors import UsageError, suggest
from reverie.protocols import Autoencoder

Path = Literal["linear", "spherical"]


def lerp(a: Tensor, b: Tensor, t: float | Tensor) -> Tensor:
    """The point between two codes on a straight line, (1 - t) a + t b; exactly ``a`` at 0 and ``b`` at 1.

    Args:
        a: (..., D).
        b: (..., D).
        t: a number, or a tensor that broadcasts against the codes.
    """
    return torch.lerp(a, b, torch.as_tensor(t, dtype=a.dtype, device=a.device))


def slerp(a: Tensor, b: Tensor, t: float | Tensor) -> Tensor:
    """The point between two codes on a great circle, at constant angular speed.

    sin((1 - t) w) / sin(w) a + sin(t w) / sin(w) b, where w is the angle between a and b. Codes of equal norm
    keep it on the way, which a straight line does not. Where no great circle is defined (one code is zero, or
    both point in the same or in opposite directions) the way is the straight line.

    Args:
        a: (..., D).
        b: (..., D).
        t: a number, or a tensor that broadcasts against the codes.

    References:
        Shoemake 1985, Animating rotation with quaternion curves.
        White 2016, Sampling generative networks, arXiv:1609.04468.

    Example:
        >>> slerp(torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0]), 0.5)
        tensor([0.7071, 0.7071])
    """
    time = torch.as_tensor(t, dtype=a.dtype, device=a.device)
    unit_a, unit_b = (torch.nn.functional.normalize(v, dim=-1) for v in (a, b))
    # Twice the arctangent is exact for small angles, where the arccosine of the inner product is not.
    difference, total = (torch.linalg.vector_norm(v, dim=-1, keepdim=True) for v in (unit_a - unit_b, unit_a + unit_b))
    angle = 2 * torch.atan2(difference, total)
    straight = torch.sin(angle) < torch.finfo(a.dtype).eps ** 0.5
    straight |= (difference == 0) | ~(unit_a.any(-1, keepdim=True) & unit_b.any(-1, keepdim=True))
    safe = torch.where(straight, torch.ones_like(angle), angle)
    arc = (torch.sin((1 - time) * safe) * a + torch.sin(time * safe) * b) / torch.sin(safe)
    arc = torch.where(time == 0, a, torch.where(time == 1, b, arc))
    return torch.where(straight, lerp(a, b, time), arc)


def path(a: Tensor, b: Tensor, steps: int, kind: Path = "spherical") -> Tensor:
    """Evenly spaced points from ``a`` to ``b``, both included: (..., D) and (..., D) to (..., S, D).

    Raises:
        UsageError: fewer than two steps, or an unknown kind.
    """
    if steps < 2:
        raise UsageError(f"an interpolation needs at least 2 steps, its two ends; got {steps}.")
    between = {"linear": lerp, "spherical": slerp}
    if kind not in between:
        raise UsageError(f'an interpolation is linear or spherical; got "{kind}".{suggest(kind, between)}')
    t = torch.linspace(0, 1, steps, dtype=a.dtype, device=a.device).unsqueeze(-1)
    return between[kind](a.unsqueeze(-2), b.unsqueeze(-2), t)


def grid_by_probability(points_x: int, points_y: int, low: float = 0.05, high: float = 0.95) -> tuple[Tensor, Tensor]:
    """Coordinates at evenly spaced quantiles of the standard normal: equal areas hold equal probability.

    Returns:
        The values along the first axis (points_x,) and along the second (points_y,), both ascending.

    Raises:
        UsageError: a probability outside (0, 1), ``low`` not below ``high``, or fewer than two points.

    Example:
        >>> grid_by_probability(3, 2, 0.1, 0.9)[0]
        tensor([-1.2816,  0.0000,  1.2816])
    """
    if not 0 < low < high < 1:
        raise UsageError(
            f"probabilities must satisfy 0 < low < high < 1; got low {low:g} and high {high:g} "
            "(for coordinates: --kind linear)."
        )
    first, second = (_ticks(low, high, points) for points in (points_x, points_y))
    return _default(torch.special.ndtri(first)), _default(torch.special.ndtri(second))


def grid_linear(
    x_low: float, x_high: float, x_points: int, y_low: float, y_high: float, y_points: int
) -> tuple[Tensor, Tensor]:
    """Evenly spaced coordinates: the values along the first axis and along the second, both ascending.

    Raises:
        UsageError: a low end that is not below its high end, or fewer than two points.
    """
    return _default(_ticks(x_low, x_high, x_points)), _default(_ticks(y_low, y_high, y_points))


def _ticks(low: float, high: float, points: int) -> Tensor:
    if not low < high:
        raise UsageError(f"the low end of an axis must be below its high end; got {low:g} and {high:g}.")
    if points < 2:
        raise UsageError(f"an axis of the manifold needs at least 2 points; got {points}.")
    return torch.linspace(low, high, points, dtype=torch.float64)


def _default(values: Tensor) -> Tensor:
    return values.to(torch.get_default_dtype())


def plane(
    x_values: Tensor,
    y_values: Tensor,
    *,
    latent: int,
    axes: tuple[int, int] = (0, 1),
    base: Tensor | None = None,
) -> Tensor:
    """Codes on a plane through the latent space, laid out as one sees them.

    The first of ``axes`` runs from left to right, the second from bottom to top: row 0 of the result, the top
    of the picture, has the last (highest) of ``y_values``.

    Args:
        x_values: (columns,) ascending values of dimension ``axes[0]``.
        y_values: (rows,) ascending values of dimension ``axes[1]``.
        latent: D.
        axes: the two dimensions that vary.
        base: (D,) the other dimensions; zero, the mean of the prior, without it.

    Returns:
        (rows, columns, D).

    Raises:
        UsageError: a code with fewer than two dimensions, a dimension that is not there, or one named twice.

    Example:
        >>> plane(torch.tensor([0.0, 1.0]), torch.tensor([5.0, 6.0]), latent=2)[0]
        tensor([[0., 6.],
                [1., 6.]])
    """
    if latent < 2:
        raise UsageError(f"a manifold needs a code with at least 2 dimensions; this model's has {latent}.")
    for axis in axes:
        _require_dimension(axis, latent)
    if axes[0] == axes[1]:
        raise UsageError(f"a manifold needs two different dimensions; got {axes[0]} twice.")
    start = x_values.new_zeros(latent) if base is None else base.to(x_values)
    z = start.expand(len(y_values), len(x_values), latent).clone()
    z[..., axes[0]] = x_values
    z[..., axes[1]] = y_values.to(x_values).flip(0).unsqueeze(1)
    return z


def traversals(z: Tensor, dimensions: Sequence[int], values: Tensor) -> Tensor:
    """One code, one dimension at a time set to each value: (D,) to (len(dimensions), len(values), D).

    Raises:
        UsageError: a dimension that is not there.
    """
    for dimension in dimensions:
        _require_dimension(dimension, z.shape[-1])
    walks = z.expand(len(dimensions), len(values), z.shape[-1]).clone()
    for row, dimension in zip(walks, dimensions, strict=True):
        row[:, dimension] = values.to(z)
    return walks


def _require_dimension(dimension: int, latent: int) -> None:
    if not 0 <= dimension < latent:
        raise UsageError(f"dimension {dimension} of a code with {latent}: dimensions run from 0 to {latent - 1}.")


@torch.no_grad()
def decode_means(model: Autoencoder, z: Tensor, batch: int = 256) -> Tensor:
    """The mean observation of each code: (..., D) to (..., *observation), without gradients, in batches.

    Raises:
        UsageError: codes of another number of dimensions than the model's.
    """
    if z.shape[-1] != model.latent:
        raise UsageError(f"this model's codes have {model.latent} dimensions; got codes with {z.shape[-1]}.")
    means = torch.cat([model.decode(part).mean for part in torch.split(z.reshape(-1, model.latent), batch)])
    return means.reshape(*z.shape[:-1], *means.shape[1:])


def informative(posterior_kl: Tensor) -> Tensor:
    """The dimensions in falling order of KL(q(z|x) || p(z)): those the model uses come first.

    Args:
        posterior_kl: (D,) or (N, D) nats; of N examples the mean is taken.

    Returns:
        (D,) int64 dimensions; equal ones keep their order.
    """
    mean = posterior_kl.reshape(-1, posterior_kl.shape[-1]).mean(0)
    return torch.argsort(mean, descending=True, stable=True)


def attribute_direction(codes_with: Tensor, codes_without: Tensor) -> Tensor:
    """The direction of an attribute: the mean code of those with it minus the mean code of those without.

    Args:
        codes_with: (N, D).
        codes_without: (M, D).

    Returns:
        (D,), as long as the two means are apart.

    Raises:
        UsageError: an empty group.

    References:
        Larsen, Sonderby, Larochelle and Winther 2016, arXiv:1512.09300; White 2016, arXiv:1609.04468.
    """
    _require_groups(codes_with, codes_without, 1)
    return codes_with.mean(0) - codes_without.mean(0)


def attribute_accuracy(codes_with: Tensor, codes_without: Tensor) -> float:
    """How well the direction tells the groups apart, cross-validated: 0.5 is chance, 1 is perfect.

    Each code in turn is left out, direction and threshold (the midpoint of the two means) are computed from
    the others, and the code is classified by its projection. The result is the mean of the two groups'
    accuracies, so that a rare attribute does not flatter; a tie counts one half.

    Raises:
        UsageError: a group with fewer than two codes, of which none can be left out.
    """
    _require_groups(codes_with, codes_without, 2)
    hits = _left_out_hits(codes_with.double(), codes_without.double())
    rejections = _left_out_hits(codes_without.double(), codes_with.double())
    return float((hits + rejections) / 2)


def _left_out_hits(own: Tensor, other: Tensor) -> Tensor:
    """Fraction of ``own`` that lie, along the direction, nearer to the rest of theirs than to the other."""
    rest = (own.sum(0) - own) / (len(own) - 1)  # (N, D) the mean without each one
    away = other.mean(0)
    score = ((own - (rest + away) / 2) * (rest - away)).sum(-1)
    return ((score > 0).double() + 0.5 * (score == 0).double()).mean()


def _require_groups(codes_with: Tensor, codes_without: Tensor, least: int) -> None:
    for name, codes in (("with", codes_with), ("without", codes_without)):
        if len(codes) < least:
            examples = "1 example" if least == 1 else f"{least} examples"
            raise UsageError(f"an attribute needs at least {examples} {name} it; got {len(codes)}.")


def edit(z: Tensor, direction: Tensor, strengths: Tensor) -> Tensor:
    """Codes moved along a direction, z + s d: (N, D), (D,) and (S,) to (N, S, D)."""
    return z.unsqueeze(1) + strengths.to(z).unsqueeze(-1) * direction.to(z)
