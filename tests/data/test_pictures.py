"""Decoding: every kind of picture becomes the levels that a person sees."""

import io
import warnings

import numpy as np
import pytest
from PIL import Image

from reverie.data import load
from reverie.data.pictures import decode, fit_levels, narrow, with_channels
from reverie.errors import DataError, UsageError

RANDOM = np.random.RandomState(3)
COLOUR = RANDOM.randint(0, 256, (6, 9, 3)).astype(np.uint8)
GREY = RANDOM.randint(0, 256, (6, 9)).astype(np.uint8)


def encoded(image, kind="PNG", **options):
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "PPM"])
@pytest.mark.parametrize("array", [COLOUR, GREY], ids=["colour", "grey"])
def test_lossless_formats_come_back_exactly(kind, array):
    levels, mode = decode(encoded(Image.fromarray(array), kind))
    np.testing.assert_array_equal(levels, array[None] if array.ndim == 2 else array.transpose(2, 0, 1))
    assert mode == ("L" if array.ndim == 2 else "RGB")


def test_webp_lossless_and_gif():
    np.testing.assert_array_equal(
        decode(encoded(Image.fromarray(COLOUR), "WEBP", lossless=True))[0], COLOUR.transpose(2, 0, 1)
    )
    np.testing.assert_array_equal(decode(encoded(Image.fromarray(GREY), "GIF"))[0], GREY[None])


def test_a_colour_file_that_is_grey_becomes_grey():
    assert decode(encoded(Image.fromarray(GREY).convert("RGB")))[0].shape == (1, 6, 9)


def test_sixteen_bits_are_scaled_not_clipped():
    deep = np.array([[0, 128, 129, 257, 32768, 65535]], np.uint16)
    np.testing.assert_array_equal(decode(encoded(Image.fromarray(deep)))[0], [[[0, 0, 1, 1, 128, 255]]])


def test_palettes_with_and_without_transparency():
    palette = Image.fromarray((GREY % 4).astype(np.uint8)).convert("P")
    palette.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255, 9, 9, 9])
    assert decode(encoded(palette))[0].shape == (3, 6, 9)
    levels, mode = decode(encoded(palette, transparency=0))
    assert (levels.shape, mode) == ((4, 6, 9), "P")
    np.testing.assert_array_equal(levels[3] == 0, GREY % 4 == 0)


def test_one_bit_files():
    np.testing.assert_array_equal(decode(encoded(Image.fromarray(GREY > 99)))[0][0], (GREY > 99) * 255)


def test_alpha_is_kept_only_where_something_is_transparent():
    alpha = np.full((6, 9, 1), 255, np.uint8)
    assert decode(encoded(Image.fromarray(np.concatenate([COLOUR, alpha], 2))))[0].shape == (3, 6, 9)
    alpha[0, 0] = 254
    assert decode(encoded(Image.fromarray(np.concatenate([COLOUR, alpha], 2))))[0].shape == (4, 6, 9)


def test_cmyk_jpeg_has_the_colours_of_its_rgb():
    flat = Image.new("RGB", (16, 16), (200, 40, 90))
    levels, mode = decode(encoded(flat.convert("CMYK"), "JPEG", quality=95))
    assert mode == "CMYK"
    assert np.abs(levels.reshape(3, -1).mean(1) - [200, 40, 90]).max() < 3


@pytest.mark.parametrize("tag", range(1, 9))
def test_the_exif_orientation_is_honoured(tag):
    turns = {1: lambda a: a, 2: np.fliplr, 3: lambda a: np.rot90(a, 2), 4: np.flipud}
    turns |= {5: lambda a: a.transpose(1, 0, 2), 6: lambda a: np.rot90(a, -1)}
    turns |= {7: lambda a: np.rot90(a, 2).transpose(1, 0, 2), 8: np.rot90}
    exif = Image.Exif()
    exif[0x0112] = tag
    levels, _ = decode(encoded(Image.fromarray(COLOUR), "PNG", exif=exif))
    np.testing.assert_array_equal(levels.transpose(1, 2, 0), turns[tag](COLOUR))


