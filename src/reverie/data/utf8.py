"""UTF-8 that lies in memory or in a file, read where it is wanted and decoded in pieces.

As a string, one emoji would make a text four times as large; and a large text need not be held beside its numbers.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from reverie.errors import DataError

_PIECE = 2**20  # bytes that are decoded at once
_MARK = b"\xef\xbb\xbf"  # of the byte order; no part of the text


@dataclass(frozen=True)
class Utf8:
    """A stretch of UTF-8.

    Args:
        source: the bytes, or the file that they lie in.
        start: of the first of them.
        stop: after the last.
        written: when the file was written, by its clock.
    """

    source: bytes | Path
    start: int
    stop: int
    written: int = 0

    @classmethod
    def of(cls, data: bytes) -> "Utf8":
        """All of some bytes."""
        return cls(data, 0, len(data))

    @classmethod
    def inside(cls, path: Path) -> "Utf8":
        """All of a file but the mark of its byte order."""
        with path.open("rb") as file:
            start = len(_MARK) if file.read(len(_MARK)) == _MARK else 0
        return cls(path, start, path.stat().st_size, path.stat().st_mtime_ns)

    def __len__(self) -> int:
        """How many bytes."""
        return self.stop - self.start

    def part(self, start: int, stop: int) -> "Utf8":
        """Some of the bytes, counted from the first, as far as there are any."""
        first, last = (min(self.start + place, self.stop) for place in (start, stop))
        return replace(self, start=first, stop=max(first, last))

    def last(self, most: int) -> "Utf8":
        """So many bytes at the end, or all."""
        return self.part(max(0, len(self) - most), len(self))

    def read(self) -> bytes:
        """The bytes.

        Raises:
            DataError: the file is not what it was.
        """
        if isinstance(self.source, bytes):
            return self.source[self.start : self.stop]
        try:
            with self.source.open("rb") as file:
                file.seek(self.start)
                data = file.read(len(self))
            same = len(data) == len(self) and self.source.stat().st_mtime_ns == self.written
        except OSError:
            same = False
        if not same:
            raise DataError(f"{self.source} is not what it was when it was first read: bring it back, and try again.")
        return data

    def decode(self) -> str:
        """The text."""
        return self.read().decode()


def pieces(text: bytes | Utf8) -> Iterator[str]:
    """Decode UTF-8 about a megabyte at a time; see ``blocks``."""
    return (block.decode() for block in blocks(text))


def blocks(text: bytes | Utf8) -> Iterator[bytes]:
    """Read UTF-8 about a megabyte at a time, up to the end of a line, else of a word, else of a character."""
    text = text if isinstance(text, Utf8) else Utf8.of(text)
    start = 0
    while start < len(text):
        block = text.part(start, start + _PIECE + 1).read()
        end = min(_PIECE, len(block))
        if start + end < len(text):
            cut = block.rfind(b"\n", 0, end) + 1 or block.rfind(b" ", 0, end) + 1
            end = cut or next((e for e in range(end, max(0, end - 4), -1) if block[e] & 0xC0 != 0x80), end)
        yield block[:end]
        start += end
