"""Inverse autoregressive flow against autograd, quadrature, and the exact posterior of a linear Gaussian model."""

import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.autograd.functional import jacobian

from reverie.distributions import Bernoulli, Gaussian, SharedGaussian, Transformed
from reverie.engine.noise import ItemNoise, StepNoise
from reverie.models.vae import VAE
from reverie.nn.masked import MADE
from reverie.priors import StandardNormal
from reverie.protocols import Batch
from reverie.transforms.autoregressive import Flow, InverseAutoregressiveStep

# Numbers, context, steps, hidden layers.
SHAPES = [(2, 1, 1, (8,)), (2, 3, 2, (4, 4)), (5, 2, 3, (3,)), (8, 4, 4, (16, 16)), (6, 2, 2, ())]


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)


def fresh(d, h, steps, hidden):
    return Flow([InverseAutoregressiveStep(MADE(d, h, hidden)) for _ in range(steps)]).double()


def shaken(flow):
    """Weights of twice their first size, all of them non-zero: log-determinants come down to -20.

    Much larger ones make maps that no float64 leads back from.
    """
    for parameter in flow.parameters():
        nn.init.normal_(parameter, std=parameter.shape[-1] ** -0.5)
    return flow


def normal(*shape):
    return torch.randn(shape, dtype=torch.float64)


@pytest.mark.parametrize(("d", "h", "steps", "hidden"), SHAPES)
def test_the_log_determinant_is_that_of_the_jacobian(d, h, steps, hidden):
    flow, context = shaken(fresh(d, h, steps, hidden)), normal(h)
    for z in 2 * normal(5, d):
        derivative = jacobian(lambda at: flow(at, context)[0], z)
        sign, log_determinant = torch.linalg.slogdet(derivative)
        assert sign == 1
        assert log_determinant < -0.1
        torch.testing.assert_close(flow(z, context)[1], log_determinant, rtol=0, atol=1e-9)


@pytest.mark.parametrize("d", [2, 3, 7])
@pytest.mark.parametrize("hidden", [(), (1,), (9, 9)])
def test_one_step_is_triangular_and_two_are_full(d, hidden):
    context, z = normal(3), normal(d)
    one, two, three = (shaken(fresh(d, 3, steps, hidden)) for steps in (1, 2, 3))
    by_one, by_two, by_three = (jacobian(lambda at, f=f: f(at, context)[0], z) for f in (one, two, three))
    assert torch.equal(by_one != 0, torch.ones(d, d).tril().bool())
    assert (by_two != 0).all()
    assert (by_three != 0).all()


@pytest.mark.parametrize(("d", "h", "steps", "hidden"), SHAPES)
def test_the_way_back_comes_from_where_the_way_there_went(d, h, steps, hidden):
    flow = shaken(fresh(d, h, steps, hidden))
    z, context = 3 * normal(20, 4, d), normal(20, 1, h)
    there, log_determinant = flow(z, context)
    back, same = flow.inverse(there, context)
    torch.testing.assert_close(back, z, rtol=0, atol=1e-6)
    torch.testing.assert_close(same, log_determinant, rtol=0, atol=1e-6)


def test_a_density_pushed_through_a_flow_still_integrates_to_one():
    flow, context = shaken(fresh(2, 2, 3, (8,))), normal(1, 2)
    base = Gaussian(normal(1, 2), 0.3 * normal(1, 2))
    with torch.no_grad():
        drawn, _ = Transformed(base, flow, context).draw(ItemNoise(("draws",), range(1)), 20_000)
        low, high = drawn.flatten(0, 1).amin(0) - 2, drawn.flatten(0, 1).amax(0) + 2
        sides = [torch.linspace(float(a), float(b), 700, dtype=torch.float64) for a, b in zip(low, high, strict=True)]
        points = torch.cartesian_prod(*sides)
        start, log_determinant = flow.inverse(points, context)
        every = Gaussian(base.mean.expand_as(points), base.log_variance.expand_as(points))
        density = torch.exp(every.log_prob(start) - log_determinant)
    cell = math.prod(float(side[1] - side[0]) for side in sides)
    assert float(density.sum()) * cell == pytest.approx(1, abs=1e-4)


def test_draws_come_with_their_density_at_given_points():
    flow, context = shaken(fresh(4, 2, 3, (8,))), normal(5, 2)
    base = Gaussian(normal(5, 4), normal(5, 4))
    z, log_q = Transformed(base, flow, context).draw(ItemNoise(("draws",), range(5)), 3)
    start, log_determinant = flow.inverse(z, context.unsqueeze(1))
    deviation = torch.exp(0.5 * base.log_variance).unsqueeze(1)
    at_start = torch.distributions.Normal(base.mean.unsqueeze(1), deviation).log_prob(start).sum(-1)
    torch.testing.assert_close(at_start - log_determinant, log_q, rtol=0, atol=1e-6)


