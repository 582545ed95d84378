"""The VAE against models whose likelihood is known: linear Gaussian, and enumerated binary pictures."""

import itertools
import math

import numpy as np
import pytest
import torch
from torch import nn

from reverie import protocols
from reverie.distributions import Bernoulli, Gaussian, SharedGaussian, SharedLogistic, unit_gaussian
from reverie.engine.noise import ItemNoise, StepNoise
from reverie.errors import UsageError
from reverie.models.vae import VAE
from reverie.nn.conv import conv_vae_decoder, conv_vae_encoder
from reverie.nn.masked import MADE
from reverie.nn.mlp import mlp_decoder, mlp_encoder
from reverie.objectives.elbo import Bound, elbo
from reverie.priors import StandardNormal, VampPrior
from reverie.transforms.autoregressive import Flow, InverseAutoregressiveStep
from toys import figures

D, L = 6, 2  # pixels and latent dimensions of the linear model
VARIANCE = 0.3


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)


def linear(weight, bias):
    layer = nn.Linear(weight.shape[1], weight.shape[0], dtype=torch.float64)
    layer.load_state_dict({"weight": weight, "bias": bias})
    return layer


def linear_gaussian():
    """Probabilistic PCA with orthogonal columns, so that the posterior is diagonal: the VAE, log p(x), W.

    p(x) = N(m, W W' + s2 I), and p(z|x) = N(M^-1 W' (x - m), s2 M^-1) with M = W' W + s2 I
    (Tipping & Bishop 1999).
    """
    source = torch.Generator().manual_seed(0)
    columns = torch.linalg.qr(torch.randn(D, L, generator=source, dtype=torch.float64)).Q
    w = columns * torch.tensor([2.0, 0.7], dtype=torch.float64)
    centre = torch.randn(D, generator=source, dtype=torch.float64)
    m = w.T @ w + VARIANCE * torch.eye(L, dtype=torch.float64)
    to_mean = torch.linalg.solve(m, w.T)
    log_variance = torch.log(VARIANCE / m.diagonal())
    encoder = linear(torch.cat([to_mean, torch.zeros_like(to_mean)]), torch.cat([-to_mean @ centre, log_variance]))
    model = VAE(encoder, linear(w, centre), SharedGaussian(), StandardNormal(L)).double()
    nn.init.constant_(model.observation.log_variance, math.log(VARIANCE))
    covariance = w @ w.T + VARIANCE * torch.eye(D, dtype=torch.float64)
    return model, torch.distributions.MultivariateNormal(centre, covariance).log_prob, w


