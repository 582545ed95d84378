"""Inspection counts what is there, and goes on past what is broken."""

import numpy as np
import pytest
from PIL import Image

from reverie.data import inspect
from reverie.errors import DataError

GREY = np.arange(54, dtype=np.uint8).reshape(6, 9)


@pytest.fixture
def folder(tmp_path):
    for name, image in {
        "train/cat/1.png": GREY,
        "train/cat/2.png": GREY,
        "train/dog/1.png": np.stack([GREY, GREY, GREY], 2),
        "train/dog/2.png": GREY[:4],
        "test/dog/3.png": np.stack([GREY, GREY, GREY + 1], 2),
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(tmp_path / name)
    (tmp_path / "test/dog/4.png").write_bytes(b"no")
    return tmp_path


def test_a_folder_is_counted(folder):
    report = inspect(folder, thumbnails=2)
    assert report.count == 5
    assert report.sizes == {(6, 9): 4, (4, 9): 1}
    assert report.modes == {"L": 3, "RGB": 2}
    assert report.parts == {"train": 4, "test": 1}
    assert report.classes == {"cat": 2, "dog": 3}
    assert report.duplicates == 2  # the second cat, and the dog that is grey in three channels
    assert [str(p) for p in report.problems] == [
        "test/dog/4.png: is no image of a known format (PNG, JPEG, WEBP, BMP, GIF, TIFF, PPM)"
    ]
    assert not report.sound
    assert [t.shape for t in report.thumbnails] == [(3, 6, 9), (1, 6, 9)]


def test_arrays_are_counted(tmp_path):
    np.savez(tmp_path / "x.npz", images=np.stack([GREY, GREY, GREY + 1]), labels=[1, 1, 0])
    report = inspect(tmp_path / "x.npz")
    assert (report.count, report.duplicates, report.sound) == (3, 1, True)
    assert (report.sizes, report.modes, report.classes) == ({(6, 9): 3}, {"grey": 3}, {"0": 1, "1": 2})
    assert report.parts == {"undivided": 3}


def test_a_source_that_cannot_be_opened_is_an_error(tmp_path):
    with pytest.raises(DataError, match="there is no file"):
        inspect(tmp_path / "gone")
