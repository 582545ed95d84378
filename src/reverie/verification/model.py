"""A model of one's own, by the protocols that it has, and by no name."""

import copy
import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch import distributions as reference

from reverie.distributions import Gaussian, Transformed
from reverie.engine.noise import ItemNoise, StepNoise
from reverie.metrics.batches import evaluating
from reverie.priors import Prior
from reverie.protocols import Autoencoder, Batch, Density, Distribution, LatentDensity, Posterior, Trainable
from reverie.verification import likelihoods
from reverie.verification.findings import Inapplicable, check, largest, relative
from reverie.verification.flows import Flow, log_determinant_error, moved, unheard_share, zero_share

IMAGES = 32  # that a model is looked at on, at most
SIMULATED = 100
DRAWS = 12
KS = (1, 2, 4, 8, 16)
VALUES = 64  # of an observation, whose masses are summed


@dataclass(frozen=True)
class Subject:
    """A model and images to look at it on.

    Args:
        model: the module.
        x: observations as the model sees them, (B, C, H, W).
        label: of each, (B,), where there are classes.
    """

    model: nn.Module
    x: Tensor
    label: Tensor | None = None

    def exact(self) -> "Subject":
        """The same in float64."""
        return Subject(copy.deepcopy(self.model).double(), self.x.double(), self.label)

    def density(self) -> LatentDensity:
        """The model as one with importance weights."""
        if isinstance(self.model, LatentDensity):
            return self.model
        raise Inapplicable(f"{type(self.model).__name__} has no latent density")

    def autoencoder(self) -> Autoencoder:
        """The model as one with codes."""
        if isinstance(self.model, Autoencoder):
            return self.model
        raise Inapplicable(f"{type(self.model).__name__} has no codes")

    def decoded(self) -> Distribution:
        """p(x|z) at the means of the posteriors of the images."""
        model = self.autoencoder()
        with evaluating(model):
            return model.decode(model.encode(self.x).mean)

    def flow(self) -> tuple[Flow, Tensor, Tensor]:
        """The flow of the posterior, with four starts z_0 (B, 2, D) and contexts (B, 1, H) of the model's own."""
        flow: Any = getattr(self.model, "flow", None)
        if flow is None:
            raise Inapplicable("the model has no flow")
        with torch.no_grad():
            posterior = self.autoencoder().encode(self.x[:2])
            if not isinstance(posterior, Transformed):
                raise Inapplicable("the posterior does not go through the model's flow")
            start, _ = posterior.base.draw(ItemNoise(("verify", "flow"), range(len(posterior.context))), 2)
        return flow, start, posterior.context.unsqueeze(1)


