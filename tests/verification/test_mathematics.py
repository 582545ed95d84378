"""Every closed form holds, and each turns red on the mistake that it is there for."""

import pytest
import torch
from torch.nn import functional

from reverie import distributions, priors
from reverie.distributions import Bernoulli, DiscretizedLogistic, Gaussian, Transformed
from reverie.models.vae import VAE
from reverie.objectives.elbo import LogMeanExp
from reverie.protocols import LogProb
from reverie.transforms.autoregressive import Flow, InverseAutoregressiveStep
from reverie.verification import mathematics
from reverie.verification.mathematics import CHECKS, LinearFlow


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.name)
def test_it_holds(check):
    found = check()
    assert found.passed, found
    assert found.proves.endswith(".")


def test_the_bracket_is_narrow_and_told():
    words = mathematics.bracket_holds_exact().note
    low, high, exact = (float(word.strip(",")) for word in words.split() if word.strip(",-").replace(".", "").isdigit())
    assert low < exact < high < low + 0.2


class Wrong:
    """The mistakes, each as what replaces a part of the package."""

    @staticmethod
    def no_half(self):
        return self.mean.square() + torch.expm1(self.log_variance) - self.log_variance

    @staticmethod
    def wide_deviation(self):
        return torch.exp(self.log_variance)

    @staticmethod
    def no_log_k(log_weights):
        return torch.logsumexp(log_weights, 1)

    @staticmethod
    def no_log_count(self):
        return self._log_sum

    @staticmethod
    def other_sign(self, noise, k=1):
        start, log_q = self.base.draw(noise, k)
        z, log_determinant = self.flow(start, self.context.unsqueeze(1))
        return z, log_q + log_determinant

    @staticmethod
    def other_determinant(self, start, context):
        determinant = -self.factor.diagonal().abs().log().sum()
        return start @ self.factor.T + context, determinant.expand(start.shape[:2])

    @staticmethod
    def deaf(self, start, context):
        return start @ self.factor.T, self.factor.diagonal().log().sum().expand(start.shape[:2])

    @staticmethod
    def mean_over_pixels(values):
        return values.flatten(1).mean(1)

    @staticmethod
    def wide_edge(self, x):
        """Levels above 0.99 all take the upper tail, as in a published model."""
        half, precision, centred = 1 / 255, torch.exp(-self.log_scale), x - self.mean
        lowest, highest = x < half - 1, x > 0.99
        below = functional.logsigmoid((centred + half) * precision).masked_fill(highest, 0.0)
        above = functional.logsigmoid((half - centred) * precision).masked_fill(lowest, 0.0)
        width = torch.log(-torch.expm1(-2 * half * precision)).expand_as(centred)
        return (below + above + width.masked_fill(lowest | highest, 0.0)).flatten(1).sum(1)

    @staticmethod
    def no_softplus(self, x):
        return (x * self.logits).flatten(1).sum(1)

    @staticmethod
    def too_dense(self, noise, k=1, right=Gaussian.draw):
        z, log_q = right(self, noise, k)
        return z, log_q - 0.5

    @staticmethod
    def one_order(self, z, context):
        """Every step in the same order."""
        total = z.new_zeros(z.shape[:-1])
        for step in self.steps:
            z, log_determinant = step(z, context)
            total = total + log_determinant
        return z, total

    @staticmethod
    def same_way(self, z, context):
        """The steps undone from the first to the last."""
        total = z.new_zeros(z.shape[:-1])
        for step in self.steps:
            z, log_determinant = step.inverse(z.flip(-1), context)
            total = total + log_determinant
        return z, total

    @staticmethod
    def other_gate(self, z, context):
        """The log-determinant of the gate that is closed."""
        m, gate = self._told(z, context)
        return torch.sigmoid(gate) * z + torch.sigmoid(-gate) * m, -torch.nn.functional.softplus(gate).sum(-1)

    @staticmethod
    def worst_draw(self, x, noise, *, k=1):
        """The draw of the smallest weight decides, as by a softmax of the wrong sign."""
        return LogProb(torch.stack(self.log_weights(x, self.infer(x), noise, k)).sum(0).min(1).values, "bound")


MISTAKES = {
    "KL without its half": (Gaussian, "kl", Wrong.no_half, {"gaussian_divergence"}),
    "deviation exp(log_variance)": (
        Gaussian,
        "_deviation",
        Wrong.wide_deviation,
        {"exact_posterior", "log_densities", "bracket_holds_exact"},
    ),
    "log K dropped": ("reverie.objectives.elbo", "importance_bound", Wrong.no_log_k, {"exact_posterior", "exact_flow"}),
    "log of the count dropped": (LogMeanExp, "bound", Wrong.no_log_count, {"exact_posterior", "exact_flow"}),
    "log-determinant added": (Transformed, "draw", Wrong.other_sign, {"exact_flow"}),
    "log-determinant of the other sign": (
        LinearFlow,
        "forward",
        Wrong.other_determinant,
        {"exact_flow", "flow_determinant"},
    ),
    "reversal left out": (Flow, "forward", Wrong.one_order, {"autoregressive_reach"}),
    "gate of the other sign": (InverseAutoregressiveStep, "forward", Wrong.other_gate, {"autoregressive_determinant"}),
    "way back in the order of the way there": (Flow, "inverse", Wrong.same_way, {"autoregressive_inverse"}),
    "context cut": (LinearFlow, "forward", Wrong.deaf, {"exact_flow"}),
    "mean over pixels": (
        distributions,
        "_sum_event",
        Wrong.mean_over_pixels,
        {"exact_posterior", "exact_flow", "binary_pictures", "log_densities"},
    ),
    "wrong edge": (DiscretizedLogistic, "log_prob", Wrong.wide_edge, {"logistic_masses"}),
    "Bernoulli without its constant": (
        Bernoulli,
        "log_prob",
        Wrong.no_softplus,
        {"bernoulli_masses", "binary_pictures", "log_densities"},
    ),
    "log 2 pi dropped": (distributions, "LOG_2PI", 0.0, {"exact_posterior", "exact_flow", "log_densities"}),
    "mixture without log 2 pi": (priors, "LOG_2PI", 0.0, {"log_densities"}),
    "posterior of mass 1.6": (
        Gaussian,
        "draw",
        Wrong.too_dense,
        {"exact_posterior", "exact_flow", "log_densities", "bracket_holds_exact"},
    ),
    "bound of the worst draw": (VAE, "log_prob", Wrong.worst_draw, {"bound_rises"}),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_turns_its_checks_red(name, monkeypatch):
    place, part, wrong, red = MISTAKES[name]
    monkeypatch.setattr(*((f"{place}.{part}", wrong) if isinstance(place, str) else (place, part, wrong)))
    found = {check for check in red if getattr(mathematics, check)().passed is not False}
    assert found == set(), f"{name} is not seen by {found}"
