"""Fully connected networks: sizes, activations, shapes."""

import pytest
import torch
from torch import nn

from reverie.nn.mlp import Dense, gated_mlp, mlp, mlp_decoder, mlp_encoder


def count(module):
    return sum(parameter.numel() for parameter in module.parameters())


def test_mlp_is_linear_layers_with_activations_between():
    net = mlp([5, 4, 3, 2], nn.Tanh, nn.Sigmoid)
    assert [type(layer) for layer in net] == [Dense, nn.Tanh, Dense, nn.Tanh, Dense, nn.Sigmoid]
    x = torch.randn(7, 5)
    by_hand = torch.sigmoid(net[4](torch.tanh(net[2](torch.tanh(net[0](x))))))
    assert torch.equal(net(x), by_hand)


def test_one_layer_has_no_activation():
    assert [type(layer) for layer in mlp([5, 2])] == [Dense]


def test_gated_layers_multiply_one_linear_map_by_the_sigmoid_of_another():
    net = gated_mlp([5, 4, 3, 2])
    assert [type(layer) for layer in net] == [Dense, nn.GLU, Dense, nn.GLU, Dense]
    x = torch.randn(7, 5)
    (v, w), (a, b) = net[0].weight.chunk(2), net[0].bias.chunk(2)
    hidden = (x @ v.T + a) * torch.sigmoid(x @ w.T + b)
    torch.testing.assert_close(net[:2](x), hidden)
    assert net(x).shape == (7, 2)
    assert [type(layer) for layer in gated_mlp([5, 2])] == [Dense]


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 20, 12)])
def test_images_in_and_out(shape):
    encoder, decoder = mlp_encoder(shape, [16, 8], 6), mlp_decoder(3, [8, 16], shape, output=nn.Tanh)
    assert encoder(torch.zeros(2, *shape)).shape == (2, 6)
    assert decoder(torch.zeros(2, 3)).shape == (2, *shape)
    assert decoder(torch.full((2, 3), 1e4)).abs().max() <= 1


def test_the_named_networks_have_their_parameters():
    shape = (1, 28, 28)
    # 784-128-64-12-3 and its mirror image
    assert count(mlp_encoder(shape, [128, 64, 12], 3)) == 784 * 128 + 128 + 128 * 64 + 64 + 64 * 12 + 12 + 39
    assert count(mlp_decoder(3, [12, 64, 128], shape)) == 48 + 12 * 64 + 64 + 64 * 128 + 128 + 128 * 784 + 784
    # 784-400 with two heads of 20, and 20-400-784
    assert count(mlp_encoder(shape, [400], 40)) == 784 * 400 + 400 + 2 * (400 * 20 + 20)
    assert count(mlp_decoder(20, [400], shape)) == 20 * 400 + 400 + 400 * 784 + 784
