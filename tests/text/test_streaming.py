"""Text as it comes: whole characters, spaces between words, and stop strings that nobody sees half of."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reverie.data.tokenizers import Bytes, Words
from reverie.text.streaming import Stream
from tongues import Letters

LETTERS = Letters("abcdefghijklmnopqrstuvwxyz .\n")


def shown(tokenizer, text: str, *stop: str, context: str = "") -> list[str]:
    stream = Stream(tokenizer, tokenizer.encode(context), stop)
    parts = []
    for token in tokenizer.encode(text):
        if not stream.ended:
            parts.append(stream.add(token))
    return [*parts, stream.flush()]


def test_characters_are_shown_as_they_come():
    assert shown(LETTERS, "to be") == [*"to be", ""]


@given(st.text(max_size=30), st.text(max_size=10))
def test_bytes_give_whole_characters_only(text, context):
    parts = shown(Bytes(), text, context=context)
    assert "".join(parts) == text
    assert all("\ufffd" not in part for part in parts) or "\ufffd" in text


def test_a_character_waits_for_its_last_byte():
    assert shown(Bytes(), "é€😀x") == ["", "é", "", "", "€", "", "", "", "😀", "x", ""]


def test_half_a_character_at_the_end_is_shown_as_such():
    stream = Stream(Bytes(), [], ())
    assert [stream.add(byte) for byte in b"a\xf0\x9f"] == ["a", "", ""]
    assert stream.flush() == "\ufffd"


def test_bytes_that_are_no_text_do_not_wait_for_ever():
    stream = Stream(Bytes(), [], ())
    assert "".join(stream.add(0x80) for _ in range(9)) == "\ufffd" * 8
    assert stream.flush() == "\ufffd"


def test_words_have_their_spaces():
    tokenizer = Words.of(["to be or not"])
    assert shown(tokenizer, "be or\nnot to", context="to") == [" be", " or", "\n", "not", " to", ""]


@pytest.mark.parametrize(
    ("text", "stop", "wanted"),
    [
        ("to be. or not", ["."], "to be"),
        ("to be or not", ["or", "be"], "to "),
        ("abab abac", ["abac"], "abab "),
        ("aab", ["ab"], "a"),
        ("to be", ["xyz", ""], "to be"),
        ("to be.", [". "], "to be."),
    ],
)
def test_a_text_ends_before_its_stop_string(text, stop, wanted):
    assert "".join(shown(LETTERS, text, *stop)) == wanted


@given(st.text("ab", max_size=30), st.lists(st.text("ab", min_size=1, max_size=4), max_size=3))
def test_no_part_of_a_stop_string_is_seen(text, stop):
    places = [place for word in stop if (place := text.find(word)) >= 0]
    wanted = text
    # The text ends as soon as one of them is whole: the earliest end counts, and of those the earliest beginning.
    ends = [(text.find(word) + len(word), text.find(word)) for word in stop if word in text]
    if places:
        first = min(end for end, _ in ends)
        wanted = text[: min(start for end, start in ends if end == first)]
    assert "".join(shown(LETTERS, text, *stop)) == wanted
