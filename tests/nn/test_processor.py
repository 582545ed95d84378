"""When a layer trains in its own way, and in which precision."""

import pytest
import torch
from torch import nn

from reverie.nn.processor import short, trains_on_processor


def test_only_training_on_a_processor_counts():
    layer, x = nn.Linear(2, 2), torch.zeros(1, 2)
    assert trains_on_processor(layer, x)
    assert not trains_on_processor(layer, x.to("meta"))
    with torch.no_grad():  # a player that stands still in the other's turn
        assert trains_on_processor(layer, x)
    assert not trains_on_processor(layer.eval(), x)


@pytest.mark.parametrize(("on", "kind"), [(True, torch.bfloat16), (False, torch.float64)])
def test_tensors_are_short_where_autocast_is_on_and_else_alike(on, kind):
    x, weight = torch.ones(2, dtype=torch.float64), torch.ones(3)
    with torch.autocast("cpu", torch.bfloat16, enabled=on):
        *found, nothing = short(x, weight, None)
    assert [tensor.dtype for tensor in found] == [kind, kind]
    assert nothing is None
