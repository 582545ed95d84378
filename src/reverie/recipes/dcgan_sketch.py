"""Convolutional adversarial network for drawings, as the sketch article trains it on camels.

Architecture: an article on sketches with TensorFlow 2, after Radford et al. 2016, 1511.06434; data are Quick, Draw!.
Codes of 100 normal numbers; generator dense 7x7x256, transposed 5x5 convolutions 128, 64 (stride 2) and 1 (stride 2)
without bias, batch normalisation and LeakyReLU 0.3, tanh; critic of 5x5 convolutions 64 and 128 with stride 2,
LeakyReLU 0.3 and dropout 0.3, and a dense logit; Adam 1e-4 for both, batch 256, 100 epochs; after each epoch a sheet of
the same 16 noise vectors.
Differs: batch normalisation after the third layer too, which the article's print leaves out; any sides that are
multiples of 4, and any channels; a tenth of the drawings is kept for testing.
"""

import torch

from reverie.arguments import Count, Fraction, Rate
from reverie.data import ImageSpec
from reverie.data.views import symmetric
from reverie.engine.plan import Plan
from reverie.models.gan import GAN, Game
from reverie.nn.dcgan import sketch_critic, sketch_generator
from reverie.recipes._parts import adam, cost_of

DATA = "quickdraw"
TINY = {"latent": 4, "batch": 8}
TARGETS = ()  # the source gives pictures and no figure


def run(
    data: ImageSpec,
    *,
    latent: Count = 100,
    smoothing: Fraction = 0.0,
    rate: Rate = 1e-4,
    batch: Count = 256,
) -> Plan:
    """The article's game for images whose sides are multiples of 4.

    Args:
        data: shape and classes of the images.
        latent: numbers in the code.
        smoothing: how far the target of real images lies below 1; below 0.5.
        rate: of Adam, for both.
        batch: images a turn.
    """
    model = GAN(
        sketch_generator(latent, data.shape),
        sketch_critic(data.shape),
        Game(cost_of("non-saturating", smoothing)),
        latent=latent,
    )
    optimizer = adam(rate)
    return Plan(
        model=model.to(memory_format=torch.channels_last),  # type: ignore[call-overload]
        view=symmetric(),
        optimizers={"critic": optimizer, "generator": optimizer},
        batch=batch,
        epochs=100,
        keep="best",
        pictures={"samples": {}},
    )
