"""Adversarial network of the textbook: fully connected, with three costs of the generator and k critic turns.

Architecture: the adversarial chapter of a TensorFlow 2 book, after Goodfellow et al. 2014, 1406.2661: codes of 100
normal numbers; generator 256, 512, 1024, each LeakyReLU 0.2 and then batch normalisation with momentum 0.8, tanh;
critic 512, 256 with LeakyReLU 0.2; costs minimax, non-saturating and maximum likelihood.
Differs: the critic ends in a logit, and costs are of logits, so that none overflows or dies of a rounded sigmoid; the
cost of maximum likelihood is divided by its mean over the batch; the generator's turn has noise of its own; Adam 2e-4
with a first moment of 0.5 (Radford et al. 2016), where the chapter names no rate; any image shape.
"""

from typing import Literal

from reverie.arguments import Count, Fraction, Rate
from reverie.data import ImageSpec
from reverie.data.views import symmetric
from reverie.engine.plan import Plan
from reverie.models.gan import GAN, Game
from reverie.nn.adversarial import mlp_critic, mlp_generator
from reverie.recipes._parts import adam, cost_of

DATA = "mnist"
TINY = {"generator": (16,), "critic": (16,), "latent": 4, "batch": 16}
TARGETS = ()  # the source gives pictures and no figure


def run(
    data: ImageSpec,
    *,
    cost: Literal["minimax", "non-saturating", "maximum-likelihood"] = "non-saturating",
    critic_turns: Count = 1,
    smoothing: Fraction = 0.0,
    latent: Count = 100,
    generator: tuple[Count, ...] = (256, 512, 1024),
    critic: tuple[Count, ...] = (512, 256),
    rate: Rate = 2e-4,
    batch: Count = 128,
) -> Plan:
    """The textbook's game for images of any shape.

    Args:
        data: shape and classes of the images.
        cost: of the generator.
        critic_turns: turns of the critic for one of the generator, each with fresh images and fresh noise.
        smoothing: how far the target of real images lies below 1; below 0.5.
        latent: numbers in the code.
        generator: units of its hidden layers.
        critic: units of its hidden layers.
        rate: of Adam, for both.
        batch: images a turn.
    """
    model = GAN(
        mlp_generator(latent, generator, data.shape),
        mlp_critic(data.shape, critic),
        Game(cost_of(cost, smoothing), critic_turns=critic_turns),
        latent=latent,
    )
    optimizer = adam(rate, betas=(0.5, 0.999))
    return Plan(
        model=model,
        view=symmetric(),
        optimizers={"critic": optimizer, "generator": optimizer},
        batch=batch,
        epochs=50,
        keep="best",
        pictures={"samples": {}},
    )
