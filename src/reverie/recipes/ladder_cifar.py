"""Top-down ladder VAE for colour images of 8-bit levels, measured in bits per dimension.

Architecture: the top-down VAE of Child 2021 (arXiv:2011.10650), made small: latent layers at a half, a quarter and an
eighth of the image's size, each with a prior and a posterior that know the layers above; residual blocks that are
activated before they convolve; averaged weights.
Differs: 13 latent layers instead of 45, none at full size; SiLU for GELU; two 3x3 convolutions a block, without the
bottleneck of 1x1 ones; a discretised logistic with a scale of its own for each value (Kingma et al. 2016,
arXiv:1606.04934, have one for all) instead of a mixture of ten; Muon with a cosine down to 0 instead of AdamW at a
constant rate; gradients are clipped where the paper leaves out steps.
"""

import torch

from reverie.arguments import Count, Fraction, Rate, Weight
from reverie.data import ImageSpec
from reverie.data.views import levels
from reverie.engine.plan import Plan, cosine
from reverie.models.ladder_vae import LadderVAE
from reverie.nn.ladder import Ladder, Rung
from reverie.objectives.elbo import Bound
from reverie.recipes._parts import logistic_of_each, muon

DATA = "cifar10"
TINY = {"width": 8, "latent": 2, "layers": (1, 1), "batch": 16}
TARGETS = ()  # not measured yet


def run(
    data: ImageSpec,
    *,
    width: Count = 64,
    layers: tuple[Count, ...] = (6, 4, 3),
    latent: Count = 8,
    blocks: Count = 3,
    beta: Weight = 1.0,
    warmup: Fraction = 0.02,
    free_bits: Weight = 0.0,
    rate: Rate = 0.02,
    batch: Count = 64,
    ema: Fraction = 0.999,
    clip: Weight = 400.0,
) -> Plan:
    """The ladder VAE for images with even sides.

    Args:
        data: shape and classes of the images.
        width: channels of the states.
        layers: latent layers at half the image's size, at a quarter, and so on.
        latent: channels of a latent layer.
        blocks: residual blocks on the way up at each of those sizes.
        beta: weight of the divergence; 1 is the bound of the likelihood.
        warmup: part of the budget over which that weight rises from 0.
        free_bits: the least that the divergence of each latent layer counts in training, nats; 0 for none.
        rate: of Muon, at its peak.
        batch: images a step.
        ema: decay a step of the averaged weights; 0 for none.
        clip: largest norm of the gradient; 0 for no limit.
    """
    ladder = Ladder(data.shape, 2 * data.shape[0], [Rung(width, blocks, count, latent) for count in layers])
    model = LadderVAE(ladder, logistic_of_each, objective=Bound(beta=beta, free_bits=free_bits, warmup=warmup))
    return Plan(
        model=model.to(memory_format=torch.channels_last),  # type: ignore[call-overload]
        view=levels(),
        optimizers={"vae": muon(rate)},
        schedule=cosine(warmup=0.01, end=0.0),
        batch=batch,
        epochs=30,
        ema=ema,
        clip=clip,
        pictures={"samples": {}, "reconstructions": {}, "interpolation": {}},
    )
