"""Texts: a source of text becomes UTF-8, whole or one text for each part where the source has parts.

A large one stays in its file; either is decoded in pieces (``utf8``).
"""

import json
import re
import sysconfig
from pathlib import Path

from reverie.data.catalog import CATALOG, Entry, located
from reverie.data.limits import TEXT_LIMIT, gunzip, printable
from reverie.data.pictures import SUFFIXES
from reverie.data.trees import hidden, listed, natural, read_file, there
from reverie.data.utf8 import Utf8, blocks
from reverie.errors import DataError, suggest

_PARTS = ("train", "valid", "test")
_WORDS = {"train": "train", "valid": "valid", "validation": "valid", "val": "valid", "dev": "valid", "test": "test"}
_SUFFIXES = (".txt", ".txt.gz", ".text", ".md", ".jsonl", ".jsonl.gz")
_OF_IMAGES = (*SUFFIXES, ".npy", ".npz", ".bin", ".parquet", ".gz", "ubyte")
_SURROGATE = re.compile("[\ud800-\udfff]")  # JSON can name half a pair, which is no character
_HELD = 2**24  # bytes of a text that is held in memory; a larger one stays in its file
_STDLIB_LEFT_OUT = {"site-packages", "dist-packages", "test", "tests", "idle_test", "lib2to3", "__pycache__"}


def read_text(source: str | Path) -> str:
    """Read a text whole; where it has parts, they follow one another: training, validation, test.

    Raises:
        DataError: the source is missing, empty, binary, or not in UTF-8.
    """
    return "".join(read_parts(source).values())


def read_parts(source: str | Path) -> dict[str, str]:
    """Read a text as strings by its parts; see ``read_utf8``."""
    return {part: data.decode() for part, data in read_utf8(source).items()}


def read_utf8(source: str | Path) -> dict[str, Utf8]:
    """Read a text by its parts: ``train``, ``valid`` and ``test`` where the source has them, else ``all``.

    Accepted are a name of the catalog (``tinyshakespeare``, ``ptb``, ``wikitext-2``, ``python-stdlib``),
    ``.txt`` and ``.jsonl`` files (the field ``text`` of each line), either gzipped or not, and folders of
    them.

    Raises:
        DataError: the source is missing, empty, binary, or not in UTF-8.
    """
    entry = CATALOG.get(source) if isinstance(source, str) else None
    if entry and entry.name == "python-stdlib":
        return {"all": Utf8.of(_python_stdlib().encode())}
    files = text_files(located_text(source))
    return {part: _joined(found) for part, found in files.items()}


def _joined(files: list[Path]) -> Utf8:
    """Files one after the other; one that is large and plain stays where it is, and has been looked through."""
    data = b"\n".join(read_one(file) for file in files)
    plain = len(files) == 1 and files[0].is_file() and not files[0].name.lower().endswith((".gz", ".jsonl"))
    if len(data) <= _HELD or not plain:
        return Utf8.of(data)
    stays = Utf8.inside(files[0])
    return stays if len(stays) == len(data) else Utf8.of(data)  # a gzipped file may have any name


def located_text(source: str | Path) -> Path:
    """Where a text lies: a named one, a file or a folder.

    Raises:
        DataError: there is none.
    """
    entry = CATALOG.get(source) if isinstance(source, str) else None
    path = _located_text(entry) if entry else Path(source).expanduser()
    if not there(path):
        names = [e.name for e in CATALOG.values() if e.kind == "text"]
        raise DataError(
            f"there is no file, folder or text {printable(str(source))}.{suggest(str(source), names)} "
            f"Named texts are {', '.join(names)}."
        )
    return path


def _located_text(entry: Entry) -> Path:
    if entry.kind != "text":
        raise DataError(f"{entry.name} is a set of images, and a language recipe wants text: a .txt or .jsonl file.")
    return located(entry)


def text_files(path: Path) -> dict[str, list[Path]]:
    """The files of a text by its parts: ``train``, ``valid`` and ``test`` where names say so, else ``all``.

    Raises:
        DataError: the folder holds none, or parts without one for training, or files of no part beside parts.
    """
    if not path.is_dir():
        return {"all": [path]}
    files = sorted((f for f in listed(path) if f.name.lower().endswith(_SUFFIXES)), key=lambda f: natural(f.name))
    files = [f for f in files if not hidden(f.name)]
    if not files:
        raise DataError(f"{path} holds no text; accepted are {', '.join(_SUFFIXES)}.")
    parts = _by_part(files)
    if parts.keys() == {""}:
        return {"all": files}
    way_out = "Name each file after its part, as in train.txt, valid.txt and test.txt, or take it out of the folder."
    if strange := parts.get(""):
        raise DataError(f"{path} has parts, and {printable(strange[0].name)} belongs to no single one. {way_out}")
    if "train" not in parts:
        raise DataError(f"{path} holds {' and '.join(parts)} but no train: nothing to learn from. {way_out}")
    return parts


