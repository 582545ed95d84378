"""Convolutions that are differentiated twice against torch's own."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from reverie.nn.processor import of_images_alone
from reverie.nn.slope import Halved, SlopeConv
from reverie.nn.thin import PixelConv

SHAPES = [
    {"kernel_size": 3, "padding": 1},
    {"kernel_size": 3, "padding": 1, "groups": 2},
    {"kernel_size": 5, "stride": 2, "padding": 2, "bias": False},
    {"kernel_size": (4, 3), "groups": 4},
    {"kernel_size": 2, "dilation": 2, "stride": (1, 2)},
]
LAYOUTS = [torch.contiguous_format, torch.channels_last]


def both(given, layout=torch.contiguous_format):
    """The layer, torch's own with the same weights, and an image that asks for a gradient."""
    ours, theirs = SlopeConv(4, 8, **given).double(), nn.Conv2d(4, 8, **given).double()
    theirs.load_state_dict(ours.state_dict())
    x = torch.randn(3, 4, 7, 6, dtype=torch.float64).to(memory_format=layout).requires_grad_()
    return ours.to(memory_format=layout), theirs, x


@pytest.mark.parametrize("given", SHAPES)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_it_is_torch_s_own_and_so_are_its_gradients(given, layout):
    ours, theirs, x = both(given, layout)
    expected = theirs(x)
    torch.testing.assert_close(ours(x), expected, rtol=1e-12, atol=1e-12)
    weight = torch.randn_like(expected)
    found, wanted = (
        torch.autograd.grad((layer(x) * weight).sum(), (x, *layer.parameters())) for layer in (ours, theirs)
    )
    torch.testing.assert_close(found, wanted, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("given", SHAPES)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_penalty_on_the_slope_reaches_the_weights_as_torch_s_own_does(given, layout):
    *layers, x = both(given, layout)
    found = []
    for layer in layers:
        (slope,) = torch.autograd.grad(layer(x).sin().sum(), x, create_graph=True)
        found.append(torch.autograd.grad(slope.square().sum(), (x, *layer.parameters())))
    torch.testing.assert_close(found[0], found[1], rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("kind", [SlopeConv, PixelConv])
def test_where_images_alone_are_asked_for_no_gradient_of_weights_is_made(kind):
    layer, x = kind(1, 4, 3).double(), torch.randn(2, 1, 5, 5, dtype=torch.float64).requires_grad_()
    with of_images_alone():
        slope, nothing = torch.autograd.grad(
            layer(x).sin().sum(), (x, layer.weight), create_graph=True, allow_unused=True
        )
    assert nothing is None
    (found,) = torch.autograd.grad(slope.square().sum(), layer.weight)
    (same,) = torch.autograd.grad(layer(x).sin().sum(), x, create_graph=True)
    assert torch.equal(found, torch.autograd.grad(same.square().sum(), layer.weight)[0])
    assert found.abs().max() > 0


def test_all_second_derivatives_are_those_of_differences():
    layer, _, x = both(SHAPES[1])
    names = [name for name, _ in layer.named_parameters()]

    def applied(x, *weights):
        return torch.func.functional_call(layer, dict(zip(names, weights, strict=True)), x)

    assert torch.autograd.gradgradcheck(applied, (x, *layer.parameters()))


def test_half_precision_is_as_near_as_torch_s_own():
    torch.manual_seed(0)
    ours, x = SlopeConv(32, 32, 3, padding=1, groups=2), torch.randn(8, 32, 9, 9).requires_grad_()
    slopes = []
    for layer, kind in ((ours, torch.bfloat16), (nn.Conv2d, torch.bfloat16), (nn.Conv2d, torch.float32)):
        call = layer if layer is ours else lambda x: nn.Conv2d.forward(ours, x)
        with torch.autocast("cpu", torch.bfloat16, enabled=kind == torch.bfloat16):
            (slope,) = torch.autograd.grad(call(x).float().sin().sum(), x, create_graph=True)
        slopes.append(torch.autograd.grad(slope.square().sum(), ours.weight)[0])
    assert (slopes[0] - slopes[2]).abs().mean() < 1.5 * (slopes[1] - slopes[2]).abs().mean()


def test_channels_lie_side_by_side_both_ways():
    layer, x = SlopeConv(1, 8, 1), torch.randn(2, 1, 5, 5).requires_grad_()
    y = layer(x)
    (slope,) = torch.autograd.grad(y.sin().sum(), x, create_graph=True)
    (of_gradient,) = torch.autograd.grad(slope.square().sum(), y)
    assert all(t.is_contiguous(memory_format=torch.channels_last) for t in (y, of_gradient))


def test_a_gradient_in_planes_comes_back_with_channels_side_by_side():
    layer, x = SlopeConv(4, 6, 3), torch.randn(2, 4, 5, 5).requires_grad_()
    y = layer(x)
    (slope,) = torch.autograd.grad(y, x, torch.ones_like(y, memory_format=torch.contiguous_format))
    assert slope.is_contiguous(memory_format=torch.channels_last)


def test_evaluation_takes_torch_s_own_kernel():
    layer = SlopeConv(4, 8, 3).eval()
    assert type(layer(torch.randn(1, 4, 5, 5)).grad_fn).__name__ == "ConvolutionBackward0"


@pytest.mark.parametrize("layout", LAYOUTS)
def test_halving_and_both_its_derivatives_are_torch_s_own(layout):
    x = torch.randn(2, 3, 6, 4, dtype=torch.float64).to(memory_format=layout).requires_grad_()
    expected = functional.avg_pool2d(x, 2)
    torch.testing.assert_close(Halved()(x), expected, rtol=1e-12, atol=1e-12)
    found = []
    for halved in (Halved(), lambda x: functional.avg_pool2d(x, 2)):
        (slope,) = torch.autograd.grad(halved(x).sin().sum(), x, create_graph=True)
        found.append((slope, *torch.autograd.grad(slope.square().sum(), x)))
    torch.testing.assert_close(found[0], found[1], rtol=1e-12, atol=1e-12)
    assert torch.equal(Halved().eval()(x), expected)
