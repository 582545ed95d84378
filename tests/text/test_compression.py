"""A text compressed and restored; the size proves the evaluation's bits."""

import json
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from reverie.data.tokenizers import Bytes, Characters
from reverie.errors import DataError, Interrupted, UsageError
from reverie.metrics.language import symbol_nats
from reverie.text.compression import MAGIC, compress, parts, restore
from reverie.text.measures import Passage
from tongues import ALPHABET, Letters, Markov, spoken, table

TABLE, LETTERS, SHA = table(), Letters(), "ab" * 32
TEXT = LETTERS.decode(spoken(TABLE, 4000))


def squeezed(text: str = TEXT, tokenizer=LETTERS, model=None) -> bytes:
    return compress(model or Markov(TABLE), tokenizer, text, SHA)


def test_a_text_comes_back_and_is_as_long_as_the_evaluation_says():
    data = squeezed()
    assert restore(Markov(TABLE), LETTERS, data, SHA) == TEXT
    nats = symbol_nats(Markov(TABLE), Passage.of(TEXT, LETTERS).ids).sum()
    size = float(nats) / math.log(2) / 8 + math.log2(len(LETTERS)) / 8
    assert abs(len(parts(data)[1]) - size) <= 0.001 * size + 2
    assert size < len(TEXT) / 4


@given(st.text(ALPHABET, max_size=40))
def test_any_text_comes_back(text):
    assert restore(Markov(TABLE), LETTERS, squeezed(text), SHA) == text


class Sure(torch.nn.Module):
    """All but certain that every byte follows itself."""

    def step(self, token, state):
        return 400.0 * torch.nn.functional.one_hot(token, 256), None


@given(st.text(max_size=12))
def test_what_the_model_finds_impossible_comes_back_too(text):
    """At 32 bits a byte, the least probability that there is."""
    data = squeezed(text, Bytes(), Sure())
    assert restore(Sure(), Bytes(), data, SHA) == text
    changes = sum(a != b for a, b in zip(text.encode(), text.encode()[1:], strict=False))
    assert len(parts(data)[1]) <= 4 * changes + 4


def test_the_header_is_a_line_of_json():
    header = json.loads(squeezed().split(b"\n")[1])
    assert header["model"] == SHA
    assert header["symbols"] == 4000


def test_another_model_is_refused_by_name():
    with pytest.raises(UsageError, match="another model.*abababab.*cdcdcdcd"):
        restore(Markov(TABLE), LETTERS, squeezed(), "cd" * 32)


def test_other_probabilities_are_found_out():
    with pytest.raises(DataError, match="damaged"):
        restore(Markov(table(seed=1)), LETTERS, squeezed(), SHA)


@pytest.mark.parametrize("change", [lambda d: d[:-30], lambda d: d[:-9] + bytes([d[-9] ^ 1]) + d[-8:]])
def test_damage_is_found_out(change):
    with pytest.raises(DataError, match="damaged"):
        restore(Markov(TABLE), LETTERS, change(squeezed()), SHA)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"hello",
        MAGIC,
        MAGIC + b"[]\n",
        MAGIC + b'{"model": 1, "symbols": 3, "text": ""}\n',
        MAGIC + b'{"model": "a", "symbols": -3, "text": ""}\n',
        MAGIC + b'{"model": "a", "symbols": 1e99, "text": ""}\n',
        MAGIC + b'{"model": "a", "symbols": 999999999999, "text": ""}\n',
        MAGIC + b"[" * 100_000 + b"\n",
        MAGIC + b'{"model": "a"}\n',
    ],
)
def test_what_is_no_compressed_text_is_refused(data):
    with pytest.raises(DataError, match="no text that reverie compress wrote"):
        restore(Markov(TABLE), LETTERS, data, SHA)


def test_what_the_vocabulary_would_lose_is_refused_before_it_is_lost():
    tokenizer = Characters(list(ALPHABET))
    with pytest.raises(DataError, match="'é' in line 2"):
        compress(Markov(TABLE), tokenizer, "ab\ncé", SHA)


def test_both_ways_can_be_stopped():
    with pytest.raises(Interrupted):
        compress(Markov(TABLE), LETTERS, TEXT, SHA, lambda: True)
    with pytest.raises(Interrupted):
        restore(Markov(TABLE), LETTERS, squeezed(), SHA, lambda: True)