def images(n, d=D):
    return 2 * torch.randn(n, d, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def tiny(shape=(1, 4, 4), observation=Bernoulli, latent=2, beta=1.0):
    encoder, decoder = mlp_encoder(shape, [8], 2 * latent), mlp_decoder(latent, [8], shape)
    return VAE(encoder, decoder, observation, StandardNormal(latent), objective=Bound(beta=beta))


def bits(*shape, seed=0):
    return (torch.rand(shape, generator=torch.Generator().manual_seed(seed)) < 0.5).float()


@pytest.mark.parametrize("k", [1, 2, 7, 1000])
def test_the_exact_posterior_makes_every_bound_the_likelihood_without_variance(k):
    model, log_prob, _ = linear_gaussian()
    x = images(5)
    noise = ItemNoise(("weights",), range(5))
    likelihood, ratio = model.log_weights(x, model.infer(x), noise, k)
    exact = log_prob(x)
    torch.testing.assert_close(likelihood + ratio, exact[:, None].expand(5, k), rtol=0, atol=1e-9)
    torch.testing.assert_close(elbo(likelihood.mean(1), -ratio.mean(1)), exact, rtol=0, atol=1e-9)
    value, kind = model.log_prob(x, noise, k=k)
    torch.testing.assert_close(value, exact, rtol=0, atol=1e-9)
    assert kind == "bound"


def bound_by_the_loss(model, x, draws=20_000):
    """The mean over many draws of minus the loss at one x, and its standard error."""
    batch = protocols.Batch(x[:1].expand(draws, -1))
    values = -model.loss("vae", batch, StepNoise(("draws",), 0, draws)).value.detach()
    return float(values.mean()), float(values.std() / draws**0.5)


def test_the_loss_is_minus_the_log_likelihood_where_the_posterior_is_exact():
    model, log_prob, _ = linear_gaussian()
    x = images(1)
    bound, error = bound_by_the_loss(model, x)
    assert error < 0.02
    assert abs(bound - float(log_prob(x))) < 4 * error


def test_a_missing_half_in_the_deviation_is_no_bound_and_is_seen(monkeypatch):
    def wrong_sample(self, noise, name):
        return self.mean + self.log_variance.exp() * noise.normal(name, tuple(self.mean.shape)).to(self.mean)

    model, log_prob, w = linear_gaussian()
    x = images(1)
    v = model.encode(x).log_variance[0].exp().detach()
    # E log p(x|z) of a linear decoder falls with the variance of z_j, at the rate of |w_j|^2 / (2 s2).
    excess = float(((v - v.square()) * w.square().sum(0)).sum() / (2 * VARIANCE))
    monkeypatch.setattr(Gaussian, "sample", wrong_sample)
    bound, error = bound_by_the_loss(model, x)
    assert excess > 0.5
    assert abs(bound - float(log_prob(x)) - excess) < 4 * error


def test_all_binary_pictures_together_have_probability_one_and_the_bound_stays_below():
    """p(x) by Gauss-Hermite quadrature over two latent dimensions, for all pictures of 8 pixels."""
    model = tiny((1, 2, 4)).double()
    nodes, mass = np.polynomial.hermite_e.hermegauss(40)
    z = torch.tensor(list(itertools.product(nodes, nodes)))
    log_mass = torch.tensor(np.log(np.outer(mass, mass).flatten() / mass.sum() ** 2))
    x = torch.tensor(list(itertools.product([0.0, 1.0], repeat=8)), dtype=torch.float64).view(-1, 1, 2, 4)
    with torch.no_grad():
        logits = model.decode(z).logits
        every = Bernoulli(logits.repeat(256, 1, 1, 1)).log_prob(x.repeat_interleave(1600, 0)).view(256, 1600)
        exact = torch.logsumexp(every + log_mass, 1)
        likelihood, ratio = model.log_weights(x, model.infer(x), ItemNoise(("all",), range(256)), 400)
    assert float(exact.exp().sum()) == pytest.approx(1, abs=1e-10)
    w = (likelihood + ratio - exact[:, None]).exp()  # each has mean 1: importance weights are unbiased
    errors = (w.mean(1) - 1) / (w.std(1) / 20)
    assert errors.abs().max() < 5
    assert abs(float(errors.mean())) < 4 / 16


def test_images_drawn_from_the_model_hold_the_likelihood_between_two_bounds():
    """Of (x, z) drawn from the model, z is a draw of the exact posterior: it gives an upper bound."""
    model, n, k = tiny((1, 3, 3)).double(), 400, 20
    noise = ItemNoise(("simulate",), range(n))
    with torch.no_grad():
        z = noise.normal("prior", (n, 2)).double()
        p = model.decode(z)
        x = p.sample(noise, "x")
        q = model.encode(x)
        likelihood, ratio = model.log_weights(x, model.infer(x), noise, k - 1)
        deviation = torch.exp(0.5 * q.log_variance)
        log_q = torch.distributions.Normal(q.mean, deviation).log_prob(z).sum(1)
        log_prior = torch.distributions.Normal(0.0, 1.0).log_prob(z).sum(1)
        own = (p.log_prob(x) + log_prior - log_q)[:, None]
        drawn = likelihood + ratio
        lower = torch.logsumexp(drawn, 1) - math.log(k - 1)
        upper = torch.logsumexp(torch.cat([drawn, own], 1), 1) - math.log(k)
    assert 0 < float((upper - lower).mean()) < 0.1


OBSERVATIONS = {
    "bernoulli": lambda: Bernoulli,
    "unit": lambda: unit_gaussian,
    "gaussian": lambda: SharedGaussian(-1.0),
    "logistic": lambda: SharedLogistic(-1.0),
}


@pytest.mark.parametrize("name", OBSERVATIONS)
def test_it_keeps_every_protocol_for_every_observation(name):
    model, x = tiny((3, 4, 2), OBSERVATIONS[name]()), bits(5, 3, 4, 2)
    noise = ItemNoise(("a",), range(5))
    for protocol in ("Trainable", "Sampler", "Autoencoder", "Density", "LatentDensity"):
        assert isinstance(model, getattr(protocols, protocol))
    assert dict(model.players) == {"vae": model}
    assert dict(model.turns) == {"vae": 1}
    loss = model.loss("vae", protocols.Batch(x), noise)
    assert loss.value.shape == (5,)
    assert model.sample(5, noise).shape == x.shape
    assert model.log_prob(x, noise, k=3).value.shape == (5,)
    assert all(part.shape == (5, 3) for part in model.log_weights(x, model.infer(x), noise, 3))
    assert model.decode(model.encode(x).mean).mean.shape == x.shape
    loss.value.mean().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in model.parameters())


