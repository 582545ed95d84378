"""Convolutions from and to few channels against torch's own."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from reverie.nn import thin
from reverie.nn.thin import PixelConv, ThinConv, spread_out

SHAPES = [(3, 4, 7, 5, 1), (2, 3, 6, 6, 3), (1, 2, 1, 4, 2), (2, 1, 3, 1, 1)]


@pytest.mark.parametrize(("batch", "inputs", "height", "width", "outputs"), SHAPES)
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_values_and_gradients_are_those_of_a_convolution(batch, inputs, height, width, outputs, layout):
    x = torch.randn(batch, inputs, height, width, dtype=torch.float64).to(memory_format=layout).requires_grad_()
    layer, weight = ThinConv(inputs, outputs).double(), torch.randn(batch, outputs, height, width, dtype=torch.float64)
    expected = functional.conv2d(x, layer.weight, layer.bias, padding=1)
    found = layer(x)
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)
    inputs_of = (x, layer.weight, layer.bias)
    for ours, theirs in zip(
        torch.autograd.grad((found * weight).sum(), inputs_of),
        torch.autograd.grad((expected * weight).sum(), inputs_of),
        strict=True,
    ):
        torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)


def test_half_precision_is_as_near_as_torch_s_own():
    torch.manual_seed(0)
    layer, x = ThinConv(32, 1), torch.randn(4, 32, 12, 12).to(memory_format=torch.channels_last)
    with torch.autocast("cpu", torch.bfloat16):
        ours, theirs = layer(x), nn.Conv2d.forward(layer.eval(), x)
    exact = functional.conv2d(x, layer.weight, layer.bias, padding=1)
    assert ours.dtype == theirs.dtype == torch.bfloat16
    assert (ours - exact).abs().mean() < 1.5 * (theirs - exact).abs().mean()


def test_a_second_derivative_is_refused_and_not_wrong():
    layer, x = ThinConv(2, 1), torch.randn(1, 2, 4, 4, requires_grad=True)
    (first,) = torch.autograd.grad(layer(x).square().sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        first.sum().backward()


def test_evaluation_takes_torch_s_own_kernel():
    layer, x = ThinConv(2, 1).eval(), torch.randn(1, 2, 4, 4)
    assert torch.equal(layer(x), functional.conv2d(x, layer.weight, layer.bias, padding=1))


SPREAD = [  # channels, few, kernel, stride, padding, more
    (4, 1, 4, 2, 1, 0),
    (3, 2, 5, 2, 2, 1),
    (2, 3, 5, 1, 0, 0),
    (2, 1, 2, 2, 0, 0),
    (2, 1, 3, 3, 1, 2),
    (2, 1, 1, 2, 0, 1),
    (2, 2, 3, 1, 2, 0),
]


@pytest.mark.parametrize(("channels", "few", "kernel", "stride", "padding", "more"), SPREAD)
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_pixels_are_spread_out_as_by_a_transposed_convolution(channels, few, kernel, stride, padding, more, layout):
    x = torch.randn(3, channels, 5, 4, dtype=torch.float64).to(memory_format=layout)
    weight = torch.randn(channels, few, kernel, kernel, dtype=torch.float64).to(memory_format=layout)
    expected = functional.conv_transpose2d(x, weight, None, stride, padding, more)
    found = spread_out(x, weight, stride, padding, tuple(expected.shape[2:]))
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)


PIXELS = [(1, 4, {"kernel_size": 5}), (3, 2, {"kernel_size": 4, "stride": 2, "padding": 1}), (2, 3, {"kernel_size": 3})]


def images(channels, layout=torch.contiguous_format, size=(9, 7)):
    return torch.randn(2, channels, *size, dtype=torch.float64).to(memory_format=layout).requires_grad_()


@pytest.mark.parametrize(("channels", "outputs", "settings"), [*PIXELS, (4, 2, {"kernel_size": 3})])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("bias", [True, False])
def test_a_convolution_of_pixels_is_torch_s_own(channels, outputs, settings, layout, bias):
    layer = PixelConv(channels, outputs, bias=bias, **settings).double().to(memory_format=layout)
    x = images(channels, layout)
    found, expected = layer(x), nn.Conv2d.forward(layer, x)
    assert torch.equal(found, expected)
    of, weight = (x, *layer.parameters()), torch.randn_like(expected)
    ours, theirs = (torch.autograd.grad((y * weight).sum(), of) for y in (found, expected))
    torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)


def test_the_gradient_of_pixels_is_spread_out_where_pixels_have_one(monkeypatch):
    layer, x, seen = PixelConv(1, 2, 3).double(), images(1), []
    monkeypatch.setattr(thin, "spread_out", lambda *given: seen.append(1) or spread_out(*given))
    layer(x).sum().backward()
    assert seen == [1]
    for still in (layer(x.detach()), layer.eval()(x)):
        assert still.grad_fn.name() == "ConvolutionBackward0"


@pytest.mark.parametrize(("channels", "outputs", "settings"), PIXELS)
def test_a_convolution_of_pixels_can_be_differentiated_twice(channels, outputs, settings):
    layer = PixelConv(channels, outputs, **settings).double()

    def applied(x, weight, bias):
        return torch.func.functional_call(layer, {"weight": weight, "bias": bias}, x)

    given = [t.detach().requires_grad_() for t in (images(channels, size=(6, 5)), layer.weight, layer.bias)]
    assert torch.autograd.gradcheck(applied, given)
    assert torch.autograd.gradgradcheck(applied, given)


@pytest.mark.parametrize(("channels", "outputs", "kernel", "stride", "padding"), [(32, 1, 4, 2, 1), (32, 3, 5, 1, 0)])
def test_what_is_spread_out_in_half_precision_is_rounded_once_more_than_torch_s_own(
    channels, outputs, kernel, stride, padding
):
    torch.manual_seed(0)
    x = torch.randn(4, channels, 8, 8).bfloat16().contiguous(memory_format=torch.channels_last)
    weight = torch.randn(channels, outputs, kernel, kernel).bfloat16()
    exact = functional.conv_transpose2d(x.double(), weight.double(), None, stride, padding)
    theirs = functional.conv_transpose2d(x, weight, None, stride, padding)
    ours = spread_out(x, weight, stride, padding, tuple(exact.shape[2:]))
    assert ours.dtype == torch.bfloat16
    # Each tap's product is rounded before the sum: about as much again as the rounding of the sum, here 1.53 to 1.64.
    assert (ours - exact).abs().mean() < 1.75 * (theirs - exact).abs().mean()
