"""A layer that doubles height and width, against a transposed convolution, and its kernel against torch."""

import pytest
import torch

from reverie import native
from reverie.nn.conv import TransposedConv
from reverie.nn.enlarge import Enlarge


def test_enlarging_is_a_transposed_convolution_of_stride_two():
    """Kernel 6: output (2 i + a, 2 j + b) sees the inputs around (i, j) by the taps (a, b) of each of the nine."""
    enlarge = Enlarge(3, 2, (9, 10)).double()
    x = torch.randn(2, 3, 5, 5, dtype=torch.float64)
    twin = TransposedConv(3, 2, 6, stride=2, padding=2).double()
    weight = enlarge.conv.weight.view(2, 2, 2, 3, 3, 3).flip(-1, -2)  # (outputs, a, b, inputs, 3, 3)
    twin.weight.data = weight.permute(3, 0, 4, 1, 5, 2).reshape(3, 2, 6, 6)
    twin.bias.data.zero_()
    bias = torch.nn.functional.pixel_shuffle(enlarge.conv.bias.view(1, 8, 1, 1).expand(1, 8, 5, 5), 2)
    expected = twin(torch.nn.functional.silu(x)) + bias
    torch.testing.assert_close(enlarge(x), expected[..., :9, :10])


@pytest.mark.skipif(not native.available(), reason=f"no kernels of one's own: {native.missing()}")
@pytest.mark.parametrize("sides", [(8, 8), (7, 7)])
def test_a_layer_that_enlarges_has_torchs_values_and_gradients(sides):
    torch.manual_seed(0)
    layer = Enlarge(12, 5, sides)
    x = torch.randn(4, 12, 4, 4, requires_grad=True)
    weights = torch.randn(4, 5, *sides)

    def made(training):
        layer.train(training)
        with torch.autocast("cpu", torch.bfloat16):
            y = layer(x)
        return [y, *torch.autograd.grad((y.float() * weights).sum(), [x, *layer.parameters()])]

    for ours, theirs in zip(made(True), made(False), strict=True):
        assert (ours.float() - theirs.float()).norm() < 0.01 * theirs.float().norm()
