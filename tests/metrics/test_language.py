"""The loss of a text: by the source and by hand, carried and in cold windows, equal for every chunk."""

import numpy as np
import pytest
import torch

from reverie.errors import DataError, Diverged, Interrupted, UsageError
from reverie.metrics.language import symbol_nats
from reverie.models.autoencoder import Autoencoder
from reverie.models.language import LanguageModel, Restraint
from reverie.nn.recurrent import stack
from tongues import Markov, exact, spoken, table

TABLE = table()
TOKENS = spoken(TABLE, 3000)
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


def test_every_symbol_but_the_first_is_scored_with_its_probability():
    found = symbol_nats(Markov(TABLE), torch.tensor(TOKENS))
    assert found.dtype == torch.float64
    assert found.numpy() == pytest.approx(exact(TABLE, TOKENS), rel=1e-5)


@pytest.mark.parametrize("window", [1, 2, 7, 256, 2999, 5000])
def test_cold_windows_forget_and_score_every_symbol_once(window):
    found = symbol_nats(Markov(TABLE), torch.tensor(TOKENS), window=window)
    ends = range(0, len(TOKENS) - 1, window)
    wanted = np.concatenate([exact(TABLE, TOKENS[end : end + window + 1]) for end in ends])
    assert len(found) == len(TOKENS) - 1
    assert found.numpy() == pytest.approx(wanted, rel=1e-5)


class Counting(Markov):
    """Knows how many symbols it has seen: its state is nothing else, and its probabilities tell."""

    def forward(self, tokens, state):
        seen = torch.arange(tokens.shape[1]).float().expand(tokens.shape) + (0 if state is None else state)
        assert not torch.is_grad_enabled()
        return torch.stack([seen, torch.zeros_like(seen)], -1), seen[0, -1] + 1


def test_a_window_begins_with_no_state():
    found = symbol_nats(Counting(TABLE), torch.ones(10, dtype=torch.int64), window=3)
    one = -torch.tensor([[i, 0.0] for i in range(3)]).log_softmax(-1)[:, 1]
    assert found.float() == pytest.approx(torch.cat([one, one, one]))


@pytest.mark.parametrize(
    ("tokens", "window", "error", "words"),
    [
        ([1], 0, DataError, "fewer than two symbols"),
        ([1], 4, DataError, "fewer than two symbols"),
        ([1, 2], -1, UsageError, "--window must be at least 0"),
    ],
)
def test_what_cannot_be_scored_is_refused(tokens, window, error, words):
    with pytest.raises(error, match=words):
        symbol_nats(Markov(TABLE), torch.tensor(tokens), window=window)


@pytest.mark.parametrize("window", [0, 8])
def test_numbers_that_are_not_finite_are_no_figures(window):
    broken = TABLE.copy()
    broken[0] = np.nan
    with pytest.raises(Diverged, match="not finite"):
        symbol_nats(Markov(broken), torch.tensor(TOKENS), window=window)


@pytest.mark.parametrize("window", [0, 8])
def test_it_can_be_stopped(window):
    with pytest.raises(Interrupted, match="stopped after 0 of 3,000"):
        symbol_nats(Markov(TABLE), torch.tensor(TOKENS), window=window, should_stop=lambda: True)
