"""Convolutional adversarial network of the tutorial, beside its fully connected one.

Architecture: the PyTorch tutorial "unsupervised learning", after an exercise of the course CS231n and Radford et al.
2016, 1511.06434: critic of 5x5 convolutions 32 and 64 with LeakyReLU 0.01 and max-pooling, dense 1024; generator dense
1024, dense 7x7x128, transposed 4x4 convolutions 64 and 1, with ReLU and batch normalisation, tanh; codes of 96 uniform
numbers; Adam 3e-4 (0.5, 0.999), batch 128. Compare it with ``gan-mlp-small`` at equal epochs.
Differs: the generator's turn has noise of its own, where the tutorial reuses the critic's; any sides that are multiples
of 4, and any channels.
"""

from typing import Literal

import torch

from reverie.arguments import Count, Rate
from reverie.data import ImageSpec
from reverie.data.views import symmetric
from reverie.engine.plan import Plan
from reverie.models.gan import GAN, Game
from reverie.nn.dcgan import tutorial_critic, tutorial_generator
from reverie.recipes._parts import adam, cost_of

DATA = "mnist"
TINY = {"latent": 4, "batch": 16}
TARGETS = ()  # the source gives pictures and no figure


def run(
    data: ImageSpec,
    *,
    cost: Literal["non-saturating", "minimax", "least-squares"] = "non-saturating",
    latent: Count = 96,
    rate: Rate = 3e-4,
    batch: Count = 128,
) -> Plan:
    """The tutorial's convolutional game for images whose sides are multiples of 4.

    Args:
        data: shape and classes of the images.
        cost: of both players; least-squares has targets in place of classes.
        latent: numbers in the code.
        rate: of Adam, for both.
        batch: images a turn.
    """
    model = GAN(
        tutorial_generator(latent, data.shape),
        tutorial_critic(data.shape),
        Game(cost_of(cost)),
        latent=latent,
        noise="uniform",
    )
    optimizer = adam(rate, betas=(0.5, 0.999))
    return Plan(
        model=model.to(memory_format=torch.channels_last),  # type: ignore[call-overload]
        view=symmetric(),
        optimizers={"critic": optimizer, "generator": optimizer},
        batch=batch,
        epochs=20,
        keep="best",
        pictures={"samples": {}},
    )
