"""Checking data: counts in words, every broken file with a reason, a sheet of what can be read."""

import json

import numpy as np
import pytest
from PIL import Image

from reverie.cli.check import check
from reverie.errors import DataError, UsageError
from scenes import pictures, png, reverie


@pytest.fixture
def mine(tmp_path):
    """Five pictures in two sizes, one of them twice, and two broken files."""
    folder = pictures(tmp_path / "mine", 3)
    (folder / "again.png").write_bytes((folder / "000.png").read_bytes())
    (folder / "wide.png").write_bytes(png((12, 6), seed=9))
    (folder / "bad.png").write_bytes(b"no picture")
    (folder / "cut.png").write_bytes(png((64, 64))[:900])
    return folder


def test_everything_is_counted(mine, tmp_path):
    report = check(str(mine), tmp_path / "sheet.png")
    words = "\n".join(report["words"])
    assert (report["images"], report["duplicates"]) == (5, 1)
    assert "sizes      8x8 4, 6x12 1" in words
    assert "train with --size" in words


def test_every_broken_file_has_its_reason(mine, tmp_path):
    problems = dict(check(str(mine), tmp_path / "sheet.png")["problems"])
    assert problems.keys() == {"bad.png", "cut.png"}
    assert "no image" in problems["bad.png"]
    assert "cut short" in problems["cut.png"]


def test_the_sheet_shows_what_can_be_read(tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    Image.new("RGB", (40, 40), (255, 0, 0)).save(folder / "a.png")
    Image.new("RGB", (20, 20), (0, 0, 255)).save(folder / "b.png")
    report = check(str(folder), tmp_path / "sheet.png")
    with Image.open(report["sheet"]) as sheet:
        colours = np.asarray(sheet.convert("RGB")).reshape(-1, 3)
    red, blue = ((colours == colour).all(1).sum() for colour in ((255, 0, 0), (0, 0, 255)))
    assert red > blue > 0


def test_transparent_and_large_images_fit_on_the_sheet(tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    Image.new("RGBA", (300, 200), (0, 255, 0, 128)).save(folder / "a.png")
    Image.new("L", (5, 700), 200).save(folder / "b.png")
    assert check(str(folder), tmp_path / "sheet.png")["images"] == 2
    assert (tmp_path / "sheet.png").is_file()


def test_where_nothing_can_be_read_there_is_no_sheet(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "bad.png").write_bytes(b"no picture")
    report = check(str(tmp_path / "mine"), tmp_path / "sheet.png")
    assert (report["images"], report["sheet"], len(report["problems"])) == (0, None, 1)
    assert not (tmp_path / "sheet.png").exists()


def test_a_missing_source_and_a_wrong_name_are_refused(mine, tmp_path):
    with pytest.raises(DataError, match="reverie data list"):
        check(str(tmp_path / "nowhere"), tmp_path / "sheet.png")
    with pytest.raises(UsageError, match="ends in .png"):
        check(str(mine), tmp_path / "sheet.jpg")
    with pytest.raises(UsageError, match="choose another place"):
        check(str(mine), mine / "bad.png" / "sheet.png")


@pytest.fixture
def letters(tmp_path):
    """A text with Windows' line ends, a lost character, and one that only its end has."""
    path = tmp_path / "letters.txt"
    path.write_bytes(b"dear you,\r\n" * 40 + "caf\ufffd\n".encode() + "yours, \u00d8\n".encode())
    return path


def test_a_text_is_counted_and_needs_no_sheet(letters, tmp_path):
    report = check(str(letters), tmp_path / "sheet.png")
    words = "\n".join(report["words"])
    assert (report["files"], report["lines"], report["problems"]) == (1, 42, [])
    assert report["characters"] == len(letters.read_bytes().decode())
    assert "words      83, 5 distinct" in words
    assert "the last tenth of the text is validation" in words
    assert "odd        U+FFFD 1 times" in words
    assert "lines end in CR LF 40 times" in words
    assert "unknown    " in words
    assert "'\u00d8' 1" in words.split("unknown")[1]
    assert not (tmp_path / "sheet.png").exists()


def test_a_broken_text_ends_with_the_exit_code_of_data(letters, capfd):
    (letters.parent / "bad.txt").write_bytes(b"\xff\xfeh\0i\0")
    assert reverie("data", "check", str(letters.parent)) == 3
    said = capfd.readouterr()
    assert "problem    bad.txt: is UTF-16" in said.out
    assert "1 file of" in said.err


def test_a_report_of_a_text_as_json(letters, capfd):
    assert reverie("data", "check", str(letters), "--json") == 0
    told = json.loads(capfd.readouterr().out)
    assert told["symbols"] == len(set(letters.read_bytes().decode()))
