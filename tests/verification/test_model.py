"""A model of one's own: a right one passes everything, and each mistake is seen by the check that is about it."""

import math

import pytest
import torch
from torch import nn

from reverie.distributions import (
    Bernoulli,
    Gaussian,
    SharedGaussian,
    SharedLogistic,
    Transformed,
    standard_normal_log_prob,
    unit_gaussian,
)
from reverie.models.autoencoder import Autoencoder
from reverie.models.vae import VAE
from reverie.nn.mlp import mlp_decoder, mlp_encoder
from reverie.objectives.elbo import importance_bound
from reverie.priors import StandardNormal, VampPrior
from reverie.protocols import LogProb, Loss
from reverie.verification import model as checks
from reverie.verification.model import CHECKS, Subject

SHAPE, D, H = (1, 3, 4), 3, 2
OBSERVATIONS = {"bits": lambda: Bernoulli, "levels": SharedLogistic, "unit": lambda: unit_gaussian}
OBSERVATIONS["density"] = lambda: SharedGaussian(-1.0)


class Step(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight, self.hear = nn.Parameter(torch.randn(D, D)), nn.Linear(H, D)

    def forward(self, z, context):
        m = z @ self.weight.tril(-1).T + self.hear(context)
        log_gate = nn.functional.logsigmoid(m + 1)
        return log_gate.exp() * z + m, log_gate.sum(-1) + _of_gate(z)


def _of_gate(z):
    return z.new_zeros(z.shape[:2])  # m and the gate of a number do not depend on the number itself


class Flow(nn.Module):
    def __init__(self, steps=2, *, reverse=True, deaf=False):
        super().__init__()
        self.steps, self.reverse, self.deaf = nn.ModuleList(Step() for _ in range(steps)), reverse, deaf

    def forward(self, z, context):
        total = z.new_zeros(z.shape[:2])
        for step in self.steps:
            z, log_determinant = step(z.flip(-1) if self.reverse else z, 0 * context if self.deaf else context)
            total = total + log_determinant
        return z, total


def vae(observation="bits", flow=None, vamp=False):
    torch.manual_seed(0)
    made = OBSERVATIONS[observation]()
    prior = VampPrior(images(observation)[:5], D, -1.0) if vamp else StandardNormal(D)
    outputs = 2 * D + (H if flow is not None else 0)
    return VAE(mlp_encoder(SHAPE, [8], outputs), mlp_decoder(D, [8], SHAPE), made, prior, flow=flow)


def images(observation="bits", n=16):
    levels = torch.randint(0, 256, (n, *SHAPE), generator=torch.Generator().manual_seed(0)) / 127.5 - 1
    return (levels > 0).float() if observation == "bits" else levels


def findings(model, x=None, label=None):
    subject = Subject(model, images() if x is None else x, label)
    names = [name for name, value in vars(checks).items() if value in CHECKS]
    return {name: getattr(checks, name)(subject) for name in names}


def red(found):
    return {name for name, finding in found.items() if finding.passed is False}


@pytest.mark.parametrize("observation", OBSERVATIONS)
def test_a_right_model_passes_everything_but_the_flow_it_has_not(observation):
    found = findings(vae(observation), images(observation))
    assert len(found) == len(CHECKS) == 13
    assert {name for name, finding in found.items() if not finding.passed} == {
        "flow_determinant",
        "flow_reaches",
        "flow_hears",
    }
    assert red(found) == set()


def test_a_right_flow_passes_too_and_one_step_is_not_asked_to_reach_everywhere():
    found = findings(vae(flow=Flow()))
    assert {name for name, finding in found.items() if not finding.passed} == {"divergence_is_that_of_draws"}
    assert red(found) == set()
    found = findings(vae(flow=Flow(1)))
    assert found["flow_reaches"].note.startswith("one autoregressive step")
    assert red(found) == set()


def test_a_learned_prior_is_drawn_from_and_the_bracket_holds():
    found = findings(vae(vamp=True))
    assert red(found) == set()
    assert found["bracket_holds"].passed


def test_a_plain_autoencoder_is_asked_what_it_can_answer():
    torch.manual_seed(0)
    found = findings(Autoencoder(mlp_encoder(SHAPE, [], D), mlp_decoder(D, [], SHAPE), latent=D))
    assert {name for name, finding in found.items() if finding.passed} == {
        "masses_sum_to_one",
        "pixels_add_up",
        "loss_repeats",
    }
    assert red(found) == set()


class Exact(nn.Module):
    """A density without latent variables: independent bits of one learned log-odds each."""

    def __init__(self):
        super().__init__()
        self.logits = nn.Parameter(torch.linspace(-2, 2, 12).view(SHAPE))

    def log_prob(self, x, noise, *, k=1):
        return LogProb(Bernoulli(self.logits.expand_as(x)).log_prob(x), "exact")


def test_an_exact_density_is_asked_what_it_can_answer():
    found = findings(Exact())
    assert {name for name, finding in found.items() if finding.passed} == {"density_stands_alone", "float32_suffices"}
    assert red(found) == set()


def test_the_model_is_left_as_it_was():
    model = vae(flow=Flow()).eval()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    state = torch.random.get_rng_state()
    findings(model)
    assert not model.training
    assert torch.equal(torch.random.get_rng_state(), state)
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, before[name])
        assert tensor.dtype == torch.float32


