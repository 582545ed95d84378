"""Adversarial network with spectral normalisation and the hinge cost: the one to take for images of one's own.

Architecture: after Miyato et al. 2018, 1802.05957, and Lim and Ye 2017, 1705.02894. Generator: dense, transposed 4x4
convolutions with batch normalisation and LeakyReLU 0.2, a 3x3 convolution, tanh; critic: 4x4 convolutions of stride 2,
a 3x3 one and a dense layer, each divided by its largest singular value. Adam (0, 0.9), the critic at twice the
generator's rate (Heusel et al. 2017, 1706.08500); one critic turn; an average of the weights draws the samples.
Differs: settings for minutes on a processor in place of days on a GPU: width 32, batch 64, rates ten times the papers'
and more with a cosine down to a tenth of them, and an average over a twentieth of the images seen.
"""

import torch

from reverie.arguments import Count, Rate
from reverie.data import ImageSpec
from reverie.data.views import symmetric
from reverie.engine.plan import Plan, cosine, half_life
from reverie.models.gan import GAN, Game
from reverie.nn.dcgan import critic, generator
from reverie.nn.spectral import normalised
from reverie.objectives.adversarial import hinge
from reverie.recipes._parts import Augment, adam, augment_of

DATA = "mnist"
TINY = {"width": 4, "latent": 4, "batch": 16}
TARGETS = ()  # the papers measure larger networks on photographs


def run(
    data: ImageSpec,
    *,
    width: Count = 32,
    latent: Count = 64,
    critic_turns: Count = 1,
    augment: Augment = "none",
    rate: Rate = 2e-3,
    critic_rate: Rate = 4e-3,
    batch: Count = 64,
    ema_half_life: Count = 5_000,
) -> Plan:
    """The hinge game for images whose sides can be halved to between 4 and 16 pixels.

    Args:
        data: shape and classes of the images.
        width: channels at full size; deeper layers have up to 8 times as many.
        latent: numbers in the code.
        critic_turns: turns of the critic for one of the generator.
        augment: what is done to real and fake images alike before the critic sees them; for few images.
        rate: of the generator's Adam, at its peak.
        critic_rate: of the critic's Adam, at its peak.
        batch: images a turn.
        ema_half_life: half-life of the averaged weights in images; at most a twentieth of those seen so far.
    """
    model = GAN(
        generator(latent, data.shape, width),
        normalised(critic(data.shape, width)),
        Game(hinge(), critic_turns=critic_turns, augment=augment_of(augment)),
        latent=latent,
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
