"""The ladder VAE against enumeration, quadrature, torch.distributions and simulation."""

import itertools
import math

import numpy as np
import pytest
import torch

from reverie import protocols
from reverie.distributions import Bernoulli, SharedGaussian
from reverie.engine.noise import ItemNoise, StepNoise
from reverie.errors import UsageError
from reverie.metrics.likelihood import evaluate_likelihood
from reverie.models.ladder_vae import LadderVAE
from reverie.nn.ladder import Ladder, LatentLayer, Rung
from reverie.objectives.elbo import Bound, importance_bound
from reverie.recipes._parts import logistic_of_each

SHAPE = (1, 6, 6)
RUNGS = (Rung(4), Rung(4, 1, 2, 1), Rung(4, 1, 1, 2))  # layers of 2 numbers at 1x1 and of 1 at 2x2


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)


def ladder_vae(shape=SHAPE, rungs=RUNGS, observation=Bernoulli, std=0.35, **options):
    """In float64, with all weights away from their special starts."""
    outputs = shape[0] * (2 if observation is logistic_of_each else 1)
    model = LadderVAE(Ladder(shape, outputs, rungs), observation, **options).double()
    for weight in model.ladder.parameters():
        torch.nn.init.normal_(weight, std=std)
    return model


def bits(n, shape=SHAPE):
    return (torch.rand(n, *shape, generator=torch.Generator().manual_seed(3)) < 0.5).double()


def independent_log_weights(model, x, e):
    """``log p(x|z)`` and ``log p(z) - log q(z|x)`` of one draw, layer by layer in z itself, by torch.distributions."""
    ladder, total = model.ladder, torch.zeros(len(x), dtype=torch.float64)
    hints, place, h = iter(ladder.climb(x)), 0, ladder.top.expand(len(x), -1, -1, -1)
    for step in ladder.steps:
        if not isinstance(step, LatentLayer):
            h = step(h)
            continue
        latent, (height, width) = step.parts[0] // 2, h.shape[2:]
        count = latent * height * width
        own = e[:, place : place + count].view(-1, height, width, latent).permute(0, 3, 1, 2)
        prior, added, question = step.joint(torch.nn.functional.silu(h)).split(step.parts, 1)
        m, log_s = prior.chunk(2, 1)
        m_q, log_s_q = step.posterior(torch.nn.functional.silu(question + next(hints))).chunk(2, 1)
        p = torch.distributions.Normal(m, log_s.exp())
        q = torch.distributions.Normal(m_q, log_s_q.exp())
        z = q.loc + q.scale * own
        total = total + (p.log_prob(z) - q.log_prob(z)).sum((1, 2, 3))
        h = step.block(h + added + step.project(z))
        place += count
    return torch.distributions.Bernoulli(logits=h).log_prob(x).sum((1, 2, 3)), total


def test_weights_are_those_of_the_gaussians_over_z_at_the_draw():
    model, x, k = ladder_vae(std=0.2), bits(5), 3
    noise = ItemNoise(("weights",), range(5))
    likelihood, ratio = model.log_weights(x, model.infer(x), noise, k)
    e = noise.normal("z", (5, k, model.latent)).double()
    for draw in range(k):
        expected = independent_log_weights(model, x, e[:, draw])
        torch.testing.assert_close((likelihood[:, draw], ratio[:, draw]), expected)
    assert ratio.std() > 0.1


TWO = (Rung(3, 1, 2, 1),)  # two latent layers, one above the other


def every_picture(*shape):
    pixels = itertools.product([0.0, 1.0], repeat=math.prod(shape))
    return torch.tensor(list(pixels), dtype=torch.float64).view(-1, *shape)


def test_weights_are_unbiased_for_the_likelihood_by_quadrature():
    """p(x) of all pictures of 2x2 pixels by Gauss-Hermite quadrature over two layers of one number each."""
    model, x, k = ladder_vae((1, 2, 2), TWO, std=0.2), every_picture(1, 2, 2), 5000
    nodes, mass = np.polynomial.hermite_e.hermegauss(60)
    codes = torch.tensor(list(itertools.product(nodes, nodes)))
    log_mass = torch.tensor(np.log(np.outer(mass, mass).flatten() / mass.sum() ** 2))
    with torch.no_grad():
        logits = model.decode(codes).logits.flatten(1)
        every = x.flatten(1) @ logits.T - torch.nn.functional.softplus(logits).sum(1)  # (16, codes)
        exact = torch.logsumexp(every + log_mass, 1)
        likelihood, ratio = model.log_weights(x, model.infer(x), ItemNoise(("all",), range(16)), k)
    w = (likelihood + ratio - exact[:, None]).exp()  # each has mean 1
    error = w.std(1) / k**0.5
    assert error.max() < 0.02
    assert ((w.mean(1) - 1).abs() / error).max() < 4


