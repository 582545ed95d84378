"""Prompts of any characters: the nearest known ones, said once, and never a failure."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reverie.data.prompts import encode_prompt
from reverie.data.tokenizers import Bytes, Characters, Words

ASCII = Characters([chr(i) for i in range(32, 127)] + ["\n"])
CASES = {
    "é": "e",
    "ﬁn": "fin",
    "“I’m”": '"I\'m"',
    "a—b–c": "a--b-c",
    "½": "½",
    "Ångström": "Angstrom",
    "a\tb\r": "a b\n",
    "①": "1",
}


@pytest.mark.parametrize(("asked", "taken"), [(a, t) for a, t in CASES.items() if a != t], ids=ascii)
def test_the_nearest_character_is_taken(asked, taken):
    ids, word = encode_prompt(ASCII, asked)
    assert ASCII.decode(ids) == taken
    assert word.startswith("the model does not know ")


def test_parts_must_all_be_known():
    ids, word = encode_prompt(ASCII, "½ 東")
    assert ASCII.decode(ids) == "\ufffd \ufffd"
    assert word == 'the model does not know "½", "東"; taken instead: <unk>, <unk>.'


def test_case_is_changed_only_where_it_must_be():
    lower = Characters.of(["abc é"])
    ids, _ = encode_prompt(lower, "aBCÉ é")
    assert lower.decode(ids) == "abcé é"
    upper = Characters.of(["ABC"])
    assert upper.decode(encode_prompt(upper, "abC")[0]) == "ABC"


def test_a_known_prompt_is_left_alone_and_nothing_said():
    ids, word = encode_prompt(ASCII, "To be, or\nnot")
    assert (ASCII.decode(ids), word) == ("To be, or\nnot", "")


def test_words_are_tried_in_other_cases_and_lines_end():
    words = Words.of(["the King of\nspain"])
    ids, word = encode_prompt(words, "The king of France\nSPAIN")
    assert words.decode(ids) == "the King of <unk>\nspain"
    assert '"France"' in word


def test_many_changes_are_said_in_one_short_message():
    _, word = encode_prompt(ASCII, "".join(chr(c) for c in range(0x4E00, 0x4E20)) * 2)
    assert " and 24 more" in word
    assert len(word) < 250


@settings(max_examples=50)
@given(st.text(st.characters()))
def test_no_prompt_fails(text):
    for tokenizer in (ASCII, Bytes(), Words.of(["a b"])):
        ids, _ = encode_prompt(tokenizer, text)
        assert all(0 <= i < len(tokenizer) for i in ids.tolist())