@pytest.mark.parametrize("steps", [1, 2, 5])
def test_a_fresh_flow_is_nearly_the_identity(steps):
    """With s = m = 0, z' = 0.881 z and log sigma = -0.127 for each number and step; fresh weights stay near that."""
    d = 64
    flow, z = fresh(d, 32, steps, (128, 128)), normal(200, d)
    with torch.no_grad():
        there, log_determinant = flow(z, normal(200, 32))
    per_number = float(log_determinant.mean()) / (d * steps)
    assert per_number == pytest.approx(math.log(torch.sigmoid(torch.tensor(2.0))), abs=0.05)
    assert float((there - z).square().mean().sqrt()) < 0.2 * steps
    assert float(torch.corrcoef(torch.stack([there.flatten(), z.flatten()]))[0, 1]) > 0.95 - 0.02 * steps


@pytest.mark.parametrize(("d", "h", "steps", "hidden"), SHAPES)
def test_every_number_of_the_context_moves_every_number_of_the_code(d, h, steps, hidden):
    flow = shaken(fresh(d, h, steps, hidden))
    assert (jacobian(lambda context: flow(normal(d), context)[0], normal(h)) != 0).all()


@pytest.mark.parametrize(("d", "h", "steps", "hidden"), SHAPES)
def test_draws_of_an_example_share_its_context(d, h, steps, hidden):
    flow = shaken(fresh(d, h, steps, hidden))
    z, context = normal(5, 3, d), normal(5, 1, h)
    together, log_determinant = flow(z, context)
    assert together.shape == (5, 3, d)
    assert log_determinant.shape == (5, 3)
    one, change = flow(z[:, 1], context[:, 0])
    torch.testing.assert_close(one, together[:, 1])
    torch.testing.assert_close(change, log_determinant[:, 1])


def test_under_bfloat16_the_network_alone_loses_digits():
    flow = fresh(6, 4, 1, (32,)).float()
    z, context = torch.randn(3, 6), torch.randn(3, 4)
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        there, log_determinant = flow(z, context)
        told = flow.steps[0].network(z, context)
    assert told.dtype == torch.bfloat16
    assert there.dtype == log_determinant.dtype == torch.float32
    m, sigma = told[:, 0].double(), torch.sigmoid(told[:, 1].double() + 2)
    torch.testing.assert_close(there.double(), sigma * z + (1 - sigma) * m, rtol=0, atol=1e-6)
    torch.testing.assert_close(log_determinant.double(), sigma.log().sum(1), rtol=0, atol=1e-6)


def test_images_drawn_from_a_model_hold_the_likelihood_between_two_bounds_of_its_flow():
    """Of (x, z) drawn from the model, z is a draw of the exact posterior: with q(z|x) there it gives an upper bound."""
    n, k, noise = 400, 20, ItemNoise(("simulate",), range(400))
    decoder, encoder = nn.Linear(2, 9).double(), nn.Linear(9, 7).double()
    flow = shaken(fresh(2, 3, 2, (8,)))
    model = VAE(encoder, decoder, Bernoulli, StandardNormal(2), flow=flow).double()
    with torch.no_grad():
        z = noise.normal("prior", (n, 2)).double()
        p = model.decode(z)
        x = p.sample(noise, "x")
        q = model.infer(x)
        likelihood, ratio = model.log_weights(x, q, noise, k - 1)
        start, log_determinant = flow.inverse(z, q.posterior.context)
        prior = torch.distributions.Normal(0.0, 1.0).log_prob(z).sum(1)
        own = p.log_prob(x) + prior - (q.posterior.base.log_prob(start) - log_determinant)
        drawn = likelihood + ratio
        lower = torch.logsumexp(drawn, 1) - math.log(k - 1)
        upper = torch.logsumexp(torch.cat([drawn, own[:, None]], 1), 1) - math.log(k)
        exact = by_quadrature(model, x)
    assert float(lower.mean()) < float(exact.mean()) < float(upper.mean())
    assert float((upper - lower).mean()) < 0.3


def by_quadrature(model, x):
    """``log p(x)`` by Gauss-Hermite quadrature over two latent dimensions."""
    nodes, mass = np.polynomial.hermite_e.hermegauss(40)
    z = torch.cartesian_prod(torch.tensor(nodes), torch.tensor(nodes))
    log_mass = torch.tensor(np.log(np.outer(mass, mass).flatten() / mass.sum() ** 2))
    logits = model.decode(z).logits
    return torch.logsumexp(x @ logits.T - nn.functional.softplus(logits).sum(1) + log_mass, 1)


