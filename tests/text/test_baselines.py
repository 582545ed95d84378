"""Counted n-grams against counting with dictionaries, against the source's entropy, and against known figures."""

import lzma
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reverie.text.baselines import witten_bell, xz_bits
from tongues import entropy, spoken, table

tokens = st.lists(st.integers(0, 3), min_size=1, max_size=40)


def slowly(train, text, vocabulary, n):
    """The formula as it is written, with dictionaries."""
    followers = defaultdict(Counter)
    for k in range(n):
        for i in range(len(train) - k):
            followers[tuple(train[i : i + k])][train[i + k]] += 1

    def chance(history, word):
        lower = chance(history[1:], word) if history else 1 / vocabulary
        seen = followers.get(tuple(history), Counter())
        if not seen:
            return lower
        return (seen[word] + len(seen) * lower) / (seen.total() + len(seen))

    return [-np.log(chance(tuple(text[max(0, i - n + 1) : i]), text[i])) for i in range(1, len(text))]


@given(tokens, st.lists(st.integers(0, 4), min_size=2, max_size=30), st.integers(1, 5))
def test_counting_is_as_the_formula_says(train, text, n):
    found = witten_bell(np.array(train), np.array(text), 5, n)
    assert found == pytest.approx(np.array(slowly(train, text, 5, n)), rel=1e-9)


@given(tokens, st.lists(st.integers(0, 3), min_size=3, max_size=6), st.integers(1, 4))
def test_probabilities_add_up(train, text, n):
    """Of all symbols that could stand at the end."""
    last = [witten_bell(np.array(train), np.array([*text, symbol]), 4, n)[-1] for symbol in range(4)]
    assert np.exp(-np.array(last)).sum() == pytest.approx(1)


def test_three_grams_come_near_the_entropy_of_a_source_of_order_two():
    chances = table()
    train, text = np.array(spoken(chances, 300_000)), np.array(spoken(chances, 40_000, seed=1))
    nats = {n: float(witten_bell(train, text, len(chances), n).mean()) for n in (1, 2, 3)}
    error = 3 * witten_bell(train, text, len(chances), 3).std() / len(text) ** 0.5
    assert entropy(chances) - error < nats[3] < entropy(chances) + error + 0.01
    assert nats[1] > nats[2] > nats[3] + 0.1


def test_a_uniform_source_cannot_be_learned():
    train, text = (np.random.default_rng(seed).integers(0, 8, 50_000) for seed in (0, 1))
    assert witten_bell(train, text, 8, 3).mean() == pytest.approx(np.log(8), abs=0.02)


def test_xz_is_what_the_tool_adds_to_the_file():
    train, text = "to be or not to be, that is the question. " * 40, "whether it is nobler in the mind to be. " * 9
    sizes = [len(lzma.compress(part.encode(), preset=9)) for part in (train, train + text)]
    assert xz_bits(train.encode(), text) == pytest.approx(8 * (sizes[1] - sizes[0]), abs=64)
    assert xz_bits(text.encode(), text) < 8 * len(text) / 10


@pytest.mark.slow
def test_the_known_figures_of_tinyshakespeare(shared_data):
    """Counted before by other code: 2.049 for three symbols, 1.669 for five; xz 2.52 bits."""
    text = Path(shared_data, "shakespeare", "tinyshakespeare.txt").read_text()
    symbols = np.frombuffer(text.encode(), np.uint8)
    train, held = symbols[:-111_540], symbols[-111_540:]
    assert witten_bell(train, held, 65, 3).mean() == pytest.approx(2.049, abs=0.001)
    assert witten_bell(train, held, 65, 5).mean() == pytest.approx(1.669, abs=0.001)
    assert xz_bits(text[:-111_540].encode(), text[-111_540:]) / 111_540 == pytest.approx(2.52, abs=0.01)
