"""Uploads stay in their folder, are of kinds that are read, and are whole or not there."""

import asyncio

import pytest

from reverie.data import load
from reverie.data.corpus import load_text
from reverie.errors import DataError, UsageError
from reverie.studio.uploads import keep, kind, place, sets, source
from scenes import png, zipped


def bring(runs, name, path, content):
    async def parts():
        for start in range(0, len(content), 100):
            yield content[start : start + 100]

    return asyncio.run(keep(parts(), place(runs, name, path)))


def test_pictures_in_folders_become_a_set_with_classes(tmp_path):
    for i in range(12):
        bring(tmp_path, "mine", f"{'light' if i % 2 else 'dark'}/{i}.png", png(seed=i))
    assert sets(tmp_path) == ["mine"]
    data = load(source(tmp_path, "uploads/mine"))
    assert data.classes == ("dark", "light")
    assert len(data.train) + len(data.test) == 12


@pytest.mark.parametrize(
    ("files", "found"),
    [(["a.txt"], "text"), (["b.txt.gz"], "text"), (["x.jsonl", "y.md"], "text"), (["a/x.png"], "images")],
)
def test_texts_are_told_from_pictures(files, found, tmp_path):
    for file in files:
        bring(tmp_path, "mine", file, b"to be or not to be")
    assert kind(tmp_path, "mine") == found
    assert kind(tmp_path, "none") == "images"


def test_a_text_is_read_as_it_was_brought(tmp_path):
    bring(tmp_path, "mine", "pasted.txt", "Tö bé.\n".encode() * 20)
    data = load_text(source(tmp_path, "uploads/mine"))
    assert "".join(part.decode() for part in data.parts.values()) == "Tö bé.\n" * 20


def test_an_archive_alone_is_read_as_one(tmp_path):
    archive = zipped(tmp_path / "a.zip", {f"{i}.png": png(seed=i) for i in range(10)})
    bring(tmp_path, "mine", "a.zip", archive.read_bytes())
    assert source(tmp_path, "uploads/mine").endswith("a.zip")
    assert load(source(tmp_path, "uploads/mine")).spec.shape == (1, 8, 8)


NO_FILES = (
    "../x.png", "a/../x.png", "/x.png", ".x.png", "a/.b/x.png", "a\\x.png", "x\0.png", "a/b/c/d.png", "", ".", "x.pkl",
    "x.pt", "x.onnx", "x.py", "x",
)  # fmt: skip


@pytest.mark.parametrize("path", NO_FILES)
def test_a_name_that_leads_away_or_a_kind_that_is_not_read_is_refused(path, tmp_path):
    with pytest.raises(UsageError):
        place(tmp_path, "mine", path)


@pytest.mark.parametrize("name", ["..", ".", "", "a/b", "a.b", "mnist", "n" * 41, "a\n"])
def test_a_set_has_a_plain_name(name, tmp_path):
    with pytest.raises(UsageError):
        place(tmp_path, name, "x.png")


def test_nothing_is_written_twice_and_nothing_by_halves(tmp_path):
    bring(tmp_path, "mine", "x.png", png())
    with pytest.raises(UsageError, match="already"):
        bring(tmp_path, "mine", "x.png", png(seed=1))
    assert (tmp_path / "uploads" / "mine" / "x.png").read_bytes() == png()

    async def broken():
        yield b"half"
        raise ConnectionError

    with pytest.raises(ConnectionError):
        asyncio.run(keep(broken(), place(tmp_path, "mine", "y.png")))
    assert [path.name for path in (tmp_path / "uploads" / "mine").iterdir()] == ["x.png"]


def test_other_data_stays_as_it_was_written(tmp_path):
    assert source(tmp_path, "mnist-5k") == "mnist-5k"
    assert source(tmp_path, "/home/me/pictures") == "/home/me/pictures"
    for data in ("uploads/none", "uploads/..", "uploads/", "uploads/../x"):
        with pytest.raises(DataError):
            source(tmp_path, data)
