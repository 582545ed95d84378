"""Gated convolutions in reading order: what a pixel sees, by the gradient, and rows computed apart."""

import pytest
import torch

from reverie.nn.gated import CausalConv, GatedPixels, gate


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)


def network(channels=1, layers=2, outputs=3):
    return GatedPixels(channels, 4, layers, outputs).double()


def seen(made, place, size, channels):
    """Which pixels move some output at a place, and which channels of them: a mask (C, H, W)."""
    x = torch.randn(8, channels, *size, dtype=torch.float64, requires_grad=True)
    mask = torch.zeros(channels, *size, dtype=torch.bool)
    for output in made(x)[:, :, place[0], place[1]].unbind(1):
        (gradient,) = torch.autograd.grad(output.sum(), x, retain_graph=True)
        mask |= (gradient != 0).any(0)
    return mask


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("layers", [1, 2, 3])
@pytest.mark.parametrize("place", [(0, 0), (0, 5), (1, 0), (9, 0), (9, 8), (9, 16), (5, 3)])
def test_a_pixel_sees_all_before_it_in_its_field_and_nothing_else(place, layers, channels):
    size, (i, j) = (10, 17), place
    expected = torch.zeros(size, dtype=torch.bool)
    left, right = max(0, j - 3 - layers), j + 4 + layers
    expected[max(0, i - 4 - layers) : i, left:right] = True  # rows above
    expected[i, left:j] = True  # and its own row, without itself
    mask = seen(network(channels, layers), place, size, channels)
    assert torch.equal(mask, expected.expand_as(mask))


def test_later_pixels_and_the_pixel_itself_change_nothing_at_all():
    made, x = network(3), torch.randn(2, 3, 6, 6, dtype=torch.float64)
    before = made(x)
    x[:, :, 3, 2:] = 100.0
    x[:, :, 4:] = -100.0
    after = made(x)
    assert torch.equal(after[:, :, :3], before[:, :, :3])
    assert torch.equal(after[:, :, 3, :3], before[:, :, 3, :3])
    assert not torch.equal(after[:, :, 3, 3:], before[:, :, 3, 3:])


def test_a_pixel_from_what_is_within_reach_is_that_of_the_whole():
    made, x = network(), torch.randn(2, 1, 13, 12, dtype=torch.float64)
    whole, reach = made(x), made.reach
    assert reach == 6
    for i in range(13):
        above = [told[:, :, -1:] for told in made.above(x[:, :, max(0, i - reach) : i + 1])]
        for j in range(12):
            near = slice(max(0, j - reach), j + 1)
            pixel = made.along(x[:, :, i : i + 1, near], [told[..., near] for told in above])
            torch.testing.assert_close(pixel[:, :, 0, -1], whole[:, :, i, j])


def test_the_gate_is_that_of_the_paper():
    x = torch.randn(2, 6, 3, 3)
    torch.testing.assert_close(gate(x), torch.tanh(x[:, :3]) * torch.sigmoid(x[:, 3:]))


def test_a_causal_convolution_is_a_shifted_one():
    made, x = CausalConv(1, 1, (2, 1), (1, 0)), torch.randn(1, 1, 4, 3)
    up, here = made.weight.flatten()
    above = torch.cat([torch.zeros(1, 1, 1, 3), x[:, :, :3]], 2)
    torch.testing.assert_close(made(x), up * above + here * x + made.bias)


def test_the_output_is_float32_under_autocast_and_every_weight_learns():
    made = GatedPixels(1, 8, 3, 2)
    with torch.autocast("cpu", torch.bfloat16):
        output = made(torch.randn(4, 1, 6, 6))
    assert output.dtype == torch.float32
    output.square().sum().backward()
    idle = {name for name, p in made.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0}
    assert idle == set()
