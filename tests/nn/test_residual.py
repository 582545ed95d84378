"""Residual networks: sizes, gradients, and what is left when the branch is silent."""

import pytest
import torch
from torch import nn

from reverie.nn.residual import Down, Up, residual_decoder, residual_encoder

SHAPES = [(1, 28, 28), (3, 32, 32), (1, 28, 20), (2, 9, 13)]


@pytest.mark.parametrize("shape", SHAPES)
def test_any_size_goes_down_and_comes_back(shape):
    encoder, decoder = residual_encoder(shape, (4, 6, 6), 10, 5), residual_decoder(5, (4, 6, 6), 10, shape)
    x = torch.randn(2, *shape)
    code = encoder(x)
    assert code.shape == (2, 5)
    assert decoder(code).shape == x.shape


@pytest.mark.parametrize("shape", SHAPES)
def test_every_weight_takes_part(shape):
    network = nn.Sequential(residual_encoder(shape, (4, 6), 10, 5), residual_decoder(5, (4, 6), 10, shape))
    network(torch.randn(3, *shape)).square().sum().backward()
    assert all(parameter.grad.abs().max() > 0 for parameter in network.parameters())


@pytest.mark.parametrize("block", [Down(2, 3), Up(2, 3, (12, 10))])
def test_a_silent_branch_leaves_the_shortcut(block):
    last = [layer for layer in block.branch if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d)][-1]
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)
    x = torch.randn(2, 2, 6, 5)
    torch.testing.assert_close(block(x), block.shortcut(x))


def test_neighbours_of_a_pixel_see_it_and_distant_ones_do_not():
    x = torch.randn(1, 1, 16, 16, requires_grad=True)
    Down(1, 1)(x)[0, 0, 3, 3].backward()
    seen = x.grad[0, 0].nonzero()
    assert (seen.min(0).values == 3).all()  # 2 * 3 - 1 by one convolution, 2 more by the next
    assert (seen.max(0).values == 9).all()