def test_all_binary_pictures_together_have_probability_one():
    """All 256 pictures of 2x4 pixels, by importance sampling over two layers of two numbers."""
    model, x, k = ladder_vae((1, 2, 4), TWO, std=0.2), every_picture(1, 2, 4), 1000
    with torch.no_grad():
        likelihood, ratio = model.log_weights(x, model.infer(x), ItemNoise(("all",), range(256)), k)
    w = (likelihood + ratio).exp()
    error = float((w.var(1) / k).sum().sqrt())
    assert error < 0.005
    assert abs(float(w.mean(1).sum()) - 1) < 4 * error


def test_the_closed_divergence_and_the_draws_tell_the_same_bound():
    model, draws = ladder_vae(std=0.2), 20_000
    x = bits(1).expand(draws, -1, -1, -1)
    noise = StepNoise(("draws",), 0, draws)
    with torch.no_grad():
        loss = model.loss("vae", protocols.Batch(x), noise)
        other = ItemNoise(("others",), [0])
        likelihood, ratio = model.log_weights(x[:1], model.infer(x[:1]), other, draws)
    closed, drawn = -loss.value, (likelihood + ratio)[0]
    error = math.hypot(float(closed.std()), float(drawn.std())) / draws**0.5
    assert error < 0.05
    assert abs(float(closed.mean() - drawn.mean())) < 4 * error
    kl_error = float(ratio.std()) / draws**0.5 + float(loss.logs["kl"].std()) / draws**0.5
    assert abs(float(loss.logs["kl"].mean() + ratio.mean())) < 4 * kl_error


def test_the_divergence_of_each_layer_is_that_of_torch_distributions():
    model, x = ladder_vae(std=0.2), bits(4)
    descent, _ = model.infer(x).descend(StepNoise((0,), 0, 4))
    q = torch.distributions.Normal(descent.mean, descent.log_deviation.exp())
    each = torch.distributions.kl_divergence(q, torch.distributions.Normal(0.0, 1.0))
    expected = torch.stack([part.sum(1) for part in each.split(model.ladder.counts, 1)], 1)
    torch.testing.assert_close(descent.kl, expected)


def test_the_loss_weighs_the_divergence_of_layers_and_tells_it_by_size():
    x, noise = bits(4), StepNoise((0,), 0, 4)
    model = ladder_vae(std=0.2)
    plain = model.loss("vae", protocols.Batch(x), noise)
    torch.testing.assert_close(plain.value, plain.logs["reconstruction"] + plain.logs["kl"])
    torch.testing.assert_close(plain.logs["kl"], plain.logs["kl_1x1"] + plain.logs["kl_2x2"])
    assert not any(value.requires_grad for value in plain.logs.values())
    model.objective = Bound(beta=3.0, warmup=0.5)
    half = model.loss("vae", protocols.Batch(x, progress=0.25), noise)
    torch.testing.assert_close(half.value, plain.logs["reconstruction"] + 1.5 * plain.logs["kl"])
    model.objective = Bound(free_bits=1000.0)
    free = model.loss("vae", protocols.Batch(x), noise)
    torch.testing.assert_close(free.value, plain.logs["reconstruction"] + 3000.0)  # three layers
    torch.testing.assert_close(free.logs["kl"], plain.logs["kl"])


def test_the_bound_rises_with_the_number_of_draws_and_stays_below_the_likelihood():
    shape, k = (1, 2, 4), 64
    model = ladder_vae(shape, (Rung(3, 1, 1, 1),), std=0.6)
    x = bits(256, shape)
    with torch.no_grad():
        w = sum(model.log_weights(x, model.infer(x), ItemNoise(("k",), range(256)), k))
        exact = sum(model.log_weights(x, model.infer(x), ItemNoise(("many",), range(256)), 1000))
    found = [float(importance_bound(w[:, :n]).mean()) for n in (1, 4, 16, 64)]
    assert all(b - a > 0.003 for a, b in itertools.pairwise(found[:3]))
    assert found[2] < found[3] < float(importance_bound(exact).mean()) + 0.01


