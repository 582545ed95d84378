"""Texts come back letter by letter, and what is no text is refused with its place."""

import contextlib
import gzip
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reverie.data import read_parts, read_text, utf8
from reverie.data.text import decode_text
from reverie.errors import DataError

WORDS = "Größe, 東京\r\nsecond line\n"


@pytest.mark.parametrize("suffix", [".txt", ".txt.gz"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_text_comes_back_exactly_without_its_mark(tmp_path, suffix, mark):
    data = mark + WORDS.encode()
    path = tmp_path / f"a{suffix}"
    path.write_bytes(gzip.compress(data) if suffix.endswith("gz") else data)
    assert read_text(path) == WORDS
    assert read_parts(str(path)) == {"all": WORDS}


def test_jsonl_gives_its_field(tmp_path):
    (tmp_path / "a.jsonl").write_text("\n".join(json.dumps({"text": t, "id": 1}) for t in ("a\u2028b", "c")) + "\n\n")
    assert read_text(tmp_path / "a.jsonl") == "a\u2028b\nc"


def test_a_folder_with_parts_and_one_without(tmp_path):
    for name in ("x.test", "x.train", "x.valid"):
        (tmp_path / f"{name}.txt").write_text(f"{name} ")
    assert read_parts(tmp_path) == {"train": "x.train ", "valid": "x.valid ", "test": "x.test "}
    assert read_text(tmp_path) == "x.train x.valid x.test "
    other = tmp_path / "other"
    other.mkdir()
    for i in (10, 9):
        (other / f"{i}.txt").write_text(str(i))
    assert read_parts(other) == {"all": "9\n10"}


def folder_of(root, *names):
    for name in names:
        (root / name).write_text(f"{name} ")
    return root


@pytest.mark.parametrize("word", ["valid", "validation", "val", "dev", "VAL"])
def test_every_file_of_a_part_is_read_and_held_out_text_has_many_names(tmp_path, word):
    names = ("train.1.txt", "train.2.txt", "train.10.txt", f"x.{word}.txt")
    parts = read_parts(folder_of(tmp_path, *names))
    assert parts == {"train": "train.1.txt \ntrain.2.txt \ntrain.10.txt ", "valid": f"x.{word}.txt "}


def test_parts_may_stand_between_hyphens_but_an_essay_is_no_part(tmp_path):
    folder = folder_of(tmp_path, "train-00.txt", "my_test.txt")
    assert read_parts(folder) == {"train": "train-00.txt ", "test": "my_test.txt "}
    (folder / "train-00.txt").rename(folder / "driving.txt")
    assert read_parts(folder).keys() == {"all"}


PARTS = {
    "no training": (("valid.txt", "test.txt"), "holds valid and test but no train"),
    "a file of no part": (("train.txt", "valid.txt", "more.txt"), "more.txt belongs to no single one.*Name each file"),
    "a file of two parts": (("train.txt", "train.test.txt"), "train.test.txt belongs to no single one"),
}


@pytest.mark.parametrize(("names", "words"), PARTS.values(), ids=PARTS)
def test_a_folder_whose_parts_are_unclear_is_refused(tmp_path, names, words):
    with pytest.raises(DataError, match=f"(?s){words}"):
        read_parts(folder_of(tmp_path, *names))


def test_half_a_pair_of_json_is_a_replacement_character(tmp_path):
    (tmp_path / "a.jsonl").write_text(r'{"text": "a\ud800b \ud83d\ude00"}')
    assert read_text(tmp_path / "a.jsonl") == "a\ufffdb \U0001f600"


TABLE = {
    "missing": (None, "there is no file, folder or text"),
    "empty": (("a.txt", b" \n"), "is empty"),
    "binary": (("a.txt", b"abc\0def"), "binary, not text: it holds a zero byte at 3"),
    "latin": (("a.txt", b"ab\ncd\xe9"), r"not UTF-8: byte 0xe9 in line 2 \(at 5\).*iconv -f LATIN1"),
    "utf-16": (("a.txt", "hello".encode("utf-16")), "UTF-16; save it as UTF-8"),
    "broken gzip": (("a.txt.gz", gzip.compress(b"hello")[:-4]), "cut short"),
    "bomb": (("a.txt.gz", gzip.compress(b"a" * 40_000_000)), "more than 200 times"),
    "no field": (("a.jsonl", b'{"text": "a"}\n{"words": "b"}'), 'line 2, has no field "text"'),
    "no JSON": (("a.jsonl", b"{"), "line 1, is no JSON object"),
}


@pytest.mark.parametrize(("file", "words"), TABLE.values(), ids=TABLE)
def test_what_is_no_text_is_refused(tmp_path, file, words):
    path = tmp_path / (file[0] if file else "missing.txt")
    if file:
        path.write_bytes(file[1])
    with pytest.raises(DataError, match=f"(?s){words}"):
        read_text(path)


def test_the_place_of_a_wrong_byte_is_that_in_the_whole_text(monkeypatch):
    monkeypatch.setattr(utf8, "_PIECE", 8)
    with pytest.raises(DataError, match=r"byte 0xff in line 3 \(at 24\)"):
        decode_text("Größe Größe\n12 34\nab".encode() + b"\xff" + b"more words " * 9, "x")


def test_names_of_images_and_wrong_names_are_refused(tmp_path):
    with pytest.raises(DataError, match="set of images, and a language recipe wants text"):
        read_text("mnist")
    with pytest.raises(DataError, match='Did you mean "tinyshakespeare"'):
        read_text("tinyshakespear")
    with pytest.raises(DataError, match="holds no text"):
        read_text(tmp_path)


@given(st.binary(max_size=60))
def test_any_bytes_are_text_or_a_clear_error(data):
    with contextlib.suppress(DataError):
        assert decode_text(data, "x").encode() == data.removeprefix(b"\xef\xbb\xbf")


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\ufeff")))
def test_any_text_is_read(words):
    assert decode_text(words.encode(), "x") == words


def test_the_standard_library_is_always_there():
    text = read_text("python-stdlib")
    assert len(text) > 5_000_000
    assert "def b64encode" in text
    assert read_text("python-stdlib") == text
