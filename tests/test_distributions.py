"""Distributions against torch.distributions, SciPy, enumeration and counting."""

import math

import numpy as np
import pytest
import torch
from scipy import stats

from reverie import distributions, native
from reverie.distributions import (
    Bernoulli,
    DiscretizedLogistic,
    Encoded,
    Gaussian,
    Point,
    SharedGaussian,
    SharedLogistic,
    Transformed,
    standard_normal_log_prob,
    unit_gaussian,
    upcast,
)
from reverie.engine.noise import ItemNoise, StepNoise
from reverie.nn import gaussians
from reverie.protocols import Distribution, Posterior

SHAPE = (5, 2, 3, 4)
LEVELS = torch.arange(256, dtype=torch.float64) / 127.5 - 1


def normal(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def noise(rows, seed=0):
    return StepNoise(("test", seed), 0, rows)


def distribution(kind, shape=SHAPE):
    makers = {
        "bernoulli": lambda: Bernoulli(3 * normal(*shape)),
        "gaussian": lambda: Gaussian(normal(*shape), normal(*shape, seed=1)),
        "gaussian, one variance": lambda: Gaussian(normal(*shape), torch.tensor(-1.5)),
        "logistic": lambda: DiscretizedLogistic(normal(*shape), normal(*shape, seed=1) - 3),
        "logistic, one scale": lambda: DiscretizedLogistic(normal(*shape), torch.tensor(-2.0)),
    }
    return makers[kind]()


KINDS = ["bernoulli", "gaussian", "gaussian, one variance", "logistic", "logistic, one scale"]


@pytest.mark.parametrize("kind", KINDS)
def test_log_prob_is_per_example_and_refuses_to_broadcast(kind):
    made = distribution(kind)
    assert isinstance(made, Distribution)
    assert made.log_prob(torch.ones(SHAPE, dtype=torch.float64)).shape == (5,)
    for shape in [(5, 1, 3, 4), (1, *SHAPE[1:]), (5, 24), (2, 3, 4)]:
        with pytest.raises(ValueError, match="must have the distribution's shape"):
            made.log_prob(torch.ones(shape, dtype=torch.float64))


@pytest.mark.parametrize("make", [Gaussian, DiscretizedLogistic])
def test_parameters_of_another_shape_are_refused(make):
    with pytest.raises(ValueError, match="mean's shape"):
        make(normal(4, 3), normal(3))


@pytest.mark.parametrize("kind", KINDS)
def test_draws_follow_the_noise_and_nothing_else(kind):
    made = distribution(kind)
    first, again = made.sample(noise(5), "x"), made.sample(noise(5), "x")
    assert torch.equal(first, again)
    assert first.shape == SHAPE
    assert not torch.equal(first, made.sample(noise(5), "y"))
    assert made.log_prob(first).isfinite().all()


@pytest.mark.parametrize("kind", KINDS)
def test_half_precision_parameters_give_float32_densities(kind):
    made = distribution(kind)
    half = type(made)(*(value.bfloat16() for value in vars(made).values()))
    wide = type(made)(*(value.bfloat16().double() for value in vars(made).values()))
    x = (normal(*SHAPE) > 0).double()
    assert half.log_prob(x.bfloat16()).dtype == torch.float32
    torch.testing.assert_close(half.log_prob(x.bfloat16()).double(), wide.log_prob(x), rtol=1e-5, atol=1e-4)


def test_upcast_leaves_full_precision_alone():
    dtypes = [upcast(torch.zeros(1, dtype=d)).dtype for d in (torch.bfloat16, torch.float16, torch.float64)]
    assert dtypes == [torch.float32, torch.float32, torch.float64]


def test_bernoulli_log_prob():
    logits, x = 4 * normal(*SHAPE), (normal(*SHAPE, seed=1) > 0).double()
    oracle = stats.bernoulli.logpmf(x, torch.sigmoid(logits)).reshape(5, -1).sum(1)
    np.testing.assert_allclose(Bernoulli(logits).log_prob(x), oracle, rtol=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_bernoulli_log_prob_of_extreme_logits_is_exact(dtype):
    logits = torch.tensor([[200.0], [200.0], [-200.0], [-200.0], [30.0]], dtype=dtype)
    x = torch.tensor([[0.0], [1.0], [0.0], [1.0], [0.0]], dtype=dtype)
    expected = pytest.approx([-200.0, 0.0, 0.0, -200.0, -30.0], rel=1e-12, abs=1e-80)
    assert Bernoulli(logits).log_prob(x).tolist() == expected
    near = Bernoulli(torch.tensor([[25.0]], dtype=torch.float64)).log_prob(torch.ones(1, 1, dtype=torch.float64))
    assert float(near) == pytest.approx(-math.log1p(math.exp(-25)), rel=1e-3)
    many = Bernoulli(torch.full((1, 784), 200.0)).log_prob(torch.ones(1, 784))
    assert float(many) == 0.0


def test_bernoulli_probability_and_frequency():
    made = Bernoulli(torch.tensor([[-1.0, 0.0, 2.0]]).expand(20_000, 3))
    frequency = made.sample(noise(20_000), "x").mean(0)
    assert torch.equal(made.sample(noise(20_000), "x").unique(), torch.tensor([0.0, 1.0]))
    error = (made.mean[0] * (1 - made.mean[0]) / 20_000).sqrt()
    assert ((frequency - made.mean[0]).abs() < 4 * error).all()


def test_gaussian_log_prob():
    mean, log_variance, x = normal(*SHAPE), normal(*SHAPE, seed=1), normal(*SHAPE, seed=2)
    oracle = stats.norm.logpdf(x, mean, torch.exp(0.5 * log_variance)).reshape(5, -1).sum(1)
    np.testing.assert_allclose(Gaussian(mean, log_variance).log_prob(x), oracle, rtol=1e-12)
    one = stats.norm.logpdf(x, mean, math.exp(0.35)).reshape(5, -1).sum(1)
    scalar = torch.tensor(0.7, dtype=torch.float64)
    np.testing.assert_allclose(Gaussian(mean, scalar).log_prob(x), one, rtol=1e-12)
    np.testing.assert_allclose(SharedGaussian(0.7)(mean).log_prob(x).detach(), one, rtol=1e-7)


def test_unit_gaussian_is_squared_error_in_nats():
    mean, x = normal(*SHAPE), normal(*SHAPE, seed=2)
    squared = (x - mean).square().flatten(1).sum(1)
    torch.testing.assert_close(-unit_gaussian(mean).log_prob(x), 0.5 * squared + 12 * math.log(2 * math.pi))


def test_gaussian_kl():
    mean, log_variance = normal(50, 7), 3 * normal(50, 7, seed=1)
    q = torch.distributions.Normal(mean, torch.exp(0.5 * log_variance))
    oracle = torch.distributions.kl_divergence(q, torch.distributions.Normal(0.0, 1.0))
    torch.testing.assert_close(Gaussian(mean, log_variance).kl(), oracle)
    assert Gaussian(torch.zeros(1, 2), torch.zeros(1, 2)).kl().tolist() == [[0.0, 0.0]]


def test_gaussian_draws_come_with_their_own_density():
    made = Gaussian(normal(6, 3), normal(6, 3, seed=1))
    assert isinstance(made, Posterior)
    z, log_q = made.draw(noise(6), 4)
    q = torch.distributions.Normal(made.mean[:, None], torch.exp(0.5 * made.log_variance)[:, None])
    assert z.shape == (6, 4, 3)
    torch.testing.assert_close(log_q, q.log_prob(z).sum(-1))
    torch.testing.assert_close(Gaussian(made.mean, torch.tensor(-1.0)).draw(noise(6), 4)[1].shape, log_q.shape)


def test_gaussian_draws_have_mean_and_deviation():
    z, _ = Gaussian(torch.tensor([[1.0, -2.0]]), torch.tensor([[1.0, -3.0]])).draw(noise(1), 40_000)
    scaled = (z[0] - torch.tensor([1.0, -2.0])) / torch.tensor([math.exp(0.5), math.exp(-1.5)])
    assert all(stats.kstest(column, "norm").pvalue > 1e-3 for column in scaled.T)
    x = Gaussian(torch.full((1, 40_000), 3.0), torch.tensor(2.0)).sample(noise(1), "x")
    assert stats.kstest((x[0] - 3) / math.e, "norm").pvalue > 1e-3


def test_gaussian_draws_carry_the_gradient():
    mean, log_variance = normal(2, 3).requires_grad_(), normal(2, 3, seed=1).requires_grad_()
    z, _ = Gaussian(mean, log_variance).draw(noise(2))
    z.sum().backward()
    assert torch.equal(mean.grad, torch.ones(2, 3, dtype=torch.float64))
    torch.testing.assert_close(log_variance.grad, 0.5 * (z[:, 0] - mean).detach())


def test_items_draw_alike_in_any_batch():
    made = Gaussian(normal(6, 3), normal(6, 3, seed=1))
    whole, _ = made.draw(ItemNoise(("a",), range(6)), 4)
    part, _ = Gaussian(made.mean[2:4], made.log_variance[2:4]).draw(ItemNoise(("a",), range(2, 4)), 4)
    assert torch.equal(whole[2:4], part)


def test_standard_normal_log_prob():
    z = normal(4, 5, 3)
    oracle = stats.multivariate_normal(np.zeros(3)).logpdf(z)
    np.testing.assert_allclose(standard_normal_log_prob(z), oracle, rtol=1e-12)


def test_a_point_has_no_finite_density():
    made = Point(normal(3, 2))
    z, log_q = made.draw(noise(3), 5)
    assert isinstance(made, Posterior)
    assert torch.equal(z, made.mean[:, None].expand(3, 5, 2))
    assert (log_q == math.inf).all()
    assert (made.kl() == math.inf).all()


def level_probabilities(mean, log_scale):
    many = DiscretizedLogistic(torch.full((256, 1), mean, dtype=torch.float64), torch.tensor(log_scale).double())
    return many.log_prob(LEVELS[:, None]).exp()


EXTREMES = [(0.0, -20.0), (1.0, -20.0), (-1.0, -7.0), (5.0, -7.0), (-3.0, 0.0), (0.99, -5.0), (0.1, 10.0)]
RANDOM = [(m, s) for m, s in np.random.default_rng(0).uniform([-1.2, -8], [1.2, 2], (40, 2))]


@pytest.mark.parametrize(("mean", "log_scale"), EXTREMES + RANDOM)
def test_discretized_logistic_sums_to_one_over_256_levels(mean, log_scale):
    assert float(level_probabilities(mean, log_scale).sum()) == pytest.approx(1, abs=1e-8)


@pytest.mark.parametrize(("mean", "log_scale"), [(0.0, -2.0), (0.9, -3.0), (-0.4, -4.0), (0.1, 0.0)])
def test_discretized_logistic_is_the_logistic_mass_of_each_bin(mean, log_scale):
    ends = np.concatenate([[-np.inf], (LEVELS + 1 / 255)[:-1].numpy(), [np.inf]])
    oracle = np.diff(stats.logistic(mean, math.exp(log_scale)).cdf(ends))
    np.testing.assert_allclose(level_probabilities(mean, log_scale), oracle, rtol=1e-6, atol=1e-15)


def test_discretized_logistic_keeps_its_digits_and_gradients_far_out():
    mean = torch.tensor([[-1.0], [-1.0], [1.0], [0.3]], requires_grad=True)
    log_scale = torch.tensor(-7.0, requires_grad=True)
    x = torch.tensor([[1.0], [0.5], [-1.0], [0.3]])
    value = DiscretizedLogistic(mean, log_scale).log_prob(x)
    wide = DiscretizedLogistic(mean.double(), log_scale.double()).log_prob(x.double())
    torch.testing.assert_close(value.double(), wide, rtol=1e-5, atol=1e-5)
    value.sum().backward()
    assert mean.grad.isfinite().all()
    assert log_scale.grad.isfinite()
    assert value[0] < -2000


@pytest.mark.parametrize(("mean", "log_scale"), [(0.2, -3.0), (0.97, -3.0), (-1.1, -2.0)])
def test_discretized_logistic_draws_its_levels_as_often_as_it_says(mean, log_scale):
    n = 20_000
    made = DiscretizedLogistic(torch.full((n, 1), mean), torch.tensor(log_scale))
    level = ((made.sample(noise(n), "x").flatten().double() + 1) * 127.5).round().long()
    expected = level_probabilities(mean, log_scale).numpy() * n
    counts = np.bincount(level, minlength=256)
    frequent = expected >= 5
    observed = np.append(counts[frequent], counts[~frequent].sum())
    wanted = np.append(expected[frequent], expected[~frequent].sum())
    assert stats.chisquare(observed, wanted * observed.sum() / wanted.sum()).pvalue > 1e-3


def test_shared_parameters_are_learned():
    for observation in (SharedGaussian(), SharedLogistic()):
        observation(torch.zeros(2, 3)).log_prob(torch.zeros(2, 3)).sum().backward()
        ((_, parameter),) = observation.named_parameters()
        assert parameter.grad.abs() > 0


def test_the_best_shared_variance_is_the_mean_squared_error():
    x = normal(10, 4).float() * 3
    observation = SharedGaussian(math.log(float(x.square().mean())))
    observation(torch.zeros(10, 4)).log_prob(x).sum().backward()
    assert float(observation.log_variance.grad) == pytest.approx(0, abs=1e-4)


def test_support_says_which_values_have_probabilities():
    supports = {kind: distribution(kind).support for kind in KINDS}
    assert supports["bernoulli"] == "binary"
    assert supports["gaussian"] == "continuous"
    assert supports["logistic"] == "256 levels"
    assert set(supports.values()) == set(distributions.Support.__args__)


class Affine:
    """A flow with a known determinant: z = a z0 + h."""

    def __call__(self, z, context):
        return 3.0 * z + context, torch.full(z.shape[:2], z.shape[2] * math.log(3.0), dtype=z.dtype)


def test_a_transformed_gaussian_is_the_gaussian_that_an_affine_flow_makes():
    base = Gaussian(torch.randn(4, 2, dtype=torch.float64), torch.randn(4, 2, dtype=torch.float64))
    context = torch.randn(4, 2, dtype=torch.float64)
    posterior = Transformed(base, Affine(), context)
    z, log_q = posterior.draw(ItemNoise(("draw",), range(4)), 5)
    mean, deviation = 3 * base.mean + context, 3 * (0.5 * base.log_variance).exp()
    oracle = torch.distributions.Normal(mean[:, None], deviation[:, None]).log_prob(z).sum(-1)
    torch.testing.assert_close(log_q, oracle)
    torch.testing.assert_close(posterior.mean, mean)


@pytest.mark.skipif(not native.available(), reason=f"no kernels of one's own: {native.missing()}")
@pytest.mark.parametrize("kernels", [True, False])
def test_in_training_a_code_and_squared_errors_are_by_kernels_and_the_same(kernels, monkeypatch):
    made = []
    for name in ("drawn", "distances"):
        function = getattr(gaussians, name)
        monkeypatch.setattr(gaussians, name, lambda *given, of=function, name=name: made.append(name) or of(*given))
    both, mean, x = (normal(6, 8, seed=s).float().requires_grad_(s < 2) for s in range(3))
    with torch.autocast("cpu", torch.bfloat16, enabled=kernels):
        z, kl = Encoded(both).sample_with_kl(noise(6), "z")
        figures = torch.cat([z, kl, unit_gaussian(mean).log_prob(x)[:, None]], 1)
    assert made == (["drawn", "distances"] if kernels else [])
    exact_both, exact_mean = (t.detach().double().requires_grad_() for t in (both, mean))
    exact = Gaussian(*exact_both.split(4, 1))
    wanted = [exact.sample(noise(6), "z"), exact.kl(), unit_gaussian(exact_mean).log_prob(x.double())[:, None]]
    wanted = torch.cat(wanted, 1)
    torch.testing.assert_close(figures.double(), wanted, rtol=1e-5, atol=1e-6)
    by = normal(6, 9, seed=3)
    found = torch.autograd.grad(figures, (both, mean), by.float())
    for each, truth in zip(found, torch.autograd.grad(wanted, (exact_both, exact_mean), by), strict=True):
        torch.testing.assert_close(each.double(), truth, rtol=1e-5, atol=1e-6)


def test_a_figure_is_asked_for_without_kernels_whose_gradient_is_to_be_of_x():
    x = normal(3, 4).float().requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        (slope,) = torch.autograd.grad(unit_gaussian(torch.ones(3, 4).requires_grad_()).log_prob(x).sum(), x)
    torch.testing.assert_close(slope, 1 - x.detach())


@pytest.mark.parametrize("shape", [(3, 5), (3, 2, 2)])
def test_what_does_not_part_into_means_and_variances_is_refused(shape):
    with pytest.raises(ValueError, match="must be"):
        Encoded(torch.zeros(shape))
