"""What several recipes choose alike: likelihoods with their views, flows, costs of games, and optimizers by name."""

import math
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Literal

import torch
from torch import nn

from reverie.data import ImageSpec
from reverie.data.views import View, bits, levels, unit
from reverie.distributions import Bernoulli, DiscretizedLogistic, Observation, SharedGaussian, SharedLogistic, upcast
from reverie.engine.adam import Adam
from reverie.engine.muon import Muon
from reverie.engine.plan import Optimizer
from reverie.errors import DataError, UsageError
from reverie.models.vae import VAE
from reverie.nn.augmentation import Policy, augmentation
from reverie.nn.dense import Dense
from reverie.nn.masked import MADE
from reverie.nn.mlp import Heads
from reverie.nn.weight_norm import set_by_first_batch, weight_normalised
from reverie.objectives import adversarial
from reverie.objectives.adversarial import Cost
from reverie.protocols import Batch, Noise
from reverie.transforms.autoregressive import Flow, InverseAutoregressiveStep

LATE = 6.0  # bias of gates that open late: sigma near 0.998, since a step into what is learned must be the identity
Likelihood = Literal["auto", "bernoulli", "gaussian", "logistic"]
Binarise = Literal["dynamic", "static", "threshold"]
Augment = Literal["none", "translation", "translation-cutout", "colour-translation-cutout"]


def observe(likelihood: Likelihood, binarise: Binarise, data: ImageSpec) -> tuple[View, Observation]:
    """The view and the observation of a likelihood.

    Bernoulli of bits, Gaussian of grey values with one learned variance, or discretised logistic of 8-bit levels;
    ``auto`` takes bits for grey images, else Gaussian.
    """
    if likelihood == "auto":
        likelihood = "bernoulli" if data.shape[0] == 1 else "gaussian"
    if likelihood == "bernoulli":
        return bits(binarise), Bernoulli
    if likelihood == "gaussian":
        return unit(), SharedGaussian(log_variance=-3.0)
    return levels(), SharedLogistic()


def posterior_flow(
    latent: int, context: int, steps: int, hidden: Sequence[int], start: float = 0.0
) -> tuple[Flow | None, int]:
    """An inverse autoregressive flow for the posterior, and how many numbers the encoder must tell it.

    Args:
        latent: numbers in the code.
        context: numbers that the flow is told, if there is one.
        steps: of the flow; 0 for none.
        hidden: units of each hidden layer of each step's network.
        start: part of the budget that the flow waits; then it begins as the identity, and else near it.

    Returns:
        The flow and ``context``, or None and 0.

    Raises:
        UsageError: the code has a single number, and steps were asked for.
    """
    if not steps:
        return None, 0
    bias = LATE if start else 2.0
    return Flow([InverseAutoregressiveStep(MADE(latent, context, hidden), bias) for _ in range(steps)], start), context


def tell_context(encoder: nn.Sequential, context: int) -> None:
    """Let an encoder tell a flow so many numbers by a head of its own, made last.

    What else is drawn for a model is then the same with the flow and without it.
    """
    last = encoder[-1]
    if context and isinstance(last, nn.Linear):
        encoder[-1] = Heads([last, Dense(last.in_features, context)])


def normalise_weights(model: VAE) -> Callable[[Batch, Noise], None]:
    """Normalise the weights of encoder, decoder and flow, and return what sets them by a first batch.

    Outputs (of the encoder, the decoder, and each step of the flow) start quiet, so that a posterior starts near the
    prior and a step near the identity.
    """
    for network in (model.encoder, model.decoder):
        layers = [layer for layer in network.modules() if isinstance(layer, nn.Linear | nn.Conv2d)]
        heads = [list(several) for several in network.modules() if isinstance(several, Heads)]
        weight_normalised(network, quiet=heads[-1] if heads else layers[-1:])
    for made in (step.network for step in model.flow.steps) if isinstance(model.flow, Flow) else ():
        weight_normalised(made, quiet=(made.last, made.told[-1]) if isinstance(made, MADE) else ())
    return lambda batch, noise: set_by_first_batch(model, lambda: model.loss("vae", batch, noise))


