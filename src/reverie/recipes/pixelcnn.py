"""Gated PixelCNN: an exact likelihood, and pictures drawn pixel by pixel.

Architecture: van den Oord et al. 2016, 1606.05328: a vertical stack for the rows above and a horizontal one for the row
itself, gated layers, no blind spot. Likelihood of 8-bit levels: the mixture of logistics of PixelCNN++ (Salimans et al.
2017, 1701.05517). Differs: the colours of a pixel depend on each other through the mixture, as in PixelCNN++, and not
through masked groups of channels; the output is a sum over the skip connections of all layers, as in later work of the
first author (WaveNet, 1609.03499); no class labels; fewer and narrower layers, so that two cores can train it; Adam
with a cosine and averaged weights, where the paper has RMSprop.
"""

from typing import Literal

import torch

from reverie.arguments import Count, Fraction, Rate, Weight
from reverie.data import ImageSpec
from reverie.data.views import View, bits, levels
from reverie.distributions import Bernoulli
from reverie.engine.plan import Plan, cosine
from reverie.mixtures import MixtureOfLogistics, mixture_channels
from reverie.models.pixelcnn import PixelCNN, PixelObservation
from reverie.nn.gated import GatedPixels
from reverie.recipes._parts import Binarise, adam

DATA = "mnist"
TINY = {"features": 4, "layers": 2, "components": 2, "batch": 16}
TARGETS = ()  # the paper's figures are of far larger networks, on photographs


def run(
    data: ImageSpec,
    *,
    features: Count = 32,
    layers: Count = 7,
    likelihood: Literal["auto", "bernoulli", "mixture"] = "auto",
    components: Count = 10,
    binarise: Binarise = "dynamic",
    rate: Rate = 1e-3,
    batch: Count = 32,
    ema: Fraction = 0.999,
    clip: Weight = 1.0,
) -> Plan:
    """The gated PixelCNN for images of any size.

    Args:
        data: shape and classes of the images.
        features: channels of either stack.
        layers: gated layers; a pixel sees 4 more rows than there are layers.
        likelihood: bernoulli (bits), mixture (of logistics, for 8-bit levels); auto takes bernoulli for grey images,
            else mixture.
        components: of the mixture.
        binarise: how grey pixels become bits: dynamic (drawn each time), static (once), threshold (at 128).
        rate: Adam's, at its peak.
        batch: images a step.
        ema: decay a step of the averaged weights; 0 for none.
        clip: largest norm of the gradient; 0 for no limit.
    """
    channels = data.shape[0]
    mixed = likelihood == "mixture" or (likelihood == "auto" and channels > 1)
    view: View = levels() if mixed else bits(binarise)
    observation: PixelObservation = MixtureOfLogistics(channels, components) if mixed else Bernoulli
    outputs = mixture_channels(channels, components) if mixed else channels
    model = PixelCNN(GatedPixels(channels, features, layers, outputs), observation, data.shape)
    return Plan(
        model=model.to(memory_format=torch.channels_last),  # type: ignore[call-overload]
        view=view,
        optimizers={"pixelcnn": adam(rate)},
        schedule=cosine(),
        batch=batch,
        epochs=10,
        ema=ema,
        clip=clip,
        pictures={"samples": {}},
    )
