"""Tokenizers: any text comes back, the vocabulary is of the training text alone, and damage is refused."""

import gzip
import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reverie.data.tokenizers import UNKNOWN, Bytes, Characters, Words, build, from_json
from reverie.errors import DataError, UsageError

SAMPLES = ("👩‍👩‍👧 e\u0301 é ไทย العربية 東京\r\n\ufeffa\tb\0", "\u2028\x85\x1c", "")


@settings(max_examples=50)
@given(st.text())
def test_characters_and_bytes_give_any_text_back(text):
    for tokenizer in (Characters.of([text]), Bytes()):
        ids = tokenizer.encode(text)
        assert tokenizer.decode(ids) == text
        assert tokenizer.decode(ids.tolist()) == text
        again = from_json(json.loads(json.dumps(tokenizer.to_json(), ensure_ascii=False)))
        assert np.array_equal(again.encode(text), ids)
        assert again.symbols == tokenizer.symbols
        assert len(again) == len(tokenizer.symbols)


@pytest.mark.parametrize("text", SAMPLES)
def test_scripts_marks_and_line_ends_come_back(text):
    assert Characters.of([text]).decode(Characters.of([text]).encode(text)) == text
    assert Bytes().encode(text).tobytes() == text.encode()


@settings(max_examples=50)
@given(st.lists(st.lists(st.text(st.characters(categories=["L"]), min_size=1), max_size=4), max_size=5))
def test_words_come_back_with_single_spaces(lines):
    text = "\n".join(" ".join(line) for line in lines)
    tokenizer = Words.of([text])
    assert tokenizer.decode(tokenizer.encode(text)) == text
    assert tokenizer.decode(tokenizer.encode(f"  {text} ".replace(" ", "  "))) == text
    again = from_json(json.loads(json.dumps(tokenizer.to_json())))
    assert again.symbols == tokenizer.symbols


def test_numbers_take_the_smallest_type_and_follow_code_points():
    tokenizer = Characters.of(["cab", "ad"])
    assert tokenizer.symbols == [UNKNOWN, "a", "b", "c", "d"]
    assert tokenizer.encode("abcd").tolist() == [1, 2, 3, 4]
    assert tokenizer.encode("a").dtype == np.uint8
    assert Characters([chr(i) for i in range(300)]).encode("a").dtype == np.uint16


def test_what_was_not_in_training_is_unknown():
    tokenizer = Characters.of(["ab"])
    assert tokenizer.encode("aé👍").tolist() == [1, 0, 0]
    assert tokenizer.decode([1, 0]) == "a\ufffd"
    every = "".join(map(chr, range(0xD800)))
    assert np.flatnonzero(tokenizer.encode(every)).tolist() == [ord("a"), ord("b")]
    words = Words.of(["a b\na"])
    assert words.encode("a c\n").tolist() == [words.symbols.index(w) for w in ("a", "<unk>", "<eos>")]
    assert words.decode(words.encode("c")) == "<unk>"


def test_a_limit_keeps_the_most_frequent():
    assert Characters.of(["aaabbc"], 2).symbols == [UNKNOWN, "a", "b"]
    assert Words.of(["a a a b b c"], 4).symbols == ["<unk>", "<eos>", "a", "b"]


def test_a_lone_surrogate_crashes_nothing():
    assert Characters.of(["a"]).encode("\udcff").tolist() == [0]
    assert Bytes().decode(Bytes().encode("a\udcff")).startswith("a")


def test_bytes_that_are_no_text_are_shown_and_not_refused():
    assert Bytes().decode([0xE6, 0x9D]) == "\ufffd"
    assert len(Bytes().symbols) == len(set(Bytes().symbols)) == 256


def test_penn_treebank_has_the_numbers_of_its_tables(shared_data):
    parts = {}
    for part in ("train", "valid", "test"):
        path = Path(shared_data) / "ptb" / f"ptb.{part}.txt.gz"
        if not path.exists():
            pytest.skip(f"{path} is not there")
        parts[part] = gzip.decompress(path.read_bytes()).decode()
    tokenizer = Words.of([parts["train"]])
    assert len(tokenizer) == 10_000
    assert [len(tokenizer.encode(text)) for text in parts.values()] == [929_589, 73_760, 82_430]
    assert Counter(tokenizer.encode(parts["train"]).tolist())[tokenizer.unknown] == parts["train"].split().count(
        "<unk>"
    )


DAMAGED = {
    "nothing": {},
    "kind": {"kind": "runes"},
    "two": {"kind": "characters", "characters": [97, 97]},
    "words": {"kind": "words", "words": ["a"]},
    "space": {"kind": "words", "words": ["<unk>", "<eos>", "a b"]},
    "type": {"kind": "characters", "characters": 5},
    "range": {"kind": "characters", "characters": [-1]},
}


@pytest.mark.parametrize("stored", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_vocabulary_is_refused(stored):
    with pytest.raises(DataError, match="vocabulary"):
        from_json(stored)


def test_kinds_are_listed():
    assert build("bytes", []).symbols == Bytes().symbols
    assert build("words", ["b a b"]).symbols == ["<unk>", "<eos>", "b", "a"]
    assert build("characters", iter(["ba"])).symbols == [UNKNOWN, "a", "b"]
    with pytest.raises(UsageError, match="characters, bytes, words or bpe; got runes"):
        build("runes", [])
