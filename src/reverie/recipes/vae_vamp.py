"""VAE whose prior is a mixture of its own posteriors (VampPrior), at inputs that are learned.

Architecture: Tomczak and Welling 2018, "VAE with a VampPrior", with one stochastic layer: 784-300-300, mean and
log-variance of 40 numbers, and 40-300-300-784, gated linear layers, Bernoulli; 500 pseudo-inputs, kept within the range
of pixels; the divergence's weight rises from 0 to 1 in early training. Classic training: Adam, batch 100, warm-up over
100 epochs, and an early stop on validation images.
Differs: one cosine over 50 epochs, of which the first fifth is the warm-up; no early stop; the pseudo-inputs start as
uniform noise, since a recipe is not told the training images; no limit on the log-variance.
"""

import torch
from torch import nn

from reverie.arguments import Count, Fraction, Rate
from reverie.data import ImageSpec
from reverie.engine.plan import Plan, cosine
from reverie.models.vae import VAE
from reverie.nn.mlp import gated_mlp
from reverie.objectives.elbo import Bound
from reverie.priors import VampPrior
from reverie.recipes._parts import Binarise, Likelihood, adam, observe

DATA = "mnist"
TINY = {"hidden": 16, "latent": 2, "components": 4, "batch": 16}
TARGETS = ()  # the paper's figures need its hundreds of epochs


def run(
    data: ImageSpec,
    *,
    components: Count = 500,
    latent: Count = 40,
    hidden: Count = 300,
    warmup: Fraction = 0.2,
    likelihood: Likelihood = "auto",
    binarise: Binarise = "dynamic",
    rate: Rate = 1e-3,
    batch: Count = 100,
) -> Plan:
    """The VampPrior autoencoder for images of any shape.

    Args:
        data: shape and classes of the images.
        components: pseudo-inputs, each of which gives the prior one Gaussian.
        latent: numbers in the code.
        hidden: units of each of the two layers on each side.
        warmup: part of the training over which the divergence's weight rises from 0 to 1.
        likelihood: bernoulli (bits), gaussian (one learned variance), logistic (8-bit levels); auto takes bernoulli for
            grey images, else gaussian.
        binarise: how grey pixels become bits: dynamic (drawn each time), static (once), threshold (at 128).
        rate: of Adam, at its peak.
        batch: images a step.
    """
    view, observation = observe(likelihood, binarise, data)
    low = -1.0 if view.name == "levels" else 0.0
    start = low + (1 - low) * torch.rand(components, *data.shape)
    model = VAE(
        nn.Sequential(nn.Flatten(), gated_mlp((data.pixels, hidden, hidden, 2 * latent))),
        nn.Sequential(gated_mlp((latent, hidden, hidden, data.pixels)), nn.Unflatten(1, data.shape)),
        observation,
        VampPrior(start, latent, low),
        objective=Bound(warmup=warmup),
    )
    return Plan(
        model=model,
        view=view,
        optimizers={"vae": adam(rate)},
        schedule=cosine(),
        batch=batch,
        epochs=50,
        pictures={"samples": {}, "reconstructions": {}, "interpolation": {}, "traversal": {}},
    )
