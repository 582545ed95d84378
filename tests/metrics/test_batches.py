"""Walking through a set leaves the model as it was."""

import pytest
import torch
from torch import nn

from reverie.metrics.batches import batches, evaluating


@pytest.mark.parametrize("training", [True, False])
def test_the_model_returns_to_its_mode_even_after_an_error(training):
    model = nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.5)).train(training)
    with evaluating(model):
        assert not model.training
        assert not model(torch.zeros(1, 2)).requires_grad
    assert model.training == training
    with pytest.raises(ValueError, match="broken"), evaluating(model):
        raise ValueError("broken")
    assert model.training == model[1].training == training


@pytest.mark.parametrize("size", [1, 3, 5, 9])
def test_every_row_comes_once_with_its_index(size):
    x = torch.arange(5.0)[:, None]
    seen = list(batches(nn.Linear(1, 1), x, size))
    assert [i for items, _ in seen for i in items] == [0, 1, 2, 3, 4]
    assert torch.equal(torch.cat([part for _, part in seen]), x)