def test_the_first_frame_of_an_animation():
    frames = [Image.new("RGB", (4, 4), c) for c in ("red", "blue")]
    levels, _ = decode(encoded(frames[0], "GIF", save_all=True, append_images=frames[1:]))
    assert levels[:, 0, 0].tolist() == [255, 0, 0]


def test_floating_point_tiff_is_refused():
    with pytest.raises(DataError, match="floating-point"):
        decode(encoded(Image.fromarray(np.zeros((4, 4), np.float32)), "TIFF"))


@pytest.mark.parametrize("kind", ["ICO", "TGA", "PCX"])
def test_formats_outside_the_list_are_not_opened(kind):
    with pytest.raises(DataError, match="known format"):
        decode(encoded(Image.new("RGB", (16, 16)), kind))


def test_cropping_takes_the_centre():
    image = np.zeros((1, 4, 8), np.uint8)
    image[0, :, 2:6] = 200
    np.testing.assert_array_equal(fit_levels(image, (4, 4)), np.full((1, 4, 4), 200))
    np.testing.assert_array_equal(fit_levels(image, (2, 2)), np.full((1, 2, 2), 200))


def test_resizing_is_pillows_lanczos_and_equal_sizes_are_untouched():
    square = COLOUR[:, :6]
    wanted = np.asarray(Image.fromarray(square).resize((3, 3), Image.Resampling.LANCZOS))
    np.testing.assert_array_equal(fit_levels(square.transpose(2, 0, 1), (3, 3)), wanted.transpose(2, 0, 1))
    np.testing.assert_array_equal(decode(encoded(Image.fromarray(square)), (3, 3))[0], wanted.transpose(2, 0, 1))
    np.testing.assert_array_equal(decode(encoded(Image.fromarray(square)), (6, 6))[0], square.transpose(2, 0, 1))


def test_grey_is_pillows_luma():
    wanted = np.asarray(Image.fromarray(COLOUR).convert("L"))
    np.testing.assert_array_equal(with_channels(COLOUR.transpose(2, 0, 1), "grey")[0], wanted)


def test_transparent_pixels_lie_on_white():
    pixel = np.array([10, 20, 30, 0, 10, 20, 30, 255, 0, 0, 0, 128], np.uint8).reshape(1, 3, 4).transpose(2, 0, 1)
    assert with_channels(pixel, "rgb").transpose(1, 2, 0).tolist() == [[[255] * 3, [10, 20, 30], [127] * 3]]


@pytest.mark.parametrize("channels", ["grey", "rgb", "rgba"])
@pytest.mark.parametrize("count", [1, 3, 4])
def test_every_number_of_channels_from_every_other(count, channels):
    levels = RANDOM.randint(0, 255, (2, count, 3, 5)).astype(np.uint8)
    out = with_channels(levels, channels)
    assert out.shape == (2, {"grey": 1, "rgb": 3, "rgba": 4}[channels], 3, 5)
    assert out.shape[1] < count or np.array_equal(narrow(out), narrow(levels))


def folder(tmp_path, arrays):
    for i, array in enumerate(arrays):
        Image.fromarray(array).save(tmp_path / f"{i}.png")
    return tmp_path


def test_one_coloured_image_makes_the_set_coloured(tmp_path):
    data = load(folder(tmp_path, [GREY, GREY, COLOUR]))
    assert data.spec.shape == (3, 6, 9)
    np.testing.assert_array_equal(data.train.pixels[0].numpy(), np.stack([GREY] * 3))
    assert load(tmp_path, channels="grey").spec.shape == (1, 6, 9)
    assert load(tmp_path, channels="rgba").spec.shape == (4, 6, 9)


def test_sizes_are_height_by_width(tmp_path):
    data = load(folder(tmp_path, [GREY, COLOUR, COLOUR[:, :5]]), size=(8, 4))
    assert data.spec.shape == (3, 8, 4)
    assert data.spec.pixels == 96


def test_wrong_arguments_are_usage_errors(tmp_path):
    with pytest.raises(UsageError, match="--size"):
        load("shapes", size=(0, 5))
    with pytest.raises(UsageError, match="--channels"):
        load("shapes", channels="cmyk")


def test_decoding_leaves_the_warning_filters_as_they_were(tmp_path):
    before = list(warnings.filters)
    load(folder(tmp_path, [GREY, GREY]))
    assert warnings.filters == before
