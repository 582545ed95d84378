"""Convolutional encoders and decoders of the named systems. ``shape`` is that of one image, (C, H, W)."""

from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from reverie.errors import UsageError
from reverie.nn.chain import Chain
from reverie.nn.processor import short, trains_on_processor
from reverie.nn.thin import FEW, ThinConv, is_square, spread_out

Shape = tuple[int, int, int]
Network = TypeVar("Network", bound=nn.Module)


class TransposedConv(nn.ConvTranspose2d):
    """``nn.ConvTranspose2d`` with a bias that is added apart, and with few channels a sum of planes, in training.

    The gradient of the fused bias took 9 of the 15 ms of the layer's backward pass (64 images, bf16, channels last); as
    a sum of its own it takes 0.1 ms. The bias is added to rows of pixels: to the 16 channels of each pixel it took
    4.5 ms of 128 images of 28x28, to a row 0.5 ms; and fused it took 4.5 ms of 32 channels of 7x7, for another reason.
    To one channel of 28x28, 4x4 kernels, 64 channels of 14x14 took 0.7 in place of 2.7 ms (128 images, bf16).
    """

    def forward(self, x: Tensor, output_size: list[int] | None = None) -> Tensor:
        """(B, C, H, W) to (B, C', H', W')."""
        thin = self.out_channels <= FEW and is_square(self)
        if output_size or not trains_on_processor(self, x) or not (thin or self.bias is not None):
            return super().forward(x, output_size)
        return _bias_apart(self, x, self.weight, self.bias, thin)


def sum_of(first: nn.Module, x: Tensor, second: nn.Module, z: Tensor) -> Tensor:
    """``first(x) + second(z)`` of transposed convolutions that differ in their weights and input channels alone.

    In training it is one convolution of the channels of both: half as much is written at the larger size, and the
    gradient is read once (a step of ``vae-iaf-mnist``, 128 images, two threads: 42.6 to 41.7 ms). A layer whose weights
    are normalised stands for itself, since what sets it by a first batch looks at what it says.
    """
    if isinstance(first, TransposedConv) and isinstance(second, TransposedConv) and trains_on_processor(first, x):
        if first.bias is not None and second.bias is not None and not parametrize.is_parametrized(first):
            weight = torch.cat([first.weight, second.weight])
            return _bias_apart(first, torch.cat([x, z], 1), weight, first.bias + second.bias)
    added: Tensor = first(x) + second(z)
    return added


def _bias_apart(
    layer: nn.ConvTranspose2d, x: Tensor, weight: Tensor, bias: Tensor | None, thin: bool = False
) -> Tensor:
    strides = layer.stride, layer.padding, layer.output_padding, layer.groups, layer.dilation
    y: Tensor = _Transposed.apply(*short(x, weight, bias), strides, thin)  # type: ignore[no-untyped-call]
    return y


