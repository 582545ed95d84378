"""Convolutional adversarial network for drawings, as the sketch article trains it on camels.

Architecture: an article on sketches with TensorFlow 2, after Radford et al. 2016, 1511.06434; data are Quick, Draw!.
Codes of 100 normal numbers; generator dense 7x7x256, transposed 5x5 convolutions 128, 64 (stride 2) and 1 (stride 2)
without bias, batch normalisation and LeakyReLU 0.3, tanh; critic of 5x5 convolutions 64 and 128 with stride 2,
LeakyReLU 0.3 and dropout 0.3, and a dense logit; after each epoch a sheet of the same noise vectors and the weights of
both networks. Classic training: ``--batch 256 --rate 1e-4 --momentum 0.9 --ema-half-life 0 --keep-epochs``, 100 epochs
of up to 80,000 drawings.
Differs: settings for a few thousand drawings, where 100 epochs of such batches are a thousand updates and not 31,000:
batch 32, Adam 2e-4 with a first moment of 0.5, and samples from averaged weights; augmentation for a few hundred; batch
normalisation after the third layer too, which the article's print leaves out; any sides that are multiples of 4, and
any channels; a tenth of the drawings is kept for testing.
"""

from typing import Annotated

import torch

from reverie.arguments import Count, Fraction, Range, Rate, Steps
from reverie.data import ImageSpec
from reverie.data.views import symmetric
from reverie.engine.plan import Plan, half_life
from reverie.models.gan import GAN, Game
from reverie.nn.dcgan import sketch_critic, sketch_generator
from reverie.recipes._parts import Augment, adam, augment_of, cost_of

DATA = "quickdraw"
TINY = {"latent": 4, "batch": 8}
TARGETS = ()  # the source gives pictures and no figure


def run(
    data: ImageSpec,
    *,
    latent: Count = 100,
    smoothing: Fraction = 0.0,
    augment: Augment = "none",
    rate: Rate = 2e-4,
    momentum: Annotated[float, Range(low=0.0, high=0.999)] = 0.5,
    batch: Count = 32,
    ema_half_life: Steps = 5000,
) -> Plan:
    """The article's game for images whose sides are multiples of 4.

    Args:
        data: shape and classes of the images.
        latent: numbers in the code.
        smoothing: how far the target of real images lies below 1; below 0.5.
        augment: changes that the critic sees of real and fake images alike; for a few hundred images.
        rate: of Adam, for both.
        momentum: the decay of Adam's first moment.
        batch: images a turn.
        ema_half_life: half-life of the averaged weights, in images; 0 for no average.
    """
    model = GAN(
        sketch_generator(latent, data.shape),
        sketch_critic(data.shape),
        Game(cost_of("non-saturating", smoothing), augment=augment_of(augment)),
        latent=latent,
    )
    optimizer = adam(rate, betas=(momentum, 0.999))
    return Plan(
        model=model.to(memory_format=torch.channels_last),  # type: ignore[call-overload]
        view=symmetric(),
        optimizers={"critic": optimizer, "generator": optimizer},
        batch=batch,
        epochs=100,
        ema=half_life(ema_half_life, batch) if ema_half_life else 0.0,
        watch=1000,
        keep="best",
        pictures={"samples": {}},
    )
