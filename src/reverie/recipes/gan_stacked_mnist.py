"""Test of collapse: three digits in three colours make 1,000 modes, and a generator may forget some of them.

Architecture: the protocol of VEEGAN (Srivastava et al. 2017, 1705.07761) as PacGAN repeats it (Lin et al. 2018,
1712.04086): a DCGAN (Radford et al. 2016) of width 64 with batch normalisation in both players, codes of 100 uniform
numbers, Adam 2e-4 (0.5, 0.999), batch 64, 50 epochs; ``--packing 2`` is PacDCGAN2. ``--game relativistic`` plays the
same round with the cost and penalties of R3GAN (Huang et al. 2025, 2501.05441), on its residual networks with two
blocks.
Differs: two digits make 100 modes with ``--data stacked-mnist-2``, for a processor.
"""

from typing import Literal

import torch

from reverie.arguments import Count, Rate, Weight
from reverie.data import ImageSpec
from reverie.data.views import symmetric
from reverie.engine.plan import Plan, half_life
from reverie.models.gan import GAN, Game
from reverie.nn import dcgan
from reverie.nn.plain_residual import residual_critic, residual_generator
from reverie.objectives.penalties import ZeroCentred
from reverie.recipes._parts import adam, burn_in, cost_of

DATA = "stacked-mnist"
TINY = {"width": 4, "latent": 4, "batch": 8}
TARGETS = ()  # modes are counted by a classifier of one's own, which each paper has another of


def run(
    data: ImageSpec,
    *,
    game: Literal["non-saturating", "relativistic"] = "non-saturating",
    packing: Count = 1,
    gamma: Weight = 1.0,
    gamma_end: Weight = 0.1,
    width: Count = 64,
    latent: Count = 100,
    rate: Rate = 2e-4,
    batch: Count = 64,
) -> Plan:
    """The game of a thousand modes, for images of at least 16 pixels a side.

    Args:
        data: shape and classes of the images.
        game: non-saturating, with batch normalisation; or relativistic, with penalties and residual networks.
        packing: images that the critic judges together; the batch is a multiple of it.
        gamma: of the relativistic game: weight of both penalties at the start.
        gamma_end: of the relativistic game: the same from a fifth of the training on.
        width: channels at full size.
        latent: numbers in the code.
        rate: of Adam, for both.
        batch: images a turn.
    """
    pack = (packing * data.shape[0], *data.shape[1:])
    rising = burn_in(0.9, 0.99, 0.2)
    pairs = game == "relativistic"
    if pairs:
        players = (
            residual_generator(latent, data.shape, width, 4 * width, 2),
            residual_critic(pack, width, 4 * width, 2),
        )
        rules = Game(cost_of(game), ZeroCentred(burn_in(gamma, gamma_end, 0.2)), packing=packing)
    else:
        players = dcgan.batch_normal_generator(latent, data.shape, width), dcgan.batch_normal_critic(pack, width)
        rules = Game(cost_of(game), packing=packing)
    model = GAN(*players, rules, latent=latent, noise="normal" if pairs else "uniform")
    optimizer = adam(rate, betas=(0.0, 0.9) if pairs else (0.5, 0.999))
    return Plan(
        model=model.to(memory_format=torch.channels_last),  # type: ignore[call-overload]
        view=symmetric(),
        optimizers={"critic": optimizer, "generator": optimizer},
        betas=(lambda progress: (0.0, rising(progress))) if pairs else None,
        batch=batch,
        epochs=50,
        ema=half_life(500_000, batch) if pairs else 0.0,
        keep="best",
        pictures={"samples": {}},
    )
