"""Looking at a text: counts by an independent count, every bad file with its reason, the split that training takes."""

import gzip
import json
import random
from collections import Counter

import pytest

from reverie.data import utf8
from reverie.data.corpus import load_text
from reverie.data.text import holds_text
from reverie.data.text_check import Counts, read
from reverie.errors import DataError

WORDS = "Wer reitet\nso spät 東京 👩‍👩‍👧\r\n\n\tdurch Nacht\n"


def jsonl(*rows):
    return "\n".join(json.dumps({"text": row}) for row in rows).encode()


@pytest.fixture
def folder(tmp_path):
    for name, data in {
        "1.txt": WORDS.encode() * 9,
        "2.txt.gz": gzip.compress(b"packed away\n" * 9),
        "3.jsonl": jsonl("one", "two\nlines"),
        "bad.txt": b"caf\xe9 and more",
        "nul.md": b"a\0b",
        "void.txt": b" \n",
        "half.jsonl": b'{"text": "a"}\n{"body": 1}\n',
        "cut.txt.gz": gzip.compress(b"packed away\n" * 99)[:-9],
        "left.csv": b"1,2",
    }.items():
        (tmp_path / name).write_bytes(data)
    return tmp_path


@pytest.mark.parametrize("size", [4, 7, 2**20])
def test_counts_are_those_of_the_whole_string_whatever_the_pieces(size, monkeypatch):
    monkeypatch.setattr(utf8, "_PIECE", size)
    letters, draw = "ab \n\n東👩é\r", random.Random(0)
    for length in (0, 1, 5, 300):
        said = "".join(draw.choice(letters) for _ in range(length))
        part = Counts.of(said.encode())
        lines = said.split("\n")
        assert part.characters == Counter(said)
        assert part.lines == len(lines) - (lines[-1] == "")
        assert part.longest == max(map(len, lines))


def test_a_cut_in_a_line_or_word_counts_nothing_twice(tmp_path):
    (tmp_path / "a.txt").write_text("word " * 99 + "end")
    found = read(tmp_path / "a.txt")
    assert found.whole.words == {"word": 99, "end": 1}
    assert found.whole.lines == 1


def test_words_are_counted():
    assert Counts.of(WORDS.encode()).words == Counter(WORDS.split())


def test_every_bad_file_has_its_reason_and_the_good_ones_are_counted(folder):
    found = read(folder)
    reasons = {problem.path: problem.reason for problem in found.problems}
    assert reasons.keys() == {"bad.txt", "nul.md", "void.txt", "half.jsonl", "cut.txt.gz"}
    assert reasons["bad.txt"].startswith("is not UTF-8: byte 0xe9 in line 1 (at 3)")
    assert reasons["nul.md"].startswith("is binary, not text")
    assert reasons["void.txt"].startswith("is empty")
    assert reasons["half.jsonl"].startswith('line 2, has no field "text"')
    assert "cut short" in reasons["cut.txt.gz"]
    assert found.files == 8
    assert found.split.startswith("none yet")
    good = WORDS * 9 + "\n" + "packed away\n" * 9 + "\n" + "one\ntwo\nlines"
    assert found.whole.characters == Counter(good)


def test_a_sound_folder_is_split_as_training_splits_it(folder):
    for name in ("bad.txt", "nul.md", "void.txt", "half.jsonl", "cut.txt.gz"):
        (folder / name).unlink()
    found, data = read(folder), load_text(folder)
    assert not found.problems
    assert found.split == data.split
    for part, said in data.parts.items():
        assert found.parts[part] == Counter(said.decode())


def test_parts_by_name_are_parts_and_what_training_lacks_is_told(tmp_path):
    (tmp_path / "my.train.txt").write_text("aab\n" * 20)
    (tmp_path / "my.valid.txt").write_text("abø\n" * 3)
    (tmp_path / "my.test.txt").write_text("é\n")
    found = read(tmp_path)
    assert list(found.parts) == ["train", "valid", "test"]
    assert found.unseen == {"ø": 3, "é": 1}
    assert found.split.startswith("as given, train / valid / test")


def test_a_text_too_short_to_be_split_is_a_problem(tmp_path):
    (tmp_path / "a.txt").write_text("short")
    found = read(tmp_path / "a.txt")
    assert "too short: 5 bytes" in found.problems[0].reason
    assert found.whole.characters.total() == 5


def test_a_named_text_has_the_split_of_the_catalog(shared_data):
    found = read("tinyshakespeare")
    assert found.whole.characters.total() == 1_115_394
    assert len(found.whole.characters) == 65
    assert (found.whole.lines, found.whole.words.total()) == (40_000, 202_651)  # as wc counts them
    assert found.parts["train"].total() == 1_003_854
    assert found.split == load_text("tinyshakespeare").split


def test_what_is_made_here_is_read_too():
    assert read("python-stdlib").whole.lines > 100_000


def test_no_text_at_all_is_an_error(tmp_path):
    with pytest.raises(DataError, match="there is no file"):
        read(tmp_path / "gone.txt")
    with pytest.raises(DataError, match="holds no text"):
        read(tmp_path)


TEXTS = {
    "a.txt": True,
    "a.txt.gz": True,
    "b.jsonl": True,
    "B.TXT": True,
    "c.npy": False,
    "d.png": False,
    "e.zip": False,
}


@pytest.mark.parametrize("name", TEXTS)
def test_files_are_told_apart_by_their_names(name, tmp_path):
    assert holds_text(str(tmp_path / name)) == TEXTS[name]


@pytest.mark.parametrize("other", ["1.png", "x.npy", "t10k-images-idx3-ubyte", "labels.gz", "cats"])
def test_words_beside_images_are_no_text(other, tmp_path):
    (tmp_path / "README.md").write_text("about")
    assert holds_text(str(tmp_path))
    (tmp_path / other).mkdir() if other == "cats" else (tmp_path / other).write_bytes(b"")
    assert not holds_text(str(tmp_path))


def test_names_of_the_catalog_are_told_apart():
    assert holds_text("ptb")
    assert not holds_text("mnist")