def test_the_loss_is_in_nats_and_weighs_the_divergence_by_beta():
    model, x, noise = tiny(beta=3.0).double(), bits(4, 1, 4, 4).double(), StepNoise(("a",), 0, 4)
    loss = model.loss("vae", protocols.Batch(x), noise)
    mean, log_variance = model.encoder(x).chunk(2, 1)
    q = torch.distributions.Normal(mean, torch.exp(0.5 * log_variance))
    z = mean + q.scale * noise.normal("z", (4, 1, 2))[:, 0].double()
    log_likelihood = torch.distributions.Bernoulli(logits=model.decoder(z)).log_prob(x).sum((1, 2, 3))
    kl = torch.distributions.kl_divergence(q, torch.distributions.Normal(0.0, 1.0)).sum(1)
    torch.testing.assert_close(loss.value, 3 * kl - log_likelihood)
    torch.testing.assert_close(figures(loss)["reconstruction"], -log_likelihood.detach())
    torch.testing.assert_close(figures(loss)["kl"], kl.detach())
    assert not any(value.requires_grad for value in figures(loss).values())


def twice(logits):
    """An observation whose picture stands there twice, side by side."""
    return Bernoulli(torch.cat([logits, logits], -1))


class LeftHalf(nn.Module):
    def forward(self, x):
        return x[..., : x.shape[-1] // 2]


def test_a_picture_tiled_twice_costs_twice_and_copies_cost_the_same():
    model, x, noise = tiny().double(), bits(1, 1, 4, 4).double(), ItemNoise(("a",), [0])
    once = model.loss("vae", protocols.Batch(x), noise)
    wide = VAE(nn.Sequential(LeftHalf(), model.encoder), model.decoder, twice, StandardNormal(2))
    tiled = wide.loss("vae", protocols.Batch(torch.cat([x, x], -1)), noise)
    torch.testing.assert_close(figures(tiled)["reconstruction"], 2 * figures(once)["reconstruction"])
    torch.testing.assert_close(figures(tiled)["kl"], figures(once)["kl"])
    copies = model.loss("vae", protocols.Batch(x.expand(7, -1, -1, -1)), ItemNoise(("a",), [0] * 7))
    torch.testing.assert_close(copies.value.mean(), once.value.mean())


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 12, 20)])
def test_the_convolutional_vae_learns_everywhere(shape):
    model = VAE(conv_vae_encoder(shape, 4), conv_vae_decoder(2, shape), Bernoulli, StandardNormal(2))
    model.loss("vae", protocols.Batch(bits(4, *shape)), StepNoise(("a",), 0, 4)).value.mean().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in model.parameters())


@pytest.mark.parametrize("observe", [lambda: Bernoulli, lambda: SharedGaussian(-2.0), SharedLogistic])
def test_bfloat16_networks_cost_almost_what_float64_ones_do(observe):
    """On 32 images the cost differs by at most 0.06 % (measured over five seeds); 0.1 % is allowed."""
    shape, noise = (1, 28, 28), StepNoise(("a",), 0, 32)
    model = VAE(mlp_encoder(shape, [400], 40), mlp_decoder(20, [400], shape), observe(), StandardNormal(20))
    x = bits(32, *shape)
    with torch.no_grad():
        with torch.autocast("cpu", dtype=torch.bfloat16):
            half = model.loss("vae", protocols.Batch(x), noise).value
        exact = model.double().loss("vae", protocols.Batch(x.double()), noise).value
    assert half.dtype == torch.float32
    assert float(((half - exact) / exact).abs().max()) < 1e-3


