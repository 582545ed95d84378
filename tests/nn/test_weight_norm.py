"""Weight normalisation against torch's own, and a first batch against the paper's formula."""

import copy

import pytest
import torch
from torch import nn
from torch.nn.utils.parametrizations import weight_norm

from reverie.nn.conv import TransposedConv
from reverie.nn.masked import MADE
from reverie.nn.residual import residual_decoder, residual_encoder
from reverie.nn.thin import ThinConv
from reverie.nn.weight_norm import set_by_first_batch, weight_normalised

LAYERS = {  # a layer, the axis of its units, and what it is given
    "linear": (lambda: nn.Linear(5, 4), 0, (8, 5)),
    "convolution": (lambda: nn.Conv2d(3, 4, 3, padding=1), 0, (8, 3, 6, 5)),
    "thin": (lambda: ThinConv(3, 2), 0, (8, 3, 6, 5)),
    "transposed": (lambda: TransposedConv(3, 4, 3, stride=2), 1, (8, 3, 6, 5)),
}


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)


def made(kind):
    make, axis, shape = LAYERS[kind]
    return make().double(), axis, torch.randn(*shape, dtype=torch.float64) * 3 + 1


def said_by(network, x):
    """What each normalised layer of a network says of x, in order, (..., units)."""
    heard, layers = [], [m for m in network.modules() if hasattr(m, "parametrizations")]
    hooks = [m.register_forward_hook(lambda layer, given, said: heard.append(said.detach().clone())) for m in layers]
    network(*x) if isinstance(x, tuple) else network(x)
    for hook in hooks:
        hook.remove()
    return [said.movedim(1, -1) if said.dim() == 4 else said for said in heard]


@pytest.mark.parametrize("kind", LAYERS)
def test_values_and_gradients_are_those_of_torchs_own(kind):
    layer, axis, x = made(kind)
    plain = layer(x)
    theirs, ours = weight_norm(copy.deepcopy(layer), dim=axis), weight_normalised(nn.Sequential(layer))[0]
    torch.testing.assert_close(ours(x), plain)
    for each in (theirs, ours):
        with torch.no_grad():
            each.parametrizations.weight.original0.mul_(1.7)
        each(x).square().sum().backward()
    for name in ("original0", "original1"):
        found, wanted = (getattr(each.parametrizations.weight, name) for each in (ours, theirs))
        torch.testing.assert_close(found, wanted)
        torch.testing.assert_close(found.grad, wanted.grad)
        assert wanted.grad.abs().min() > 0


def test_the_first_batch_sets_what_the_paper_says():
    layer, _, x = made("linear")
    v = layer.weight.detach().clone()
    with torch.no_grad():
        layer.bias.zero_()
    t = x @ (v / v.norm(dim=1, keepdim=True)).T
    network = weight_normalised(nn.Sequential(layer))
    set_by_first_batch(network, lambda: network(x))
    g = layer.parametrizations.weight.original0.squeeze(1)
    torch.testing.assert_close(g, 1 / t.std(0, correction=0))
    torch.testing.assert_close(layer.bias, -t.mean(0) / t.std(0, correction=0))
    torch.testing.assert_close(layer.parametrizations.weight.original1, v)


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 9, 12)])
def test_every_unit_has_mean_0_and_variance_1_and_quiet_ones_a_hundredth(shape):
    network = nn.Sequential(residual_encoder(shape, (4, 6), 20, 7), residual_decoder(7, (4, 6), 20, shape)).double()
    last = network[1][-1]
    weight_normalised(network, quiet=(last,))
    x = torch.rand(64, *shape, dtype=torch.float64)
    set_by_first_batch(network, lambda: network(x))
    *heard, output = said_by(network, x)
    assert len(heard) == 16
    for said in heard:
        flat = said.flatten(0, -2)
        torch.testing.assert_close(flat.mean(0), torch.zeros_like(flat[0]))
        torch.testing.assert_close(flat.var(0, correction=0), torch.ones_like(flat[0]))
    torch.testing.assert_close(output.flatten(0, -2).std(0, correction=0), torch.full((shape[0],), 0.1).double())


def test_what_the_hooks_say_is_what_the_set_layers_say():
    network = weight_normalised(residual_encoder((1, 8, 8), (4,), 6, 3))
    x, said = torch.rand(32, 1, 8, 8), []
    set_by_first_batch(network, lambda: said.append(network(x)))
    torch.testing.assert_close(said[0], network(x), rtol=1e-4, atol=1e-5)


def test_masked_layers_keep_their_masks_and_units_that_see_nothing_stay():
    network = MADE(5, 3, (7,)).double()
    weight_normalised(network, quiet=(network.last, network.told[-1]))
    x, context = torch.randn(64, 5).double(), torch.randn(64, 3).double()
    set_by_first_batch(network, lambda: network(x, context))
    optimizer = torch.optim.Adam(network.parameters(), 0.1)
    for _ in range(3):
        optimizer.zero_grad()
        network(x, context).square().sum().backward()
        optimizer.step()
    for layer in (*network.hidden, network.last):
        v = layer.parametrizations.weight.original1
        assert v.isfinite().all()
        assert torch.equal(v != 0, layer.mask.bool())
    of_x = torch.autograd.functional.jacobian(lambda z: network(z, context[0]), x[0])
    assert torch.equal(of_x != 0, torch.ones(5, 5).tril(-1).bool().expand(2, 5, 5))


def test_numbers_and_context_of_a_masked_layer_each_have_their_deviation():
    network = weight_normalised(MADE(4, 3, (8,)).double())
    x, context = torch.randn(256, 4).double(), torch.randn(256, 3).double()
    set_by_first_batch(network, lambda: network(x, context))
    sees = network.hidden[0].mask.any(1)
    told, _, hidden, _ = said_by(network, (x, context))
    torch.testing.assert_close(told.std(0, correction=0), torch.ones(8).double())
    torch.testing.assert_close(hidden.std(0, correction=0), sees.double())
    torch.testing.assert_close(hidden.mean(0), torch.zeros(8).double())


def test_a_constant_batch_blows_nothing_up():
    network = weight_normalised(nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2)))
    before = copy.deepcopy(network.state_dict())
    set_by_first_batch(network, lambda: network(torch.full((8, 4), 0.3)))
    scales = [name for name in before if name.endswith("original0")]
    assert all(torch.equal(before[name], network.state_dict()[name]) for name in scales)
    assert network(torch.full((8, 4), 0.3)).abs().max() < 1e-6


def test_it_is_the_same_twice_and_leaves_no_hook():
    networks = [weight_normalised(residual_encoder((1, 8, 8), (4,), 6, 3)) for _ in range(2)]
    networks[1].load_state_dict(networks[0].state_dict())
    x = torch.rand(16, 1, 8, 8)
    for network in networks:
        set_by_first_batch(network, lambda network=network: network(x))
        assert not any(module._forward_hooks for module in network.modules())
    first, second = (network.state_dict() for network in networks)
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_bfloat16_with_channels_last_is_float32_up_to_its_digits():
    network = residual_decoder(4, (8, 8), 16, (1, 12, 12))
    weight_normalised(network)
    z = torch.randn(8, 4)
    set_by_first_batch(network, lambda: network(z))
    exact = network(z).detach()
    last = copy.deepcopy(network).to(memory_format=torch.channels_last)
    torch.testing.assert_close(last(z), exact)
    with torch.autocast("cpu", torch.bfloat16):
        half = last(z).detach()
    assert half.dtype == torch.bfloat16
    assert float((half.float() - exact).abs().max() / exact.std()) < 0.1
