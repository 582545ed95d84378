"""Pictures: the bytes of one image file become an array of 8-bit levels, channels first.

The fewest channels that hold the picture are kept: one where all are equal, four only where something is
transparent.
"""

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from reverie.data.limits import PIXEL_LIMIT
from reverie.errors import DataError

Levels = NDArray[np.uint8]  # (C, H, W), or (N, C, H, W)
Channels = Literal["auto", "grey", "rgb", "rgba"]
Size = tuple[int, int]  # height, width

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF", "PPM")
SUFFIXES = frozenset(".png .jpg .jpeg .jfif .webp .bmp .gif .tif .tiff .ppm .pgm .pbm .pnm".split())
# Pictures to a person, but not read here: they are reported, never passed over.
FOREIGN = frozenset(".heic .heif .avif .svg .psd .eps .jp2 .ico .tga .raw .dng .cr2 .nef".split())
COUNT = {"grey": 1, "rgb": 3, "rgba": 4}


@contextmanager
def strict_pillow() -> Iterator[None]:
    """Turn Pillow's warning of decompression bombs into an error, and silence its remarks on metadata."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        yield


def decode(data: bytes, size: Size | None = None) -> tuple[Levels, str]:
    """Decode the first frame of an image file, upright, cropped and resized to ``size`` where one is given.

    Args:
        data: the bytes of the file.
        size: height and width, or None to keep those of the file.

    Returns:
        The levels (C, H, W) with the fewest channels that hold them, and the file's mode as Pillow names it.

    Raises:
        DataError: with the reason alone; the caller knows the name of the file.
    """
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            _check_pixels(image)
            mode = image.mode
            upright = fit(_eight_bits(ImageOps.exif_transpose(image)), size)
            return narrow(_levels(upright)), mode
    except DataError:
        raise
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise DataError(f"has more than {PIXEL_LIMIT // 10**6} million pixels, which is the limit") from error
    except UnidentifiedImageError as error:
        raise DataError(_unknown(data)) from error
    except Exception as error:  # decoders of broken files raise whatever their state leads to
        raise DataError(
            f"is broken or cut short ({str(error).splitlines()[0] if str(error) else type(error).__name__})"
        ) from error


def _unknown(data: bytes) -> str:
    return "is no image of a known format (" + ", ".join(FORMATS) + ")" if data.strip(b"\0") else "is empty"


def _check_pixels(image: Image.Image) -> None:
    width, height = image.size
    if width * height > PIXEL_LIMIT:
        raise DataError(f"has {width} x {height} pixels; the limit is {PIXEL_LIMIT // 10**6} million")


def _eight_bits(image: Image.Image) -> Image.Image:
    """The image in mode L, RGB or RGBA."""
    if image.mode == "F":
        raise DataError("holds floating-point numbers; save it with 8 or 16 bits a channel")
    if image.mode.startswith("I"):
        return _from_sixteen_bits(image)
    if image.has_transparency_data:
        return image.convert("RGBA")
    return image.convert("L" if image.mode in ("1", "L") else "RGB")


def _from_sixteen_bits(image: Image.Image) -> Image.Image:
    deep = np.asarray(image).astype(np.int64)
    if deep.min() < 0 or deep.max() > 65535:
        raise DataError("holds numbers of more than 16 bits; save it with 8 or 16 bits a channel")
    return Image.fromarray(((deep + 128) // 257).astype(np.uint8))  # 65535 = 255 * 257


def fit(image: Image.Image, size: Size | None) -> Image.Image:
    """Crop the centre to the aspect ratio of ``size`` and resize; an image of that size is left alone."""
    if size is None or image.size == size[::-1]:
        return image
    height, width = size
    scale = min(image.height / height, image.width / width)
    high, wide = max(1, round(height * scale)), max(1, round(width * scale))
    top, left = (image.height - high) // 2, (image.width - wide) // 2
    # Cropped first: a resize that is given a box would let the filter reach outside it.
    return image.crop((left, top, left + wide, top + high)).resize((width, height), Image.Resampling.LANCZOS)


def fit_levels(levels: Levels, size: Size) -> Levels:
    """Crop and resize one array (C, H, W), as ``fit`` does images."""
    image = Image.fromarray(levels[0] if len(levels) == 1 else np.ascontiguousarray(levels.transpose(1, 2, 0)))
    return _levels(fit(image, size))


def _levels(image: Image.Image) -> Levels:
    array = np.asarray(image)
    return array[None] if array.ndim == 2 else array.transpose(2, 0, 1)


def narrow(levels: Levels) -> Levels:
    """Drop the channels that say nothing: an opaque alpha, and colours that are all equal."""
    if levels.shape[-3] == 4 and levels[..., 3, :, :].min(initial=255) == 255:
        levels = levels[..., :3, :, :]
    if levels.shape[-3] == 3 and _equal_colours(levels):
        levels = levels[..., :1, :, :]
    return levels


def _equal_colours(levels: Levels) -> bool:
    red, green, blue = (levels[..., c, :, :] for c in range(3))
    return np.array_equal(red, green) and np.array_equal(red, blue)


def with_channels(levels: Levels, channels: Literal["grey", "rgb", "rgba"]) -> Levels:
    """Convert levels (..., C, H, W) to the given channels; alpha that goes is laid on white."""
    wanted = COUNT[channels]
    if levels.shape[-3] == 4 and wanted < 4:
        levels = _on_white(levels)
    if levels.shape[-3] == 1 and wanted > 1:
        levels = np.repeat(levels, 3, axis=-3)
    if levels.shape[-3] == 3 and wanted == 1:
        levels = _luminance(levels)
    if levels.shape[-3] == 3 and wanted == 4:
        levels = np.concatenate([levels, np.full_like(levels[..., :1, :, :], 255)], axis=-3)
    return levels


def _luminance(levels: Levels) -> Levels:
    """ITU-R 601-2 luma in 16-bit fixed point, as Pillow computes it."""
    red, green, blue = (levels[..., c, :, :].astype(np.uint32) for c in range(3))
    luma = (red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16
    return luma.astype(np.uint8)[..., None, :, :]


def _on_white(levels: Levels) -> Levels:
    colour = levels[..., :3, :, :].astype(np.uint32)
    alpha = levels[..., 3:, :, :].astype(np.uint32)
    return ((colour * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)
