"""Convolutional players: those of the tutorial and of the sketch article, and a pair for images of any size.

The tutorial's and the article's start with Glorot's weights, as their sources do: torch's own saturate the tanh of a
transposed convolution to one channel.
"""

from torch import nn

from reverie.errors import UsageError
from reverie.nn.chain import Chain
from reverie.nn.conv import PixelsToRow, RowToPixels, Shape, TransposedConv, glorot
from reverie.nn.dense import Dense
from reverie.nn.dropout import Dropout
from reverie.nn.residual import sizes
from reverie.nn.thin import PixelConv, ThinConv

LARGEST_BASE = 16  # pixels a side that a generator starts from
SMALLEST_BASE = 4
WIDEST = 8  # times the width, of the deepest layer


def quarter(shape: Shape, name: str) -> tuple[int, int]:
    """Height and width of what two strides of 2 start from.

    Raises:
        UsageError: a side is no multiple of 4, or below 16.
    """
    if shape[1] % 4 or shape[2] % 4 or min(shape[1:]) < 16:
        size = max(16, round(max(shape[1:]) / 4) * 4)
        raise UsageError(
            f"{name} needs sides of at least 16 pixels that are multiples of 4; the images are {shape[1]}x{shape[2]}. "
            f"Use --size {size}."
        )
    return shape[1] // 4, shape[2] // 4


def tutorial_generator(latent: int, shape: Shape) -> nn.Sequential:
    """Dense 1024, dense to 128 channels of a quarter of the size, two transposed 4x4 convolutions, tanh.

    (B, latent) to (B, *shape). ReLU and then batch normalisation after each layer but the last.
    """
    base = (128, *quarter(shape, "The tutorial's generator"))
    return glorot(
        nn.Sequential(
            Dense(latent, 1024),
            nn.ReLU(inplace=True),
            nn.BatchNorm1d(1024),
            Dense(1024, base[0] * base[1] * base[2]),
            nn.ReLU(inplace=True),
            nn.BatchNorm1d(base[0] * base[1] * base[2]),
            RowToPixels(base),
            TransposedConv(128, 64, 4, stride=2, padding=1),
            nn.ReLU(inplace=True),
            nn.BatchNorm2d(64),
            TransposedConv(64, shape[0], 4, stride=2, padding=1),
            nn.Tanh(),
        )
    )


