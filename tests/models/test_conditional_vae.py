"""The conditional VAE against enumeration with quadrature, torch.distributions, and the VAE that is told nothing."""

import itertools

import numpy as np
import pytest
import torch
from torch import nn

from reverie import protocols
from reverie.distributions import Bernoulli, SharedGaussian
from reverie.engine.noise import ItemNoise, StepNoise
from reverie.errors import UsageError
from reverie.metrics.likelihood import evaluate_likelihood
from reverie.models.conditional_vae import ConditionalVAE
from reverie.models.vae import VAE
from reverie.nn.conv import conv_vae_decoder, conv_vae_encoder
from reverie.nn.mlp import mlp_decoder, mlp_encoder
from reverie.objectives.elbo import Bound
from reverie.priors import StandardNormal
from toys import figures

SHAPE, LATENT, CLASSES = (1, 2, 4), 2, ("a", "b", "c")
PIXELS = 8


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)


def tiny(observation=Bernoulli, **options):
    channels, height, width = SHAPE
    encoder = mlp_encoder((channels + len(CLASSES), height, width), [8], 2 * LATENT)
    decoder = mlp_decoder(LATENT + len(CLASSES), [8], SHAPE)
    model = ConditionalVAE(encoder, decoder, observation, latent=LATENT, classes=CLASSES, **options).double()
    for weight in model.decoder.parameters():
        nn.init.normal_(weight, std=0.7)  # so that the class matters
    return model


def bits(n):
    return (torch.rand(n, *SHAPE, generator=torch.Generator().manual_seed(n)) < 0.5).double()


def labels(n):
    return torch.arange(n) % len(CLASSES)


@pytest.mark.parametrize("label", range(len(CLASSES)))
def test_all_binary_pictures_of_a_class_together_have_probability_one(label):
    """p(x|y) by Gauss-Hermite quadrature for all pictures of 8 pixels; importance weights have it as their mean."""
    model, count = tiny(), 2**PIXELS
    nodes, mass = np.polynomial.hermite_e.hermegauss(40)
    z = torch.tensor(list(itertools.product(nodes, nodes)))
    log_mass = torch.tensor(np.log(np.outer(mass, mass).flatten() / mass.sum() ** 2))
    x = torch.tensor(list(itertools.product([0.0, 1.0], repeat=PIXELS)), dtype=torch.float64).view(-1, *SHAPE)
    y = torch.full((count,), label)
    with torch.no_grad():
        logits = model.decode(z, torch.full((len(z),), label)).logits
        every = Bernoulli(logits.repeat(count, 1, 1, 1)).log_prob(x.repeat_interleave(len(z), 0)).view(count, -1)
        exact = torch.logsumexp(every + log_mass, 1)
        likelihood, ratio = model.log_weights(x, model.infer(x, y), ItemNoise(("all",), range(count)), 400)
    assert float(exact.exp().sum()) == pytest.approx(1, abs=1e-9)
    w = (likelihood + ratio - exact[:, None]).exp()  # each has mean 1: importance weights are unbiased
    errors = (w.mean(1) - 1) / (w.std(1) / 20)
    assert errors.abs().max() < 6
    assert abs(float(errors.mean())) < 4 / 16


def test_the_classes_have_likelihoods_of_their_own():
    x, noise = bits(1).expand(3, -1, -1, -1), ItemNoise(("a",), [0, 0, 0])
    values = tiny().log_prob(x, noise, k=50, label=torch.arange(3)).value
    assert (values[:, None] - values).abs().add(torch.eye(3)).min() > 0.05


def test_the_loss_is_that_of_torch_with_the_class_as_planes_and_as_a_vector():
    model, x, y = tiny(objective=Bound(beta=3.0)), bits(5), labels(5)
    noise = StepNoise(("a",), 0, 5)
    loss = model.loss("vae", protocols.Batch(x, y), noise)
    one_hot = torch.eye(3, dtype=torch.float64)[y]
    planes = torch.stack([torch.full(SHAPE[1:], float(value)) for value in one_hot.flatten()]).view(5, 3, *SHAPE[1:])
    mean, log_variance = model.encoder(torch.cat([x, planes], 1)).chunk(2, 1)
    q = torch.distributions.Normal(mean, torch.exp(0.5 * log_variance))
    z = mean + q.scale * noise.normal("z", (5, LATENT)).double()
    logits = model.decoder(torch.cat([z, one_hot], 1))
    log_likelihood = torch.distributions.Bernoulli(logits=logits).log_prob(x).sum((1, 2, 3))
    kl = torch.distributions.kl_divergence(q, torch.distributions.Normal(0.0, 1.0)).sum(1)
    torch.testing.assert_close(loss.value, 3 * kl - log_likelihood)
    torch.testing.assert_close(figures(loss)["reconstruction"], -log_likelihood.detach())
    torch.testing.assert_close(figures(loss)["kl"], kl.detach())


def deaf(model):
    """The same model with no weight on the class, and the VAE that has its other weights."""
    encoder, decoder = mlp_encoder(SHAPE, [8], 2 * LATENT), mlp_decoder(LATENT, [8], SHAPE)
    plain = VAE(encoder, decoder, Bernoulli, StandardNormal(LATENT)).double()
    with torch.no_grad():
        model.encoder[1].weight[:, PIXELS:] = 0
        model.decoder[0].weight[:, LATENT:] = 0
        plain.encoder.load_state_dict(
            model.encoder.state_dict() | {"1.weight": model.encoder[1].weight[:, :PIXELS].clone()}
        )
        plain.decoder.load_state_dict(
            model.decoder.state_dict() | {"0.weight": model.decoder[0].weight[:, :LATENT].clone()}
        )
    return plain


