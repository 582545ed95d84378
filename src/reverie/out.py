"""``--out``: a picture where a person wants it."""

from collections.abc import Mapping
from pathlib import Path

from PIL import Image

from reverie.errors import ReverieError, UsageError
from reverie.report import sheets


def check_png(out: Path) -> None:
    """Refuse a name for a picture that is no PNG's.

    Raises:
        UsageError: the name does not end in ``.png``.
    """
    if out.suffix.lower() != ".png":
        raise UsageError(f"--out {out}: a picture is written as PNG; give a name that ends in .png")


def save_png(image: Image.Image, out: Path, text: Mapping[str, str]) -> Path:
    """Write a picture where a person wants it.

    Raises:
        UsageError: it cannot be written there.
    """
    try:
        return sheets.save(image, out, **text)
    except (OSError, ReverieError) as error:
        cause = error.__cause__ if isinstance(error.__cause__, OSError) else error
        reason = cause.strerror if isinstance(cause, OSError) else None
        raise UsageError(f"--out {out} cannot be written ({reason or error}); choose another place.") from error