def tutorial_critic(shape: Shape) -> nn.Sequential:
    """Two 5x5 convolutions with max-pooling, and a hidden dense layer of as many units as come in: to (B, 1)."""
    quarter(shape, "The tutorial's critic")
    height, width = (((side - 4) // 2 - 4) // 2 for side in shape[1:])
    units = 64 * height * width
    return glorot(
        nn.Sequential(
            PixelConv(shape[0], 32, 5),
            nn.LeakyReLU(0.01, inplace=True),
            nn.MaxPool2d(2),
            nn.Conv2d(32, 64, 5),
            nn.LeakyReLU(0.01, inplace=True),
            nn.MaxPool2d(2),
            PixelsToRow(),
            Dense(units, units),
            nn.LeakyReLU(0.01, inplace=True),
            nn.Linear(units, 1),
        )
    )


def sketch_generator(latent: int, shape: Shape) -> nn.Sequential:
    """Dense to 256 channels of a quarter of the size, transposed 5x5 convolutions 128, 64, C, tanh, all without bias.

    (B, latent) to (B, *shape). Batch normalisation and LeakyReLU 0.3 after each layer but the last; the print leaves
    out the normalisation after the third.
    """
    base = (256, *quarter(shape, "The sketch generator"))
    return glorot(
        nn.Sequential(
            Dense(latent, base[0] * base[1] * base[2], bias=False),
            nn.BatchNorm1d(base[0] * base[1] * base[2]),
            nn.LeakyReLU(0.3, inplace=True),
            RowToPixels(base),
            TransposedConv(256, 128, 5, padding=2, bias=False),
            nn.BatchNorm2d(128),
            nn.LeakyReLU(0.3, inplace=True),
            TransposedConv(128, 64, 5, stride=2, padding=2, output_padding=1, bias=False),
            nn.BatchNorm2d(64),
            nn.LeakyReLU(0.3, inplace=True),
            TransposedConv(64, shape[0], 5, stride=2, padding=2, output_padding=1, bias=False),
            nn.Tanh(),
        )
    )


def sketch_critic(shape: Shape) -> nn.Sequential:
    """Two 5x5 convolutions of stride 2, each with LeakyReLU 0.3 and dropout 0.3, and a dense layer: to (B, 1)."""
    height, width = quarter(shape, "The sketch critic")
    return glorot(
        nn.Sequential(
            PixelConv(shape[0], 64, 5, stride=2, padding=2),
            nn.LeakyReLU(0.3, inplace=True),
            Dropout(0.3),
            nn.Conv2d(64, 128, 5, stride=2, padding=2),
            nn.LeakyReLU(0.3, inplace=True),
            Dropout(0.3),
            PixelsToRow(),
            nn.Linear(128 * height * width, 1),
        )
    )


def batch_normal_generator(latent: int, shape: Shape, width: int) -> nn.Sequential:
    """Four transposed 5x5 convolutions of stride 2, from 8 times the width up, with batch normalisation and ReLU; tanh.

    (B, latent) to (B, *shape). The network of the mode-counting papers: Radford et al. 2016, 1511.06434, in the sizes
    of a TensorFlow version in which a side of 28 comes from 14, 7, 4 and 2.

    Args:
        latent: numbers in a code.
        shape: of an image, (C, H, W).
        width: channels of the last layer but one.
    """
    there = sizes(shape, 4)[::-1]
    channels = [8 * width, 4 * width, 2 * width, width, shape[0]]
    base = (channels[0], *there[0])
    layers: list[nn.Module] = [nn.Linear(latent, base[0] * base[1] * base[2]), RowToPixels(base)]
    for n, (inputs, outputs) in enumerate(zip(channels, channels[1:], strict=False)):
        (h, w), (height, wide) = there[n], there[n + 1]
        more = (height - 2 * h + 1, wide - 2 * w + 1)  # an even size is one more than stride 2 gives
        layers += [nn.BatchNorm2d(inputs), nn.ReLU(inplace=True)]
        layers.append(TransposedConv(inputs, outputs, 5, stride=2, padding=2, output_padding=more))
    return _small(nn.Sequential(*layers, nn.Tanh()))


def batch_normal_critic(shape: Shape, width: int) -> nn.Sequential:
    """Its mirror image: 5x5 convolutions of stride 2, normalised but for the first, LeakyReLU 0.2; to (B, 1)."""
    height, wide = sizes(shape, 4)[-1]
    layers: list[nn.Module] = [PixelConv(shape[0], width, 5, stride=2, padding=2), nn.LeakyReLU(0.2, inplace=True)]
    for n in (1, 2, 4):
        layers.append(nn.Conv2d(n * width, 2 * n * width, 5, stride=2, padding=2))
        layers += _normal(2 * n * width)
    return _small(nn.Sequential(*layers, PixelsToRow(), nn.Linear(8 * width * height * wide, 1)))


def halvings(shape: Shape) -> int:
    """How often both sides can be halved while they stay whole and not below 4.

    Raises:
        UsageError: what is left is larger than 16, or nothing can be halved.

    Example:
        >>> halvings((1, 28, 28)), halvings((3, 64, 64)), halvings((1, 28, 20))
        (2, 4, 2)
    """
    height, width, count = shape[1], shape[2], 0
    while height % 2 == 0 and width % 2 == 0 and min(height, width) >= 2 * SMALLEST_BASE:
        height, width, count = height // 2, width // 2, count + 1
    if not count or max(height, width) > LARGEST_BASE:
        near = min((base << n for base in range(4, 8) for n in range(1, 8)), key=lambda s: abs(s - max(shape[1:])))
        raise UsageError(
            f"These networks halve the image until between {SMALLEST_BASE} and {LARGEST_BASE} pixels a side are left; "
            f"{shape[1]}x{shape[2]} ends at {height}x{width}. Use --size {near}."
        )
    return count


def channels_at_sizes(shape: Shape, width: int, deepest: int) -> list[int]:
    """Channels at each size, the full one first: twice as many at each halving, up to ``deepest``.

    Example:
        >>> channels_at_sizes((3, 32, 32), 64, 128)
        [64, 128, 128, 128]
    """
    return [min(max(width, deepest), width << n) for n in range(halvings(shape) + 1)]


def generator(latent: int, shape: Shape, width: int) -> nn.Sequential:
    """From the base up, doubling: (B, latent) to (B, *shape) in [-1, 1].

    A dense layer to ``2^n`` times the width (at most 8 times), a transposed 4x4 convolution to each next size with half
    the channels, and a 3x3 convolution; batch normalisation and LeakyReLU 0.2 between them.

    Args:
        latent: numbers in a code.
        shape: of an image, (C, H, W).
        width: channels at full size.
    """
    count = halvings(shape)
    channels = [width * min(WIDEST, 2**n) for n in range(count, -1, -1)]
    base = (channels[0], shape[1] >> count, shape[2] >> count)
    layers: list[nn.Module] = [
        nn.Linear(latent, base[0] * base[1] * base[2], bias=False),
        RowToPixels(base),
        *_normal(base[0]),
    ]
    for inputs, outputs in zip(channels, channels[1:], strict=False):
        layers += [TransposedConv(inputs, outputs, 4, stride=2, padding=1, bias=False), *_normal(outputs)]
    return Chain(*layers, ThinConv(width, shape[0]), nn.Tanh())


def critic_features(shape: Shape, width: int) -> tuple[nn.Sequential, int]:
    """From the image down, halving: (B, *shape) to features (B, F), without normalisation; and F.

    4x4 convolutions of stride 2 to ``width``, twice it and so on (at most 8 times), a 3x3 convolution with twice the
    channels of the last; LeakyReLU 0.2 after each.
    """
    count, inputs = halvings(shape), shape[0]
    layers: list[nn.Module] = []
    for n in range(count):
        outputs = width * min(WIDEST, 2**n)
        kind = PixelConv if n == 0 else nn.Conv2d
        layers += [kind(inputs, outputs, 4, stride=2, padding=1), nn.LeakyReLU(0.2, inplace=True)]
        inputs = outputs
    last = width * min(WIDEST, 2**count)
    layers += [nn.Conv2d(inputs, last, 3, padding=1), nn.LeakyReLU(0.2, inplace=True), PixelsToRow()]
    return Chain(*layers), last * (shape[1] >> count) * (shape[2] >> count)


def critic(shape: Shape, width: int) -> nn.Sequential:
    """The features with a dense layer to one logit: (B, *shape) to (B, 1)."""
    features, count = critic_features(shape, width)
    return Chain(*features, nn.Linear(count, 1))


def _normal(channels: int) -> list[nn.Module]:
    return [nn.BatchNorm2d(channels), nn.LeakyReLU(0.2, inplace=True)]


def _small(network: nn.Sequential) -> nn.Sequential:
    """Weights of deviation 0.02, and biases of 0, as in the paper of the DCGAN."""
    for layer in network:
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            nn.init.normal_(layer.weight, std=0.02)
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
    return network
