"""UTF-8 in memory and in a file: the same stretches, the same pieces; a file that changed is not read."""

import os

import pytest

from reverie.data import utf8
from reverie.data.utf8 import Utf8, pieces
from reverie.errors import DataError

TEXT = "to be, or not to be\n" * 3 + "\u00e9t\u00e9 \U0001f451 " * 5 + "n\u00ebver" * 9


@pytest.fixture(params=["memory", "file", "marked file"])
def text(request, tmp_path):
    if request.param == "memory":
        return Utf8.of(TEXT.encode())
    path = tmp_path / "text.txt"
    path.write_bytes(b"\xef\xbb\xbf" * (request.param == "marked file") + TEXT.encode())
    return Utf8.inside(path)


def test_it_is_all_of_the_text_without_the_mark_of_its_byte_order(text):
    assert text.read() == TEXT.encode()
    assert text.decode() == TEXT
    assert len(text) == len(TEXT.encode())


@pytest.mark.parametrize(("start", "stop"), [(0, 5), (3, 8), (7, 7), (5, 10_000)])
def test_a_part_is_a_slice_and_so_is_a_part_of_it(text, start, stop):
    part = text.part(start, stop)
    assert part.read() == TEXT.encode()[start:stop]
    assert len(part) == len(part.read())
    assert part.part(1, 3).read() == part.read()[1:3]
    assert text.last(4).read() == TEXT.encode()[-4:]
    assert text.last(10_000).read() == TEXT.encode()


@pytest.mark.parametrize("size", [4, 5, 7, 64, 2**20])
def test_pieces_join_to_the_text_and_cut_no_character(text, size, monkeypatch):
    monkeypatch.setattr(utf8, "_PIECE", size)
    found = list(pieces(text))
    assert "".join(found) == TEXT
    assert all(len(piece.encode()) <= size for piece in found)


def test_pieces_end_with_a_line_or_else_with_a_word(monkeypatch):
    monkeypatch.setattr(utf8, "_PIECE", 8)
    assert list(pieces(b"a bc\nde f gh ijk")) == ["a bc\n", "de f gh ", "ijk"]


@pytest.mark.parametrize("change", ["shorter", "later", "gone"])
def test_a_file_that_is_not_what_it_was_is_not_read(tmp_path, change):
    path = tmp_path / "text.txt"
    path.write_bytes(TEXT.encode())
    text = Utf8.inside(path)
    if change == "shorter":
        path.write_bytes(TEXT.encode()[:-1])
    elif change == "later":
        os.utime(path, ns=(0, text.written + 1))
    else:
        path.unlink()
    with pytest.raises(DataError, match=r"text\.txt is not what it was when it was first read: bring it back"):
        text.read()