# Probabilistic PCA whose posterior is correlated: p(x) = N(c, W W' + v I), p(z|x) = N(A (x - c), S) with
# S = v (W'W + v I)^-1 and A = S W' / v (Tipping & Bishop 1999).

PIXELS, VARIANCE = 6, 0.3
DIMENSIONS = [2, 3]


def linear_gaussian(d):
    """W, A, S and log p(x), with c = 0."""
    w = normal(PIXELS, d) @ (torch.eye(d, dtype=torch.float64) + 0.8 * torch.ones(d, d, dtype=torch.float64))
    covariance = VARIANCE * torch.linalg.inv(w.T @ w + VARIANCE * torch.eye(d, dtype=torch.float64))
    marginal = w @ w.T + VARIANCE * torch.eye(PIXELS, dtype=torch.float64)
    density = torch.distributions.MultivariateNormal(torch.zeros(PIXELS, dtype=torch.float64), marginal)
    return w, covariance @ w.T / VARIANCE, covariance, density.log_prob


def linear(weight, bias):
    layer = nn.Linear(weight.shape[1], weight.shape[0]).double()
    layer.load_state_dict({"weight": weight, "bias": bias})
    return layer


def with_flow(d):
    """The model whose posterior is N(0, (2 diag L)^2), pushed through one linear step with sigma = 1/2.

    With S = L L' and z_j = 2 L_jj e_j, the draw ``A x + L e`` of the posterior is
    ``z'_i = z_i / 2 + m_i / 2``, ``m_i = 2 (A x)_i + sum_{j<i} L_ij / L_jj z_j``; the context is A x.
    """
    w, to_mean, covariance, log_prob = linear_gaussian(d)
    lower = torch.linalg.cholesky(covariance)
    network = MADE(d, d, ()).double()
    for parameter in network.parameters():
        nn.init.zeros_(parameter)
    with torch.no_grad():
        network.last.weight[:d] = lower / lower.diagonal()
        network.told[0].weight[:d] = 2 * torch.eye(d)
        network.last.bias[d:] = -2.0  # takes back the bias of the gate: sigma = 1/2
    outputs = torch.cat([torch.zeros(2 * d, PIXELS), to_mean])
    bias = torch.cat([torch.zeros(d), 2 * torch.log(2 * lower.diagonal()), torch.zeros(d)])
    flow = Flow([InverseAutoregressiveStep(network)])
    model = VAE(linear(outputs, bias), linear(w, torch.zeros(PIXELS)), observation(), StandardNormal(d), flow=flow)
    return model.double(), log_prob


def observation():
    return SharedGaussian(math.log(VARIANCE)).double()


@pytest.mark.parametrize("d", DIMENSIONS)
def test_one_linear_step_makes_every_weight_the_likelihood_where_the_posterior_is_correlated(d):
    model, log_prob = with_flow(d)
    x, noise = 2 * normal(5, PIXELS), ItemNoise(("weights",), range(5))
    likelihood, ratio = model.log_weights(x, model.infer(x), noise, 40)
    exact = log_prob(x)
    torch.testing.assert_close(likelihood + ratio, exact[:, None].expand(5, 40), rtol=0, atol=1e-6)
    loss = model.loss("vae", Batch(x), StepNoise((0,), 0, 5)).value
    torch.testing.assert_close(-loss, exact, rtol=0, atol=1e-6)


@pytest.mark.parametrize("d", DIMENSIONS)
def test_without_the_flow_the_bound_has_the_known_gap(d):
    """The best independent Gaussian has the posterior's precisions: KL = 1/2 [log det S + sum_i log (S^-1)_ii]."""
    w, to_mean, covariance, log_prob = linear_gaussian(d)
    precision = torch.linalg.inv(covariance).diagonal()
    gap = float(0.5 * (torch.logdet(covariance) + precision.log().sum()))
    outputs = torch.cat([to_mean, torch.zeros_like(to_mean)])
    encoder = linear(outputs, torch.cat([torch.zeros(d), -precision.log()]))
    model = VAE(encoder, linear(w, torch.zeros(PIXELS)), observation(), StandardNormal(d)).double()
    x, draws = normal(1, PIXELS), 20_000
    likelihood, ratio = model.log_weights(x, model.infer(x), ItemNoise(("gap",), range(1)), draws)
    missing = log_prob(x)[:, None] - likelihood - ratio
    assert gap > 0.5
    assert abs(float(missing.mean().detach()) - gap) < 4 * float(missing.std().detach()) / draws**0.5
