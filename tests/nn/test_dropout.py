"""Dropout: how many numbers go, that they go alone, and what is left."""

import pytest
import torch

from reverie.nn.dropout import Dropout

COUNT = 1 << 20


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)


@pytest.mark.parametrize("p", [0.0, 0.3, 0.5, 0.9])
def test_the_share_that_goes_is_p_in_each_place_of_a_draw(p):
    kept = (Dropout(p)(torch.ones(COUNT)) > 0).double().view(-1, 4)
    spread = (p * (1 - p) / len(kept)) ** 0.5
    torch.testing.assert_close(kept.mean(0), torch.full((4,), 1 - p, dtype=torch.float64), rtol=0, atol=4.5 * spread)


def test_no_number_goes_because_its_neighbour_does():
    gone = (Dropout(0.3)(torch.ones(COUNT)) == 0).double() - 0.3
    for shift in (1, 2, 3, 4, 5):
        correlation = (gone[shift:] * gone[:-shift]).mean() / 0.21
        assert abs(correlation) < 4.5 / COUNT**0.5


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_what_is_left_is_scaled_and_so_is_its_gradient(layout):
    x = torch.rand(3, 5, 7, 2).add(1).to(memory_format=layout).requires_grad_()
    y = Dropout(0.25)(x)
    assert y.stride() == x.stride()
    mask = (y != 0).float()
    assert 0.5 < mask.mean() < 0.95
    torch.testing.assert_close(y, x * mask / 0.75)
    y.sum().backward()
    torch.testing.assert_close(x.grad, mask / 0.75)


def test_a_seed_fixes_the_mask_and_evaluation_has_none():
    x, layer = torch.ones(1000), Dropout(0.5)
    torch.manual_seed(3)
    first, second = layer(x), layer(x)
    torch.manual_seed(3)
    assert torch.equal(layer(x), first)
    assert not torch.equal(second, first)
    assert torch.equal(layer.eval()(x), x)


def test_all_may_go():
    assert not Dropout(1.0)(torch.ones(10)).any()
