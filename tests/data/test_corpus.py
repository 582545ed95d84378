"""Texts are split before anything is counted; the vocabulary lies beside the model; memory stays small."""

import gzip
import json
import os
import re
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reverie.data.corpus import TextSpec, divided, encode, load_text, pasted, read_vocabulary
from reverie.data.tokenizers import Bytes, Characters, build
from reverie.data.utf8 import Utf8, pieces
from reverie.errors import DataError, UsageError


def test_tinyshakespeare_is_split_as_in_its_tables(shared_data):
    data = load_text("tinyshakespeare")
    tokenizer = data.spec.tokenizer("characters")
    encoded = data.encoded(tokenizer)
    assert {part: len(ids) for part, ids in encoded.ids.items()} == {"train": 1_003_854, "valid": 111_540}
    assert encoded.ids["train"].dtype == np.uint8
    assert len(tokenizer) == 65 + 1  # and <unk>
    assert encoded.record()["unknown"] == {"train": 0, "valid": 0}
    assert data.split == "the last tenth of the text is validation: 1,003,854 / 111,540 bytes"


def test_parts_are_taken_as_they_come(tmp_path):
    for part in ("train", "valid", "test"):
        (tmp_path / f"{part}.txt.gz").write_bytes(gzip.compress(f"{part} words\n".encode() * 3))
    data = load_text(tmp_path)
    assert {part: text.decode() for part, text in data.parts.items()} == {
        part: f"{part} words\n" * 3 for part in ("train", "valid", "test")
    }
    assert data.split == "as given, train / valid / test: 36 / 36 / 33 bytes"
    (tmp_path / "valid.txt.gz").unlink()
    data = load_text(tmp_path)
    assert data.parts.keys() == {"train", "valid", "test"}
    assert data.parts["train"].read() + data.parts["valid"].read() == b"train words\n" * 3
    assert data.split.startswith("the last tenth of the training part")


@settings(max_examples=50)
@given(st.text(min_size=20))
def test_a_text_is_cut_between_characters(text):
    parts, _ = divided({"all": Utf8.of(text.encode())}, "x")
    assert parts["train"].decode() + parts["valid"].decode() == text
    assert 0 <= len(parts["train"]) - 0.9 * len(text.encode()) + 1 < 5


def test_the_vocabulary_is_of_the_training_part_alone():
    data = pasted("abc" * 30 + "xyz" * 3)
    tokenizer = data.spec.tokenizer("characters")
    assert tokenizer.symbols == ["<unk>", "a", "b", "c"]
    encoded = data.encoded(tokenizer)
    assert encoded.record()["unknown"] == {"train": 0, "valid": 9}
    assert encoded.ids["valid"].tolist().count(0) == 9


def test_a_kept_vocabulary_is_used_as_it_is(tmp_path):
    kept = Characters(list("zyx"))
    (tmp_path / "vocabulary.json").write_text(json.dumps(kept.to_json()))
    spec = TextSpec.of_record({"name": "a"}, tmp_path)
    assert spec.tokenizer("characters").symbols == kept.symbols
    with pytest.raises(UsageError, match="was trained on characters; --tokens words"):
        spec.tokenizer("words")


def test_a_missing_or_damaged_vocabulary_is_said(tmp_path):
    with pytest.raises(DataError, match="vocabulary.json is missing.*Bring it back"):
        read_vocabulary(tmp_path)
    for content in ("{", "[]", '{"kind": "runes"}', '{"kind": "characters", "characters": [97, 97]}'):
        (tmp_path / "vocabulary.json").write_text(content)
        with pytest.raises(DataError, match="cannot be read"):
            read_vocabulary(tmp_path)


REFUSED = {
    "empty": ("", "empty"),
    "spaces": (" \n\t" * 9, "empty"),
    "binary": ("a\0" * 20, "binary"),
    "short": ("to be", "too short: 5 bytes"),
}


@pytest.mark.parametrize(("text", "words"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_learnt_is_refused(text, words):
    with pytest.raises(DataError, match=words):
        pasted(text)


def test_one_distinct_character_is_nothing_to_learn():
    data = pasted("a" * 100)
    with pytest.raises(DataError, match="one distinct symbol only, 'a'"):
        data.encoded(data.spec.tokenizer("characters"))


def test_fingerprints_are_of_words_and_of_their_split():
    one, other = pasted("to be or not to be, that is"), pasted("to be or not to be, that Is")
    assert one.fingerprint() == pasted("to be or not to be, that is").fingerprint() != other.fingerprint()
    train, valid = (one.parts[part].read() for part in ("train", "valid"))
    moved = {"train": Utf8.of(train + valid[:1]), "valid": Utf8.of(valid[1:])}
    assert type(one)(one.name, moved, one.split, one.license).fingerprint() != one.fingerprint()


@settings(max_examples=50)
@given(st.text(), st.integers(1, 9))
def test_pieces_are_the_text(text, size):
    import reverie.data.utf8 as module

    usual, module._PIECE = module._PIECE, 4 * size
    try:
        assert "".join(pieces(text.encode())) == text
        for tokenizer in (Bytes(), build("characters", [text])):
            assert tokenizer.decode(encode(tokenizer, text.encode())) == text
        words = build("words", [text])
        if max(map(len, re.split(rb"[ \n]", text.encode()))) < 4 * size:  # a longer word would be cut
            assert encode(words, text.encode()).tolist() == words.encode(text).tolist()
    finally:
        module._PIECE = usual


MEMORY = """
import re, sys
from pathlib import Path
from reverie.data.corpus import load_text

def most():  # of this process alone: what getrusage says is also of the one that started it
    return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])

before = most()
data = load_text(sys.argv[1])
data = data.encoded(data.spec.tokenizer("characters"))
assert data.ids["train"].nbytes == len(data.ids["train"])
print((most() - before) * 1024)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_a_large_text_is_not_held_beside_its_numbers(tmp_path):
    path, line = tmp_path / "large.txt", "The quick brown fox jumps over the lazy dog, again and again.\n"
    path.write_text(line * (60_000_000 // len(line)) + "👍 one emoji\n")
    answer = subprocess.run(
        [sys.executable, "-c", MEMORY, str(path)], capture_output=True, text=True, check=True, env={**os.environ}
    )
    used = int(answer.stdout) / path.stat().st_size
    assert used > 0.9
    print(f"memory {used:.2f} times the file")
    assert used < 1.7  # the file or its numbers, and pieces of a megabyte
