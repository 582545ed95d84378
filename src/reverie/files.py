"""Files that are whole or not there: written beside their place, synced, renamed into it."""

import errno
import fcntl
import json
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from reverie.errors import ReverieError, UsageError


def write(path: Path, content: bytes | str) -> Path:
    """Write a file atomically: a reader, also after a crash, sees the old content or the new.

    Returns:
        The path.

    Raises:
        ReverieError: the disk refuses; names the path and the bytes needed.
    """
    data = content.encode() if isinstance(content, str) else content
    beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with beside.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        discard(beside)
        raise refusal(path, len(data), error) from error
    return path


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """A folder to write into, which gets its name when all is well; otherwise nothing of it is left.

    A folder that has the name already is replaced then, and only if the new one has all its files: what is not ours
    is nobody's to throw away.

    Raises:
        UsageError: the name is that of a file, or of a folder with other things in it.
        ReverieError: the disk refuses.
    """
    path = path.absolute()  # "." has no name to put something beside
    if path.exists() and not path.is_dir():
        raise UsageError(f"{path} is a file; give the name of a folder.")
    new, old = (path.with_name(f".{path.name}.{os.getpid()}.{which}") for which in ("new", "old"))
    try:
        new.mkdir(parents=True)
        yield new
        if path.exists():
            _require_same_files(path, new)
            path.rename(old)
        new.rename(path)
        sync_folder(path.parent)
    except OSError as error:
        raise ReverieError(f"Cannot write {path}: {error.strerror or error}.") from error
    finally:
        if old.exists() and not path.exists():
            old.rename(path)
        for left in (new, old):
            shutil.rmtree(left, ignore_errors=True)


def _require_same_files(there: Path, new: Path) -> None:
    others = sorted({each.name for each in there.iterdir()} - {each.name for each in new.iterdir()})
    if others:
        raise UsageError(f"{there} holds other things ({others[0]}); give the name of a new folder, or empty that one.")


@contextmanager
def sole(folder: Path, wanted: bool = True) -> Iterator[bool]:
    """Hold a folder for this process alone; the system lets go of it however the process ends.

    Args:
        folder: which.
        wanted: whether to hold it at all.

    Yields:
        False if another process holds it.
    """
    descriptor, mine = os.open(folder, os.O_RDONLY), not wanted
    try:
        for _ in range(20):  # somebody may be looking whether it is held
            mine = mine or _locked(descriptor, fcntl.LOCK_EX)
            time.sleep(0 if mine else 0.05)
        yield mine
    finally:
        os.close(descriptor)


def held(path: Path) -> bool:
    """Whether a process that lives holds this file or folder."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        return not _locked(descriptor, fcntl.LOCK_SH)
    finally:
        os.close(descriptor)


def _locked(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def refusal(path: Path, size: int, error: OSError) -> ReverieError:
    """The message for a disk that refuses a write; more space is the way out only where there is too little."""
    words = f"Cannot write {path} ({size:,} bytes): {error.strerror or error}. What was saved before is whole"
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return ReverieError(f"{words}; free some space or choose another folder with --runs, then resume.")
    return ReverieError(f"{words}.")


def discard(path: Path) -> None:
    """Remove a file if it is there."""
    try:
        path.unlink(missing_ok=True)
    except OSError:
        return


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_json(path: Path, value: Any) -> None:
    """Write a value as readable JSON, atomically."""
    write(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises:
        ReverieError: it is missing or broken.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ReverieError(f"{path} is missing; is {path.parent} a run folder?") from error
    except (ValueError, OSError) as error:
        raise ReverieError(f"{path} is not readable JSON: {error}") from error


def append_line(path: Path, value: Any) -> None:
    """Append one object to a file of JSON lines; a line that a crash cut short is ended first."""
    line = (json.dumps(value, ensure_ascii=False) + "\n").encode()
    try:
        with path.open("a+b") as file:
            if file.tell() and (file.seek(-1, os.SEEK_END), file.read(1))[1] != b"\n":
                file.write(b"\n")
            file.write(line)
    except OSError as error:
        raise refusal(path, len(line), error) from error


def read_lines(path: Path) -> list[dict[str, Any]]:
    """The rows of a training, from JSON lines, by their steps; none where there is no file.

    A line that a crash cut short or damaged is left out. A step that was trained again, after an interruption or a
    roll-back, counts once, as it was in the end.
    """
    rows: dict[tuple[float, bool], dict[str, Any]] = {}
    for line in path.read_bytes().splitlines() if path.exists() else []:
        try:
            row = json.loads(line.decode())
        except (ValueError, RecursionError):
            continue
        if isinstance(row, dict) and isinstance(step := row.get("step"), int | float):
            rows[step, "test" in row] = row
    return sorted(rows.values(), key=lambda row: row["step"])
