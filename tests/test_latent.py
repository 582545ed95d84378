"""The latent tools against closed forms, scipy, and a model whose answers are known."""

from types import SimpleNamespace

import pytest
import torch
from scipy.stats import norm

from reverie import latent
from reverie.errors import UsageError

DOUBLE = torch.float64


def codes(n, d, seed=0):
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed), dtype=DOUBLE)


class Linear:
    """x = W z and z = V x; counts its batches and refuses gradients."""

    latent = 3

    def __init__(self):
        self.w = codes(4, 3, 5).requires_grad_()
        self.sizes = []

    def decode(self, z):
        self.sizes.append(len(z))
        return SimpleNamespace(mean=(z @ self.w.T).reshape(-1, 1, 2, 2))

    def encode(self, x):
        self.sizes.append(len(x))
        return SimpleNamespace(mean=x.flatten(1) @ self.w)


def test_slerp_of_equal_norms_keeps_the_norm_and_turns_at_constant_speed():
    a, b = codes(2, 7)
    b = b * a.norm() / b.norm()
    walk = latent.path(a, b, 9)
    torch.testing.assert_close(walk.norm(dim=-1), a.norm().expand(9), rtol=1e-12, atol=0)
    angles = torch.acos((walk[:-1] * walk[1:]).sum(-1) / a.norm() ** 2)
    whole = torch.acos((a * b).sum() / a.norm() ** 2)
    torch.testing.assert_close(angles, (whole / 8).expand(8), rtol=1e-9, atol=0)


def test_slerp_is_the_formula_for_unequal_norms():
    a, b = torch.tensor([2.0, 0.0], dtype=DOUBLE), torch.tensor([1.0, 1.0], dtype=DOUBLE)
    s = 2**-0.5
    expected = torch.tensor([2 * 2**0.5, 0.0]) * 0.0 + (a + b) * torch.sin(torch.tensor(torch.pi / 8)).double() / s
    torch.testing.assert_close(latent.slerp(a, b, 0.5), expected, rtol=1e-6, atol=0)


@pytest.mark.parametrize("between", [latent.lerp, latent.slerp])
@pytest.mark.parametrize("dtype", [torch.float32, DOUBLE])
def test_ends_are_exact(between, dtype):
    a, b = codes(50, 6).to(dtype), codes(50, 6, seed=1).to(dtype)
    assert torch.equal(between(a, b, 0.0), a)
    assert torch.equal(between(a, b, 1.0), b)


@pytest.mark.parametrize("factor", [1.0, 2.0, -1.0, -0.5, 0.0])
def test_slerp_falls_back_to_the_straight_line(factor):
    a = codes(1, 5)[0].float()
    for one, two in ((a, factor * a), (factor * a, a)):
        torch.testing.assert_close(latent.slerp(one, two, 0.25), 0.75 * one + 0.25 * two)


def test_slerp_is_accurate_for_nearly_parallel_codes():
    a = torch.tensor([1.0, 0.0])
    b = torch.tensor([1.0, 2e-3])
    torch.testing.assert_close(latent.slerp(a, b, 0.5), torch.tensor([1.0, 1e-3]), rtol=2e-6, atol=1e-9)


def test_path_of_batches():
    a, b = codes(4, 3), codes(4, 3, seed=2)
    walk = latent.path(a, b, 5, "linear")
    assert walk.shape == (4, 5, 3)
    for s in range(5):
        torch.testing.assert_close(walk[:, s], a + (b - a) * s / 4)


def test_grid_by_probability_is_the_normal_quantile():
    x, y = latent.grid_by_probability(15, 9, 0.02, 0.9)
    torch.testing.assert_close(
        x.double(), torch.tensor(norm.ppf(torch.linspace(0.02, 0.9, 15).double())), rtol=1e-5, atol=1e-6
    )
    assert y.shape == (9,)
    assert float(y[-1]) == pytest.approx(norm.ppf(0.9), rel=1e-6)


def test_grid_linear():
    x, y = latent.grid_linear(-2, 2, 5, 0, 3, 4)
    assert x.tolist() == [-2, -1, 0, 1, 2]
    assert y.tolist() == [0, 1, 2, 3]


def test_plane_first_axis_runs_right_and_second_runs_up():
    base = torch.tensor([9.0, 9.0, 7.0, 9.0])
    z = latent.plane(torch.tensor([1.0, 2.0, 3.0]), torch.tensor([10.0, 20.0]), latent=4, axes=(3, 0), base=base)
    assert z.shape == (2, 3, 4)
    assert z[0, 0].tolist() == [20, 9, 7, 1]  # top left: lowest first coordinate, highest second
    assert z[1, 2].tolist() == [10, 9, 7, 3]  # bottom right
    assert base.tolist() == [9, 9, 7, 9]


def test_traversals_change_one_dimension():
    z = codes(1, 4)[0]
    walks = latent.traversals(z, [2, 0], torch.tensor([-1.0, 0.0, 1.0]))
    assert walks.shape == (2, 3, 4)
    for row, dimension in zip(walks, [2, 0], strict=True):
        assert row[:, dimension].tolist() == [-1, 0, 1]
        others = [d for d in range(4) if d != dimension]
        assert torch.equal(row[:, others], z[others].expand(3, 3))


