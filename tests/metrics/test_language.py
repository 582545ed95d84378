"""The loss of a text: equal for every chunk, against a sum by hand, and twice the same."""

import pytest
import torch

from reverie.errors import DataError, Diverged, Interrupted, UsageError
from reverie.metrics.language import symbol_nats
from reverie.models.autoencoder import Autoencoder
from reverie.models.language import LanguageModel, Restraint
from reverie.nn.recurrent import stack

IDS = torch.randint(0, 6, (211,), generator=torch.Generator().manual_seed(0))


@pytest.fixture
def model():
    torch.manual_seed(0)
    return LanguageModel(6, 4, stack("lstm", 4, (8, 5)), restraint=Restraint(outputs=0.5, recurrent=0.5))


def test_every_chunk_gives_the_same(model):
    one_by_one, state = [], None
    with torch.no_grad():
        for now, following in zip(IDS[:-1], IDS[1:], strict=True):
            logits, state = model.step(now[None], state)
            one_by_one.append(-logits.double().log_softmax(-1)[0, following])
    for chunk in (1, 7, 37, 210, 5000):
        found = symbol_nats(model, IDS, chunk=chunk)
        assert found.shape == (210,)
        torch.testing.assert_close(found, torch.stack(one_by_one), rtol=0, atol=1e-6)


def test_two_passes_are_equal_also_while_training(model):
    assert torch.equal(symbol_nats(model.train(), IDS), symbol_nats(model.eval(), IDS))
    symbol_nats(model.train(), IDS)
    assert model.training


def test_what_cannot_be_measured_is_said(model):
    with pytest.raises(DataError, match="fewer than two symbols"):
        symbol_nats(model, IDS[:1])
    with pytest.raises(UsageError, match="predicts no symbols"):
        symbol_nats(Autoencoder(torch.nn.Flatten(), torch.nn.Flatten(), latent=2), IDS)
    with pytest.raises(Interrupted, match="after 37 of 211"):
        symbol_nats(model, IDS, chunk=37, should_stop=iter([False, True]).__next__)
    model.bias.data[2] = float("nan")
    with pytest.raises(Diverged, match="not finite"):
        symbol_nats(model, IDS)