def test_pictures_drawn_from_the_model_hold_the_likelihood_between_two_bounds():
    """Of (x, t) drawn from the model, t is a draw of the exact posterior: it gives an upper bound.

    The weight of that t needs the e that the posterior would have drawn it with, layer by layer.
    """
    model, n, k = ladder_vae(std=0.15), 300, 200
    noise = ItemNoise(("simulate",), range(n))
    with torch.no_grad():
        code = noise.normal("prior", (n, model.latent)).double()
        p = model.decode(code)
        x = p.sample(noise, "x")
        hints, e = model.ladder.climb(x), torch.zeros_like(code)
        for _ in model.ladder.cells:  # one more layer is right after each pass
            descent = model.ladder.descend(hints, e)
            e = (code - descent.mean) / descent.log_deviation.exp()
        descent = model.ladder.descend(hints, e)
        torch.testing.assert_close(descent.code, code)
        q = torch.distributions.Normal(descent.mean, descent.log_deviation.exp())
        own = p.log_prob(x) + (torch.distributions.Normal(0.0, 1.0).log_prob(code) - q.log_prob(code)).sum(1)
        drawn = sum(model.log_weights(x, model.infer(x), noise, k))
    lower, upper = importance_bound(drawn), importance_bound(torch.cat([drawn, own[:, None]], 1))
    gap = upper - lower
    assert 0 < float(gap.mean()) < 0.3
    assert float(own.mean() - drawn.mean()) > 0


class Counted(Ladder):
    """A ladder that counts the images it looks at."""

    seen = 0

    def climb(self, x):
        self.seen += len(x)
        return super().climb(x)


def figures(model, x, **options):
    protocol = {"data": "bits", "split": "test"}
    found = evaluate_likelihood(model, x.float(), protocol=protocol, k=6, **options)
    return {figure.name: figure.value for figure in found}


def test_figures_depend_neither_on_batch_nor_on_chunk_and_each_image_is_looked_at_once():
    model = LadderVAE(Counted(SHAPE, 1, RUNGS), Bernoulli)
    x = bits(7)
    whole = figures(model, x, batch=7, chunk=6)
    seen = model.ladder.seen
    parts = figures(model, x, batch=2, chunk=4)
    assert seen == model.ladder.seen - seen == 7 + 1  # and one image tells which values are meant
    assert whole == pytest.approx(parts, rel=1e-5)
    assert whole["importance_bound"] >= whole["elbo"]
    assert figures(model, x[:3], batch=2) != pytest.approx(whole, rel=1e-5)


def test_training_with_several_draws_is_their_importance_weighted_bound():
    model, x, noise = ladder_vae(std=0.2, objective=Bound(k=4)), bits(3), StepNoise((0,), 0, 3)
    w = sum(model.log_weights(x, model.infer(x), noise, 4))
    torch.testing.assert_close(model.loss("vae", protocols.Batch(x), noise).value, -w.exp().mean(1).log())
    torch.testing.assert_close(model.log_prob(x, noise, k=4).value, w.exp().mean(1).log())


def test_the_posterior_draws_codes_whose_weights_are_the_models():
    model, x, noise = ladder_vae(std=0.2), bits(4), ItemNoise(("draw",), range(4))
    z, log_q = model.encode(x).draw(noise, 5)
    likelihood, ratio = model.log_weights(x, model.infer(x), noise, 5)
    assert z.shape == (4, 5, model.latent)
    torch.testing.assert_close(torch.distributions.Normal(0.0, 1.0).log_prob(z).sum(-1) - log_q, ratio)
    decoded = model.decode(z.flatten(0, 1)).log_prob(x.repeat_interleave(5, 0))
    torch.testing.assert_close(decoded.view(4, 5), likelihood)


def test_the_code_of_means_is_the_draw_without_noise():
    class Silent:
        def normal(self, name, shape):
            return torch.zeros(shape)

    model, x = ladder_vae(std=0.2), bits(4)
    torch.testing.assert_close(model.encode(x).mean, model.encode(x).draw(Silent())[0][:, 0])


