"""Files that a person brings through the page, each in a set below ``uploads`` of the runs folder."""

import re
import secrets
from collections.abc import AsyncIterator
from pathlib import Path

from reverie.data.catalog import CATALOG
from reverie.data.pictures import SUFFIXES
from reverie.errors import DataError, UsageError
from reverie.files import discard

FOLDER = "uploads"
# Nothing that is code or that can hold some.
TEXTS = frozenset({".txt", ".text", ".md", ".jsonl"})
TAKEN = frozenset({*SUFFIXES, *TEXTS, ".zip", ".npy", ".npz", ".gz", ".parquet", ".csv"})
# A part of a path: no dot in front, and nothing that leads away.
PART = r"[^\x00-\x1f\x7f/\\:*?\"<>|.][^\x00-\x1f\x7f/\\:*?\"<>|]{0,99}"
SET = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}")


def sets(runs: Path) -> list[str]:
    """The names of the sets that were brought."""
    folder = runs / FOLDER
    return sorted(p.name for p in folder.iterdir() if SET.fullmatch(p.name)) if folder.is_dir() else []


def kind(runs: Path, name: str) -> str:
    """What was brought under a name: text, or images."""
    files = (path for path in sorted((runs / FOLDER / name).rglob("*")) if path.is_file())
    return "text" if TEXTS & {suffix.lower() for suffix in next(files, Path()).suffixes} else "images"


def source(runs: Path, data: str) -> str:
    """What ``--data`` is told: ``uploads/NAME`` becomes its path, a set of one file that file; others stay as they are.

    Raises:
        DataError: there is no such set.
    """
    if not data.startswith(f"{FOLDER}/"):
        return data
    name = data.removeprefix(f"{FOLDER}/")
    if name not in sets(runs):
        raise DataError(f"Nothing was uploaded under the name {name!r}.")
    folder = (runs / FOLDER / name).resolve()
    inside = list(folder.iterdir())
    alone = len(inside) == 1 and inside[0].is_file() and inside[0].suffix.lower() not in SUFFIXES
    return str(inside[0] if alone else folder)


def place(runs: Path, name: str, path: str) -> Path:
    """Where a file of a set goes: ``path`` is its name, or a class and its name.

    Raises:
        UsageError: the name of the set or the file is none, or the file is of a kind that is not read.
    """
    if not SET.fullmatch(name) or name in CATALOG:
        raise UsageError('A set is named by up to 40 letters, digits, "-" or "_", and not as a set of the catalog.')
    parts = path.split("/")
    if len(parts) > 3 or not all(re.fullmatch(PART, part) for part in parts):
        raise UsageError("That is no name for a file: at most two folders and a name, without dots in front.")
    if Path(parts[-1]).suffix.lower() not in TAKEN:
        raise UsageError(
            f"{parts[-1]} is of a kind that is not read. "
            "Taken are pictures, .zip, .npy, .npz, .parquet, .txt, .md and .jsonl."
        )
    return Path(runs, FOLDER, name, *parts)


async def keep(content: AsyncIterator[bytes], to: Path) -> int:
    """Write a file as it comes: whole, or not at all.

    Returns:
        Its bytes.

    Raises:
        UsageError: it is there already.
    """
    if to.exists():
        raise UsageError(f"{to.name} was uploaded already; choose another name for the set.")
    to.parent.mkdir(parents=True, exist_ok=True)
    beside, size = to.with_name(f".{secrets.token_hex(4)}.part"), 0
    try:
        with beside.open("xb") as file:
            async for part in content:
                size += len(part)
                file.write(part)
        beside.rename(to)
    except BaseException:
        discard(beside)
        raise
    return size
