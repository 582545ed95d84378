"""Likelihood figures: against closed forms, and the same however the work is split."""

import math

import pytest
import torch
from torch import nn

from reverie.distributions import Bernoulli, SharedGaussian, SharedLogistic
from reverie.engine.noise import ItemNoise
from reverie.errors import DataError, Diverged, Interrupted, UsageError
from reverie.metrics import likelihood
from reverie.metrics.likelihood import evaluate_likelihood
from reverie.models.autoencoder import Autoencoder
from reverie.models.vae import VAE
from reverie.nn.mlp import mlp_decoder, mlp_encoder
from reverie.priors import StandardNormal, VampPrior

SHAPE = (1, 3, 4)
PROTOCOL = {"data": "noise", "split": "test"}


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)


def vae(observation=Bernoulli, latent=3):
    return VAE(
        mlp_encoder(SHAPE, [8], 2 * latent), mlp_decoder(latent, [8], SHAPE), observation, StandardNormal(latent)
    )


def bits(n):
    return (torch.rand(n, *SHAPE) < 0.5).float()


def measure(model, x, **options):
    return {f.name: f for f in evaluate_likelihood(model, x, **({"protocol": PROTOCOL, "k": 10} | options))}


class Known(nn.Module):
    """A latent density whose weights are given: log p(x|z) = -5 - a z_1, log p(z) - log q = -2 + b z_2."""

    latent = 2

    def __init__(self, a=0.0, b=0.0):
        super().__init__()
        self.a, self.b = a, b

    def infer(self, x):
        return x.sum((1, 2, 3))

    def log_weights(self, x, inferred, noise, k):
        z = noise.normal("z", (len(x), k, 2))
        return -5 - self.a * z[..., 0] + inferred[:, None], -2 + self.b * z[..., 1]

    def divergence(self, inferred, noise=None):
        return None


class Layered(Known):
    """The same, with what each of three layers pays at the draw that it is given."""

    def divergence(self, inferred, noise=None):
        return None if noise is None else noise.normal("z", (len(inferred), 1, 2))[:, 0, :1] + torch.arange(3.0)


def test_layers_are_told_apart_topmost_first():
    x = torch.zeros(400, *SHAPE)
    note = measure(Layered(), x)["kl"].note
    assert note.startswith("by layer, topmost first")
    told = [float(word) for word in note.split(": ")[1].split()]
    assert told == pytest.approx([told[0], told[0] + 1, told[0] + 2], abs=0.02)
    assert abs(told[0]) < 4 / 400**0.5  # of the draws' mean
    assert measure(Layered(), x)["kl"].value == measure(Known(), x)["kl"].value


def test_figures_of_given_weights():
    x = torch.zeros(4, *SHAPE)
    x[:, 0, 0, 0] = torch.tensor([0.0, 1.0, 2.0, 3.0])
    figures = measure(Known(), x)
    assert figures["elbo"].value == pytest.approx(-7 + 1.5)
    assert figures["importance_bound"].value == pytest.approx(-7 + 1.5)
    assert figures["reconstruction"].value == pytest.approx(5 - 1.5)
    assert figures["kl"].value == pytest.approx(2)
    assert figures["effective_sample_size"].value == pytest.approx(10)
    assert figures["elbo"].standard_error == pytest.approx((5 / 3) ** 0.5 / 2)
    assert figures["elbo"].note.endswith("KL from the draws")
    assert "active_units" not in figures


def test_weights_of_known_spread():
    """With log w normal of variance s2, the elbo is its mean, and the bound nears the mean plus s2 / 2."""
    figures = measure(Known(0.6, 0.8), torch.zeros(50, *SHAPE), k=4000, chunk=1000)
    assert figures["elbo"].value == pytest.approx(-7, abs=0.02)
    assert figures["importance_bound"].value == pytest.approx(-6.5, abs=0.02)
    assert figures["effective_sample_size"].value == pytest.approx(4000 / math.e, rel=0.05)


def test_the_bound_rises_with_k_and_starts_at_the_elbo():
    x = torch.zeros(500, *SHAPE)
    bounds = [measure(Known(1.0, 1.0), x, k=k)["importance_bound"] for k in (1, 4, 16, 64)]
    values = [bound.value for bound in bounds]
    assert values == sorted(values)
    assert abs(values[0] + 7) < 4 * bounds[0].standard_error
    assert values[-1] - values[0] > 0.5
    assert [bound.protocol["K"] for bound in bounds] == [1, 4, 16, 64]


def test_figures_are_those_of_the_model():
    model, x = vae().double(), bits(20).double()
    noise = ItemNoise((5, "likelihood"), range(20)).chunk(0, 10, 10)
    with torch.no_grad():
        q = model.encode(x)
        given, ratio = model.log_weights(x, model.infer(x), noise, 10)
    figures = measure(model, x, seed=5)
    assert figures["elbo"].value == pytest.approx(float((given.mean(1) - q.kl().sum(1)).mean()), abs=1e-9)
    bound = torch.logsumexp(given + ratio, 1) - math.log(10)
    assert figures["importance_bound"].value == pytest.approx(float(bound.mean()), abs=1e-9)
    assert figures["reconstruction"].value == pytest.approx(float(-given.mean()), abs=1e-9)
    assert figures["kl"].value == pytest.approx(float(q.kl().sum(1).mean()), abs=1e-9)
    total = figures["reconstruction"].value + figures["kl"].value
    assert figures["elbo"].value == pytest.approx(-total, abs=1e-9)
    assert figures["kl"].note.count(".") == 3