@pytest.mark.parametrize("k", [1, 4])
def test_where_the_class_has_no_weight_it_is_the_vae(k):
    model = tiny(objective=Bound(k=k))
    plain, x, y = deaf(model), bits(6), labels(6)
    plain.objective = model.objective
    noise, items = StepNoise(("a",), 0, 6), ItemNoise(("a",), range(6))
    ours, theirs = (m.loss("vae", protocols.Batch(x, y), noise) for m in (model, plain))
    torch.testing.assert_close(ours.value, theirs.value)
    torch.testing.assert_close(figures(ours), figures(theirs))
    torch.testing.assert_close(model.log_prob(x, items, k=7, label=y).value, plain.log_prob(x, items, k=7).value)
    drawn, wanted = model.sample(6, items, label=y, temperature=0.7), plain.sample(6, items, temperature=0.7)
    torch.testing.assert_close(drawn, wanted)


def test_importance_weighted_training_has_the_gradient_of_the_logarithm_of_the_mean():
    model, x, y, noise = tiny(objective=Bound(k=5)), bits(3), labels(3), StepNoise((0,), 0, 3)
    likelihood, ratio = model.log_weights(x, model.infer(x, y), noise, 5)
    bound = torch.log(torch.exp(likelihood + ratio).mean(1))
    loss = model.loss("vae", protocols.Batch(x, y), noise).value
    torch.testing.assert_close(loss, -bound)
    weights = list(model.parameters())
    found, wanted = (torch.autograd.grad(value.sum(), weights) for value in (loss, -bound))
    torch.testing.assert_close(found, wanted)


def test_each_draw_is_decoded_with_the_label_of_its_image():
    model, x, y = tiny(), bits(6), labels(6)
    together = model.log_weights(x, model.infer(x, y), ItemNoise(("a",), range(6)), 5)
    for i in range(6):
        alone = model.log_weights(x[i : i + 1], model.infer(x[i : i + 1], y[i : i + 1]), ItemNoise(("a",), [i]), 5)
        torch.testing.assert_close(alone[0][0], together[0][i])
        torch.testing.assert_close(alone[1][0], together[1][i])


def test_the_label_changes_the_picture_of_a_code():
    model, noise = tiny(), ItemNoise(("a",), [0, 0, 0])
    first, second, third = model.sample(3, noise, label=torch.tensor([0, 1, 0]))
    assert torch.equal(first, third)
    assert (first - second).abs().max() > 0.01
    mode = model.sample(3, noise, label=torch.arange(3), temperature=0.0)
    torch.testing.assert_close(mode, model.decode(torch.zeros(3, LATENT).double(), torch.arange(3)).mean)


def test_figures_depend_on_labels_and_not_on_how_the_work_is_split():
    model, x, y = tiny(), bits(9), labels(9)

    def measured(label, batch, chunk):
        figures = evaluate_likelihood(model, x, protocol={}, label=label, k=10, batch=batch, chunk=chunk)
        assert all(figure.protocol["given"] == "the label" for figure in figures)
        return [figure.value for figure in figures]

    assert measured(y, 2, 3) == pytest.approx(measured(y, 100, 100), abs=1e-9)
    assert measured(y, 2, 3) != pytest.approx(measured(y.flip(0), 2, 3), abs=1e-3)


def test_a_model_that_is_told_nothing_says_nothing_of_labels():
    plain = deaf(tiny())
    assert not isinstance(plain, protocols.Conditional)
    assert "given" not in evaluate_likelihood(plain, bits(3), protocol={}, k=2)[0].protocol


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 12, 20)])
def test_it_keeps_the_protocols_and_learns_everywhere(shape):
    encoder = conv_vae_encoder((shape[0] + 3, *shape[1:]), 4)
    model = ConditionalVAE(encoder, conv_vae_decoder(5, shape), SharedGaussian(), latent=2, classes=CLASSES)
    for protocol in ("Trainable", "Sampler", "Autoencoder", "Density", "LatentDensity", "Conditional"):
        assert isinstance(model, getattr(protocols, protocol))
    assert dict(model.players) == {"vae": model}
    assert dict(model.turns) == {"vae": 1}
    x, y = torch.rand(4, *shape), torch.tensor([0, 1, 2, 2])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = model.loss("vae", protocols.Batch(x, y), StepNoise(("a",), 0, 4)).value
    assert loss.dtype == torch.float32
    loss.mean().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in model.parameters())


def test_what_is_missing_or_wrong_is_said():
    model, x, noise = tiny(), bits(3), ItemNoise(("a",), range(3))
    z = torch.zeros(3, LATENT).double()
    for ask in (
        lambda y: model.loss("vae", protocols.Batch(x, y), noise),
        lambda y: model.infer(x, y),
        lambda y: model.encode(x, y),
        lambda y: model.decode(z, y),
        lambda y: model.log_prob(x, noise, label=y),
        lambda y: model.sample(3, noise, label=y),
    ):
        with pytest.raises(UsageError, match=r"needs a class for each image. Classes are: a, b, c\."):
            ask(None)
        with pytest.raises(UsageError, match="3 numbers from 0 to 2"):
            ask(torch.tensor([0, 1, 3]))
        with pytest.raises(UsageError, match="3 numbers from 0 to 2"):
            ask(torch.tensor([0, -1, 1]))
        with pytest.raises(UsageError, match=r"one for each image; got \(2,\)"):
            ask(torch.tensor([0, 1]))
    with pytest.raises(UsageError, match="at least 1; got 0"):
        model.log_prob(x, noise, k=0, label=labels(3))
    with pytest.raises(UsageError, match="at least 0"):
        model.sample(3, noise, label=labels(3), temperature=-1.0)
