"""The convolution to few channels against torch's own."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from reverie.nn.thin import ThinConv

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
