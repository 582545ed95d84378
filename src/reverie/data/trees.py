"""Trees: folders, zip and tar files seen alike, as named files that are read in place.

What lies in a tree (pictures in folders, idx files, CIFAR batches, ...) is decided once, in ``layouts``,
whichever way the files are packed.
"""

import errno
import io
import os
import re
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from reverie.data.limits import (
    DECODED_LIMIT,
    FILE_LIMIT,
    Problem,
    check_ratio,
    gunzip,
    printable,
    size_words,
)
from reverie.errors import DataError

_IGNORED = {"thumbs.db", "desktop.ini", "__macosx"}


@dataclass(frozen=True)
class Member:
    """A file of a tree: its name with forward slashes, and how to read it."""

    name: str
    read: Callable[[], bytes] = field(repr=False)

    @property
    def suffix(self) -> str:
        """The last suffix in lower case, as in ``.png``."""
        return PurePosixPath(self.name).suffix.lower()

    @property
    def base(self) -> str:
        """The name without its folders."""
        return PurePosixPath(self.name).name


@dataclass(frozen=True)
class Tree:
    """Every file that may be read, in natural order, and every one that may not."""

    title: str
    members: tuple[Member, ...]
    problems: tuple[Problem, ...] = ()


def open_tree(path: Path) -> Tree:
    """Open a folder, a ``.zip`` or a ``.tar``, ``.tar.gz`` or ``.tgz`` file.

    Raises:
        DataError: the archive is broken, encrypted, or passes a limit.
    """
    if path.is_dir():
        return _sorted(_open_folder(path))
    return _sorted(_unwrapped(open_zip(path) if path.suffix.lower() == ".zip" else _open_tar(path)))


def natural(name: str) -> tuple[list[str | int], str]:
    """Return a key that sorts names as people do: 2 before 10.

    Example:
        >>> sorted(["img10", "img2", "Img1"], key=natural)
        ['Img1', 'img2', 'img10']
    """
    pieces = re.split("([0-9]+)", name.casefold())  # words and numbers in turn
    return [int(p[:300]) if i % 2 else p for i, p in enumerate(pieces)], name


def read_file(path: Path, limit: int = DECODED_LIMIT) -> bytes:
    """Read a whole file that is no larger than ``limit`` bytes."""
    try:
        if path.stat().st_size > limit:
            raise DataError(f"{path} is larger than {size_words(limit)}, which is the limit.")
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}.") from error


def there(path: Path) -> bool:
    """Whether there is such a file or folder.

    Raises:
        DataError: the system does not say: a folder may not be looked into, or the path is too long to be one.
    """
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError, ValueError):  # ValueError: a zero byte
        return False
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            shown = printable(str(path)[:40])
            raise DataError(f'"{shown}..." is too long for a path; a text itself is given with --text.') from error
        if error.errno == errno.ELOOP:
            return False
        raise _unreadable(path, error) from error
    return True


def listed(folder: Path) -> list[Path]:
    """What lies in a folder.

    Raises:
        DataError: it may not be looked into.
    """
    try:
        return list(folder.iterdir())
    except OSError as error:
        raise _unreadable(folder, error) from error


def _unreadable(path: Path, error: OSError) -> DataError:
    return DataError(f"{printable(str(path))} cannot be read: {error.strerror or error}.")


def hidden(name: str) -> bool:
    """Whether a file is the file system's own, not a person's: hidden files, ``__MACOSX``, ``Thumbs.db``."""
    parts = [part for part in name.split("/") if part not in (".", "..")]
    return any(part.startswith(".") or part.casefold() in _IGNORED for part in parts)


def _sorted(tree: Tree) -> Tree:
    if not tree.members and not tree.problems:
        raise DataError(f"{tree.title} is empty: it holds no file that could be read.")
    return replace(tree, members=tuple(sorted(tree.members, key=lambda m: natural(m.name))))


def _open_folder(root: Path) -> Tree:
    members, problems = [], []
    for name, path in _walk(root):
        if hidden(name):
            continue
        reason = _link(path, root)
        if reason:
            problems.append(Problem(name, reason))
        elif path.is_file():
            members.append(Member(name, lambda path=path: read_file(path)))  # type: ignore[misc]
        _check_count(len(members), root)
    return Tree(str(root), tuple(members), tuple(problems))


def _walk(root: Path) -> Iterator[tuple[str, Path]]:
    """Every file, and every link whatever it leads to; links to folders are not followed."""

    def refuse(error: OSError) -> None:
        raise DataError(f"{error.filename} cannot be read: {error.strerror}.") from error

    for folder, folders, files in os.walk(root, followlinks=False, onerror=refuse):
        folders[:] = [f for f in folders if not hidden(f)]
        links = [f for f in folders if os.path.islink(os.path.join(folder, f))]
        for name in (*files, *links):
            path = Path(folder, name)
            yield path.relative_to(root).as_posix(), path


