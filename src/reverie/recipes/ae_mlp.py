"""MLP autoencoder with a code of three numbers, so that it can be drawn.

Architecture: the PyTorch tutorial "unsupervised learning": 784-128-64-12-3 and its mirror image, ReLU, tanh output,
squared error summed over pixels, Adam 1e-3, batch 128 (100 epochs there, 20 here by default).
Differs: pixels are scaled to [-1, 1], which tanh can reach; the tutorial's normalisation (mean 0.1307, deviation
0.3081) asks tanh for values up to 2.8.
"""

from torch import nn

from reverie.arguments import Count, Rate
from reverie.data import ImageSpec
from reverie.data.views import symmetric
from reverie.engine.plan import Plan
from reverie.models.autoencoder import Autoencoder
from reverie.nn.mlp import mlp_decoder, mlp_encoder
from reverie.recipes._parts import adam

DATA = "mnist"
TINY = {"hidden": (16, 8), "batch": 16}
TARGETS = ()  # the source gives pictures and no figure


def run(
    data: ImageSpec,
    *,
    latent: Count = 3,
    hidden: tuple[Count, ...] = (128, 64, 12),
    rate: Rate = 1e-3,
    batch: Count = 128,
) -> Plan:
    """The autoencoder for images of any shape.

    Args:
        data: shape and classes of the images.
        latent: numbers in the code.
        hidden: units of the encoder's layers; the decoder mirrors them.
        rate: of Adam.
        batch: images a step.
    """
    encoder = mlp_encoder(data.shape, hidden, latent)
    decoder = mlp_decoder(latent, hidden[::-1], data.shape, output=nn.Tanh)
    return Plan(
        model=Autoencoder(encoder, decoder, latent=latent),
        view=symmetric(),
        optimizers={"autoencoder": adam(rate)},
        batch=batch,
        epochs=20,
        pictures={"reconstructions": {}, "codes": {}, "interpolation": {}},
    )
