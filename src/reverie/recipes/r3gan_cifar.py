"""Relativistic adversarial network for colour photographs of known classes, for half an hour on a GPU.

Architecture: R3GAN, Huang et al. 2025, 2501.05441, configuration E for CIFAR-10: four sizes, two residual blocks each,
a learned basis of 64 numbers, a vector of the class beside the code and a projection in the critic; the cost of pairs
with R1 and R2, batch 512. Over the first part of the training gamma falls from 0.05 to 0.01 and Adam's second decay
rises from 0.9 to 0.99.
Differs: widths 128 to 512 where the paper has 768, since its 250 million images took four days on eight GPUs; the rate
falls to a twentieth along a cosine; differentiable augmentation by argument in place of an adaptive one, and no mirror
images; bilinear resizing with half-pixel centres.
"""

import torch

from reverie.arguments import Count, Rate, Weight
from reverie.data import ImageSpec
from reverie.data.views import symmetric
from reverie.engine.plan import Plan, cosine, half_life
from reverie.models.gan import GAN, Game
from reverie.nn.adversarial import ProjectionCritic, ToldGenerator
from reverie.nn.plain_residual import residual_features, residual_generator
from reverie.objectives.adversarial import relativistic
from reverie.objectives.penalties import ZeroCentred
from reverie.recipes._parts import Augment, adam, augment_of, burn_in, need_classes

DATA = "cifar10"
TINY = {"width": 4, "deepest": 8, "latent": 4, "embedding": 4, "batch": 8}
TARGETS = ()  # the paper's 1.96 is of the Inception network and of 250 million images


def run(
    data: ImageSpec,
    *,
    gamma: Weight = 0.05,
    gamma_end: Weight = 0.01,
    width: Count = 128,
    deepest: Count = 512,
    blocks: Count = 2,
    latent: Count = 64,
    embedding: Count = 64,
    augment: Augment = "none",
    rate: Rate = 5e-4,
    batch: Count = 512,
    ema_half_life: Count = 300_000,
) -> Plan:
    """The relativistic game for labelled images whose sides can be halved to between 4 and 16 pixels.

    Args:
        data: shape and classes of the images.
        gamma: weight of both penalties at the start.
        gamma_end: the same from three fifths of the training on.
        width: channels at full size; twice as many at each smaller one.
        deepest: most channels.
        blocks: of each size.
        latent: numbers in the code.
        embedding: numbers in the generator's vector of a class.
        augment: what is done to real and fake images alike before the critic sees them.
        rate: of Adam, for both, at its peak.
        batch: images a turn.
        ema_half_life: half-life of the averaged weights in images; at most a twentieth of those seen so far.

    Raises:
        DataError: the images have no labels.
    """
    classes = need_classes(data, "r3gan")
    falling, rising = burn_in(gamma, gamma_end, 0.6), burn_in(0.9, 0.99, 0.6)
    features, count = residual_features(data.shape, width, deepest, blocks)
    drawing = residual_generator(latent + embedding, data.shape, width, deepest, blocks)
    model = GAN(
        ToldGenerator(drawing, len(classes), embedding),
        ProjectionCritic(features, count, len(classes)),
        Game(relativistic(), ZeroCentred(falling), augment=augment_of(augment)),
        latent=latent,
        classes=classes,
    )
    optimizer = adam(rate, betas=(0.0, 0.9))
    return Plan(
        model=model.to(memory_format=torch.channels_last),  # type: ignore[call-overload]
        view=symmetric(),
        optimizers={"critic": optimizer, "generator": optimizer},
        schedule=cosine(end=0.05),
        betas=lambda progress: (0.0, rising(progress)),
        batch=batch,
        epochs=60,
        ema=half_life(ema_half_life, batch),
        keep="best",
        pictures={"samples": {}},
    )
