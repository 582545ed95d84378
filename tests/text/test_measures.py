"""A loss in all its units, with what was scored, beside counted baselines."""

import math

import pytest

from reverie.data.tokenizers import Bytes, Characters, Words
from reverie.data.utf8 import Utf8
from reverie.errors import DataError
from reverie.metrics.figures import comparable
from reverie.text.measures import SHANNON, Counts, Passage, beginning, evaluate_baselines, evaluate_text, figures_of
from tongues import Letters, Markov, exact, spoken, table

TABLE, LETTERS = table(), Letters()
TRAIN, HELD = (LETTERS.decode(spoken(TABLE, 20_000, seed)) for seed in (0, 1))
PASSAGE = Passage.of(HELD, LETTERS)
KNOWN = {"data": "markov", "split": "validation"}


def named(figures) -> dict:
    return {figure.name: figure for figure in figures}


def test_the_figures_are_the_mean_of_the_exact_nats():
    figures = named(evaluate_text(Markov(TABLE), PASSAGE, protocol=KNOWN))
    nats = exact(TABLE, LETTERS.encode(HELD)).mean()
    assert figures["nats_per_symbol"].value == pytest.approx(nats, rel=1e-5)
    assert figures["bits_per_character"].value == pytest.approx(nats / math.log(2), rel=1e-5)
    assert figures["perplexity"].value == pytest.approx(math.exp(nats), rel=1e-5)
    wanted = {"scored": "19,999 symbols, all but the first", "dtype": "float32"}
    wanted["context"] = "all before it, the state carried"
    assert figures["perplexity"].protocol == KNOWN | wanted
    assert [figure.name for figure in figures.values() if figure.note] == ["bits_per_character"]


def test_cold_windows_are_another_protocol_and_cost_more():
    carried = named(evaluate_text(Markov(TABLE), PASSAGE, protocol=KNOWN))
    cold = named(evaluate_text(Markov(TABLE), PASSAGE, protocol=KNOWN, window=8))
    assert cold["cold_nats_per_symbol"].value > carried["nats_per_symbol"].value + 0.01
    assert cold["cold_nats_per_symbol"].protocol["context"] == "cold windows of 8"
    assert "context" in comparable(carried["nats_per_symbol"], cold["cold_nats_per_symbol"])


def test_the_units_are_those_of_the_books():
    """1.49 nats are 2.1496 bits; 1.3 bits, the upper end of Shannon's range, are 0.90 nats."""
    figures = named(figures_of(1490.0, Counts(1000, 1000, 1000), "", {}))
    assert round(figures["bits_per_character"].value, 4) == 2.1496
    assert round(figures["perplexity"].value, 3) == 4.437
    assert "0.6 to 1.3 bits" in SHANNON
    assert f"{0.6 * math.log(2):.2f} to {1.3 * math.log(2):.2f} nats" in SHANNON


def test_a_bit_per_character_is_less_per_byte_where_characters_take_more():
    text = "für é 😀"
    counts = Passage.of(text, Characters.of([text])).counts
    assert (counts.symbols, counts.characters, counts.bytes) == (6, 6, 11)
    figures = named(figures_of(6 * math.log(2), counts, "", {}))
    assert figures["bits_per_character"].value == pytest.approx(1)
    assert figures["bits_per_byte"].value == pytest.approx(6 / 11)


def test_symbols_of_other_kinds_stand_for_characters():
    assert Passage.of("to be", Bytes()).counts == Counts(4, 4, 4)
    assert Passage.of("to be or", Words.of(["to be or"])).counts == Counts(2, 6, 6)
    with pytest.raises(DataError, match="fewer than two symbols"):
        Passage.of("x", Bytes())


@pytest.mark.parametrize("count", [2, 3, 4, 7, 20])
def test_a_beginning_is_the_text_itself_with_its_unknown_words(count):
    text, words = "to be or incomprehensible to be or unutterably not\n" * 9, Words.of(["to be or not"])
    kept = beginning(text, words, count)
    assert text.startswith(kept)
    assert len(words.encode(kept)) == count < len(words.encode(text[: len(kept) + 1]))
    assert "<unk>" not in kept


@pytest.mark.parametrize("count", [3, 4, 5, 8, 30, 99])
def test_a_beginning_in_bytes_ends_with_a_whole_character(count):
    text = "日本語の文章"
    kept = beginning(text, Bytes(), count)
    assert kept == text[: min(count // 3, len(text))]


def test_a_huge_loss_is_a_huge_perplexity_and_no_error():
    assert named(figures_of(1e6, Counts(1, 1, 1), "", {}))["perplexity"].value > 1e300


def test_the_baselines_come_nearer_the_more_they_know():
    found = named(
        evaluate_baselines(LETTERS.encode(TRAIN), Utf8.of(TRAIN.encode()), PASSAGE, len(LETTERS), protocol=KNOWN, n=3)
    )
    unigram, gram = (found[f"{name}_nats_per_symbol"].value for name in ("unigram", "3-gram"))
    best = exact(TABLE, LETTERS.encode(HELD)).mean()
    assert best < gram < best + 0.1 < unigram
    assert found["3-gram_bits_per_character"].value == pytest.approx(gram / math.log(2))
    assert unigram / math.log(2) > found["xz_bits_per_character"].value > best / math.log(2)
    assert found["xz_bits_per_character"].protocol["data"] == "markov"
    assert len({figure.name for figure in found.values()}) == 5