def _by_part(files: list[Path]) -> dict[str, list[Path]]:
    """Files by the parts that their names say, in the order of parts; those that say none, or two, by ``""``.

    Words between dots count always. Those between hyphens do only where training and held-out files tell each other
    apart by them: an essay may be called ``driving-test.txt``.
    """
    loose = _sorted_by(files, "[-._]")
    parts = loose if "train" in loose and loose.keys() & {"valid", "test"} else _sorted_by(files, "[.]")
    return {part: parts[part] for part in (*_PARTS, "") if part in parts}


def _sorted_by(files: list[Path], between: str) -> dict[str, list[Path]]:
    parts: dict[str, list[Path]] = {}
    for file in files:
        said = {_WORDS[word] for word in re.split(between, file.name.lower()) if word in _WORDS}
        parts.setdefault(said.pop() if len(said) == 1 else "", []).append(file)
    return parts


def holds_text(source: str | Path) -> bool:
    """Whether a source is a text by its name, and not images: a folder that has texts, and no folders or arrays."""
    entry = CATALOG.get(source) if isinstance(source, str) else None
    if entry:
        return entry.kind == "text"
    path = Path(source).expanduser()
    if not there(path) or not path.is_dir():
        return path.name.lower().endswith(_SUFFIXES)
    found = [f for f in listed(path) if not hidden(f.name)]
    texts = [f for f in found if f.name.lower().endswith(_SUFFIXES)]
    others = [f for f in found if f not in texts]
    return bool(texts) and not any(f.is_dir() or f.name.lower().endswith(_OF_IMAGES) for f in others)


def read_one(path: Path) -> bytes:
    """Read one file of text: UTF-8, unpacked, without its byte-order mark.

    Raises:
        DataError: it is missing, empty, binary, not in UTF-8, or no such .jsonl file.
    """
    what = printable(str(path))
    data = read_file(path, TEXT_LIMIT)
    data = gunzip(data, what, TEXT_LIMIT) if data[:2] == b"\x1f\x8b" else data
    data = check_utf8(data, what)
    if path.name.lower().endswith((".jsonl", ".jsonl.gz")):
        data = _SURROGATE.sub("\ufffd", _fields(data.decode(), what)).encode()
    if not data or data.isspace():
        raise DataError(f"{what} is empty: it holds no text.")
    return data


def decode_text(data: bytes, what: str) -> str:
    """Decode UTF-8; see ``check_utf8``."""
    return check_utf8(data, what).decode()


def check_utf8(data: bytes, what: str) -> bytes:
    """Return UTF-8 without its byte-order mark.

    Raises:
        DataError: the bytes are no text, or text in another encoding; the message says where.
    """
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise DataError(f"{what} is UTF-16; save it as UTF-8: iconv -f UTF-16 -t UTF-8 {what}")
    if b"\0" in data:
        raise DataError(f"{what} is binary, not text: it holds a zero byte at {data.index(0)}.")
    done = 0
    try:
        for block in blocks(data):
            block.decode()
            done += len(block)
    except UnicodeDecodeError as error:
        place = done + error.start
        line = data.count(b"\n", 0, place) + 1
        raise DataError(
            f"{what} is not UTF-8: byte {data[place]:#04x} in line {line} (at {place}). "
            f"If it is an older text, convert it: iconv -f LATIN1 -t UTF-8 {what}"
        ) from error
    return data.removeprefix(b"\xef\xbb\xbf")


def _fields(text: str, what: str) -> str:
    """The field ``text`` of every line of a .jsonl file, one to a line."""
    found = []
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise DataError(f"{what}, line {number}, is no JSON object ({error}).") from error
        if not isinstance(row, dict) or not isinstance(row.get("text"), str):
            raise DataError(f'{what}, line {number}, has no field "text" with a string.')
        found.append(row["text"])
    return "\n".join(found)


def _python_stdlib() -> str:
    """The standard library's modules in the order of their names; it differs between releases of Python."""
    root = Path(sysconfig.get_path("stdlib"))
    files = [path.relative_to(root) for path in root.rglob("*.py")]
    kept = sorted(f.as_posix() for f in files if not _STDLIB_LEFT_OUT.intersection(f.parts))
    return "\n".join(_read_source(root / name) for name in kept)


def _read_source(path: Path) -> str:
    return path.read_bytes().decode("utf-8", "replace")
