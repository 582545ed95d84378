"""Masked networks against autograd: what an output may see it sees, and nothing else."""

import pytest
import torch
from torch import nn
from torch.autograd.functional import jacobian

from reverie.errors import UsageError
from reverie.nn.masked import MADE, MaskedLinear

# Numbers, context, hidden layers, outputs of each: narrower than the numbers, as wide, wider, and no layer at all.
SIZES = [(2, 1, (3,), 2), (2, 3, (1,), 2), (5, 2, (2, 3), 2), (6, 4, (1, 1), 3), (4, 2, (16, 9, 7), 1), (7, 3, (), 2)]


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)


def shaken(network):
    """Every weight non-zero, whatever its mask says, in float64."""
    for parameter in network.double().parameters():
        nn.init.normal_(parameter)
    return network


def dependence(network, d, h):
    """The Jacobians with respect to numbers, (outputs, D, D), and context, (outputs, D, H)."""
    x, context = torch.randn(d, dtype=torch.float64), torch.randn(h, dtype=torch.float64)
    return jacobian(network, (x, context))


@pytest.mark.parametrize(("d", "h", "hidden", "outputs"), SIZES)
def test_outputs_see_exactly_what_comes_before_them_and_all_of_the_context(d, h, hidden, outputs):
    of_x, of_context = dependence(shaken(MADE(d, h, hidden, outputs)), d, h)
    allowed = torch.ones(d, d).tril(-1).bool().expand(outputs, d, d)
    assert of_x.shape == allowed.shape
    assert torch.equal(of_x != 0, allowed)
    assert (of_context != 0).all()


@pytest.mark.parametrize(("d", "hidden"), [(2, (2,)), (5, (5, 5)), (5, (8, 6, 9)), (9, (9,))])
def test_hidden_layers_as_wide_as_the_numbers_carry_every_allowed_dependence_alone(d, hidden):
    network = shaken(MADE(d, 2, hidden))
    nn.init.zeros_(network.last.weight[:, :d])
    of_x, _ = dependence(network, d, 2)
    assert torch.equal(of_x != 0, torch.ones(d, d).tril(-1).bool().expand(2, d, d))


@pytest.mark.parametrize(("d", "h", "hidden", "outputs"), SIZES)
def test_hidden_units_know_the_context_and_as_much_of_the_numbers_as_their_degree(d, h, hidden, outputs):
    network = shaken(MADE(d, h, hidden, outputs))
    for units, layer in zip(hidden, network.hidden, strict=True):
        assert layer.weight.shape[0] == units
        seen = layer.mask.sum(1)
        assert torch.equal(seen, seen.sort().values)


def test_the_output_is_that_of_plain_layers_with_masked_weights():
    network = shaken(MADE(3, 2, (4,)))
    x, h = torch.randn(5, 3).double(), torch.randn(5, 2).double()
    (layer,), last = network.hidden, network.last
    inner = nn.functional.elu(x @ (layer.weight * layer.mask).T + layer.bias + h @ network.told[0].weight.T)
    seen = torch.cat([x, inner], 1)
    outer = seen @ (last.weight * last.mask).T + last.bias + h @ network.told[1].weight.T
    torch.testing.assert_close(network(x, h), outer.view(5, 2, 3))


def test_one_context_serves_all_draws_of_its_example():
    network = shaken(MADE(3, 2, (4,)))
    x, h = torch.randn(5, 7, 3).double(), torch.randn(5, 1, 2).double()
    each = network(x.flatten(0, 1), h.expand(5, 7, 2).flatten(0, 1))
    torch.testing.assert_close(network(x, h).flatten(0, 1), each)


def test_weights_start_for_the_inputs_that_are_there():
    mask = torch.arange(64).unsqueeze(1) >= torch.arange(64)
    layer = MaskedLinear(mask)
    assert (layer.weight[~mask] == 0).all()
    assert torch.equal(layer.bias, torch.zeros(64))
    reach = layer.weight.abs().amax(1) * torch.arange(1, 65).sqrt()  # below 1; near it where there are many
    assert (reach <= 1).all()
    assert (reach[32:] > 0.8).all()


def test_what_is_masked_learns_nothing_and_is_not_saved():
    network = MADE(4, 2, (6,))
    network(torch.randn(8, 4), torch.randn(8, 2)).square().sum().backward()
    for layer in (*network.hidden, network.last):
        assert torch.equal(layer.weight.grad != 0, layer.mask.bool())
    assert not [name for name in network.state_dict() if "mask" in name]


@pytest.mark.parametrize("d", [0, 1])
def test_a_single_number_is_refused(d):
    with pytest.raises(UsageError, match=r"nothing before it.*--latent 2.*--flow 0"):
        MADE(d, 3, (4,))
