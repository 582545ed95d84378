"""A model of one's own, by the protocols that it has, and by no name."""

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch import distributions as reference

from reverie.distributions import Gaussian, Transformed
from reverie.engine.noise import ItemNoise, StepNoise
from reverie.metrics.batches import evaluating
from reverie.priors import Prior
from reverie.protocols import Autoencoder, Batch, Density, LatentDensity, Posterior, Trainable
from reverie.verification import likelihoods
from reverie.verification.findings import Inapplicable, check, excess, largest, relative
from reverie.verification.flows import Flow, log_determinant_error, moved, unheard_share, zero_share

IMAGES = 32  # that a model is looked at on, at most
SIMULATED = 100
ROWS = 64  # bounds that a mean is made of, at least, so that its standard error means something
ROUNDING = 1e-2  # nats that float32 may cost
DRAWS = 12
FEW = 3  # draws in float64, which is slow
KS = (1, 3, 9)
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

    def condition(self, items: Sequence[int]) -> tuple[Tensor, ...]:
        """The labels of images, for a model that is told the class: it has ``classes``. For others no argument."""
        return () if self.label is None or not hasattr(self.model, "classes") else (self.label[list(items)],)

    def density(self) -> Any:
        """The model as one with importance weights, a ``LatentDensity``."""
        if isinstance(self.model, LatentDensity):
            return self.model
        raise Inapplicable(f"{type(self.model).__name__} has no latent density")

    def autoencoder(self) -> Any:
        """The model as one with codes, an ``Autoencoder``."""
        if isinstance(self.model, Autoencoder):
            return self.model
        raise Inapplicable(f"{type(self.model).__name__} has no codes")

    def decoded(self) -> Any:
        """The distribution p(x|z) at the means of the posteriors of the images."""
        model = self.autoencoder()
        with evaluating(model):
            given = self.condition(range(len(self.x)))
            return model.decode(model.encode(self.x, *given).mean, *given)

    def flow(self) -> tuple[Flow, Tensor, Tensor]:
        """The flow of the posterior, with four starts z_0 (B, 2, D) and contexts (B, 1, H) of the model's own."""
        flow: Any = getattr(self.model, "flow", None)
        if flow is None:
            raise Inapplicable("the model has no flow")
        with torch.no_grad():
            posterior = self.autoencoder().encode(self.x[:2], *self.condition(range(min(2, len(self.x)))))
            if not isinstance(posterior, Transformed):
                raise Inapplicable("the posterior does not go through the model's flow")
            start, _ = posterior.base.draw(ItemNoise(("verify", "flow"), range(len(posterior.context))), 2)
        return flow, start, posterior.context.unsqueeze(1)


@check("log-weights: finite, whatever batch and chunk", 1e-4)
def weights_stand_alone(subject: Subject) -> float:
    """The log-weights of an image do not depend on the batch it is in, nor on how its draws are divided."""
    model, x, half = subject.density(), subject.x[:8], DRAWS // 2
    with evaluating(model):
        inferred = model.infer(x, *subject.condition(range(len(x))))
        whole = likelihoods.weigh(model, x, inferred, range(len(x)), (0, DRAWS, DRAWS))
        parts = [
            likelihoods.weigh(
                model, x[[i]], model.infer(x[[i]], *subject.condition([i])), [i], (first, first + half, DRAWS)
            )
            for i in range(len(x))
            for first in (0, half)
        ]
    return relative(torch.cat(parts).view_as(whole), whole)


@check("log p(x): finite, whatever the batch", 1e-4)
def density_stands_alone(subject: Subject) -> float:
    """The bound of log p(x), or its exact value, is the same for an image alone and for one among eight."""
    n = min(8, len(subject.x))
    whole = _log_prob(subject, range(n), DRAWS)
    return relative(torch.cat([_log_prob(subject, [i], DRAWS) for i in range(n)]), whole)


def _log_prob(subject: Subject, items: Sequence[int], k: int) -> Tensor:
    """What the model says of log p(x) with the first k draws of 64, for the images of these numbers."""
    model: Any = subject.model
    if not isinstance(subject.model, Density):
        raise Inapplicable(f"{type(subject.model).__name__} gives no log p(x)")
    noise = ItemNoise(("verify", "density"), items).chunk(0, k, 64)
    label = dict(zip(("label",), subject.condition(items), strict=False))
    with evaluating(model):
        value: Tensor = model.log_prob(subject.x[list(items)], noise, k=k, **label).value
    return value


@check("posterior: density of its draws", 1e-9)
def posterior_density(subject: Subject) -> float:
    """A draw comes with its log q(z|x): it is that of torch.distributions, less the log-determinant of a flow."""
    subject = subject.exact()
    noise = ItemNoise(("verify", "posterior"), range(len(subject.x)))
    with evaluating(subject.model):
        posterior = subject.autoencoder().encode(subject.x, *subject.condition(range(len(subject.x))))
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


@check("divergence: closed form against draws", ROUNDING)
def divergence_is_that_of_draws(subject: Subject) -> tuple[float, str]:
    """A divergence in closed form is the mean of log q(z|x) - log p(z) over draws, within four standard errors."""
    model, k = subject.density(), math.ceil(10 * ROWS / len(subject.x))
    with evaluating(model):
        inferred = model.infer(subject.x, *subject.condition(range(len(subject.x))))
        exact = model.divergence(inferred)
        if exact is None:
            raise Inapplicable("only draws tell the divergence of this model")
        noise = ItemNoise(("verify", "divergence"), range(len(subject.x)))
        drawn = -model.log_weights(subject.x, inferred, noise, k)[1].double()
    difference = (drawn - exact.double().sum(1, keepdim=True)).flatten()
    words = f"{exact.sum(1).mean():.3f} nats in closed form, {drawn.mean():.3f} from {drawn.numel()} draws"
    return max(excess(difference), excess(-difference)), words


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


@check("importance-weighted bound rises with K", ROUNDING)
def bound_rises(subject: Subject) -> float:
    """From 1 draw to 9 of the same draws the mean bound falls nowhere by more than four standard errors."""
    subject.density()
    times = math.ceil(ROWS / len(subject.x))  # a few images are shown several times, with other draws
    label = None if subject.label is None else subject.label.repeat(times)
    shown = Subject(subject.model, torch.cat([subject.x] * times), label)
    return likelihoods.fall([_log_prob(shown, range(len(shown.x)), k) for k in KS])


@check("simulated images: lower bound <= upper bound", ROUNDING)
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
        upper = likelihoods.upper_bound(model, x, z, inferred, DRAWS)
        weights = likelihoods.weigh(model, x, inferred, range(SIMULATED), (0, DRAWS, DRAWS))
        return likelihoods.bracket(weights.logsumexp(1) - math.log(DRAWS), upper)


@check("float32 against float64, nats", ROUNDING)
def float32_suffices(subject: Subject) -> float:
    """What is said of log p(x) of an image in float32 is what is said in float64, to a hundredth of a nat."""
    items = range(len(subject.x))
    return largest(_log_prob(subject, items, FEW).double() - _log_prob(subject.exact(), items, FEW))


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
    density_stands_alone,
    posterior_density,
    divergence_is_that_of_draws,
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
