"""The coder: what it wrote is read, whatever the probabilities; and it is as long as they say."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reverie.errors import DataError
from reverie.text.coding import TOTAL, Coder, Decoder, frequencies

weights = st.lists(st.sampled_from([0.0, 1e-300, 1e-12, 1e-6, 0.5, 1.0]) | st.floats(0, 1), min_size=1, max_size=9)


@st.composite
def messages(draw):
    """Symbols, each with probabilities of its own; the symbol may be one that has none."""
    found = []
    for row in draw(st.lists(weights, max_size=60)):
        total = math.fsum(row)
        chances = np.array(row) / total if total > 0 else np.full(len(row), 1 / len(row))
        found.append((draw(st.integers(0, len(row) - 1)), frequencies(chances)))
    return found


def coded(message) -> bytes:
    coder = Coder()
    for symbol, counts in message:
        coder.write(symbol, counts)
    return coder.finish()


@given(messages())
@settings(max_examples=300)
def test_what_was_written_is_read(message):
    decoder = Decoder(coded(message))
    assert [decoder.read(counts) for _, counts in message] == [symbol for symbol, _ in message]


@given(messages())
def test_it_is_as_long_as_the_frequencies_say(message):
    bits = -sum(math.log2(int(counts[symbol]) / TOTAL) for symbol, counts in message)
    assert len(coded(message)) <= bits / 8 * (1 + 1e-6) + 2


@given(weights)
def test_frequencies_add_up_and_none_is_nought(row):
    total = math.fsum(row)
    chances = np.array(row) / total if total > 0 else np.full(len(row), 1 / len(row))
    found = frequencies(chances)
    assert found.sum() == TOTAL
    assert found.min() >= 1
    assert np.abs(found / TOTAL - chances).max() <= (len(row) + 1) / TOTAL


def test_a_carry_runs_through_many_bytes():
    """The upper of two equal halves again and again, then the lower end: bytes of 255 wait for what comes."""
    halves, thirds = frequencies(np.array([0.5, 0.5])), frequencies(np.array([1 / 3] * 3))
    for length in (8, 64, 200, 1000):
        for last in range(3):
            message = [(1, halves)] * length + [(last, thirds)] * 40
            decoder = Decoder(coded(message))
            assert [decoder.read(counts) for _, counts in message] == [symbol for symbol, _ in message]


def test_every_carry_is_seen():
    """Messages drawn at random pass through the carry; that it is taken is counted here."""
    taken = 0
    rng = np.random.default_rng(0)
    for _ in range(50):
        coder, message = Coder(), []
        for _ in range(400):
            counts = frequencies(rng.dirichlet([0.2] * 5))
            message.append((int(rng.integers(5)), counts))
            before = bytes(coder.bytes)
            coder.write(*message[-1])
            taken += bytes(coder.bytes)[: len(before)] != before
        decoder = Decoder(coder.finish())
        assert [decoder.read(counts) for _, counts in message] == [symbol for symbol, _ in message]
    assert taken > 10


def test_a_long_message_reaches_its_entropy():
    chances = np.random.default_rng(1).dirichlet(np.ones(65))
    symbols = np.random.default_rng(2).choice(65, 20_000, p=chances)
    size = len(coded([(int(symbol), frequencies(chances)) for symbol in symbols]))
    assert size == pytest.approx(-np.log2(chances[symbols]).sum() / 8, abs=2)


def test_a_certain_symbol_costs_nothing():
    assert coded([(0, frequencies(np.array([1.0])))] * 1000) == b""
    assert len(coded([(0, frequencies(np.array([1.0, 0.0])))] * 1000)) <= 1


def test_bytes_that_no_coder_wrote_are_refused_or_read_as_something():
    """A range is rarely a whole number of steps: what lies beyond is no symbol."""
    counts, decoder = frequencies(np.array([0.1, 0.2, 0.7])), Decoder(b"\xff" * 400)
    with pytest.raises(DataError, match="damaged"):
        _ = [decoder.read(counts) for _ in range(5000)]