@pytest.mark.parametrize(
    "options",
    [
        {"batch": 7, "chunk": 3},
        {"batch": 100, "chunk": 50},
        {"batch": 1, "chunk": 60},
        {"batch": 33, "chunk": 1},
    ],
)
def test_no_figure_depends_on_batch_or_chunk(options):
    model, x = vae(), bits(40)
    reference, split = measure(model, x, k=60), measure(model, x, k=60, **options)
    for name, figure in reference.items():
        assert split[name].value == pytest.approx(figure.value, abs=1e-5)
        assert split[name].protocol == figure.protocol


def test_little_memory_changes_nothing(monkeypatch):
    model, x = vae(), bits(10)
    reference = measure(model, x)
    monkeypatch.setattr(likelihood, "MEMORY", 5000)
    assert likelihood._fit(x, 20, 25, 30) == (10, 1)
    assert measure(model, x)["importance_bound"].value == pytest.approx(reference["importance_bound"].value, abs=1e-5)


def test_another_seed_gives_other_draws_and_one_seed_the_same():
    model, x = vae(), bits(10)
    first, again, other = (measure(model, x, seed=s)["importance_bound"] for s in (0, 0, 1))
    assert first == again
    assert first.value != other.value


def test_active_units_are_those_whose_mean_varies():
    class Posterior(nn.Module):
        def forward(self, x):
            spread = x.flatten(1)[:, :3] * torch.tensor([1.0, 0.3, 0.05])  # variances 0.25, 0.0225 and 0.0006
            return torch.cat([spread, torch.zeros(len(x), 3)], 1)

    model, x = vae(), bits(400)
    model.encoder = Posterior()
    assert measure(model, x, k=1)["active_units"].value == 2


def test_active_units_under_another_prior_are_of_exact_means():
    """A normal posterior knows its mean, also where its divergence from the prior has no closed form."""
    model, x = vae(), bits(400)
    model.prior = VampPrior(bits(3), 3)
    assert model.divergence(model.infer(x)) is None
    figure = measure(model, x, k=1)["active_units"]
    with torch.no_grad():
        assert figure.value == (model.encode(x).mean.var(0) > 0.01).sum()
    assert figure.note == "of 3; Var_x(E_q z) > 0.01"


class Exponential(nn.Module):
    """``z = exp(z_0)``: a log-normal posterior, of mean ``exp(m + s^2 / 2)``, where the base's mean goes to exp(m)."""

    def forward(self, z, context):
        return z.exp(), z.sum(-1)


class Lognormal(nn.Module):
    """By the first pixel t: means -v/2, -v/2 and 0, and variances v = 0.05 + 0.6 t, for three dimensions."""

    def forward(self, x):
        v = (0.05 + 0.6 * x[:, 0, 0, :1]).expand(-1, 3)
        return torch.cat([v * torch.tensor([-0.5, -0.5, 0.0]), v.log(), v[:, :0]], 1)


def lognormal():
    model = VAE(Lognormal(), mlp_decoder(3, [8], SHAPE), Bernoulli, StandardNormal(3), flow=Exponential())
    x = bits(4000)
    x[:, 0, 0, 0] = torch.arange(4000) % 2
    return model, x


def test_active_units_of_a_flow_are_those_whose_own_mean_varies():
    """Where the base's mean goes varies in the first two dimensions, whose mean is 1; the third is the other way."""
    model, x = lognormal()
    with torch.no_grad():
        through = model.encode(x).mean
    assert (through.var(0) > 0.01).tolist() == [True, True, False]
    figure = measure(model, x, k=1)["active_units"]
    assert figure.value == 1
    assert figure.note == ("of 3; Var_x(E_q z) > 0.01, from 16 draws an image; 0 within two standard errors of 0.01")


def test_the_variance_of_means_is_that_of_the_closed_form_within_its_error():
    model, x = lognormal()
    noise = ItemNoise((0, "codes"), range(4000))
    with torch.no_grad():
        means = likelihood._code_means(model.infer(x), noise, known=False)
    variance, error = likelihood._variance_of_means(means)
    low, high = math.exp(0.05 / 2), math.exp(0.65 / 2)
    closed = torch.tensor([0.0, 0.0, (high - low) ** 2 / 4], dtype=torch.float64)
    assert ((variance - closed).abs() < 3 * error).all()
    assert (error < 0.005).all()
    one_mean = means.mean(1).var(0)  # what the covariance avoids: the noise of the draws counts as variance
    assert (one_mean[:2] > variance[:2] + 0.02).all()