@check("log-weights: finite, whatever batch and chunk", 1e-4)
def weights_stand_alone(subject: Subject) -> float:
    """The log-weights of an image do not depend on the batch it is in, nor on how its draws are divided."""
    model, x = subject.density(), subject.x[:8]
    with evaluating(model):
        whole = likelihoods.weigh(model, x, range(len(x)), (0, DRAWS, DRAWS))
        parts = [
            likelihoods.weigh(model, x[i : i + 1], [i], (first, first + DRAWS // 2, DRAWS))
            for i in range(len(x))
            for first in (0, DRAWS // 2)
        ]
    return relative(torch.cat(parts).view_as(whole), whole)


@check("posterior: density of its draws", 1e-9)
def posterior_density(subject: Subject) -> float:
    """A draw comes with its log q(z|x): it is that of torch.distributions, less the log-determinant of a flow."""
    subject = subject.exact()
    noise = ItemNoise(("verify", "posterior"), range(len(subject.x)))
    with evaluating(subject.model):
        posterior = subject.autoencoder().encode(subject.x)
        base = posterior.base if isinstance(posterior, Transformed) else posterior
        if not isinstance(base, Gaussian):
            raise Inapplicable(f"{type(posterior).__name__} is no Gaussian")
        q = reference.Normal(base.mean, torch.exp(0.5 * base.log_variance).expand_as(base.mean))
        start, log_q = base.draw(noise, 3)
        found = [relative(log_q, likelihoods.log_density(q, start.transpose(0, 1)).sum(-1).T)]
        if isinstance(posterior, Transformed):
            _, log_determinant = posterior.flow(start, posterior.context.unsqueeze(1))
            found += [relative(posterior.draw(noise, 3)[1], log_q - log_determinant)]
    return max(found)


@check("flow: log-determinant against autograd", 1e-6)
def flow_determinant(subject: Subject) -> float:
    """The log-determinant that the flow states is that of its Jacobian, as it stands and with other weights."""
    flow, start, context = subject.exact().flow()
    return max(log_determinant_error(each, start, context) for each in (flow, moved(flow)))


@check("flow: every number reaches every other", 0.0)
def flow_reaches(subject: Subject) -> float:
    """The Jacobian of two or more steps has no entry that is zero everywhere, as steps in one order would leave."""
    flow, start, context = subject.exact().flow()
    if _steps(flow) == 1:
        raise Inapplicable("one autoregressive step has a triangular Jacobian")
    return zero_share(moved(flow), start, context)


@check("flow: hears all of its context", 0.0)
def flow_hears(subject: Subject) -> float:
    """Each number that the encoder tells the flow moves the code."""
    flow, start, context = subject.exact().flow()
    if not context.shape[-1]:
        raise Inapplicable("the flow is told nothing about the image")
    return unheard_share(moved(flow), start, context)


def _steps(flow: Flow) -> int | None:
    """The number of steps, where the flow says it by ``steps`` or ``len``."""
    steps = getattr(flow, "steps", flow)
    return steps if isinstance(steps, int) else len(steps) if hasattr(steps, "__len__") else None


@check("observation: masses or density sum to 1", 1e-9)
def masses_sum_to_one(subject: Subject) -> float:
    """At the decoder's own outputs the probabilities of all values of a pixel sum to 1, on 64 pixels."""
    p = subject.exact().decoded()
    values = p.mean.numel()
    chosen = torch.arange(min(VALUES, values)) * values // min(VALUES, values)
    return likelihoods.mass_error(likelihoods.alone(p, chosen))


@check("observation: log p(x|z) sums over its pixels", 1e-9)
def pixels_add_up(subject: Subject) -> float:
    """An image has for log p(x|z) the sum, not the mean, of the log-probabilities of its pixels alone."""
    subject = subject.exact()
    p = subject.decoded()
    error = likelihoods.additivity_error(p, subject.x)
    return largest(error) / subject.x[0].numel()


@check("importance-weighted bound rises with K", 0.0)
def bound_rises(subject: Subject) -> float:
    """From 1 draw to 16 of the same draws the mean bound falls nowhere by more than four standard errors."""
    model, x = subject.density(), subject.x
    if not isinstance(model, Density) or len(x) < 2:
        raise Inapplicable("the model gives no bound by log_prob" if len(x) > 1 else "one image has no standard error")
    noise = ItemNoise(("verify", "rise"), range(len(x)))
    with evaluating(model):
        return likelihoods.fall([model.log_prob(x, noise.chunk(0, k, KS[-1]), k=k).value for k in KS])


@check("simulated images: lower bound <= upper bound", 0.0)
def bracket_holds(subject: Subject) -> tuple[float, str]:
    """Images drawn from the model come with exact posterior draws; the upper bound they give is above the lower."""
    model, prior = subject.density(), getattr(subject.model, "prior", None)
    autoencoder = subject.autoencoder()
    if not isinstance(prior, Prior):
        raise Inapplicable("the model names no prior to draw codes from")
    noise = ItemNoise(("verify", "simulate"), range(SIMULATED))
    with evaluating(model):
        z = prior.given(autoencoder.encode).sample(SIMULATED, noise).to(subject.x)
        x = autoencoder.decode(z).sample(noise, "x").to(subject.x)
        inferred = model.infer(x)
        if not isinstance(inferred, Posterior):
            raise Inapplicable("what the model infers is no posterior of one code")
        upper = likelihoods.upper_bound(model, x, z, likelihoods.proposal(inferred), DRAWS)
        lower = likelihoods.weigh(model, x, range(SIMULATED), (0, DRAWS, DRAWS)).logsumexp(1) - math.log(DRAWS)
        return likelihoods.bracket(lower, upper)


@check("float32 against float64, nats", 1e-2)
def float32_suffices(subject: Subject) -> float:
    """The bound of an image in float32 is that in float64 to a hundredth of a nat."""
    bounds = []
    for each in (subject, subject.exact()):
        model = each.density()
        with evaluating(model):
            log_weights = likelihoods.weigh(model, each.x, range(len(each.x)), (0, DRAWS, DRAWS)).double()
        bounds.append(log_weights.logsumexp(1) - math.log(DRAWS))
    return largest(bounds[0] - bounds[1])


@check("loss: one number an image, and repeatable", 0.0)
def loss_repeats(subject: Subject) -> float:
    """The loss of each player has one finite number for each image, and is the same for the same noise."""
    if not isinstance(subject.model, Trainable):
        raise Inapplicable(f"{type(subject.model).__name__} is not trained here")
    differences = [_loss(subject, player) - _loss(subject, player) for player in subject.model.players]
    return max(largest(difference) for difference in differences)


def _loss(subject: Subject, player: str) -> Tensor:
    """The loss of a copy of the model in training, (B,): what changes while it computes does not stay."""
    model: Any = copy.deepcopy(subject.model).train()
    n = len(subject.x)
    with torch.random.fork_rng(devices=[]):  # dropout reads torch's generator
        torch.default_generator.manual_seed(0)
        loss = model.loss(player, Batch(subject.x, subject.label), StepNoise(("verify", player), 0, n))
    if loss.value.shape != (n,):
        raise ValueError(f"a loss has one number for each image, ({n},); got {tuple(loss.value.shape)}")
    value: Tensor = loss.value.detach()
    return value


CHECKS = (
    weights_stand_alone,
    posterior_density,
    flow_determinant,
    flow_reaches,
    flow_hears,
    masses_sum_to_one,
    pixels_add_up,
    bound_rises,
    bracket_holds,
    float32_suffices,
    loss_repeats,
)
