"""Convolutional variational autoencoder with a plane of codes, and its manifold picture.

Architecture: the classic Keras course note: convolutions 32, 64 (stride 2), 64, 64, dense 32, a code of 2 numbers; back
through a dense layer, one transposed and one plain convolution; the manifold at 15x15 quantiles from 0.05 to 0.95 of
the prior. Classic training: ``--optimizer rmsprop --batch 16 --epochs 10``; here Adam with a cosine and batch 64.
Differs: the standard deviation is exp(log-variance / 2), where the note leaves out the half; the bound is in nats
with ``beta`` 1, where the note weighs the divergence by 5e-4 against a mean over pixels; grey pixels are bits drawn
anew each time, so that the Bernoulli is a likelihood; the first coordinate of the manifold runs from left to right;
the encoder's last layer starts small, so that the posterior starts at the prior; test images are for testing, where
the note validates on them.
"""

from typing import Literal

import torch

from reverie.arguments import Count, Fraction, Rate, Steps, Weight
from reverie.data import ImageSpec
from reverie.engine.plan import Plan, cosine
from reverie.models.vae import VAE
from reverie.nn.conv import conv_vae_decoder, conv_vae_encoder
from reverie.objectives.elbo import Bound
from reverie.priors import StandardNormal
from reverie.recipes._parts import Binarise, Likelihood, adam, observe, posterior_flow, rmsprop

DATA = "mnist"
TINY = {"batch": 16}
TARGETS = ()  # the source gives a picture and no figure
CONTEXT = 32  # numbers that a flow is told: as many as the encoder's dense layer has


def run(
    data: ImageSpec,
    *,
    latent: Count = 2,
    beta: Weight = 1.0,
    flow: Steps = 0,
    flow_hidden: Count = 320,
    likelihood: Likelihood = "auto",
    binarise: Binarise = "dynamic",
    optimizer: Literal["adam", "rmsprop"] = "adam",
    rate: Rate = 1e-3,
    batch: Count = 64,
    ema: Fraction = 0.0,
    clip: Weight = 0.0,
) -> Plan:
    """The variational autoencoder for images with even sides.

    Args:
        data: shape and classes of the images.
        latent: numbers in the code.
        beta: weight of the divergence; 1 is the bound of the likelihood.
        flow: steps of an inverse autoregressive flow that the posterior goes through; 0 for none.
        flow_hidden: units of each of the two hidden layers of a step.
        likelihood: bernoulli (bits), gaussian (one learned variance), logistic (8-bit levels); auto takes bernoulli for
            grey images, else gaussian.
        binarise: how grey pixels become bits: dynamic (drawn each time), static (once), threshold (at 128).
        optimizer: adam with a cosine, or rmsprop at a constant rate as in the classic.
        rate: of the optimizer, at its peak.
        batch: images a step.
        ema: decay a step of the averaged weights; 0 for none.
        clip: largest norm of the gradient; 0 for no limit.
    """
    view, observation = observe(likelihood, binarise, data)
    through, context = posterior_flow(latent, CONTEXT, flow, (flow_hidden, flow_hidden))
    model = VAE(
        conv_vae_encoder(data.shape, 2 * latent, context),
        conv_vae_decoder(latent, data.shape),
        observation,
        StandardNormal(latent),
        flow=through,
        objective=Bound(beta=beta),
    )
    plane = (
        {"manifold": {"points": (15, 15), "x": (0.05, 0.95), "y": (0.05, 0.95), "kind": "probability"}}
        if latent > 1
        else {}
    )
    return Plan(
        model=model.to(memory_format=torch.channels_last),  # type: ignore[call-overload]
        view=view,
        optimizers={"vae": adam(rate) if optimizer == "adam" else rmsprop(rate)},
        schedule=cosine() if optimizer == "adam" else lambda progress: 1.0,
        batch=batch,
        epochs=10,
        ema=ema,
        clip=clip,
        pictures={**plane, "samples": {}, "reconstructions": {}, "codes": {}, "interpolation": {}},
    )