def test_a_kept_order_and_a_deaf_flow_are_seen():
    assert red(findings(vae(flow=Flow(reverse=False)))) == {"flow_reaches"}
    assert red(findings(vae(flow=Flow(deaf=True)))) == {"flow_hears"}


def test_a_flow_that_is_told_nothing_is_named():
    model = vae(flow=Flow())
    model.encoder = mlp_encoder(SHAPE, [8], 2 * D)
    model.flow = nn.Identity()
    model.flow.forward = lambda z, context: (z, z.new_zeros(z.shape[:2]))
    assert findings(model)["flow_hears"].note == "the flow is told nothing about the image"


def test_a_log_determinant_of_the_other_sign_is_seen():
    class Wrong(Flow):
        def forward(self, z, context):
            z, log_determinant = super().forward(z, context)
            return z, -log_determinant

    assert "flow_determinant" in red(findings(vae(flow=Wrong())))


def test_a_log_determinant_that_is_added_is_seen(monkeypatch):
    def other_sign(self, noise, k=1):
        start, log_q = self.base.draw(noise, k)
        z, log_determinant = self.flow(start, self.context.unsqueeze(1))
        return z, log_q + log_determinant

    monkeypatch.setattr(Transformed, "draw", other_sign)
    assert "posterior_density" in red(findings(vae(flow=Flow())))


def test_a_posterior_whose_density_is_wrong_is_seen_twice(monkeypatch):
    right = Gaussian.draw

    def too_thin(self, noise, k=1):
        z, log_q = right(self, noise, k)
        return z, log_q - 5.0

    monkeypatch.setattr(Gaussian, "draw", too_thin)
    assert red(findings(vae())) == {"posterior_density", "divergence_is_that_of_draws", "bracket_holds"}


def test_a_divergence_without_its_half_is_seen(monkeypatch):
    right = Gaussian.kl
    monkeypatch.setattr(Gaussian, "kl", lambda self: 2 * right(self))
    assert red(findings(vae())) == {"divergence_is_that_of_draws"}


def test_a_closed_form_for_another_prior_is_seen(monkeypatch):
    monkeypatch.setattr(VAE, "divergence", lambda self, inferred: inferred.posterior.kl())
    assert red(findings(vae(vamp=True))) == {"divergence_is_that_of_draws"}


def test_a_mean_over_pixels_is_seen(monkeypatch):
    monkeypatch.setattr("reverie.distributions._sum_event", lambda values: values.flatten(1).mean(1))
    assert red(findings(vae())) >= {"pixels_add_up"}


def test_masses_that_do_not_sum_to_one_are_seen(monkeypatch):
    monkeypatch.setattr(Bernoulli, "log_prob", lambda self, x: (x * self.logits).flatten(1).sum(1))
    assert red(findings(vae())) == {"masses_sum_to_one"}


