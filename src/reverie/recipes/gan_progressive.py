"""Progressively grown adversarial network: from a few pixels to all of them.

Architecture: Karras, Aila, Laine and Lehtinen 2018, 1710.10196: levels of twice the size, each faded in; weights scaled
in use, so that all layers learn at one rate; normalised pixels in the generator; the deviation over groups of four in
the critic; the Wasserstein cost with gradient penalty and drift 0.001; Adam (0, 0.99) at 1e-3; an average of the
weights. ``--size 32`` grows from 4 to 32; 28 pixels from 7 to 28.
Differs: one critic always sees pictures at full size, and shrinks them to its level, so that data, penalty and resuming
know nothing of growth; pictures of lower levels are shown by repeating pixels; real pictures are not faded; Adam keeps
its moments when a level is added; narrower; each level but the first has an equal part of the training, half of it
to fade in, and the first has half of one.
"""

import torch

from reverie.arguments import Count, Rate, Weight
from reverie.data import ImageSpec
from reverie.data.views import symmetric
from reverie.engine.plan import Plan, half_life
from reverie.models.gan import GAN, Game
from reverie.nn.growing import GrowingCritic, GrowingGenerator
from reverie.objectives.adversarial import wasserstein
from reverie.objectives.penalties import GradientPenalty
from reverie.recipes._parts import adam

DATA = "mnist"
TINY = {"width": 4, "deepest": 8, "latent": 4, "batch": 8}
TARGETS = ()  # the paper measures larger networks on photographs


def run(
    data: ImageSpec,
    *,
    penalty: Weight = 10.0,
    width: Count = 32,
    deepest: Count = 128,
    latent: Count = 64,
    rate: Rate = 1e-3,
    batch: Count = 64,
    ema_half_life: Count = 10_000,
) -> Plan:
    """The growing game for images whose sides can be halved to between 4 and 16 pixels.

    Args:
        data: shape and classes of the images.
        penalty: weight of the squared difference between the critic's slope and 1.
        width: channels at full size; twice as many at each smaller one.
        deepest: most channels.
        latent: numbers in the code.
        rate: of Adam, for both.
        batch: images a turn.
        ema_half_life: half-life of the averaged weights in images; at most a twentieth of those seen so far.
    """
    model = GAN(
        GrowingGenerator(latent, data.shape, width, deepest),
        GrowingCritic(data.shape, width, deepest),
        Game(wasserstein(drift=1e-3), GradientPenalty(penalty)),
        latent=latent,
    )
    optimizer = adam(rate, betas=(0.0, 0.99))
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
