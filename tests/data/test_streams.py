"""Columns go on from turn to turn round the whole text; windows start anywhere; both are pure functions."""

import numpy as np
import pytest
import torch

from reverie.data.corpus import pasted
from reverie.data.streams import Columns, ColumnStock, Windows, WindowStock
from reverie.data.tokenizers import Characters
from reverie.engine.noise import StepNoise
from reverie.errors import UsageError

NOISE = StepNoise((0,), 0, 4)
IDS = np.arange(1003, dtype=np.uint16)  # each symbol is its own place


def windows(examples, aside=0.0):
    return WindowStock(IDS, Windows(Characters([]), 10, 3, examples, aside), "cpu")


def taken(stock, turn, batch=4, rows=None, seed=0):
    return stock.take(turn, batch, rows or range(batch), seed, NOISE).x


def test_a_column_goes_on_where_it_ended_until_the_epoch_ends():
    stock = ColumnStock(IDS, 10, "cpu")
    assert stock.turns(4) == 1003 // 40
    last = None
    for turn in range(stock.turns(4)):
        x = taken(stock, turn)
        assert x.dtype == torch.int64
        assert torch.equal(x[:, 1:], (x[:, :-1] + 1) % 1003)  # round the ring
        assert stock.continues(turn, 4) == (turn > 0)
        assert last is None or torch.equal(x[:, 0], last)
        last = x[:, -1]
    assert not stock.continues(stock.turns(4), 4)


def test_an_epoch_reads_each_symbol_once_and_leaves_out_others_in_each():
    stock, left_out = ColumnStock(IDS, 10, "cpu"), []
    for epoch in range(3):
        turns = range(epoch * stock.turns(4), (epoch + 1) * stock.turns(4))
        read = torch.cat([taken(stock, turn)[:, 1:].flatten() for turn in turns])
        assert len(read.unique()) == len(read) == 1000
        left_out.append(tuple(sorted(set(range(1003)) - set(read.tolist()))))
    assert len(set(left_out)) == 3


def test_turns_do_not_depend_on_what_was_asked_before_and_differ_between_seeds():
    stock = ColumnStock(IDS, 10, "cpu")
    assert torch.equal(taken(stock, 77), taken(ColumnStock(IDS, 10, "cpu"), 77))
    assert not torch.equal(taken(stock, 77), taken(stock, 77, seed=1))


@pytest.mark.parametrize("stock", [ColumnStock(IDS, 10, "cpu"), windows(60)])
def test_ranks_share_the_rows_of_one_batch(stock):
    whole = taken(stock, 5)
    parts = [taken(stock, 5, rows=rows) for rows in (range(3), range(3, 4))]
    assert torch.equal(torch.cat(parts), whole)


def test_windows_start_at_every_step_and_an_epoch_has_so_many():
    stock = windows(60)
    assert stock.turns(4) == 15
    heads = torch.cat([taken(stock, turn) for turn in range(15)])
    assert torch.equal(heads, heads[:, :1] + torch.arange(11))  # no window goes round the end
    assert (heads[:, 0] % 3 == 0).all()
    assert len(heads[:, 0].unique()) == 60
    again = torch.cat([taken(stock, turn) for turn in range(15, 30)])
    assert set(again[:, 0].tolist()) != set(heads[:, 0].tolist())
    assert not any(stock.continues(turn, 4) for turn in range(30))
    every = windows(0)
    assert every.count == len(range(0, 1003 - 10, 3))
    assert every.turns(4) == every.count // 4


def test_windows_set_aside_are_not_trained_on_in_their_epoch_but_in_others():
    stock = windows(60, aside=0.25)
    assert stock.turns(4) == 45 // 4
    assert stock.turns(5) == 9
    trained = [torch.cat([taken(stock, turn, 5) for turn in range(9 * e, 9 * e + 9)])[:, 0] for e in range(40)]
    for epoch in range(2):
        aside = stock.aside(epoch, 0)
        assert aside.shape == (15, 11)
        assert not set(aside[:, 0].tolist()) & set(trained[epoch].tolist())
        assert set(aside[:, 0].tolist()) <= set(torch.cat(trained).tolist())
    assert len(windows(60).aside(0, 0)) == 0


def test_a_text_that_does_not_fill_a_turn_is_refused_with_the_numbers():
    data = pasted("to be or not to be " * 5)
    for view, words in (
        (Columns(Characters(list("abenort ")), 10), "85 training symbols of pasted.* 320 are needed"),
        (Windows(Characters(list("abenort ")), 10, 3, 20), "20 windows of --window 10.* fewer than --batch 32"),
    ):
        fixed = view.fixed(data)
        with pytest.raises(UsageError, match=words):
            view.check(fixed, 32)
        view.check(fixed, 4)
        assert view.stock(fixed, "cpu").take(0, 4, range(4), 0, NOISE).x.shape == (4, 11)
        assert "characters, 9 symbols" in view.protocol