def test_decode_means_any_shape_in_batches_without_gradient():
    model, z = Linear(), codes(10, 3).reshape(2, 5, 3)
    means = latent.decode_means(model, z, batch=4)
    assert model.sizes == [4, 4, 2]
    assert not means.requires_grad
    torch.testing.assert_close(means, (z @ model.w.T).reshape(2, 5, 1, 2, 2).detach())


def test_informative_orders_by_mean_kl():
    kl = torch.tensor([[0.0, 4.0, 1.0], [0.2, 2.0, 1.0]])
    assert latent.informative(kl).tolist() == [1, 2, 0]
    assert latent.informative(kl.mean(0)).tolist() == [1, 2, 0]


def test_direction_recovers_a_planted_vector():
    planted, noise = codes(1, 8, seed=3)[0], codes(4000, 8)
    found = latent.attribute_direction(noise[:2000] + planted, noise[2000:])
    # Each coordinate has standard deviation sqrt(2 / 2000) = 0.032; five of them.
    assert (found - planted).abs().max() < 0.16


def test_accuracy_is_the_normal_probability_of_the_half_distance():
    noise = codes(8000, 2)
    shift = torch.tensor([2.0, 0.0], dtype=DOUBLE)
    accuracy = latent.attribute_accuracy(noise[:4000] + shift, noise[4000:])
    assert accuracy == pytest.approx(norm.cdf(1.0), abs=5 * (0.84 * 0.16 / 8000) ** 0.5)


def test_accuracy_equals_leaving_each_one_out_by_hand():
    present, absent = codes(7, 3) + 0.7, codes(5, 3, seed=1)

    def right(i, own, other):
        rest = own[torch.arange(len(own)) != i].mean(0)
        return float((own[i] - (rest + other.mean(0)) / 2) @ (rest - other.mean(0)) > 0)

    hits = sum(right(i, present, absent) for i in range(7)) / 7
    rejections = sum(right(i, absent, present) for i in range(5)) / 5
    assert latent.attribute_accuracy(present, absent) == pytest.approx((hits + rejections) / 2)


def test_accuracy_of_no_difference_is_not_above_chance():
    # In 200 dimensions 20 random codes are told from 20 others nearly always; left out, by chance.
    values = [latent.attribute_accuracy(codes(20, 200, s), codes(20, 200, s + 100)) for s in range(20)]
    assert sum(values) / 20 < 0.56


def test_edit_moves_along_the_direction():
    z, direction = codes(3, 2), torch.tensor([1.0, -2.0])
    moved = latent.edit(z, direction, torch.tensor([0.0, 0.5]))
    assert moved.shape == (3, 2, 2)
    assert torch.equal(moved[:, 0], z)
    torch.testing.assert_close(moved[:, 1], z + torch.tensor([0.5, -1.0], dtype=DOUBLE))


LINE = torch.tensor([0.0, 1.0])
MISTAKES = [
    (
        lambda: latent.traversals(torch.zeros(2), [7], LINE),
        r"dimension 7 of a code with 2: dimensions run from 0 to 1",
    ),
    (lambda: latent.traversals(torch.zeros(2), [-1], LINE), r"dimension -1 of a code with 2"),
    (lambda: latent.plane(LINE, LINE, latent=2, axes=(0, 2)), r"dimension 2 of a code with 2"),
    (lambda: latent.plane(LINE, LINE, latent=1), r"at least 2 dimensions; this model's has 1"),
    (lambda: latent.plane(LINE, LINE, latent=3, axes=(1, 1)), r"two different dimensions; got 1 twice"),
    (lambda: latent.path(LINE, LINE, 1), r"at least 2 steps, its two ends; got 1"),
    (lambda: latent.path(LINE, LINE, 3, "sperical"), r'got "sperical"\. Did you mean "spherical"\?'),
    (lambda: latent.grid_by_probability(3, 3, 0.9, 0.1), r"low < high < 1; got low 0.9 and high 0.1"),
    (lambda: latent.grid_by_probability(3, 3, 0.0, 0.5), r"0 < low"),
    (lambda: latent.grid_by_probability(1, 3), r"at least 2 points; got 1"),
    (lambda: latent.grid_linear(1, 1, 3, 0, 1, 3), r"below its high end; got 1 and 1"),
    (
        lambda: latent.attribute_direction(torch.zeros(0, 2), torch.zeros(3, 2)),
        r"at least 1 example with it; got 0",
    ),
    (
        lambda: latent.attribute_accuracy(torch.zeros(3, 2), torch.zeros(1, 2)),
        r"at least 2 examples without it; got 1",
    ),
    (lambda: latent.decode_means(Linear(), torch.zeros(3, 2)), r"codes have 3 dimensions; got codes with 2"),
]


@pytest.mark.parametrize(("call", "message"), MISTAKES)
def test_mistakes_are_named(call, message):
    with pytest.raises(UsageError, match=message):
        call()
