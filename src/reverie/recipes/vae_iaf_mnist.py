"""Convolutional residual VAE with an inverse autoregressive flow, on binarised MNIST.

Architecture: Kingma et al. 2016 (arXiv:1606.04934, section 6.1): a code of 32 numbers, encoder and decoder of three
residual blocks of stride 2 with 16, 32 and 32 maps and 3x3 kernels, a dense layer of 450, ELU, and a flow whose steps
are two-layer masked networks of equal width, the order reversed after each.
Differs: weight normalisation, with its initialisation from data, is an argument (``weight_norm``) and off; Adam with a
cosine and averaged weights over minutes, where the paper trains for days; free bits (``free_bits``) are there and off.
The paper's bounds on dynamic binarisation (ELBO; K = 128): without a flow 84.08, depth 2 and width 320 82.02, depth 2
and width 1920 81.17, depth 4 and width 1920 80.93, depth 8 and width 1920 80.80 and 79.10.
"""

import torch

from reverie.arguments import Count, Fraction, Rate, Steps, Weight
from reverie.data import ImageSpec
from reverie.engine.plan import Plan, cosine
from reverie.models.vae import VAE
from reverie.nn.residual import residual_decoder, residual_encoder
from reverie.objectives.elbo import Bound
from reverie.priors import StandardNormal
from reverie.recipes._parts import Binarise, Likelihood, adam, normalise_weights, observe, posterior_flow

DATA = "mnist"
TINY = {"batch": 16, "latent": 4, "flow_hidden": 8, "hidden": 16}
TARGETS = ()  # the paper's figures take days of training
CHANNELS = (16, 32, 32)


def run(
    data: ImageSpec,
    *,
    latent: Count = 32,
    hidden: Count = 450,
    flow: Steps = 2,
    flow_hidden: Count = 320,
    free_bits: Weight = 0.0,
    warmup: Fraction = 0.0,
    likelihood: Likelihood = "auto",
    binarise: Binarise = "dynamic",
    weight_norm: bool = False,
    rate: Rate = 2e-3,
    batch: Count = 128,
    ema: Fraction = 0.999,
) -> Plan:
    """The residual VAE with a flow, for images of any size.

    Args:
        data: shape and classes of the images.
        latent: numbers in the code.
        hidden: units of the dense layers.
        flow: steps of an inverse autoregressive flow that the posterior goes through; 0 for none.
        flow_hidden: units of each of the two hidden layers of a step.
        free_bits: the least that the divergence counts in training, nats; 0 for none.
        warmup: part of the budget over which the divergence's weight rises to 1.
        likelihood: bernoulli (bits), gaussian (one learned variance), logistic (8-bit levels); auto takes bernoulli for
            grey images, else gaussian.
        binarise: how grey pixels become bits: dynamic (drawn each time), static (once), threshold (at 128).
        weight_norm: whether weights are normalised, and set so that over the first batch every unit has mean 0 and
            variance 1, an output a hundredth of that.
        rate: of Adam, at its peak.
        batch: images a step.
        ema: decay a step of the averaged weights; 0 for none.
    """
    view, observation = observe(likelihood, binarise, data)
    through, context = posterior_flow(latent, hidden, flow, (flow_hidden, flow_hidden))
    model = VAE(
        residual_encoder(data.shape, CHANNELS, hidden, 2 * latent + context),
        residual_decoder(latent, CHANNELS, hidden, data.shape),
        observation,
        StandardNormal(latent),
        flow=through,
        objective=Bound(free_bits=free_bits, warmup=warmup),
    )
    return Plan(
        model=model.to(memory_format=torch.channels_last),  # type: ignore[call-overload]
        view=view,
        optimizers={"vae": adam(rate)},
        schedule=cosine(),
        batch=batch,
        epochs=20,
        ema=ema,
        begin=normalise_weights(model) if weight_norm else None,
        pictures={"samples": {}, "reconstructions": {}, "interpolation": {}},
    )