def _link(path: Path, root: Path) -> str:
    """What is wrong with a link ('' if nothing is, or it is none)."""
    if not path.is_symlink():
        return ""
    if os.path.isdir(path):
        return "a link to a folder, which is not followed; put the folder itself here"
    if not Path(os.path.realpath(path)).is_relative_to(os.path.realpath(root)):  # resolve() fails on a loop of links
        return "a link to a file outside the folder; put the file itself here"
    return "" if os.path.exists(path) else "a link that leads nowhere"


def _check_count(count: int, title: object) -> None:
    if count > FILE_LIMIT:
        raise DataError(f"{title} holds more than {FILE_LIMIT:,} files, which is the limit.")


def _unsafe(name: str) -> bool:
    return name.startswith("/") or ":" in name.split("/")[0] or "\0" in name or ".." in name.split("/")


def open_zip(path: Path) -> Tree:
    """Hold what a zip file declares against the limits; its members are unpacked when read."""
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, EOFError, ValueError, NotImplementedError, OSError) as error:
        raise DataError(_broken(path, error)) from error
    entries = [e for e in archive.infolist() if not e.is_dir() and not hidden(e.filename)]
    _check_count(len(entries), path)
    total = sum(e.file_size for e in entries)
    if total > DECODED_LIMIT:
        raise DataError(f"{path} unpacks to {size_words(total)}; the limit is {size_words(DECODED_LIMIT)}.")
    for entry in entries:
        _check_entry(entry, path)
    members = tuple(Member(e.filename, lambda e=e: _read_entry(archive, e)) for e in entries)  # type: ignore[misc]
    return Tree(str(path), members)


def _check_entry(entry: zipfile.ZipInfo, path: Path) -> None:
    what = f"{path}, member {printable(entry.orig_filename)}"
    if _unsafe(entry.orig_filename.replace("\\", "/")):
        raise DataError(f"{what}: this name points outside the archive. Nothing of it was read; make the archive anew.")
    if entry.flag_bits & 1:
        raise DataError(f"{what}: is encrypted. Unpack it with its password and give the folder.")
    check_ratio(entry.compress_size, entry.file_size, what)


def _read_entry(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    try:
        return archive.read(entry)
    except (
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        OSError,
        ValueError,
        NotImplementedError,
        RuntimeError,
    ) as error:
        raise DataError(f"cannot be unpacked ({error})") from error


def _broken(path: Path, error: Exception) -> str:
    return f"{path} is broken and cannot be opened ({error}). Fetch or copy it again."


def _open_tar(path: Path) -> Tree:
    data = read_file(path)
    data = gunzip(data, str(path)) if data[:2] == b"\x1f\x8b" else data
    members: list[Member] = []
    problems: list[Problem] = []
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as archive:
            for entry in archive:
                _add_tar_entry(entry, data, members, problems)
                _check_count(len(members), path)
            _check_end(archive.offset, data, path)
    except (tarfile.TarError, EOFError, ValueError, OverflowError, OSError) as error:
        raise DataError(_broken(path, error)) from error
    return Tree(str(path), tuple(members), tuple(problems))


def _check_end(end: int, data: bytes, path: Path) -> None:
    """Refuse a tar file without its end marker, a block of zeros: nobody can tell what is missing from it."""
    if data[end : end + tarfile.BLOCKSIZE] != bytes(tarfile.BLOCKSIZE):
        raise DataError(
            f"{path} is cut short or broken: no end marker follows its last whole member. Fetch or copy it again."
        )


def _add_tar_entry(entry: tarfile.TarInfo, data: bytes, members: list[Member], problems: list[Problem]) -> None:
    name = entry.name.removeprefix("./")
    if _unsafe(name):
        raise DataError(
            f"member {printable(name)}: this name points outside the archive. Nothing of it was read; make it anew."
        )
    if entry.isdir() or hidden(name):
        return
    if entry.offset_data + entry.size > len(data) and entry.isreg() and not entry.issparse():
        raise DataError(f"member {printable(name)} is cut short: its data ends too early. Fetch or copy it again.")
    if not entry.isreg() or entry.issparse():
        problems.append(Problem(name, "a link, a device or a sparse file, which is not read"))
        return
    part = memoryview(data)[entry.offset_data : entry.offset_data + entry.size]
    members.append(Member(name, lambda: bytes(part)))


def _unwrapped(tree: Tree) -> Tree:
    """Take off the folders that wrap a whole archive, as in ``photos.zip/photos/...``."""
    depth = len(os.path.commonprefix([m.name.split("/")[:-1] for m in tree.members]))
    return replace(tree, members=tuple(replace(m, name=_below(m.name, depth)) for m in tree.members))


def _below(name: str, depth: int) -> str:
    return "/".join(name.split("/")[depth:])
