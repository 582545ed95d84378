"""What a source may cost: every limit in one place, and decompression that stops at it."""

import io
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from reverie.errors import DataError

PIXEL_LIMIT = 50_000_000  # pixels of one image; a 79 kB PNG can hold 81 million
DECODED_LIMIT = 4 * 2**30  # bytes of all images of a source, decoded
FILE_LIMIT = 1_000_000  # files in a folder or archive
RATIO_LIMIT = 200  # bytes out of one compressed byte; photographs and drawings stay below 20
RATIO_FREE = 2**20  # bytes that may come out whatever the ratio: small files cannot hurt
_SLICE = 2**20  # compressed bytes that are fed to the decompressor at once
TEXT_LIMIT = 2**30  # bytes of a text
SHOWN = 10  # broken files that one message lists


@dataclass(frozen=True)
class Problem:
    """One file that cannot be used, and why."""

    path: str
    reason: str

    def __str__(self) -> str:
        """The problem on one line; control characters of a file's name are shown escaped."""
        return f"{printable(self.path)}: {self.reason}"


def printable(name: str) -> str:
    r"""Return a file's name with everything that is no printable character escaped.

    Example:
        >>> printable("cat\x00.png")
        'cat\\x00.png'
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "replace").decode() for c in name)


def encodable(name: str) -> str:
    r"""Return a name with what UTF-8 cannot say escaped: bytes of another encoding in the name of a file or a class.

    Example:
        >>> encodable("caf\udce9")
        'caf\\udce9'
    """
    return name.encode("utf-8", "backslashreplace").decode()


def size_words(count: float) -> str:
    """Return a number of bytes in words.

    Example:
        >>> size_words(4 * 2**30)
        '4.0 GiB'
    """
    for unit in ("bytes", "KiB", "MiB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "bytes" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} GiB"


def check_decoded(count: int, what: str) -> None:
    """Refuse a source whose decoded images need more than ``DECODED_LIMIT`` bytes."""
    if count > DECODED_LIMIT:
        raise DataError(
            f"{printable(what)} needs more than {size_words(DECODED_LIMIT)} when decoded, which "
            "is the limit. "
            "Give a smaller size (--size 64) or fewer images."
        )


def check_ratio(packed: int, unpacked: int, what: str) -> None:
    """Refuse what unpacks to far more than images or text ever do."""
    if unpacked > max(RATIO_FREE, RATIO_LIMIT * packed):
        raise DataError(
            f"{printable(what)} unpacks to more than {RATIO_LIMIT} times its "
            f"{size_words(packed)}, which is the limit; "
            "real images and texts do not. Unpack it yourself if you trust it, and give the folder."
        )


def gunzip(data: bytes, what: str, limit: int = DECODED_LIMIT) -> bytes:
    """Decompress gzip data, one or more members, and stop as soon as a limit is passed.

    Raises:
        DataError: the data is broken or cut short, or unpacks to too much.
    """
    out = io.BytesIO()
    try:
        for piece in _inflated(data, what):
            out.write(piece)
            check_ratio(len(data), out.tell(), what)
            _check_unpacked(out.tell(), limit, what)
    except zlib.error as error:
        raise DataError(f"{printable(what)} is not whole gzip data ({error}). Fetch or copy it again.") from error
    return out.getvalue()


def _inflated(data: bytes, what: str) -> Iterator[bytes]:
    """Unpack gzip members in small pieces, fed slice by slice: what is not yet consumed is copied at every call."""
    engine, rest, fed = _member(), b"", 0
    while rest or fed < len(data):
        if not rest:
            rest = data[fed : fed + _SLICE]
            fed += len(rest)
        if engine.eof:
            rest = rest.lstrip(b"\0")  # some writers pad with zeros
            if not rest:
                continue
            engine = _member()
        yield engine.decompress(rest, RATIO_FREE)
        rest = engine.unused_data if engine.eof else engine.unconsumed_tail
    while not engine.eof:  # it may still hold output that did not fit
        piece = engine.decompress(b"", RATIO_FREE)
        if not piece and not engine.eof:
            raise DataError(f"{printable(what)} is cut short: its gzip data ends too early. Fetch or copy it again.")
        yield piece


def _member() -> "zlib._Decompress":
    return zlib.decompressobj(wbits=31)  # 31: a gzip header and a checksum are expected


def _check_unpacked(count: int, limit: int, what: str) -> None:
    if count > limit:
        raise DataError(f"{printable(what)} unpacks to more than {size_words(limit)}, which is the limit.")
