"""Residual convolutional encoders and decoders that halve and double the size of a picture."""

from collections.abc import Sequence

from torch import Tensor, nn

from reverie.nn.chain import Chain, convolved
from reverie.nn.conv import PixelsToRow, RowToPixels, Shape, TransposedConv, sum_of
from reverie.nn.processor import kernels_run
from reverie.nn.thin import ThinConv


class Down(nn.Module):
    """A residual block of stride 2, ``y = S x + F x``: (B, C, H, W) to (B, C', ceil(H / 2), ceil(W / 2)).

    F is two 3x3 convolutions after an ELU each, the first of stride 2; S is one 3x3 convolution of stride 2
    (He et al. 2016, 1603.05027; ELU: Clevert et al. 2016, 1511.07289).
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        """Take the numbers of channels."""
        super().__init__()
        self.shortcut = nn.Conv2d(inputs, outputs, 3, stride=2, padding=1)
        self.branch = Chain(
            nn.ELU(),
            nn.Conv2d(inputs, outputs, 3, stride=2, padding=1),
            nn.ELU(inplace=True),
            nn.Conv2d(outputs, outputs, 3, padding=1),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Halve."""
        y: Tensor = self.branch(x, more=convolved(self.shortcut, x))
        return y


class Up(nn.Module):
    """The mirror image of ``Down``: (B, C, h, w) to (B, C', H, W), where h and w are H / 2 and W / 2, rounded up."""

    def __init__(self, inputs: int, outputs: int, size: tuple[int, int]) -> None:
        """Take the numbers of channels and the size H, W to reach."""
        super().__init__()
        more = (1 - size[0] % 2, 1 - size[1] % 2)  # an even size is one more than stride 2 gives
        self.shortcut = TransposedConv(inputs, outputs, 3, stride=2, padding=1, output_padding=more)
        self.branch = Chain(
            nn.ELU(),
            nn.Conv2d(inputs, inputs, 3, padding=1),
            nn.ELU(inplace=True),
            TransposedConv(inputs, outputs, 3, stride=2, padding=1, output_padding=more),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Double."""
        if kernels_run(self.training, x):
            y: Tensor = self.branch(x, more=convolved(self.shortcut, x))
            return y
        *first, last = self.branch
        inner = x
        for layer in first:
            inner = layer(inner)
        return sum_of(self.shortcut, x, last, inner)


def residual_encoder(shape: Shape, channels: Sequence[int], hidden: int, outputs: int) -> nn.Sequential:
    """A block of stride 2 for each number of channels, and a dense layer: (B, C, H, W) to (B, outputs).

    Args:
        shape: of an image, (C, H, W).
        channels: of each block's output.
        hidden: units of the dense layer.
        outputs: numbers that come out.
    """
    chain = [shape[0], *channels]
    blocks = [Down(a, b) for a, b in zip(chain, chain[1:], strict=False)]
    height, width = sizes(shape, len(channels))[-1]
    return nn.Sequential(
        *blocks,
        nn.ELU(inplace=True),
        PixelsToRow(),
        nn.Linear(channels[-1] * height * width, hidden),
        nn.ELU(inplace=True),
        nn.Linear(hidden, outputs),
    )


def residual_decoder(inputs: int, channels: Sequence[int], hidden: int, shape: Shape) -> nn.Sequential:
    """The mirror image of ``residual_encoder``: codes (B, inputs) to (B, C, H, W), without an activation at the end.

    Args:
        inputs: numbers in a code.
        channels: as the encoder's.
        hidden: units of the dense layer.
        shape: of an image, (C, H, W).
    """
    there = sizes(shape, len(channels))
    chain = [*reversed(channels), channels[0]]
    blocks = [Up(a, b, size) for a, b, size in zip(chain, chain[1:], reversed(there[:-1]), strict=False)]
    height, width = there[-1]
    return Chain(
        nn.Linear(inputs, hidden),
        nn.ELU(inplace=True),
        nn.Linear(hidden, channels[-1] * height * width),
        RowToPixels((channels[-1], height, width)),
        *blocks,
        nn.ELU(inplace=True),
        ThinConv(channels[0], shape[0]),
    )


def sizes(shape: Shape, blocks: int) -> list[tuple[int, int]]:
    """Height and width before and after each block.

    Example:
        >>> sizes((1, 28, 20), 3)
        [(28, 20), (14, 10), (7, 5), (4, 3)]
    """
    found = [(shape[1], shape[2])]
    for _ in range(blocks):
        found.append(((found[-1][0] + 1) // 2, (found[-1][1] + 1) // 2))
    return found
