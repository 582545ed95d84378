"""Convolutional autoencoder with pooling and a code of 8x2x2 numbers.

Architecture: the PyTorch tutorial "unsupervised learning": convolutions 1-16-8 with strides 3 and 2 and max-pooling,
transposed convolutions back, tanh output, squared error, Adam 1e-3 with weight decay 1e-5, batch 128 (compared with
the MLP after 40 epochs there; 20 here by default, as ``ae-mlp``, so that ``reverie compare`` sets equal epochs side by
side). Differs: pixels are scaled to [-1, 1], as in ``ae-mlp``.
"""

from math import prod

import torch

from reverie.arguments import Count, Rate, Weight
from reverie.data import ImageSpec
from reverie.data.views import symmetric
from reverie.engine.plan import Plan
from reverie.models.autoencoder import Autoencoder
from reverie.nn.conv import conv_autoencoder_code, conv_autoencoder_decoder, conv_autoencoder_encoder
from reverie.recipes._parts import adam

DATA = "mnist"
TINY = {"batch": 16}
TARGETS = ()  # the source gives pictures and no figure


def run(data: ImageSpec, *, rate: Rate = 1e-3, decay: Weight = 1e-5, batch: Count = 128) -> Plan:
    """The autoencoder for images with sides of 12 m + 4 pixels: 16, 28, 40, 52, 64 ...

    Args:
        data: shape and classes of the images.
        rate: of Adam.
        decay: penalty on the squared weights.
        batch: images a step.
    """
    encoder, decoder = conv_autoencoder_encoder(data.shape), conv_autoencoder_decoder(data.shape)
    model = Autoencoder(encoder, decoder, latent=prod(conv_autoencoder_code(data.shape)))
    return Plan(
        model=model.to(memory_format=torch.channels_last),  # type: ignore[call-overload]
        view=symmetric(),
        optimizers={"autoencoder": adam(rate, decay)},
        batch=batch,
        epochs=20,
        pictures={"reconstructions": {}, "codes": {}, "interpolation": {}},
    )
