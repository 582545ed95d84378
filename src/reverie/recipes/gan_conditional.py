"""Conditional adversarial network: draws images of the class that is asked for.

Architecture: the game of Mirza and Osindero 2014, 1411.1784, with the critic of Miyato and Koyama 2018, 1802.05637: the
generator is given a learned vector of the class beside the code, and the critic projects its features on another.
Networks, hinge cost, spectral normalisation and rates are those of ``gan-hinge``.
Differs: Mirza and Osindero join the class to the critic's input too; Miyato and Koyama have residual networks, and
batch normalisation that is told the class. Fakes have the classes of the batch of real images.
"""

import torch

from reverie.arguments import Count, Rate
from reverie.data import ImageSpec
from reverie.data.views import symmetric
from reverie.engine.plan import Plan, cosine, half_life
from reverie.models.gan import GAN, Game
from reverie.nn.adversarial import ProjectionCritic, ToldGenerator
from reverie.nn.dcgan import critic_features, generator
from reverie.nn.spectral import normalised
from reverie.objectives.adversarial import hinge
from reverie.recipes._parts import Augment, adam, augment_of, need_classes

DATA = "mnist"
TINY = {"width": 4, "latent": 4, "batch": 16}
TARGETS = ()  # the papers measure larger networks on photographs


def run(
    data: ImageSpec,
    *,
    width: Count = 32,
    latent: Count = 64,
    embedding: Count = 32,
    augment: Augment = "none",
    rate: Rate = 2e-3,
    critic_rate: Rate = 4e-3,
    batch: Count = 64,
    ema_half_life: Count = 5_000,
) -> Plan:
    """The hinge game for labelled images whose sides can be halved to between 4 and 16 pixels.

    Args:
        data: shape and classes of the images.
        width: channels at full size; deeper layers have up to 8 times as many.
        latent: numbers in the code.
        embedding: numbers in the generator's vector of a class.
        augment: what is done to real and fake images alike before the critic sees them; for few images.
        rate: of the generator's Adam, at its peak.
        critic_rate: of the critic's Adam, at its peak.
        batch: images a turn.
        ema_half_life: half-life of the averaged weights in images; at most a twentieth of those seen so far.

    Raises:
        DataError: the images have no labels.
    """
    classes = need_classes(data, "gan-hinge")
    features, count = critic_features(data.shape, width)
    model = GAN(
        ToldGenerator(generator(latent + embedding, data.shape, width), len(classes), embedding),
        normalised(ProjectionCritic(features, count, len(classes))),
        Game(hinge(), augment=augment_of(augment)),
        latent=latent,
        classes=classes,
    )
    return Plan(
        model=model.to(memory_format=torch.channels_last),  # type: ignore[call-overload]
        view=symmetric(),
        optimizers={
            "critic": adam(critic_rate, betas=(0.0, 0.9)),
            "generator": adam(rate, betas=(0.0, 0.9)),
        },
        schedule=cosine(end=0.1),
        batch=batch,
        epochs=10,
        ema=half_life(ema_half_life, batch),
        keep="best",
        pictures={"samples": {}},
    )