def test_the_temperature_scales_the_prior():
    model, noise = tiny(), ItemNoise(("a",), range(3))
    z = noise.normal("z", (3, 2))
    torch.testing.assert_close(model.sample(3, noise, temperature=0.5), model.decode(0.5 * z).mean)
    mode = model.decode(torch.zeros(3, 2)).mean
    assert torch.equal(model.sample(3, noise, temperature=0.0), mode)


def test_what_it_cannot_do_is_said():
    model, noise = tiny(), ItemNoise(("a",), range(3))
    with pytest.raises(UsageError, match="without labels"):
        model.sample(3, noise, label=torch.zeros(3, dtype=torch.long))
    with pytest.raises(UsageError, match="without labels"):
        model.infer(bits(3, 1, 4, 4), torch.zeros(3, dtype=torch.long))
    for temperature in (-1.0, math.nan):
        with pytest.raises(UsageError, match="at least 0"):
            model.sample(3, noise, temperature=temperature)
    with pytest.raises(UsageError, match="at least 1; got 0"):
        model.log_prob(bits(3, 1, 4, 4), noise, k=0)


def test_a_state_dict_is_plain_and_comes_back():
    model, twin, x = (
        tiny(observation=SharedGaussian(0.5)),
        tiny(observation=SharedGaussian()),
        bits(3, 1, 4, 4),
    )
    assert [name for name in model.state_dict() if name.startswith("observation")] == ["observation.log_variance"]
    twin.load_state_dict(model.state_dict())
    noise = ItemNoise(("a",), range(3))
    assert torch.equal(model.log_prob(x, noise).value, twin.log_prob(x, noise).value)


class Shift(nn.Module):
    """The flow z = 2 z0 + h."""

    def forward(self, z, context):
        return 2 * z + context, torch.full(z.shape[:2], z.shape[2] * math.log(2.0), dtype=z.dtype)


def with_flow(**options):
    return VAE(
        mlp_encoder((1, 2, 2), [8], 6), mlp_decoder(2, [8], (1, 2, 2)), Bernoulli, StandardNormal(2), **options
    ).double()


def test_a_flow_is_told_what_the_encoder_says_and_its_bound_is_that_of_its_own_density():
    model, x = with_flow(flow=Shift()), bits(3, 1, 2, 2).double()
    mean, log_variance, context = model.encoder(x).chunk(3, 1)
    q = torch.distributions.Normal((2 * mean + context)[:, None], 2 * (0.5 * log_variance).exp()[:, None])
    noise = ItemNoise(("flow",), range(3))
    z, _ = model.encode(x).draw(noise, 4)
    likelihood, ratio = model.log_weights(x, model.infer(x), noise, 4)
    prior = torch.distributions.Normal(0.0, 1.0).log_prob(z).sum(-1)
    torch.testing.assert_close(ratio, prior - q.log_prob(z).sum(-1))
    torch.testing.assert_close(likelihood, model.decode(z.flatten(0, 1)).log_prob(x.repeat_interleave(4, 0)).view(3, 4))
    assert model.divergence(model.infer(x)) is None


def test_a_late_flow_is_left_out_until_its_part_of_the_budget_has_come():
    steps = [InverseAutoregressiveStep(MADE(2, 2, (4,)))]
    model, x = with_flow(flow=Flow(steps, start=0.5)), bits(3, 1, 2, 2).double()
    rest = (model.encoder, model.decoder, model.observation, model.prior)
    without, with_it = VAE(*rest), VAE(*rest, flow=Flow(steps))
    for progress, same in ((0.0, without), (0.49, without), (0.5, with_it), (0.9, with_it)):
        batch, noise = protocols.Batch(x, progress=progress), StepNoise((0,), 0, 3)
        assert torch.equal(model.loss("vae", batch, noise).value, same.loss("vae", batch, noise).value)
        assert (model.divergence(model.infer(x)) is None) == (same is with_it)


