"""Conditional variational autoencoder: draws images of the class that is asked for.

Architecture: Kingma, Rezende, Mohamed and Welling 2014, "Semi-supervised learning with deep generative models", the
model M2 with all labels known, which Sohn, Lee and Yan 2015 call a conditional VAE: the class is given to encoder and
decoder, and the code holds the rest. The networks are those of the convolutional VAE of the classic Keras course note,
with a code of 16 numbers, the class as one more plane each beside the image, and as a one-hot vector beside the code.
Differs: no classifier and no images without labels; convolutions, where the paper has two layers of 500 units; Sohn et
al. let the prior depend on the condition, which here is N(0, I), as in the paper.
"""

import torch

from reverie.arguments import Count, Rate, Weight
from reverie.data import ImageSpec
from reverie.engine.plan import Plan, cosine
from reverie.models.conditional_vae import ConditionalVAE
from reverie.nn.conv import conv_vae_decoder, conv_vae_encoder
from reverie.objectives.elbo import Bound
from reverie.recipes._parts import Binarise, Likelihood, adam, need_classes, observe

DATA = "mnist"
TINY = {"latent": 2, "batch": 16}
TARGETS = ()  # the papers measure classifiers and completions


def run(
    data: ImageSpec,
    *,
    latent: Count = 16,
    beta: Weight = 1.0,
    likelihood: Likelihood = "auto",
    binarise: Binarise = "dynamic",
    rate: Rate = 1e-3,
    batch: Count = 64,
) -> Plan:
    """The conditional variational autoencoder for labelled images with even sides.

    Args:
        data: shape and classes of the images.
        latent: numbers in the code.
        beta: weight of the divergence; 1 is the bound of the likelihood.
        likelihood: bernoulli (bits), gaussian (one learned variance), logistic (8-bit levels); auto takes bernoulli for
            grey images, else gaussian.
        binarise: how grey pixels become bits: dynamic (drawn each time), static (once), threshold (at 128).
        rate: of Adam, at its peak.
        batch: images a step.

    Raises:
        DataError: the images have no labels.
    """
    classes = need_classes(data, "vae-conv")
    view, observation = observe(likelihood, binarise, data)
    channels, height, width = data.shape
    model = ConditionalVAE(
        conv_vae_encoder((channels + len(classes), height, width), 2 * latent),
        conv_vae_decoder(latent + len(classes), data.shape),
        observation,
        latent=latent,
        classes=classes,
        objective=Bound(beta=beta),
    )
    return Plan(
        model=model.to(memory_format=torch.channels_last),  # type: ignore[call-overload]
        view=view,
        optimizers={"vae": adam(rate)},
        schedule=cosine(),
        batch=batch,
        epochs=10,
        pictures={"samples": {}, "reconstructions": {}},
    )
