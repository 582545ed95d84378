"""The convolutional networks of the named systems, layer by layer, and at other sizes."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from reverie.errors import UsageError
from reverie.nn.conv import (
    TransposedConv,
    conv_autoencoder_code,
    conv_autoencoder_decoder,
    conv_autoencoder_encoder,
    conv_vae_decoder,
    conv_vae_encoder,
    sum_of,
)

MNIST = (1, 28, 28)


def trace(net, x):
    """The shape after each layer that is not an activation."""
    shapes = []
    for layer in net:
        x = layer(x)
        if not isinstance(layer, nn.ReLU | nn.Tanh):
            shapes.append(tuple(x.shape[1:]))
    return shapes


def sizes(net):
    return [sum(p.numel() for p in layer.parameters()) for layer in net if list(layer.parameters())]


def test_conv_vae_encoder_at_28():
    net = conv_vae_encoder(MNIST, 4)
    maps = [(32, 28, 28), (64, 14, 14), (64, 14, 14), (64, 14, 14), (12544,), (32,), (4,)]
    assert trace(net, torch.zeros(2, *MNIST)) == maps
    assert sizes(net) == [320, 18_496, 36_928, 36_928, 401_440, 2 * 66]


def test_conv_vae_decoder_at_28():
    net = conv_vae_decoder(2, MNIST)
    assert trace(net, torch.zeros(2, 2)) == [(12544,), (64, 14, 14), (32, 28, 28), (1, 28, 28)]
    assert sizes(net) == [37_632, 18_464, 289]
    assert isinstance(net[-1], nn.Conv2d)  # logits: no activation


def test_conv_autoencoder_at_28():
    encoder, decoder = conv_autoencoder_encoder(MNIST), conv_autoencoder_decoder(MNIST)
    assert trace(encoder, torch.zeros(2, *MNIST)) == [
        *[(16, 10, 10), (16, 5, 5), (8, 3, 3), (8, 2, 2), (32,)],
    ]
    assert trace(decoder, torch.zeros(2, 32)) == [(8, 2, 2), (16, 5, 5), (8, 15, 15), (1, 28, 28)]
    assert sizes(encoder) == [160, 1160]
    assert sizes(decoder) == [1168, 3208, 33]
    assert isinstance(decoder[-1], nn.Tanh)


@pytest.mark.parametrize("shape", [(3, 32, 32), (1, 20, 46), (3, 2, 6)])
def test_conv_vae_at_other_sizes(shape):
    assert conv_vae_encoder(shape, 10)(torch.zeros(2, *shape)).shape == (2, 10)
    assert conv_vae_decoder(5, shape)(torch.zeros(2, 5)).shape == (2, *shape)


@pytest.mark.parametrize("shape", [(1, 16, 16), (3, 28, 40), (3, 64, 16), (1, 52, 100)])
def test_conv_autoencoder_gives_back_every_size_it_takes(shape):
    code = conv_autoencoder_code(shape)
    z = conv_autoencoder_encoder(shape)(torch.zeros(2, *shape))
    assert z.shape == (2, code[0] * code[1] * code[2])
    assert conv_autoencoder_decoder(shape)(z).shape == (2, *shape)


@pytest.mark.parametrize(
    ("build", "shape", "match"),
    [
        (lambda s: conv_vae_encoder(s, 4), (1, 27, 28), "even .* 27x28. Use --size 28"),
        (lambda s: conv_vae_decoder(4, s), (3, 30, 31), "even .* 30x31. Use --size 32"),
        (conv_autoencoder_encoder, (3, 32, 32), "16, 28, 40.* 32x32. Use --size 28"),
        (conv_autoencoder_decoder, (1, 28, 36), "28x36. Use --size 40"),
        (conv_autoencoder_code, (1, 4, 4), "4x4. Use --size 16"),
    ],
)
def test_other_sizes_are_refused_with_the_way_out(build, shape, match):
    with pytest.raises(UsageError, match=match):
        build(shape)


TRANSPOSED = [(3, 4, 3, 2, 1, 1), (2, 3, 3, 2, 1, 0), (4, 1, 4, 2, 1, 0), (2, 5, 5, 1, 2, 0)]
LAYOUTS = [torch.contiguous_format, torch.channels_last]


@pytest.mark.parametrize(("inputs", "outputs", "kernel", "stride", "padding", "more"), TRANSPOSED)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_transposed_convolution_is_torch_s_own(inputs, outputs, kernel, stride, padding, more, layout):
    layer = TransposedConv(inputs, outputs, kernel, stride, padding, more).double().to(memory_format=layout)
    x = torch.randn(3, inputs, 5, 4, dtype=torch.float64).to(memory_format=layout).requires_grad_()
    expected = functional.conv_transpose2d(x, layer.weight, layer.bias, stride, padding, more)
    found, weight = layer(x), torch.randn_like(expected)
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)
    of = (x, layer.weight, layer.bias)
    ours, theirs = (torch.autograd.grad((y * weight).sum(), of) for y in (found, expected))
    torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(layer.eval()(x), expected, rtol=1e-12, atol=1e-12)


def test_a_transposed_convolution_takes_the_size_that_is_asked_for():
    layer, x = TransposedConv(2, 3, 3, stride=2), torch.randn(1, 2, 3, 2)
    assert layer(x, [8, 6]).shape == (1, 3, 8, 6)
    assert layer(x).shape == (1, 3, 7, 5)


def test_a_transposed_convolution_can_be_differentiated_twice():
    layer, x = TransposedConv(2, 3, 3, stride=2).double(), torch.randn(1, 2, 3, 2, dtype=torch.float64)
    names = ("weight", "bias")

    def applied(x, *weights):
        return torch.func.functional_call(layer, dict(zip(names, weights, strict=True)), x)

    given = [t.detach().requires_grad_() for t in (x, layer.weight, layer.bias)]
    assert torch.autograd.gradgradcheck(applied, given)


def test_a_transposed_convolution_in_half_precision_is_as_near_as_torch_s_own():
    layer, x = TransposedConv(16, 16, 3, stride=2), torch.randn(4, 16, 6, 6).to(memory_format=torch.channels_last)
    with torch.autocast("cpu", torch.bfloat16):
        ours, theirs = layer(x), layer.eval()(x)
    exact = functional.conv_transpose2d(x, layer.weight, layer.bias, stride=2)
    assert ours.dtype == theirs.dtype == torch.bfloat16
    assert (ours - exact).abs().mean() < 1.5 * (theirs - exact).abs().mean()


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_sum_of_two_transposed_convolutions_is_one_of_both(layout):
    first, second = (TransposedConv(n, 3, 3, 2, 1, (1, 0)).double().to(memory_format=layout) for n in (2, 4))
    x, z = (torch.randn(3, n, 5, 4, dtype=torch.float64).to(memory_format=layout).requires_grad_() for n in (2, 4))
    own = [functional.conv_transpose2d(v, w.weight, w.bias, 2, 1, (1, 0)) for v, w in ((x, first), (z, second))]
    found, expected, weight = sum_of(first, x, second, z), sum(own), torch.randn_like(own[0])
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)
    of = (x, z, *first.parameters(), *second.parameters())
    ours, theirs = (torch.autograd.grad((y * weight).sum(), of) for y in (found, expected))
    torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)
