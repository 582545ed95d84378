"""Fully connected players, and players that are told the class."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from reverie.nn.chain import Chain
from reverie.nn.conv import Shape, glorot
from reverie.nn.dense import Dense
from reverie.nn.mlp import mlp_encoder


def mlp_generator(latent: int, hidden: Sequence[int], shape: Shape) -> nn.Sequential:
    """Linear layers, each with LeakyReLU 0.2 and then batch normalisation, and a tanh: (B, latent) to (B, *shape).

    The textbook's generator, with Glorot's weights at the start, as in Keras. Its momentum of 0.8 says how much of the
    running mean is kept, as Keras counts; torch counts what is replaced, 0.2.
    """
    sizes, layers = [latent, *hidden], list[nn.Module]()
    for inputs, outputs in zip(sizes, sizes[1:], strict=False):
        layers += [Dense(inputs, outputs), nn.LeakyReLU(0.2), nn.BatchNorm1d(outputs, momentum=0.2)]
    return glorot(Chain(*layers, Dense(sizes[-1], math.prod(shape)), nn.Tanh(), nn.Unflatten(1, shape)))


def mlp_critic(shape: Shape, hidden: Sequence[int]) -> nn.Sequential:
    """Linear layers with LeakyReLU 0.2 between them: images (B, *shape) to a logit, (B, 1)."""
    return mlp_encoder(shape, hidden, 1, lambda: nn.LeakyReLU(0.2, inplace=True))


class ToldGenerator(nn.Module):
    """A generator that is told the class by a learned vector beside the code (Mirza and Osindero 2014, 1411.1784).

    Args:
        generator: (B, D + ``width``) to images.
        classes: how many.
        width: numbers in the vector of a class.
    """

    def __init__(self, generator: nn.Module, classes: int, width: int) -> None:
        """Take the generator."""
        super().__init__()
        self.embedding = nn.Embedding(classes, width)
        self.generator = generator

    def forward(self, z: Tensor, label: Tensor) -> Tensor:
        """Codes (B, D) and labels (B,) to images."""
        images: Tensor = self.generator(torch.cat([z, self.embedding(label)], 1))
        return images


class ProjectionCritic(nn.Module):
    """``l(x, y) = w h(x) + <v_y, h(x)> + b`` (Miyato and Koyama 2018, 1802.05637, equation 3).

    Args:
        features: images to features h, (B, F).
        width: F.
        classes: how many.
    """

    def __init__(self, features: nn.Module, width: int, classes: int) -> None:
        """Take the features."""
        super().__init__()
        self.features = features
        self.embedding = nn.Embedding(classes, width)
        self.output = nn.Linear(width, 1)

    def forward(self, x: Tensor, label: Tensor) -> Tensor:
        """Images and labels (B,) to logits (B, 1)."""
        h = self.features(x)
        logits: Tensor = self.output(h) + (self.embedding(label) * h).sum(1, keepdim=True)
        return logits
