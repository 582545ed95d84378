"""Checking data: counts in words, every broken file with a reason, a sheet of what can be read."""

import numpy as np
import pytest
from PIL import Image

from reverie.check import check
from reverie.errors import DataError, UsageError
from scenes import pictures, png


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