@pytest.mark.parametrize("observation", [Bernoulli, logistic_of_each, SharedGaussian()])
def test_it_keeps_every_protocol_and_learns_everywhere(observation):
    shape = (3, 12, 8)
    outputs = 6 if observation is logistic_of_each else 3
    model = LadderVAE(Ladder(shape, outputs, RUNGS), observation).to(memory_format=torch.channels_last)
    x, noise = bits(5, shape).float(), ItemNoise(("a",), range(5))
    x = 2 * x - 1 if observation is logistic_of_each else x
    for protocol in ("Trainable", "Sampler", "Autoencoder", "Density", "LatentDensity"):
        assert isinstance(model, getattr(protocols, protocol))
    assert isinstance(model.encode(x), protocols.Posterior)
    assert dict(model.players) == {"vae": model}
    assert dict(model.turns) == {"vae": 1}
    assert model.divergence(model.infer(x)) is None
    assert model.sample(5, noise).shape == x.shape
    assert model.decode(model.encode(x).mean).mean.shape == x.shape
    loss = model.loss("vae", protocols.Batch(x), noise)
    assert loss.value.shape == (5,)
    loss.value.mean().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in model.parameters())


def test_bfloat16_networks_cost_almost_what_float64_ones_do():
    model = LadderVAE(Ladder((1, 28, 28), 1, (Rung(8), Rung(16, 1, 2, 4))), Bernoulli)
    x, noise = bits(32, (1, 28, 28)).float(), StepNoise(("a",), 0, 32)
    with torch.no_grad():
        with torch.autocast("cpu", dtype=torch.bfloat16):
            half = model.loss("vae", protocols.Batch(x), noise).value
        exact = model.double().loss("vae", protocols.Batch(x.double()), noise).value
    assert half.dtype == torch.float32
    assert float(((half - exact) / exact).abs().max()) < 1e-3


def test_the_temperature_scales_the_deviation_of_every_prior():
    model, noise = ladder_vae(std=0.2), ItemNoise(("a",), range(3))
    code = noise.normal("z", (3, model.latent)).double()
    torch.testing.assert_close(model.sample(3, noise, temperature=0.5), model.decode(0.5 * code).mean)


def test_what_it_cannot_do_is_said():
    model, noise = ladder_vae(std=0.2), ItemNoise(("a",), range(3))
    with pytest.raises(UsageError, match="without labels"):
        model.sample(3, noise, label=torch.zeros(3, dtype=torch.long))
    with pytest.raises(UsageError, match="without labels"):
        model.log_prob(bits(3), noise, label=torch.zeros(3, dtype=torch.long))
    for temperature in (-1.0, math.nan):
        with pytest.raises(UsageError, match="at least 0"):
            model.sample(3, noise, temperature=temperature)
    with pytest.raises(UsageError, match="at least 1; got 0"):
        model.log_prob(bits(3), noise, k=0)


def test_each_value_has_a_logistic_of_its_own_over_all_levels():
    output = torch.randn(1, 6, 2, 2, dtype=torch.float64)
    levels = torch.arange(256, dtype=torch.float64) / 127.5 - 1
    p = logistic_of_each(output[:, :, :1, :1])
    assert p.log_scale.flatten().tolist() == pytest.approx((output[0, 3:, 0, 0] - 2).tolist())
    every = torch.stack([logistic_of_each(output[:, [0, 3], :1, :1]).log_prob(v.view(1, 1, 1, 1)) for v in levels])
    assert float(every.exp().sum()) == pytest.approx(1, abs=1e-9)
    assert float(logistic_of_each(torch.full((1, 2, 1, 1), -50.0)).log_scale) == -7


def test_the_divergence_of_the_layers_adds_up_to_that_of_the_draws():
    """The mean over draws of the exact divergence of each layer is the mean of log q - log p over them, in all."""
    model, x = ladder_vae(std=0.2), bits(1)
    many, noise = x.expand(4000, -1, -1, -1), ItemNoise(("draws",), range(4000))
    inferred = model.infer(many)
    by_layer = model.divergence(inferred, noise)
    ratio = -model.log_weights(many, inferred, ItemNoise(("others",), range(4000)), 1)[1].squeeze(1)
    assert by_layer.shape == (4000, sum(model.ladder.layers))
    spread = (by_layer.sum(1).var() + ratio.var()).sqrt() / 4000**0.5
    assert (by_layer.sum(1).mean() - ratio.mean()).abs() < 4 * spread
    assert by_layer.sum(1).var() < ratio.var()
