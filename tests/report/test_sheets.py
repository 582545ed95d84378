"""Sheets are exact: each pixel of an image is found again, as a square, where the layout says."""

import io
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image, ImageColor

from reverie import files as whole_files
from reverie.errors import ReverieError, UsageError
from reverie.report import sheets
from reverie.report.sheets import GAP, LABEL, MARGIN, Axis
from reverie.report.theme import theme_of

RANDOM = np.random.default_rng(0)


def images(*shape):
    return RANDOM.integers(0, 256, shape, dtype=np.uint8)


def found(picture, cell, factor):
    """All places (top, left) where an enlarged cell lies in a picture."""
    large = np.kron(np.moveaxis(cell, 0, -1), np.ones((factor, factor, 1), np.uint8))
    large = np.broadcast_to(large, (*large.shape[:2], 3))
    whole = np.asarray(picture)
    height, width = large.shape[:2]
    candidates = np.argwhere((whole == large[0, 0]).all(-1))
    return [
        (int(t), int(left))
        for t, left in candidates
        if t + height <= whole.shape[0]
        and left + width <= whole.shape[1]
        and np.array_equal(whole[t : t + height, left : left + width], large)
    ]


@pytest.mark.parametrize(
    ("channels", "height", "width", "factor"), [(1, 28, 28, 3), (3, 32, 32, 2), (1, 28, 20, 3), (3, 7, 9, 9)]
)
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_cell_of_a_sheet_is_exact_and_in_its_place(channels, height, width, factor, theme):
    x = images(6, channels, height, width)
    picture = sheets.sheet(x, title="Six", columns=3, theme=theme)
    places = [found(picture, cell, factor) for cell in x]
    assert all(len(p) == 1 for p in places)
    (top, left) = places[0][0]
    assert left == MARGIN
    expected = [(top + i // 3 * (factor * height + GAP), left + i % 3 * (factor * width + GAP)) for i in range(6)]
    assert [p[0] for p in places] == expected
    assert picture.getpixel((0, 0)) == ImageColor.getrgb(theme_of(theme).paper)


def test_torch_and_numpy_draw_the_same():
    x = images(4, 3, 8, 8)
    assert sheets.sheet(torch.tensor(x), title="x").tobytes() == sheets.sheet(x, title="x").tobytes()


@pytest.mark.parametrize(("side", "columns"), [(5, 4), (28, 4), (28, 15), (32, 12), (64, 8), (84, 3)])
def test_cells_are_between_56_and_84_pixels(side, columns):
    x = images(columns, 1, side, side)
    width = sheets.sheet(x, title="", columns=columns).width - 2 * MARGIN
    cell = (width + GAP) / columns - GAP
    if width > sheets.NARROWEST:
        assert 56 <= cell <= 84
    assert found(sheets.sheet(x, title="", columns=columns), x[0], 84 // side if columns <= 10 else -(-56 // side))


def test_large_images_are_shown_as_they_are():
    x = images(2, 3, 200, 150)
    assert found(sheets.sheet(x, title="large"), x[1], 1)


def test_a_manifold_is_one_continuous_picture():
    x = images(3, 4, 1, 14, 14)
    picture = sheets.manifold(x, x=Axis("first", [-1, 0, 1, 2]), y=Axis("second", [0, 1, 2]), title="plane")
    whole = np.concatenate([np.concatenate(list(row), axis=2) for row in x], axis=1)
    assert len(found(picture, whole, 6)) == 1


def test_a_picture_that_would_be_too_large_is_refused_with_the_number_that_fits(monkeypatch):
    plane, side = images(3, 4, 1, 28, 28), 84
    axes = {"x": Axis("x", [0, 1, 2, 3]), "y": Axis("y", [0, 1, 2])}
    monkeypatch.setattr(sheets, "MOST", 12 * side**2)
    sheets.manifold(plane, **axes, title="m")
    monkeypatch.setattr(sheets, "MOST", 12 * side**2 - 1)
    with pytest.raises(UsageError, match=r"12 images of 84x84 .* at most 11\."):
        sheets.manifold(plane, **axes, title="m")
    with pytest.raises(UsageError, match=r"at most 11\."):
        sheets.sheet(plane.reshape(12, 1, 28, 28), title="s")


def test_manifold_writes_the_highest_value_at_the_top(monkeypatch):
    written = []
    draw = sheets.ImageDraw.ImageDraw.text
    monkeypatch.setattr(
        sheets.ImageDraw.ImageDraw,
        "text",
        lambda self, xy, text, *a, **k: (written.append((xy, text)), draw(self, xy, text, *a, **k)),
    )
    sheets.manifold(images(2, 3, 1, 28, 28), x=Axis("x", [-1.5, 0, 1.5]), y=Axis("y", [0.25, 7]), title="")
    at = {text: xy for xy, text in written}
    assert at["7.00"][1] < at["0.25"][1]
    assert at["\u22121.5"][0] < at["0.0"][0] < at["1.5"][0]


def test_transparent_pixels_lie_on_a_checkerboard():
    x = images(1, 4, 12, 12)
    x[:, 3] = 0
    x[:, 3, :, 6:] = 255
    x[:, 3, 0, 6] = 128
    factor = 7
    for theme in ("light", "dark"):
        picture = np.asarray(sheets.sheet(x, title="", theme=theme))
        cell = picture[MARGIN : MARGIN + 12 * factor, MARGIN : MARGIN + 12 * factor][::factor, ::factor]
        checks = [ImageColor.getrgb(c) for c in theme_of(theme).checks]
        for row in range(12):
            for column in range(6):
                assert tuple(cell[row, column]) == checks[(row + column) % 2]
        assert np.array_equal(cell[1:, 6:], np.moveaxis(x[0, :3], 0, -1)[1:, 6:])
        half = np.moveaxis(x[0, :3], 0, -1)[0, 6] * (128 / 255) + np.array(checks[0]) * (127 / 255)
        assert np.abs(cell[0, 6] - half).max() <= 0.5


def test_pairs_stand_above_each_other_in_bands():
    x, y = images(12, 1, 28, 28), images(12, 1, 28, 28)
    picture = sheets.pairs(x, torch.tensor(y), [0.5] * 12, title="pairs", unit="nats")
    for i in range(12):
        [(top, left)], [(below, same)] = found(picture, x[i], 3), found(picture, y[i], 3)
        assert same == left
        assert below == top + 84 + GAP
    assert found(picture, x[10], 3)[0][1] == found(picture, x[0], 3)[0][1]


def test_large_numbers_below_pairs_have_no_exponent(monkeypatch):
    said = []
    monkeypatch.setattr(sheets, "_band", lambda pair, numbers, *more: said.extend(numbers) or Image.new("RGB", (9, 9)))
    sheets.pairs(images(3, 1, 8, 8), images(3, 1, 8, 8), [1183.4, -45.678, 0.01234], title="p", unit="nats")
    assert said == ["1,183", "\u221245.7", "0.0123"]


def test_labels_wider_than_cells_move_the_columns_apart():
    x = images(3, 1, 28, 10)
    plain = [found(sheets.strip(x, title=""), c, 3)[0][1] for c in x]
    wide = [found(sheets.strip(x, title="", labels=["strength +1.00"] * 3), c, 3)[0][1] for c in x]
    assert plain[1] - plain[0] == 30 + GAP
    assert wide[1] - wide[0] >= sheets._width("strength +1.00", LABEL)


def test_long_words_stay_on_the_card():
    picture = np.asarray(
        sheets.sheet(images(1, 1, 28, 28), title="A very long title " * 8 + "x" * 90, caption="small " * 40)
    )
    assert (picture[:, -MARGIN:] == ImageColor.getrgb("#fbfaf7")).all()


@pytest.mark.parametrize(("count", "columns"), [(1, 1), (36, 6), (100, 10), (10, 5), (7, 4), (12, 4), (20, 5), (24, 6)])
def test_grids_are_near_the_square(count, columns):
    assert sheets._squarest(count) == columns


@pytest.mark.parametrize(
    ("values", "written"),
    [
        ([-0.001, 1], ["0", "1"]),
        ([-1.644, 0], ["\u22121.64", "0.00"]),
        ([0.5, 2], ["0.5", "2.0"]),
        ([10, 20], ["10", "20"]),
    ],
)
def test_ticks(values, written):
    assert sheets._numbers(values) == written


def test_ticks_are_thinned_evenly():
    assert list(sheets._thinned(15, 56, 80)) == [0, 2, 4, 6, 8, 10, 12, 14]
    assert list(sheets._thinned(5, 100, 80)) == [0, 1, 2, 3, 4]
    assert list(sheets._thinned(6, 20, 50)) == [1, 4]


def test_animation_runs_forth_and_back(tmp_path):
    frames = images(4, 1, 28, 28)
    with Image.open(sheets.animation(frames, tmp_path / "loop.gif", milliseconds=120)) as loop:
        assert loop.n_frames == 6
        assert loop.info["loop"] == 0
        assert loop.info["duration"] == 120
        for i, frame in enumerate([0, 1, 2, 3, 2, 1]):
            loop.seek(i)
            assert np.array_equal(np.asarray(loop.convert("L")), np.kron(frames[frame, 0], np.ones((12, 12), np.uint8)))


def test_animation_of_colour_and_of_one_frame(tmp_path):
    frames = np.zeros((1, 3, 8, 8), np.uint8)
    frames[:, 0] = 255
    with Image.open(sheets.animation(frames, tmp_path / "red.gif")) as loop:
        assert loop.n_frames == 1
        assert loop.convert("RGB").getpixel((5, 5)) == (255, 0, 0)


def test_png_text_is_read_back(tmp_path):
    path = sheets.save(Image.new("RGB", (3, 3)), tmp_path / "a" / "x.png", title="Samples", protocol="größer ≥ 2")
    with Image.open(path) as image:
        assert image.text == {"title": "Samples", "protocol": "größer ≥ 2"}


def test_both_writes_two_variants(tmp_path):
    light, dark = sheets.both(
        tmp_path / "x.png", lambda theme: sheets.sheet(images(1, 1, 8, 8), title="x", theme=theme), title="x"
    )
    assert (light.name, dark.name) == ("x.png", "x.dark.png")
    with Image.open(light) as one, Image.open(dark) as other:
        assert one.getpixel((0, 0)) == ImageColor.getrgb(theme_of("light").paper)
        assert other.getpixel((0, 0)) == ImageColor.getrgb(theme_of("dark").paper)


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "x.png"
    path.write_bytes(b"old")

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(whole_files.os, "fsync", fail)
    with pytest.raises(ReverieError, match=r"Cannot write .*x.png \([\d,]+ bytes\): disk full"):
        sheets.save(Image.new("L", (1, 1)), path)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_importing_sheets_imports_neither_torch_nor_matplotlib():
    code = "import sys, reverie.report.plots, reverie.report.sheets\n"
    code += "sys.exit(bool({'torch', 'matplotlib'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


ONE = np.zeros((2, 1, 8, 8), np.uint8)
MISTAKES = [
    (lambda: sheets.sheet(ONE.astype(np.float32), title=""), r"uint8 values, 0 to 255; got float32"),
    (lambda: sheets.sheet(ONE[0], title=""), r"\(N, C, H, W\) with C = 1, 3 or 4; got \(1, 8, 8\)"),
    (lambda: sheets.sheet(np.zeros((2, 2, 8, 8), np.uint8), title=""), r"C = 1, 3 or 4; got \(2, 2, 8, 8\)"),
    (lambda: sheets.sheet(ONE[:0], title=""), r"got \(0, 1, 8, 8\)"),
    (lambda: sheets.sheet(ONE, title="", columns=0), r"at least 1 column; got 0"),
    (lambda: sheets.sheet(ONE, title="", columns=2, rows=["a", "b"]), r"make 1 rows; got 2 row labels"),
    (lambda: sheets.strip(ONE, title="", labels=["a"]), r"needs 2 labels, or none; got 1"),
    (
        lambda: sheets.pairs(ONE, ONE[:1], [1, 2], title="", unit=""),
        r"got 2 originals, 1 reconstructions and 2 errors",
    ),
    (
        lambda: sheets.manifold(ONE[None], x=Axis("", [0, 1, 2]), y=Axis("", [0]), title=""),
        r"shape \(1, 3, C, H, W\); got \(1, 2, 1, 8, 8\)",
    ),
]


@pytest.mark.parametrize(("call", "message"), MISTAKES)
def test_mistakes_are_named(call, message):
    with pytest.raises(UsageError, match=message):
        call()


def test_saving_keeps_pixels(tmp_path):
    picture = sheets.sheet(images(4, 3, 8, 8), title="x")
    path = sheets.save(picture, tmp_path / "x.png")
    with Image.open(io.BytesIO(path.read_bytes())) as image:
        assert image.tobytes() == picture.tobytes()
