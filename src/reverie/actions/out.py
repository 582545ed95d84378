"""``--out``: a picture where a person wants it."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

from PIL import Image

from reverie.errors import ReverieError, UsageError
from reverie.report import sheets
from reverie.report.theme import Name


class _OfRun(Protocol):
    """What has pictures: a model of a run."""

    @property
    def name(self) -> str: ...
    @property
    def folder(self) -> Path: ...


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


def save_drawn(model: _OfRun, name: str, out: Path | None, draw: Callable[[Name], Image.Image]) -> list[Path]:
    """Write a picture among those of a run, for light and for dark pages, or for light ones where ``out`` says.

    Args:
        model: what the picture is of.
        name: the picture's, without an ending.
        out: a PNG to write instead of the run's own.
        draw: the picture for a page.

    Raises:
        UsageError: ``out`` is no PNG, or cannot be written.
    """
    text = {"Title": f"{name.capitalize()} of {model.name}", "Software": "Reverie", "Source": model.name}
    if out is None:
        return list(sheets.both(model.folder / "pictures" / f"{name}.png", draw, **text))
    check_png(out)
    return [save_png(draw("light"), out, text)]
