"""Extractors: networks that turn pictures into features, in which sets of pictures are held against each other.

Every extractor is scaled so that the features of the training images have a total variance of 1,000 (``SPREAD``).
A Fréchet distance is then in thousandths of the variety of the data, whatever the network: 0 is the law of the
data, and 1,000 is what a single average picture has.
"""

from dataclasses import dataclass
from hashlib import sha256

import torch
from safetensors.torch import save
from torch import Tensor, nn

from reverie.data.images import Split
from reverie.engine.noise import generator

WIDTH = 64  # features
CHANNELS = 16  # of the first convolution
SPREAD = 1000.0  # the total variance of the training images' features
FITTED = 10_000  # training images that the scale is taken from, at most
BATCH = 500  # images at once; no result depends on it


@dataclass(frozen=True)
class Extractor:
    """A network and what a figure's protocol must say of it.

    Args:
        name: as in ``FD[classifier-mnist,64d]``.
        network: pixels (B, C, H, W) in [0, 1] to features (B, D), in evaluation mode.
        scale: (D,) factor on each feature.
        head: features before scaling to logits of the classes, (B, K); None where it knows no classes.
        accuracy: of the head, on test images.
    """

    name: str
    network: nn.Module
    scale: Tensor
    head: nn.Module | None = None
    accuracy: float | None = None

    @property
    def title(self) -> str:
        """The name with the number of features.

        Example:
            >>> random_network(Split(torch.arange(512, dtype=torch.uint8).view(2, 1, 16, 16))).title
            'random,64d'
        """
        return f"{self.name},{len(self.scale)}d"

    @property
    def protocol(self) -> dict[str, str]:
        """What must be equal before figures of two extractors may be compared."""
        known = "" if self.accuracy is None else f" of {self.accuracy:.2%} test accuracy"
        return {"features": f"{self.title}{known}", "features_sha256": sha256(packed(self)).hexdigest()[:16]}

    def features(self, pixels: Tensor) -> Tensor:
        """Features (N, D), float64, of 8-bit pixels (N, C, H, W)."""
        return self.look(pixels)[0]

    def look(self, pixels: Tensor) -> tuple[Tensor, Tensor | None]:
        """Features (N, D), and the likeliest class of each picture, (N,) int64, where the head knows classes."""
        with torch.inference_mode():
            seen = torch.cat([self.network(_unit(part)) for part in torch.split(pixels, BATCH)])
            classes = None if self.head is None else self.head(seen).argmax(1)
        return seen.double() * self.scale, classes


def _unit(pixels: Tensor) -> Tensor:
    return (pixels / 255).to(memory_format=torch.channels_last)


def packed(extractor: Extractor) -> bytes:
    """All numbers of an extractor as the bytes of a safetensors file, float32 and float64: what its hash is of."""
    parts = {"network": extractor.network, "head": extractor.head}
    tensors = {
        f"{part}.{name}": tensor.contiguous()
        for part, module in parts.items()
        if module is not None
        for name, tensor in module.state_dict().items()
    }
    return save({**tensors, "scale": extractor.scale})


def small_network(channels: int) -> nn.Sequential:
    """Three convolutions and a dense layer: pictures of any size from 4 pixels a side to ``WIDTH`` features."""
    network = nn.Sequential(
        *_block(channels, CHANNELS, stride=2),
        *_block(CHANNELS, 2 * CHANNELS, stride=1),
        nn.MaxPool2d(2),
        *_block(2 * CHANNELS, 2 * CHANNELS, stride=2),
        nn.AdaptiveAvgPool2d(4),
        nn.Flatten(),
        nn.Linear(32 * CHANNELS, WIDTH),
    )
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def _block(inner: int, outer: int, stride: int) -> tuple[nn.Module, ...]:
    return nn.Conv2d(inner, outer, 3, stride, 1, bias=False), nn.BatchNorm2d(outer), nn.ReLU()


def random_network(train: Split) -> Extractor:
    """A network with fixed random weights, whose features are scaled to equal variance on the training images.

    It has learned nothing, and so it is blind to nothing that labels leave out. The weights depend on the number of
    channels alone (He et al. 2015, arXiv:1502.01852); random features in place of learned ones: Naeem et al. 2020,
    arXiv:2002.09797.
    """
    with torch.random.fork_rng():
        torch.manual_seed(generator("extractor", "random").initial_seed())
        network = small_network(train.pixels.shape[1])
        for module in network:
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.kaiming_normal_(module.weight)
    plain = Extractor("random", network.eval().requires_grad_(False), torch.ones(WIDTH, dtype=torch.float64))
    deviation = plain.features(thinned(train.pixels, FITTED)).std(0, correction=0)
    scale = (SPREAD / WIDTH) ** 0.5 / deviation.clamp(min=1e-6 * deviation.max().clamp(min=1e-12))
    return Extractor("random", plain.network, scale)


def scaled(extractor: Extractor, train: Split) -> Extractor:
    """The extractor with one factor on all its features: their total variance on training images is ``SPREAD``."""
    total = extractor.features(thinned(train.pixels, FITTED)).var(0, correction=0).sum()
    factor = (SPREAD / total.clamp(min=1e-12)).sqrt()
    return Extractor(extractor.name, extractor.network, extractor.scale * factor, extractor.head, extractor.accuracy)


def chosen(n: int, count: int) -> Tensor:
    """Which ``count`` of n images stand for all, in their order; all of them if there are no more: int64.

    They are drawn, once for all, and not evenly spaced: a set may alternate between two kinds of images, and then an
    even step finds one kind alone, as it does on the training images of MNIST.
    """
    if count >= n:
        return torch.arange(n)
    return torch.randperm(n, generator=generator("chosen", n))[:count].sort().values


def thinned(x: Tensor, count: int) -> Tensor:
    """At most ``count`` rows that stand for all of (N, ...), in their order; the first may be of few classes."""
    return x[chosen(len(x), count)]