class _Transposed(torch.autograd.Function):
    """A transposed convolution, thin or wide, whose bias is added apart; it can be differentiated twice."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, strides: Any, thin: bool) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.strides = strides
        y = _spread_out(x, weight, strides) if thin else torch.conv_transpose2d(x, weight, None, *strides)
        if bias is not None:
            _add(y, bias)
        return y

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        stride, padding, more, groups, dilation = ctx.strides
        *wanted, of_bias = ctx.needs_input_grad[:3]
        of_x, of_weight, _ = torch.ops.aten.convolution_backward(
            gradient, x, weight, None, stride, padding, dilation, True, more, groups, [*wanted, False]
        )
        return of_x, of_weight, gradient.sum((0, 2, 3)) if of_bias else None, None, None


def _spread_out(x: Tensor, weight: Tensor, strides: tuple[Any, ...]) -> Tensor:
    (stride, _), (padding, _), more = strides[:3]
    sides = zip(x.shape[2:], more, strict=True)
    height, width = ((side - 1) * stride - 2 * padding + weight.shape[2] + rest for side, rest in sides)
    return spread_out(x, weight, stride, padding, (height, width))


def _add(y: Tensor, bias: Tensor) -> None:
    pixels = y.permute(0, 2, 3, 1)
    if pixels.is_contiguous():
        pixels.flatten(2).add_(bias.repeat(pixels.shape[2]))
    else:
        y.add_(bias.view(-1, 1, 1))


class PixelsToRow(nn.Module):
    """Flatten with the channels of a pixel side by side, (B, C, H, W) to (B, H W C): no copy if channels are last."""

    def forward(self, x: Tensor) -> Tensor:
        """Flatten."""
        return x.permute(0, 2, 3, 1).flatten(1)


class RowToPixels(nn.Module):
    """The inverse of ``PixelsToRow``: (B, H W C) to (B, C, H, W)."""

    def __init__(self, shape: Shape) -> None:
        """Take the shape (C, H, W)."""
        super().__init__()
        self.shape = shape

    def forward(self, x: Tensor) -> Tensor:
        """Give rows their shape."""
        channels, height, width = self.shape
        return x.view(-1, height, width, channels).permute(0, 3, 1, 2)


def conv_vae_encoder(shape: Shape, outputs: int, context: int = 0) -> nn.Sequential:
    """Four 3x3 convolutions, one with stride 2, and a dense layer of 32: (B, C, H, W) to (B, outputs + context).

    The encoder of the classic convolutional VAE; for 28x28 its last feature map is 64x14x14. The strided
    convolution pads on the left and above, where TensorFlow's "same" pads on the right and below: its mirror
    image. Outputs start a hundred times smaller than Glorot's, so that a posterior starts at the prior; what a flow
    is told does not, or it would say nothing of the image.

    Args:
        shape: of an image, with even sides.
        outputs: numbers that name the posterior.
        context: numbers that a flow is told.

    Raises:
        UsageError: height or width is odd.
    """
    channels, height, width = _even(shape)
    encoder = Chain(
        nn.Conv2d(channels, 32, 3, padding=1),
        nn.ReLU(inplace=True),
        nn.Conv2d(32, 64, 3, stride=2, padding=1),
        nn.ReLU(inplace=True),
        nn.Conv2d(64, 64, 3, padding=1),
        nn.ReLU(inplace=True),
        nn.Conv2d(64, 64, 3, padding=1),
        nn.ReLU(inplace=True),
        PixelsToRow(),
        nn.Linear(64 * (height // 2) * (width // 2), 32),
        nn.ReLU(inplace=True),
        nn.Linear(32, outputs + context),
    )
    glorot(encoder)
    nn.init.xavier_uniform_(encoder[-1].weight[:outputs], gain=0.01)  # type: ignore[index]
    return encoder


def conv_vae_decoder(inputs: int, shape: Shape) -> nn.Sequential:
    """A dense layer to half the size, a transposed and a plain convolution: (B, inputs) to (B, C, H, W).

    The output has no activation: it is logits for a Bernoulli, or a mean.

    Raises:
        UsageError: height or width is odd.
    """
    channels, height, width = _even(shape)
    half = (64, height // 2, width // 2)
    decoder = Chain(
        nn.Linear(inputs, half[0] * half[1] * half[2]),
        nn.ReLU(inplace=True),
        RowToPixels(half),
        TransposedConv(64, 32, 3, stride=2, padding=1, output_padding=1),
        nn.ReLU(inplace=True),
        ThinConv(32, channels),
    )
    glorot(decoder)
    return decoder


def conv_autoencoder_code(shape: Shape) -> tuple[int, int, int]:
    """Shape of the convolutional autoencoder's code, which is flattened: 8x2x2 for 28x28, 8x1x1 for 16x16.

    Raises:
        UsageError: height or width is not 16, 28, 40, ..., the sizes that strides 3, 2 and 2 give back.
    """
    for size in shape[1:]:
        if size < 16 or size % 12 != 4:
            nearest = max(16, round((size - 4) / 12) * 12 + 4)
            raise UsageError(
                f"The convolutional autoencoder needs sides of 16, 28, 40, 52, 64 or any 12 m + 4 pixels; "
                f"the images are {shape[1]}x{shape[2]}. Use --size {nearest}."
            )
    return 8, (shape[1] - 4) // 12, (shape[2] - 4) // 12


def conv_autoencoder_encoder(shape: Shape) -> nn.Sequential:
    """Two strided convolutions with max-pooling: (B, C, H, W) to a flat code, (B, 32) for 28x28.

    Raises:
        UsageError: a size that the decoder could not give back.
    """
    conv_autoencoder_code(shape)
    return nn.Sequential(
        nn.Conv2d(shape[0], 16, 3, stride=3, padding=1),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(2, stride=2),
        nn.Conv2d(16, 8, 3, stride=2, padding=1),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(2, stride=1),
        nn.Flatten(),
    )


def conv_autoencoder_decoder(shape: Shape) -> nn.Sequential:
    """Three transposed convolutions and a tanh: from the flat code back to (B, C, H, W) in [-1, 1].

    Raises:
        UsageError: a size that strides 2, 3 and 2 do not give.
    """
    return nn.Sequential(
        nn.Unflatten(1, conv_autoencoder_code(shape)),
        TransposedConv(8, 16, 3, stride=2),
        nn.ReLU(inplace=True),
        TransposedConv(16, 8, 5, stride=3, padding=1),
        nn.ReLU(inplace=True),
        TransposedConv(8, shape[0], 2, stride=2, padding=1),
        nn.Tanh(),
    )


def _even(shape: Shape) -> Shape:
    if shape[1] % 2 or shape[2] % 2:
        larger = max(shape[1:]) + max(shape[1:]) % 2
        raise UsageError(
            f"The convolutional VAE needs an even height and width; the images are {shape[1]}x{shape[2]}. "
            f"Use --size {larger}."
        )
    return shape


def glorot(network: Network) -> Network:
    """Uniform weights of variance 2 / (inputs + outputs), as in Keras, and biases of 0 (Glorot and Bengio 2010)."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            nn.init.xavier_uniform_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    return network
