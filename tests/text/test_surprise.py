"""Nats of a text against the source's own, carried and in cold windows."""

import numpy as np
import pytest
import torch
from torch import nn

from reverie.errors import DataError, Diverged, Interrupted, UsageError
from reverie.text.surprise import surprise
from tongues import Markov, exact, spoken, table

TABLE = table()
TOKENS = spoken(TABLE, 3000)


def test_every_symbol_but_the_first_is_scored_with_its_probability():
    found = surprise(Markov(TABLE), torch.tensor(TOKENS))
    assert found.dtype == torch.float64
    assert found.numpy() == pytest.approx(exact(TABLE, TOKENS), rel=1e-5)


@pytest.mark.parametrize("window", [1, 2, 7, 256, 2999, 5000])
def test_cold_windows_forget_and_score_every_symbol_once(window):
    found = surprise(Markov(TABLE), torch.tensor(TOKENS), window=window)
    ends = range(0, len(TOKENS) - 1, window)
    wanted = np.concatenate([exact(TABLE, TOKENS[end : end + window + 1]) for end in ends])
    assert len(found) == len(TOKENS) - 1
    assert found.numpy() == pytest.approx(wanted, rel=1e-5)


class Counting(nn.Module):
    """Knows how many symbols it has seen: its state is nothing else, and its probabilities tell."""

    def forward(self, tokens, state):
        seen = torch.arange(tokens.shape[1]).float().expand(tokens.shape) + (0 if state is None else state)
        assert not torch.is_grad_enabled()
        return torch.stack([seen, torch.zeros_like(seen)], -1), seen[0, -1] + 1


def test_a_window_begins_with_no_state():
    found = surprise(Counting(), torch.ones(10, dtype=torch.int64), window=3)
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
        surprise(Markov(TABLE), torch.tensor(tokens), window=window)


@pytest.mark.parametrize("window", [0, 8])
def test_numbers_that_are_not_finite_are_no_figures(window):
    broken = TABLE.copy()
    broken[0] = np.nan
    with pytest.raises(Diverged, match="not finite"):
        surprise(Markov(broken), torch.tensor(TOKENS), window=window)


@pytest.mark.parametrize("window", [0, 8])
def test_it_can_be_stopped(window):
    with pytest.raises(Interrupted, match="stopped after 0 of 3,000"):
        surprise(Markov(TABLE), torch.tensor(TOKENS), window=window, should_stop=lambda: True)
