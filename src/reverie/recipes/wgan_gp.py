"""Wasserstein adversarial network with a penalty on the critic's slope.

Architecture: Gulrajani et al. 2017, 1704.00028, algorithm 1: five critic turns, penalty 10, Adam 1e-4 (0, 0.9), a
critic without batch normalisation. The networks are those of ``gan-hinge`` without its spectral normalisation.
Differs: the paper's networks for digits have no batch normalisation in the generator either, and 5x5 kernels; batch
64, where the paper has 50; an average of the weights draws the samples; a rate of 1e-3: in minutes on a processor the
paper's 1e-4 makes too few steps to arrive.
"""

import torch

from reverie.arguments import Count, Rate, Weight
from reverie.data import ImageSpec
from reverie.data.views import symmetric
from reverie.engine.plan import Plan, half_life
from reverie.models.gan import GAN, Game
from reverie.nn.dcgan import critic, generator
from reverie.objectives.adversarial import wasserstein
from reverie.objectives.penalties import GradientPenalty
from reverie.recipes._parts import Augment, adam, augment_of

DATA = "mnist"
TINY = {"width": 4, "latent": 4, "critic_turns": 2, "batch": 8}
TARGETS = ()  # the paper measures larger networks on photographs


def run(
    data: ImageSpec,
    *,
    penalty: Weight = 10.0,
    critic_turns: Count = 5,
    width: Count = 32,
    latent: Count = 64,
    augment: Augment = "none",
    rate: Rate = 1e-3,
    batch: Count = 64,
    ema_half_life: Count = 5_000,
) -> Plan:
    """The Wasserstein game for images whose sides can be halved to between 4 and 16 pixels.

    Args:
        data: shape and classes of the images.
        penalty: weight of the squared difference between the critic's slope and 1.
        critic_turns: turns of the critic for one of the generator, each with fresh images and fresh noise.
        width: channels at full size; deeper layers have up to 8 times as many.
        latent: numbers in the code.
        augment: what is done to real and fake images alike before the critic sees them; for few images.
        rate: of Adam, for both.
        batch: images a turn.
        ema_half_life: half-life of the averaged weights in images; at most a twentieth of those seen so far.
    """
    model = GAN(
        generator(latent, data.shape, width),
        critic(data.shape, width),
        Game(wasserstein(), GradientPenalty(penalty), critic_turns, augment=augment_of(augment)),
        latent=latent,
    )
    optimizer = adam(rate, betas=(0.0, 0.9))
    return Plan(
        model=model.to(memory_format=torch.channels_last),  # type: ignore[call-overload]
        view=symmetric(),
        optimizers={"critic": optimizer, "generator": optimizer},
        batch=batch,
        epochs=20,
        ema=half_life(ema_half_life, batch),
        keep="best",
        pictures={"samples": {}},
    )
