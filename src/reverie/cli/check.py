"""``reverie data check``: what a person's images or text hold, what is wrong, and a contact sheet of images."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reverie.actions.out import check_png, save_png
from reverie.data import text_check
from reverie.data.inspection import Inspection, inspect
from reverie.data.limits import encodable
from reverie.data.text import holds_text
from reverie.report import sheets

SHOWN = 64


def check(source: str, out: Path) -> dict[str, Any]:
    """Look at every image of a source and draw the first ones; or at every file of a text.

    Args:
        source: a folder, archive, array file, text or name.
        out: the contact sheet to write, of images.

    Returns:
        ``words`` for a person, ``problems`` as [file, reason]; ``images``, ``duplicates`` and the ``sheet``; of a text
        ``files``, ``characters``, ``symbols``, ``lines``, ``words_in_all`` and the ``split``.

    Raises:
        DataError: there is nothing that can be read.
        UsageError: ``out`` names no PNG, or cannot be written.
    """
    if holds_text(source):
        return _check_text(source)
    check_png(out)
    found = inspect(source, thumbnails=SHOWN)
    problems = [[encodable(problem.path), problem.reason] for problem in found.problems]
    drawn = _contact_sheet(found, out) if found.thumbnails else None
    words = [
        f"{found.source}: {found.count:,} images",
        _counts("sizes", Counter({f"{h}x{w}": count for (h, w), count in found.sizes.items()})),
        _counts("kinds", found.modes),
        _counts("parts", found.parts),
        _counts("classes", found.classes),
        f"duplicates {found.duplicates:,}",
        *(f"problem    {path}: {reason}" for path, reason in problems),
    ]
    if len(found.sizes) > 1:
        words.append("The images differ in size: train with --size, as in --size 64 or --size 64x48.")
    if drawn:
        words.append(f"{drawn}")
    return {
        "words": words,
        "problems": problems,
        "images": found.count,
        "duplicates": found.duplicates,
        "sheet": str(drawn) if drawn else None,
    }


def _check_text(source: str) -> dict[str, Any]:
    found = text_check.read(source)
    whole, problems = found.whole, [[encodable(problem.path), problem.reason] for problem in found.problems]
    parts = Counter({name: characters.total() for name, characters in found.parts.items()})
    words = [
        f"{encodable(found.source)}: text" + f", {found.files:,} file{'s' * (found.files != 1)}" * (found.files > 0),
        f"lines      {whole.lines:,}, the longest {whole.longest:,} characters",
        f"words      {whole.words.total():,}, {len(whole.words):,} distinct",
        f"characters {whole.characters.total():,}, {len(whole.characters):,} distinct",
        _counts("often", _shown(whole.characters)),
        _counts("parts", parts),
        f"split      {found.split}",
        *_odd(found),
        *(f"problem    {path}: {reason}" for path, reason in problems),
    ]
    return {
        "words": words,
        "problems": problems,
        "files": found.files,
        "characters": whole.characters.total(),
        "symbols": len(whole.characters),
        "lines": whole.lines,
        "words_in_all": whole.words.total(),
        "split": found.split,
    }


def _odd(found: text_check.TextReport) -> list[str]:
    """What a person may want to know before a text is learnt: nothing of it keeps a text from being used."""
    characters, lines = found.whole.characters, []
    if lost := characters["\ufffd"]:
        lines.append(f"odd        U+FFFD {lost:,} times: the text was read in another encoding before it was saved")
    if returns := characters["\r"]:
        lines.append(
            f"odd        lines end in CR LF {returns:,} times: CR is a symbol of its own to a model of characters"
        )
    if unseen := found.unseen:
        lines.append(_counts("unknown", _shown(unseen)) + ": not in the training part")
    return lines


def _shown(characters: Counter[str]) -> Counter[str]:
    """The same counts by names that can be printed."""
    return Counter({repr(character): count for character, count in characters.items()})


def _counts(name: str, counts: Counter[str], most: int = 12) -> str:
    listed = ", ".join(f"{key} {count:,}" for key, count in counts.most_common(most))
    more = f" and {len(counts) - most} more" if len(counts) > most else ""
    return f"{name:10} {listed}{more}"


def _contact_sheet(found: Inspection, out: Path) -> Path:
    """The first images on squares of one size, as they are where they are small."""
    side = min(128, max(max(levels.shape[1:]) for levels in found.thumbnails))
    cells = np.stack([_cell(levels, side) for levels in found.thumbnails])
    title = f"{Path(found.source).name}: the first {len(cells)} of {found.count:,} images"
    return save_png(sheets.sheet(cells, title=title), out, {"Title": title})


def _cell(levels: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """An image (C, H, W) of any size as RGBA in the middle of a square; what is around it is transparent."""
    from PIL import Image

    channels = levels.shape[0]
    colour = np.repeat(levels, 3, 0) if channels == 1 else levels[:3]
    alpha = levels[3:4] if channels == 4 else np.full_like(levels[:1], 255)
    image = Image.fromarray(np.concatenate([colour, alpha]).transpose(1, 2, 0))
    if max(image.size) > side:
        image.thumbnail((side, side), Image.Resampling.LANCZOS)
    square = Image.new("RGBA", (side, side), (0, 0, 0, 0))
    square.paste(image, ((side - image.width) // 2, (side - image.height) // 2))
    return np.asarray(square).transpose(2, 0, 1)