def logistic_of_each(output: torch.Tensor) -> DiscretizedLogistic:
    """Discretised logistic values that each have a scale of their own.

    ``output`` (B, 2 C, H, W) holds means and log-scales. Those start around -2, about 35 of the 256 levels, and go down
    to -7, where a level holds nearly all mass (Salimans et al. 2017, 1701.05517).
    """
    mean, log_scale = upcast(output).chunk(2, 1)
    return DiscretizedLogistic(mean, (log_scale - 2).clamp(min=-7))


def adam(rate: float, decay: float = 0.0, betas: tuple[float, float] = (0.9, 0.999)) -> Optimizer:
    """Adam (Kingma and Ba 2015, arXiv:1412.6980) in one fused kernel; ``decay`` is the squared weights' penalty."""
    return partial(Adam, lr=rate, weight_decay=decay, betas=betas)


def rmsprop(rate: float) -> Optimizer:
    """RMSprop with the constants of Keras: smoothing 0.9, epsilon 1e-7."""

    def make(parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        return torch.optim.RMSprop(parameters, lr=rate, alpha=0.9, eps=1e-7, foreach=True)

    return make


def adamw(rate: float, decay: float, betas: tuple[float, float] = (0.9, 0.99)) -> Optimizer:
    """Adam with decoupled weight decay (Loshchilov and Hutter 2019, arXiv:1711.05101) in one fused kernel."""
    return partial(Adam, lr=rate, betas=betas, weight_decay=decay, decoupled_weight_decay=True)


def muon(rate: float, others: float = 3e-3) -> Optimizer:
    """Orthogonalised momentum for kernels at ``rate``, Adam at ``others`` for the rest (see ``engine.muon``)."""
    return partial(Muon, rate=rate, others=others)


def cost_of(name: str, smoothing: float = 0.0) -> Cost:
    """The cost of a game by its name.

    Raises:
        UsageError: labels are to be smoothed in a game that has none.
    """
    smoothed = {
        "minimax": adversarial.minimax,
        "non-saturating": adversarial.non_saturating,
        "maximum-likelihood": adversarial.maximum_likelihood,
    }
    if name in smoothed:
        return smoothed[name](smoothing)
    if smoothing:
        raise UsageError(f"--smoothing is of targets of 0 and 1: it goes with {', '.join(smoothed)}, not with {name}.")
    others: dict[str, Callable[[], Cost]] = {
        "least-squares": adversarial.least_squares,
        "wasserstein": adversarial.wasserstein,
        "hinge": adversarial.hinge,
        "relativistic": adversarial.relativistic,
    }
    return others[name]()


def augment_of(name: Augment) -> Callable[[torch.Tensor, Noise, str], torch.Tensor] | None:
    """The augmentation of a name, in the paper's order: colour, translation, cutout."""
    policies: list[Policy] = [policy for policy in ("colour", "translation", "cutout") if policy in name.split("-")]
    return augmentation(policies) if policies else None


def need_classes(data: ImageSpec, instead: str) -> tuple[str, ...]:
    """The classes of the data.

    Raises:
        DataError: it has none.
    """
    if not data.classes:
        raise DataError(
            f"{data.name} has no labels, and a conditional model needs the class of each image: put the images of each "
            f"class into a folder of its own, give an array file with labels, or train {instead}."
        )
    return data.classes


def burn_in(start: float, end: float, share: float) -> Callable[[float], float]:
    """From ``start`` to ``end`` along half a cosine over the first ``share`` of the budget (Huang et al. 2025).

    Example:
        >>> gamma = burn_in(1.0, 0.1, share=0.5)
        >>> [round(gamma(progress), 3) for progress in (0.0, 0.25, 0.5, 1.0)]
        [1.0, 0.55, 0.1, 0.1]
    """
    return lambda progress: end + (start - end) * (1 + math.cos(math.pi * min(1.0, progress / share))) / 2
