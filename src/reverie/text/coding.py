"""Arithmetic coding with whole numbers: symbols into bytes at the length that their probabilities say, and back.

A range coder (Martin 1979; Rissanen 1976) whose carry runs back through the bytes that are written. Probabilities
become whole frequencies by one rule, so that coder and decoder, given the same numbers, split the range alike.
"""

import numpy as np
from numpy.typing import NDArray

from reverie.errors import DataError

TOTAL = 1 << 32  # of all frequencies: the least probability that a symbol can have is 1 / TOTAL
WIDE = 1 << 64  # of the range
NARROW = 1 << 56  # below it a byte is settled


def frequencies(probabilities: NDArray[np.float64]) -> NDArray[np.int64]:
    """Probabilities (V,) as whole numbers of at least 1 that add up to ``TOTAL``.

    Each gets ``1 + floor(p (TOTAL - V))``, and the largest what is left over. A symbol's length differs from
    ``-log2 p`` by up to about ``1.44 / (p TOTAL)`` bits, and by ``V / TOTAL`` on average.
    """
    found = 1 + np.floor(probabilities * (TOTAL - len(probabilities))).astype(np.int64)
    found[int(found.argmax())] += TOTAL - int(found.sum())
    return found


class Coder:
    """Writes symbols; ``finish`` gives the bytes."""

    def __init__(self) -> None:
        self.low = 0
        self.range = WIDE
        self.bytes = bytearray()

    def write(self, symbol: int, counts: NDArray[np.int64]) -> None:
        """Narrow the range to a symbol's share."""
        before, width = int(counts[:symbol].sum()), int(counts[symbol])
        step = self.range // TOTAL
        self.low += step * before
        self.range = step * width
        while self.range < NARROW:
            self._settle()
            self.range <<= 8

    def _settle(self) -> None:
        """Move the highest byte out; one that overflowed is carried into those before it."""
        place = len(self.bytes) - 1
        if self.low >= WIDE:
            while self.bytes[place] == 255:  # the first byte cannot overflow: low stays below 1 in all
                self.bytes[place] = 0
                place -= 1
            self.bytes[place] += 1
            self.low -= WIDE
        self.bytes.append(self.low >> 56)
        self.low = (self.low & (NARROW - 1)) << 8

    def finish(self) -> bytes:
        """The bytes, as few as tell the last range from all others; zeros at the end are left out."""
        for kept in range(64, -1, -8):  # the number in the range with the most zeros at its end
            unit = 1 << kept
            number = -(-self.low // unit) * unit
            if number < self.low + self.range:
                self.low = number
                break
        for _ in range(8):
            self._settle()
        return bytes(self.bytes).rstrip(b"\0")


class Decoder:
    """Reads the symbols that a coder wrote, given the same frequencies."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.place = 8
        self.code = int.from_bytes(data[:8].ljust(8, b"\0"), "big")  # how far into the range the number lies
        self.range = WIDE

    def read(self, counts: NDArray[np.int64]) -> int:
        """The next symbol.

        Raises:
            DataError: the bytes are not what a coder wrote with these frequencies.
        """
        step = self.range // TOTAL
        asked = self.code // step
        if asked >= TOTAL:
            raise DataError("The compressed text is damaged, or was made with other probabilities.")
        ends = counts.cumsum()
        symbol = int(np.searchsorted(ends, asked, side="right"))
        self.code -= step * int(ends[symbol] - counts[symbol])
        self.range = step * int(counts[symbol])
        while self.range < NARROW:
            following = self.data[self.place] if self.place < len(self.data) else 0
            self.code, self.range, self.place = (self.code << 8) | following, self.range << 8, self.place + 1
        return symbol
