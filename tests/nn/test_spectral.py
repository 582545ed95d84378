"""Spectral normalisation against singular values, its closed gradient, and what may move it."""

import copy

import pytest
import torch
from torch import nn

from reverie.nn.spectral import Spectral, normalised


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)


def layers():
    network = nn.Sequential(nn.Conv2d(3, 16, 4, 2, 1), nn.Flatten(), nn.Linear(64, 5), nn.Embedding(5, 7))
    return normalised(network)


def largest(network):
    return [float(torch.linalg.svdvals(network[i].weight.detach().flatten(1))[0]) for i in (0, 2, 3)]


def look(network, times=1):
    for _ in range(times):
        network[:3](torch.zeros(1, 3, 4, 4))
        network[3](torch.tensor([0]))


def test_largest_singular_values_become_one_and_stay_so_in_evaluation(tmp_path):
    network = layers()
    look(network, 200)
    network.eval()
    assert largest(network) == pytest.approx([1, 1, 1], abs=1e-2)
    again = layers()
    again.load_state_dict(network.state_dict())
    assert largest(again.eval()) == pytest.approx([1, 1, 1], abs=1e-2)


def test_a_moving_weight_is_followed():
    network = layers()
    search = torch.optim.SGD(network.parameters(), 0.1)
    for _ in range(300):
        search.zero_grad()
        network[:3](torch.randn(4, 3, 4, 4)).sum().backward()
        search.step()
    assert largest(network.eval())[:2] == pytest.approx([1, 1], abs=1e-2)


def test_power_iterations_rest_in_evaluation_and_go_on_in_training():
    network = layers().eval()
    before = copy.deepcopy(network.state_dict())
    first, second = (network[2](torch.ones(1, 64)) for _ in range(2))
    assert torch.equal(first, second)
    assert all(torch.equal(before[name], now) for name, now in network.state_dict().items())
    look(network.train())
    moved = [name for name, now in network.state_dict().items() if not torch.equal(before[name], now)]
    assert len(moved) == 6  # u and v of three layers


def test_a_copy_is_a_copy():
    network = layers()
    other = copy.deepcopy(network)
    before = copy.deepcopy(other.state_dict())
    look(network, 3)
    assert all(torch.equal(before[name], now) for name, now in other.state_dict().items())


def test_the_gradient_is_that_of_the_paper():
    """``dW = (G - <G, W / s> u v) / s`` for the gradient G by the normalised weight (equation 12)."""
    weight = torch.randn(4, 6, dtype=torch.float64, requires_grad=True)
    spectral = Spectral(weight)
    for _ in range(500):
        spectral(weight)
    toward = torch.randn(4, 6, dtype=torch.float64)
    normal = spectral.eval()(weight)
    (gradient,) = torch.autograd.grad((normal * toward).sum(), weight)
    sigma = torch.linalg.svdvals(weight.detach())[0]
    outer = torch.outer(spectral.u, spectral.v)
    torch.testing.assert_close(gradient, (toward - (toward * normal.detach()).sum() * outer) / sigma)


def test_two_passes_can_be_differentiated_together():
    network = layers()
    value = network[2](torch.ones(1, 64)).sum() + network[2](torch.zeros(1, 64)).sum()
    value.backward()
    assert network[2].parametrizations.weight.original.grad.abs().sum() > 0


def test_singular_values_are_float32_under_autocast():
    network = layers()
    with torch.autocast("cpu", torch.bfloat16):
        look(network, 50)
        assert network[0].weight.dtype == torch.float32
    assert network[0].parametrizations.weight[0].u.dtype == torch.float32
    assert largest(network.eval())[0] == pytest.approx(1, abs=1e-2)