def test_batch_statistics_in_an_evaluation_are_seen():
    class Centred(nn.Module):
        def forward(self, z):
            return z - z.mean(0)

    model = vae()
    model.decoder.insert(0, Centred())
    assert red(findings(model)) >= {"weights_stand_alone", "density_stands_alone"}


def test_a_bound_that_falls_with_k_is_seen(monkeypatch):
    def worst(self, x, noise, *, k=1):
        return LogProb(torch.stack(self.log_weights(x, self.infer(x), noise, k)).sum(0).min(1).values, "bound")

    monkeypatch.setattr(VAE, "log_prob", worst)
    assert red(findings(vae())) == {"bound_rises"}


def test_densities_in_half_precision_are_seen():
    class Half(nn.Module):
        def forward(self, logits):
            short = logits.bfloat16().to(logits.dtype) if logits.dtype == torch.float32 else logits
            return Bernoulli(20 * short)

    model = vae()
    model.observation = Half()
    assert "float32_suffices" in red(findings(model))


@pytest.mark.parametrize(
    "wrong", [lambda loss: loss.mean(), lambda loss: loss + torch.nan, lambda loss: loss + torch.rand(1).item()]
)
def test_a_loss_that_is_a_mean_or_no_number_is_seen(wrong, monkeypatch):
    right = VAE.loss
    draws = iter(range(100))

    def other(self, player, batch, noise):
        value = right(self, player, batch, noise).value
        return Loss(wrong(value) + next(draws) * 1.0)

    monkeypatch.setattr(VAE, "loss", other)
    assert "loss_repeats" in red(findings(vae()))


def test_weights_that_are_no_numbers_never_pass():
    model = vae()
    with torch.no_grad():
        model.encoder[1].weight[0, 0] = math.nan
    assert red(findings(model)) >= {"weights_stand_alone", "bound_rises", "bracket_holds", "float32_suffices"}


def test_one_image_is_enough():
    found = findings(vae(), images(n=1))
    assert red(found) == set()
    assert found["bound_rises"].passed


def test_chance_turns_nothing_red():
    """Forty fresh models: means that are equal are found to be so."""
    for seed in range(40):
        model = vae()
        torch.manual_seed(seed)
        for layer in (*model.encoder, *model.decoder):
            if isinstance(layer, nn.Linear):
                nn.init.normal_(layer.weight, std=0.1 + seed / 40)
        subject = Subject(model, images(n=3))
        for check in (checks.bound_rises, checks.bracket_holds, checks.divergence_is_that_of_draws):
            assert check(subject).passed, (seed, check.name)


class Conditional(nn.Module):
    """A VAE that is told the class: a code, and one of two decoders."""

    classes, latent = ("a", "b"), D

    def __init__(self):
        super().__init__()
        self.parts = nn.ModuleList((vae(), vae()))
        nn.init.normal_(self.parts[1].decoder[0].weight)

    def encode(self, x, label=None):
        return self.parts[0].encode(x)

    def decode(self, z, label=None):
        if label is None or len(label) != len(z):
            raise ValueError("a label for each code")
        both = torch.stack([part.decode(z).logits for part in self.parts])
        return Bernoulli(both[label, torch.arange(len(z))])

    def infer(self, x, label=None):
        return self.encode(x, label), label

    def log_weights(self, x, inferred, noise, k):
        z, log_q = inferred[0].draw(noise, k)
        p = self.decode(z.flatten(0, 1), inferred[1].repeat_interleave(k))
        return p.log_prob(x.repeat_interleave(k, 0)).view(-1, k), standard_normal_log_prob(z) - log_q

    def divergence(self, inferred, noise=None):
        return inferred[0].kl()

    def log_prob(self, x, noise, *, k=1, label=None):
        return LogProb(importance_bound(sum(self.log_weights(x, self.infer(x, label), noise, k))), "bound")


def test_a_model_that_is_told_the_class_is_told_it():
    label = torch.arange(16) % 2
    found = findings(Conditional(), label=label)
    assert red(found) == set()
    assert {name for name, finding in found.items() if finding.passed is None} == {
        "flow_determinant",
        "flow_reaches",
        "flow_hears",
        "bracket_holds",
        "loss_repeats",
    }
    assert "pixels_add_up" in red(findings(Conditional()))
