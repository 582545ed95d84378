"""Precision, recall, density and coverage: by hand, by definition, and at the published anchors."""

import math

import pytest
import torch

from reverie.errors import UsageError
from reverie.metrics import neighbours
from reverie.metrics.neighbours import memory_ratio, nearest, nearest_index, neighbourhoods, repeated


def normal(n, width, seed=0, scale=1.0):
    return scale * torch.randn(n, width, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def by_definition(real, fake, k):
    """The papers' formulas, one point at a time."""

    def reach(points, i):
        return sorted(float((points[i] - p).norm()) for j, p in enumerate(points) if j != i)[k - 1]

    reach_real, reach_fake = ([reach(s, i) for i in range(len(s))] for s in (real, fake))
    apart = [[float((r - f).norm()) for f in fake] for r in real]
    n, m = len(real), len(fake)
    precision = sum(any(apart[i][j] <= reach_real[i] for i in range(n)) for j in range(m)) / m
    recall = sum(any(apart[i][j] <= reach_fake[j] for j in range(m)) for i in range(n)) / n
    density = sum(apart[i][j] <= reach_real[i] for i in range(n) for j in range(m)) / (k * m)
    coverage = sum(min(apart[i]) <= reach_real[i] for i in range(n)) / n
    return [precision, recall, density, coverage]


@pytest.mark.parametrize("k", [1, 3, 5])
def test_all_four_are_their_definitions(k, monkeypatch):
    monkeypatch.setattr(neighbours, "BLOCK", 40 * 7)
    real, fake = normal(50, 3), normal(40, 3, seed=1, scale=1.3) + 0.7
    found = [float(values.mean()) for values in neighbourhoods(real, fake, k=k)]
    assert found == pytest.approx(by_definition(real, fake, k), rel=1e-12)
    assert 0 < min(found) < max(found)
    order = torch.randperm(40, generator=torch.Generator().manual_seed(2))
    assert [float(values.mean()) for values in neighbourhoods(real, fake[order], k=k)] == pytest.approx(found)


@pytest.mark.parametrize("offset", [0, 100])
def test_copies_at_exactly_the_reach_are_inside(offset):
    """Samples that are copies lie just at the reach of some balls: what integers say exactly."""
    whole = torch.randint(0, 256, (120, 6), generator=torch.Generator().manual_seed(0))
    picked = whole[torch.randperm(120, generator=torch.Generator().manual_seed(1))[:80]]
    apart = (whole[:, None] - whole).square().sum(2)
    reach = apart.sort(1).values[:, 5]  # the first is the point itself
    expected = ((whole[:, None] - picked).square().sum(2) <= reach[:, None]).sum(0) / 5
    for scale in (1.0, 1 / 3, 0.1):
        real, fake = ((each.double() + offset) * scale for each in (whole, picked))
        assert neighbourhoods(real, fake).density.tolist() == pytest.approx(expected.tolist())


@pytest.mark.slow
def test_the_published_anchors():
    """Two standard normal sets of 10,000 in 1,000 dimensions, k = 5: one draw there (README of prdc), and one here.

    Density has no more than a mean in common: its expectation is 1, and at 2,000 points draws of it deviate by 0.08.
    """
    found = neighbourhoods(normal(10_000, 1000), normal(10_000, 1000, seed=1), k=5)
    for values, anchor, spread in zip(found, (0.477, 0.471, 1.056, 0.974), (0.02, 0.02, 0.12, 0.02), strict=True):
        assert abs(float(values.mean()) - anchor) < spread


@pytest.mark.parametrize(("n", "k"), [(40, 3), (30, 1)])
def test_density_and_coverage_of_one_law_have_their_expectations(n, k):
    """By ranks: a new point is nearer than the k-th of the n - 1 others with chance k / n, so that E density = 1.

    None of n new points is with chance C(2n - 1 - k, n) / C(2n - 1, n) (Naeem et al. 2020, lemma 2).
    """
    found = torch.tensor(
        [
            [float(values.mean()) for values in neighbourhoods(normal(n, 3, 2 * s), normal(n, 3, 2 * s + 1), k=k)]
            for s in range(300)
        ]
    )
    covered = 1 - math.comb(2 * n - 1 - k, n) / math.comb(2 * n - 1, n)
    mean, error = found.mean(0), found.std(0) / 300**0.5
    assert abs(mean[2] - 1) < 4 * error[2]
    assert abs(mean[3] - covered) < 4 * error[3] < 0.05


def modes(n, which, seed, scale=0.1):
    """Points around as many corners as are named, one after the other."""
    corners = 4.0 * torch.eye(8, dtype=torch.float64)
    return corners[torch.tensor(which)[torch.arange(n) % len(which)]] + normal(n, 8, seed, scale)


def test_a_mode_that_is_left_out_costs_recall_and_coverage_and_not_precision():
    real = modes(800, range(8), 0)
    whole, some = (neighbourhoods(real, modes(800, which, 1)) for which in (range(8), range(4)))
    assert float(some.precision.mean()) > 0.9
    assert float(whole.recall.mean()) > 0.9
    assert float(some.recall.mean()) < 0.55
    assert float(some.coverage.mean()) < 0.55


def test_a_mode_that_is_invented_costs_precision_and_not_recall():
    real = modes(800, range(4), 0)
    more = neighbourhoods(real, modes(1600, range(8), 1))
    assert float(more.precision.mean()) < 0.55
    assert float(more.density.mean()) < 0.6
    assert float(more.recall.mean()) > 0.9
    assert float(more.coverage.mean()) > 0.9


def test_a_tight_cloud_inside_a_wide_one_is_precise_and_recalls_little():
    found = neighbourhoods(normal(1000, 4), normal(1000, 4, seed=1, scale=0.1))
    assert float(found.precision.mean()) > 0.8
    assert float(found.recall.mean()) < 0.3


def test_repeated_images_have_balls_of_no_size_and_hold_themselves():
    """With a strict inequality all four would be zero."""
    same = normal(5, 6).repeat_interleave(8, 0)
    found = neighbourhoods(same, same, k=5)
    assert [float(values.mean()) for values in found[:2] + found[3:]] == [1, 1, 1]


def test_nearest_are_those_of_all_distances(monkeypatch):
    monkeypatch.setattr(neighbours, "BLOCK", 64)
    x, among = normal(30, 5) + 100, normal(20, 5, seed=1) + 100
    apart = torch.cdist(x, among, compute_mode="donot_use_mm_for_euclid_dist")
    for k in (1, 4, 20):
        torch.testing.assert_close(nearest(x, among, k).sqrt(), apart.kthvalue(k, 1).values, rtol=1e-9, atol=0)
    assert torch.equal(nearest_index(x, among), apart.argmin(1))
    own = torch.cdist(x, x, compute_mode="donot_use_mm_for_euclid_dist").fill_diagonal_(torch.inf)
    torch.testing.assert_close(nearest(x, x, 2, same=True).sqrt(), own.kthvalue(2, 1).values, rtol=1e-9, atol=0)


@pytest.mark.parametrize(("k", "same"), [(0, False), (5, True), (6, False)])
def test_k_must_fit(k, same):
    with pytest.raises(UsageError, match=f"between 1 and the {5 - same} neighbours that a point has; got {k}"):
        nearest(torch.zeros(5, 2), torch.zeros(5, 2), k, same=same)


def test_the_memory_ratio_is_one_for_new_images_and_nothing_for_copies():
    train, held_out, new = normal(2000, 6), normal(500, 6, seed=1), normal(500, 6, seed=2)
    ratio, error = memory_ratio(new, held_out, train)
    assert abs(ratio - 1) < 4 * error < 0.3
    assert memory_ratio(train[:500], held_out, train)[0] == 0
    near = train[:500] + 0.01 * new
    expected = float((near - train[:500]).norm(dim=1).mean() / nearest(held_out, train).sqrt().mean())
    assert memory_ratio(near, held_out, train)[0] == pytest.approx(expected, rel=0.02)


def test_the_error_of_the_memory_ratio_is_its_spread():
    train = normal(500, 4)
    found = [memory_ratio(normal(100, 4, 2 * s + 1), normal(100, 4, 2 * s + 2), train) for s in range(80)]
    values, errors = torch.tensor(found).T
    assert 0.75 < float(errors.mean() / values.std()) < 1.3


def test_twins_are_as_many_as_said_among_new_images_and_all_of_a_collapse():
    held_out = normal(4000, 4)
    fresh = repeated(normal(4000, 4, seed=1), held_out, share=0.05)
    assert abs(float(fresh.mean()) - 0.05) < 0.02
    collapsed = normal(10, 4, seed=2).repeat(100, 1) + normal(1000, 4, seed=3, scale=1e-3)
    assert float(repeated(collapsed, held_out[:1000]).mean()) > 0.99
