"""Adversarial network of the tutorial: two fully connected networks, with the cost of logits or least squares.

Architecture: the PyTorch tutorial "unsupervised learning", after an exercise of the course CS231n: codes of 96 uniform
numbers on [-1, 1]; generator 1024, 1024 with ReLU, tanh; critic 256, 256 with LeakyReLU 0.2; Adam 3e-4 (0.5, 0.999),
batch 128. Least squares (Mao et al. 2017, 1611.04076) with targets 0 and 1, "more stable".
Differs: the generator's turn has noise of its own, where the tutorial reuses the critic's; the tutorial does not say
how long the code is, and 96 is the exercise's; any image shape.
"""

from functools import partial
from typing import Literal

from torch import nn

from reverie.arguments import Count, Rate
from reverie.data import ImageSpec
from reverie.data.views import symmetric
from reverie.engine.plan import Plan
from reverie.models.gan import GAN, Game
from reverie.nn.adversarial import mlp_critic
from reverie.nn.mlp import mlp_decoder
from reverie.recipes._parts import adam, cost_of

DATA = "mnist"
TINY = {"hidden": 16, "latent": 4, "batch": 16}
TARGETS = ()  # the source gives pictures and no figure


def run(
    data: ImageSpec,
    *,
    cost: Literal["non-saturating", "minimax", "least-squares"] = "non-saturating",
    latent: Count = 96,
    hidden: Count = 1024,
    rate: Rate = 3e-4,
    batch: Count = 128,
) -> Plan:
    """The tutorial's game for images of any shape.

    Args:
        data: shape and classes of the images.
        cost: of both players; least-squares has targets in place of classes.
        latent: numbers in the code.
        hidden: units of each of the generator's two hidden layers; the critic's have a quarter.
        rate: of Adam, for both.
        batch: images a turn.
    """
    quarter = max(1, hidden // 4)
    model = GAN(
        mlp_decoder(latent, (hidden, hidden), data.shape, partial(nn.ReLU, inplace=True), nn.Tanh),
        mlp_critic(data.shape, (quarter, quarter)),
        Game(cost_of(cost)),
        latent=latent,
        noise="uniform",
    )
    optimizer = adam(rate, betas=(0.5, 0.999))
    return Plan(
        model=model,
        view=symmetric(),
        optimizers={"critic": optimizer, "generator": optimizer},
        batch=batch,
        epochs=20,
        keep="best",
        pictures={"samples": {}},
    )
