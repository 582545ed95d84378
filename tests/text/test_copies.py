"""Looking sequences up, against looking everywhere."""

import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reverie.text import copies as module
from reverie.text.copies import Copies, Span, agreement, points, shares, spans, string, suffix_array

words = st.text("ab", max_size=40)
numbers = st.lists(st.integers(0, 3), max_size=60)


@given(numbers)
def test_suffixes_are_in_their_order(tokens):
    assert suffix_array(np.array(tokens, np.int64)).tolist() == sorted(range(len(tokens)), key=lambda i: tokens[i:])


def test_suffixes_of_one_symbol_and_of_large_numbers():
    assert suffix_array(np.zeros(1000, np.int64)).tolist() == list(range(999, -1, -1))
    assert suffix_array(np.array([70_000, 5, 70_000])).tolist() == [1, 2, 0]


@given(words, words)
def test_the_longest_run_at_each_place_is_the_longest(text, other):
    lengths, sources = Copies.of_text(text).longest(points(other))
    for place, (length, source) in enumerate(zip(lengths, sources, strict=True)):
        assert length == max(n for n in range(len(other) - place + 1) if other[place : place + n] in text)
        assert text[source : source + length] == other[place : place + length]


@given(words, st.text("ab", max_size=6))
def test_what_follows_is_all_that_follows(text, asked):
    wanted = {ord(text[i + len(asked)]) for i in range(len(text) - len(asked)) if text[i:].startswith(asked)}
    assert Copies.of_text(text).following(points(asked).tolist()) == wanted


@given(words, words)
def test_strings_agree_as_far_as_they_do(a, b):
    wanted = next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
    assert agreement(a, b) == wanted


@given(words, words)
def test_shares_are_counted(text, other):
    lengths, _ = Copies.of_text(text).longest(points(other))
    for k, share in shares(lengths, [1, 2, 5]).items():
        grams = [other[i : i + k] for i in range(len(other) - k + 1)]
        assert share == pytest.approx(sum(gram in text for gram in grams) / len(grams))


def test_spans_are_whole_runs_and_lie_in_no_other():
    train, text = Copies.of_text("the king is dead. long live"), "??king is alive. long li"
    assert spans(*train.longest(points(text)), 4) == [Span(2, 4, 8), Span(11, 23, 4), Span(15, 16, 9)]
    assert spans(*train.longest(points(text)), 9) == [Span(15, 16, 9)]


def test_a_run_of_any_length_is_one_run():
    lengths, sources = Copies(np.arange(100)).longest(range(3, 100), long=7)
    assert lengths.tolist() == list(range(97, 0, -1))
    assert sources.tolist() == list(range(3, 100))


def test_of_two_long_runs_the_longer_one_is_taken():
    known = Copies.of_text("abcdefgh1 abcdefghijklmnopq2 abcdefghi3")
    lengths, sources = known.longest(points("abcdefghijklmnopq"), long=4)
    assert (lengths[0], sources[0]) == (17, 10)


def test_of_a_very_long_text_the_end_is_searched_and_places_are_of_the_whole(monkeypatch):
    monkeypatch.setattr(module, "LIMIT", 8)
    for known in (Copies.of_text("0123456789abcdef"), Copies(points("0123456789abcdef"))):
        lengths, sources = known.longest(points("12cde"))
        assert lengths.tolist() == [0, 0, 3, 2, 1]
        assert sources.tolist()[2:] == [12, 13, 14]


@given(st.text())
def test_numbers_of_a_text_are_its_code_points(text):
    assert points(text).tolist() == [ord(c) for c in text]
    assert string(points(text)) == text


@pytest.mark.slow
def test_a_million_characters_are_ready_in_seconds(shared_data):
    text = Path(shared_data, "shakespeare", "tinyshakespeare.txt").read_text()
    began = time.process_time()
    lengths, _ = Copies.of_text(text[:1_000_000]).longest(points(text[1_000_000:1_020_000]))
    assert time.process_time() - began < 20
    assert 20 < lengths.max() < 60
