"""Top-down ladder VAE for binary images, with seven latent layers by default.

Architecture: the top-down VAE of Child 2021 (arXiv:2011.10650), made small: a strided stem, residual blocks that are
activated before they convolve, latent layers at a quarter and an eighth of the image's size, each with a prior and a
posterior that know the layers above (Kingma et al. 2016, arXiv:1606.04934); averaged weights.
Differs: SiLU for GELU; two 3x3 convolutions a block, without the bottleneck of 1x1 ones; one convolution of the
state gives the prior, what is added to the state and the state's part in the posterior, to which the image's part is
added; Muon (Jordan et al. 2024) with a cosine down to 0 instead of AdamW at a constant rate; gradients are clipped
where the paper leaves out steps; the divergence's weight rises at first.
With ``local``, each bit sees those just before it, too (Gulrajani et al. 2016, arXiv:1611.05013): the likelihood of
minutes of training is higher by some nats, and a picture is drawn bit by bit.
"""

import torch

from reverie.arguments import Count, Fraction, Rate, Steps, Weight
from reverie.data import ImageSpec
from reverie.data.views import bits
from reverie.distributions import Bernoulli
from reverie.engine.plan import Plan, cosine
from reverie.errors import UsageError
from reverie.models.ladder_vae import LadderVAE
from reverie.nn.ladder import Ladder, Rung
from reverie.nn.local import LocalBits
from reverie.objectives.elbo import Bound
from reverie.recipes._parts import Binarise, muon

DATA = "mnist"
TINY = {"width": 8, "latent": 2, "layers": (1, 1), "batch": 16}
TARGETS = ()  # not measured yet


def run(
    data: ImageSpec,
    *,
    width: Count = 32,
    layers: tuple[Count, ...] = (4, 3),
    latent: Count = 4,
    blocks: Count = 2,
    local: Steps = 0,
    depth: Count = 1,
    beta: Weight = 1.0,
    warmup: Fraction = 0.08,
    free_bits: Weight = 0.0,
    binarise: Binarise = "dynamic",
    rate: Rate = 0.02,
    batch: Count = 96,
    ema: Fraction = 0.999,
    clip: Weight = 100.0,
) -> Plan:
    """The ladder VAE for images with even sides.

    Args:
        data: shape and classes of the images.
        width: channels of the states; half as many at half the image's size.
        layers: latent layers at a quarter of the image's size, at an eighth, and so on.
        latent: channels of a latent layer at a quarter of the size; twice as many at each halving.
        blocks: residual blocks on the way up at each of those sizes.
        local: features that tell each bit, beside the bits just before it; 0 for bits that are independent given the
            code.
        depth: layers of the network that sees them.
        beta: weight of the divergence; 1 is the bound of the likelihood.
        warmup: part of the budget over which that weight rises from 0.
        free_bits: the least that the divergence of each latent layer counts in training, nats; 0 for none.
        binarise: how pixels become bits: dynamic (drawn each time), static (once), threshold (at 128).
        rate: of Muon, at its peak.
        batch: images a step.
        ema: decay a step of the averaged weights; 0 for none.
        clip: largest norm of the gradient; 0 for no limit.

    Raises:
        UsageError: a depth without bits that see others.
    """
    if depth > 1 and not local:
        raise UsageError("--depth is of the network by which bits see others: give --local too, --local 16 say.")
    latent_rungs = (Rung(width, blocks, count, latent * 2**place) for place, count in enumerate(layers))
    ladder = Ladder(data.shape, local or data.shape[0], [Rung(max(1, width // 2)), *latent_rungs])
    observation = LocalBits(Bernoulli, data.shape[0], local, depth=depth) if local else Bernoulli
    model = LadderVAE(ladder, observation, objective=Bound(beta=beta, free_bits=free_bits, warmup=warmup))
    return Plan(
        model=model.to(memory_format=torch.channels_last),  # type: ignore[call-overload]
        view=bits(binarise),
        optimizers={"vae": muon(rate)},
        schedule=cosine(warmup=0.01, end=0.0),
        batch=batch,
        epochs=15,
        ema=ema,
        clip=clip,
        pictures={"samples": {}, "reconstructions": {}, "interpolation": {}},
    )