def test_weights_know_whether_their_flow_had_begun():
    model, twin = (with_flow(flow=Flow([InverseAutoregressiveStep(MADE(2, 2, ()))], start=0.5)) for _ in range(2))
    assert not twin.flow.waits
    model.loss("vae", protocols.Batch(bits(3, 1, 2, 2).double(), progress=0.2), StepNoise((0,), 0, 3))
    twin.load_state_dict(model.state_dict())
    assert twin.flow.waits
    assert "progress" not in Flow([InverseAutoregressiveStep(MADE(2, 2, ()))]).state_dict()


def test_the_loss_with_a_flow_is_minus_the_log_weight_of_its_draw():
    model, x = with_flow(flow=Shift()), bits(3, 1, 2, 2).double()
    noise = StepNoise((0,), 0, 3)
    likelihood, ratio = model.log_weights(x, model.infer(x), noise, 1)
    loss = model.loss("vae", protocols.Batch(x), noise)
    torch.testing.assert_close(loss.value, -(likelihood + ratio).squeeze(1))
    torch.testing.assert_close(figures(loss)["kl"], -ratio.squeeze(1).detach())


def test_importance_weighted_training_has_the_gradient_of_the_logarithm_of_the_mean():
    x, noise = bits(3, 1, 4, 4), StepNoise((0,), 0, 3)
    model = tiny()
    model.objective = Bound(k=5)
    likelihood, ratio = model.log_weights(x, model.infer(x), noise, 5)
    bound = torch.log(torch.exp(likelihood + ratio).mean(1))
    loss = model.loss("vae", protocols.Batch(x), noise).value
    torch.testing.assert_close(loss, -bound)
    weights = list(model.parameters())
    ours, theirs = torch.autograd.grad(loss.sum(), weights), torch.autograd.grad(-bound.sum(), weights)
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b)


def test_a_warm_up_weighs_the_divergence_in_training_and_never_in_a_figure():
    x, noise = bits(3, 1, 4, 4), StepNoise((0,), 0, 3)
    model = tiny()
    model.objective = Bound(warmup=0.5)
    whole, half, none = (model.loss("vae", protocols.Batch(x, progress=p), noise) for p in (0.7, 0.25, 0.0))
    torch.testing.assert_close(none.value, figures(whole)["reconstruction"])
    torch.testing.assert_close(half.value, figures(whole)["reconstruction"] + 0.5 * figures(whole)["kl"])
    torch.testing.assert_close(whole.value, figures(whole)["reconstruction"] + figures(whole)["kl"])
    items = ItemNoise(("figure",), range(3))
    plain = tiny()
    plain.load_state_dict(model.state_dict())
    assert torch.equal(model.log_prob(x, items, k=3).value, plain.log_prob(x, items, k=3).value)


def test_free_bits_raise_what_is_paid_and_not_what_is_told():
    x, noise = bits(3, 1, 4, 4), StepNoise((0,), 0, 3)
    model = tiny()
    before = model.loss("vae", protocols.Batch(x), noise)
    model.objective = Bound(free_bits=100.0)
    after = model.loss("vae", protocols.Batch(x), noise)
    torch.testing.assert_close(after.value, figures(before)["reconstruction"] + 200.0)
    torch.testing.assert_close(figures(after)["kl"], figures(before)["kl"])


def test_a_prior_of_its_own_takes_part_in_every_weight():
    model = VAE(
        mlp_encoder((1, 2, 2), [8], 4), mlp_decoder(2, [8], (1, 2, 2)), Bernoulli,
        VampPrior(torch.rand(3, 1, 2, 2), 2),
    )  # fmt: skip
    x, noise = bits(3, 1, 2, 2), ItemNoise(("vamp",), range(3))
    q = model.infer(x)
    z, log_q = q.draw(noise, 4)
    _, ratio = model.log_weights(x, q, noise, 4)
    torch.testing.assert_close(ratio, model.prior.given(model.encode).log_prob(z) - log_q)
    assert model.divergence(q) is None
    assert model.sample(5, ItemNoise(("sample",), range(5))).shape == (5, 1, 2, 2)


def test_importance_weighting_with_a_beta_is_refused():
    with pytest.raises(UsageError, match="beta at 1"):
        Bound(k=5, beta=2.0)