def test_the_error_of_the_variance_is_its_spread():
    """Over 300 repetitions of 50 images, the stated error is the standard deviation of the estimate within a tenth."""
    spread, noise = torch.randn(300, 50, 1, 1).double(), torch.randn(300, 50, 2, 1).double()
    found = [likelihood._variance_of_means(spread[i] + noise[i]) for i in range(300)]
    values, errors = (torch.stack(part).squeeze(1) for part in zip(*found, strict=True))
    assert float(values.mean()) == pytest.approx(1, abs=4 * float(values.std()) / 300**0.5)
    assert float(errors.mean()) == pytest.approx(float(values.std()), rel=0.1)


def test_units_near_the_bound_are_counted_as_open():
    class Faint(nn.Module):
        def forward(self, x):
            t = 2 * x[:, 0, 0, :2] - 1
            means = t * torch.tensor([0.1, 1.0])  # variances 0.01, at the bound, and 1
            return torch.cat([means, torch.zeros_like(means), means[:, :0]], 1)

    class Still(nn.Module):
        def forward(self, z, context):
            return z, z.new_zeros(z.shape[:-1])

    model = VAE(Faint(), mlp_decoder(2, [8], SHAPE), Bernoulli, StandardNormal(2), flow=Still())
    assert "; 1 within two standard errors" in measure(model, bits(400), k=1)["active_units"].note


def test_what_is_binary_needs_bits():
    with pytest.raises(DataError, match="0 and 1 only; the images hold values from .* Binarise"):
        measure(vae(), bits(4) * 0.5)


def test_bits_per_dimension_of_levels():
    model, x = vae(SharedLogistic()), torch.randint(0, 256, (8, *SHAPE)) / 127.5 - 1
    figures = measure(model, x)
    nats = -figures["importance_bound"].value
    assert figures["bits_per_dimension"].value == pytest.approx(nats / (12 * math.log(2)))
    assert figures["importance_bound"].unit == "nats per image"
    with pytest.raises(DataError, match="v / 127.5 - 1"):
        measure(model, x * 0.999)


def test_a_uniform_model_of_levels_needs_eight_bits():
    model = vae(SharedLogistic(3.0))  # so wide that the levels inside are alike; the edges take half each
    model.decoder = nn.Sequential(nn.Linear(3, 12), nn.Unflatten(1, SHAPE))
    nn.init.zeros_(model.decoder[0].weight)
    nn.init.zeros_(model.decoder[0].bias)
    edge = -math.log2(1 / (1 + math.exp((1 - 1 / 255) / math.exp(3.0))))
    x = torch.full((4, *SHAPE), -1.0)
    figure = measure(model, x, k=2000)["bits_per_dimension"]
    assert figure.value == pytest.approx(edge, abs=0.02)


@pytest.mark.parametrize(("low", "span"), [(-1.0, "[-1, 1]"), (0.0, "[0, 1]")])
def test_a_density_says_that_it_is_one(low, span):
    x = torch.rand(6, *SHAPE) * (1 - low) + low
    figures = measure(vae(SharedGaussian()), x)
    assert figures["elbo"].unit == f"nats per image, density of values in {span}"
    assert figures["kl"].unit == "nats per image"
    assert "bits_per_dimension" not in figures


def test_the_protocol_is_in_every_figure():
    figures = evaluate_likelihood(vae(), bits(6), protocol=PROTOCOL, k=3, seed=9)
    assert len(figures) == 6
    expected = PROTOCOL | {"n": 6, "seed": 9, "values": "binary"}
    for figure in figures:
        assert expected.items() <= figure.protocol.items()


def test_nan_is_never_left_out():
    model, x = vae(), bits(9)
    with torch.no_grad():
        model.encoder[1].weight[0, 0] = math.nan
    with pytest.raises(Diverged, match="of 9 images is not finite, image 0 first"):
        measure(model, x)

    class OneBad(Known):
        def infer(self, x):
            return torch.where(x.sum((1, 2, 3)) > 0, math.nan, 0.0)

    x = torch.zeros(9, *SHAPE)
    x[4] = 1
    with pytest.raises(Diverged, match="1 of 9 images is not finite, image 4 first"):
        measure(OneBad(), x, batch=2)


def test_wrong_calls_are_told():
    x = bits(4)
    for k in (0, -3):
        with pytest.raises(UsageError, match=f"at least 1; got {k}"):
            measure(vae(), x, k=k)
    plain = Autoencoder(mlp_encoder(SHAPE, [], 3), mlp_decoder(3, [], SHAPE), latent=3)
    with pytest.raises(UsageError, match="no likelihood"):
        measure(plain, x)
    with pytest.raises(DataError, match="no images"):
        measure(vae(), x[:0])


def test_it_stops_when_it_is_told_to():
    answers = iter([False, False, True])
    with pytest.raises(Interrupted, match="after 4 of 9 images"):
        measure(vae(), bits(9), batch=2, should_stop=lambda: next(answers))


def test_dropout_is_off_while_measuring():
    model, x = vae(), bits(5)
    model.decoder.insert(0, nn.Dropout(0.9))
    assert measure(model, x, k=5)["elbo"].value == measure(model, x, k=5)["elbo"].value
    assert model.training
