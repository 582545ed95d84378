"""What nearest neighbours tell of samples: precision, recall, density, coverage, memory and repetition.

Distances are computed a block of rows at a time, in float64. Points at one distance count as inside, so that data with
repeated images gives no set an empty ball.
"""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from reverie.errors import UsageError
from reverie.metrics.distances import check_features

BLOCK = 2**20  # distances that are held at once: more are slower, for they leave the cache
ROUNDING = 1e-12  # of the squared lengths: what a squared distance may be wrong by
WIDER = 1 + 1e-9  # what a squared reach is multiplied by: points just at it are inside, whatever the rounding


class Neighbourhoods(NamedTuple):
    """For each sample or each real image, so that every mean has its standard error."""

    precision: Tensor  # (M,) whether a sample lies among the real images
    recall: Tensor  # (N,) whether a real image lies among the samples
    density: Tensor  # (M,) in how many real balls a sample lies, over k
    coverage: Tensor  # (N,) whether a real image's ball holds a sample


def neighbourhoods(real: Tensor, fake: Tensor, *, k: int = 5) -> Neighbourhoods:
    """Precision and recall, density and coverage, by balls that reach to the k-th nearest neighbour of their centre.

    A sample is *precise* if it lies in the ball of any real image; a real image is *recalled* if it lies in the ball
    of any sample (Kynkäänniemi et al. 2019, arXiv:1904.06991). *Density* counts the real balls that a sample lies in,
    over k; a real image is *covered* if its ball holds any sample (Naeem et al. 2020, arXiv:2002.09797): one stray
    real image with a wide ball makes no sample precise there, and strays among the samples recall nothing.

    Args:
        real: features (N, D).
        fake: features (M, D).
        k: neighbours, without the point itself.

    Raises:
        UsageError: k is not between 1 and the number of neighbours that there are.
    """
    check_features(real, fake)
    reach_real, reach_fake = (WIDER * nearest(each, each, k, same=True) for each in (real, fake))
    inside, recall, coverage = torch.zeros(len(fake), dtype=torch.float64), [], []
    for rows, distance in _blocks(real, fake):
        ball = distance <= reach_real[rows.start : rows.stop, None]
        inside += ball.sum(0)
        recall.append((distance <= reach_fake).any(1))
        coverage.append(ball.any(1))
    return Neighbourhoods((inside > 0).double(), torch.cat(recall).double(), inside / k, torch.cat(coverage).double())


def nearest(x: Tensor, among: Tensor, k: int = 1, *, same: bool = False) -> Tensor:
    """The squared distance of each row of x, (N, D), to the k-th nearest row of another set, (M, D): (N,) float64.

    Args:
        x: whose neighbours are asked for.
        among: the set they are looked for in.
        k: which neighbour, from 1.
        same: both are one set, and no row is its own neighbour.

    Raises:
        UsageError: there are fewer than k neighbours.
    """
    there = len(among) - same
    if not 1 <= k <= there:
        raise UsageError(f"k must be between 1 and the {there} neighbours that a point has; got {k}.")
    found = []
    for rows, distance in _blocks(x, among):
        if same:
            distance[range(len(rows)), rows] = torch.inf
        found.append(distance.kthvalue(k, dim=1).values if k > 1 else distance.min(1).values)
    return torch.cat(found)


def nearest_index(x: Tensor, among: Tensor) -> Tensor:
    """Which row of another set, (M, D), is nearest to each row of x, (N, D); of equals the first: (N,) int64."""
    return torch.cat([distance.argmin(1) for _, distance in _blocks(x, among)])


def _blocks(x: Tensor, y: Tensor) -> Iterator[tuple[range, Tensor]]:
    """The squared distances of some rows of x to all of y, (rows, M), again and again."""
    middle = y.double().mean(0)  # near the origin, the product loses the fewest digits
    held = y.double() - middle
    lengths = held.square().sum(1)
    size = max(1, BLOCK // len(y))
    for first in range(0, len(x), size):
        part = x[first : first + size].double() - middle
        total = part.square().sum(1, keepdim=True) + lengths
        distance = torch.addmm(total, part, held.T, alpha=-2)
        yield range(first, first + len(part)), distance.masked_fill_(distance <= ROUNDING * total, 0.0)


def memory_ratio(fake: Tensor, held_out: Tensor, train: Tensor) -> tuple[float, float]:
    """How near samples are to training images, beside held-out images: a ratio of mean distances, and its error.

    ``mean_i d(fake_i, train) / mean_j d(held_out_j, train)``, with d the distance to the nearest training image; the
    standard error is that of a ratio of means to first order. One is what new images of the same law have; well
    below one, samples repeat training images, or are smoother than any image is. NaN where every held-out image
    occurs in training: there is nothing to measure by.

    Args:
        fake: (M, D).
        held_out: (N, D).
        train: (T, D).
    """
    check_features(fake, held_out, train)
    ours, theirs = nearest(fake, train).sqrt(), nearest(held_out, train).sqrt()
    if not theirs.mean() > 0:
        return float("nan"), float("nan")
    ratio = ours.mean() / theirs.mean()
    relative = (ours.var() / len(ours)) / ours.mean().clamp(min=1e-30).square()
    relative = relative + (theirs.var() / len(theirs)) / theirs.mean().square()
    return float(ratio), float(ratio * relative.sqrt())


def repeated(fake: Tensor, held_out: Tensor, share: float = 0.01) -> Tensor:
    """Whether each sample has a twin: another sample as near as the nearest of held-out images are, (M,) as 0 and 1.

    Near is below the quantile ``share`` of the distances of held-out images to one another: of as many held-out images,
    that share is expected. Sets of one size, for a larger set lies closer.
    """
    check_features(fake, held_out)
    near = nearest(held_out, held_out, same=True).quantile(share)
    return (nearest(fake, fake, same=True) <= near).double()
