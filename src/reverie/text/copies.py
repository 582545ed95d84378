"""What stands in a text just so: a suffix array, the longest run at each place, and what would go on with a copy."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

LIMIT = 20_000_000  # symbols that are searched: the array takes 8 bytes for each, and more while it is made
LENGTHS = (5, 10, 15, 20, 30, 40, 50)


@dataclass(frozen=True)
class Span:
    """A run of a text that stands in another: where it begins, where the other does, how long it is."""

    start: int
    source: int
    length: int


class Copies:
    """A text in which sequences are looked up.

    Its suffixes are sorted by doubling (Manber and Myers 1990): ranks of 1, 2, 4 ... symbols until all differ. Looking
    something up is a binary search.

    Args:
        tokens: the text as numbers (N,); of a very long one the last ``LIMIT`` are kept.
        first: the place of the first of them, where they are the end of a longer text.
    """

    def __init__(self, tokens: NDArray[np.integer[Any]], first: int = 0) -> None:
        cut = max(0, len(tokens) - LIMIT)
        self.first = first + cut
        self.tokens = tokens[cut:].astype(np.int64)
        self.text = string(self.tokens)
        self.order = suffix_array(self.tokens)

    @classmethod
    def of_text(cls, text: str) -> "Copies":
        """The characters of a text."""
        cut = max(0, len(text) - LIMIT)
        return cls(points(text[cut:]), cut)

    def following(self, tokens: Sequence[int]) -> set[int]:
        """The symbols that follow a sequence anywhere in the text."""
        asked = string(np.asarray(tokens))
        first, last = self._range(asked)
        after = self.order[first:last] + len(asked)
        return set(np.unique(self.tokens[after[after < len(self.tokens)]]).tolist())

    def _range(self, asked: str) -> tuple[int, int]:
        """Which suffixes, in their order, begin with a string."""
        text, size = self.text, len(asked)

        def head(place: int) -> str:
            return text[place : place + size]

        first = bisect_left(self.order, asked, key=head)
        return first, bisect_right(self.order, asked, lo=first, key=head)

    def longest(self, tokens: Iterable[int], long: int = 1000) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """For each place of another text the longest run from there on that stands here, and where, (M,) each.

        Within a run of more than ``long`` symbols place and source go on together until so many are left: a search at
        each of its places would take the square of its length.
        """
        other = string(np.asarray(tokens, np.int64))
        found = np.zeros((len(other), 2), np.int64)
        length = source = 0
        for place in range(len(other)):
            length, source = (length - 1, source + 1) if length > long else self._longest(other, place, long)
            found[place] = length, source
        return found[:, 0], found[:, 1] + self.first

    def _longest(self, other: str, place: int, asked: int) -> tuple[int, int]:
        """The longest run from a place of a text on, among ever more symbols as long as all of them agree."""
        while True:
            length, source = self._among(other[place : place + asked])
            if length < asked:
                return length, source
            asked *= 2

    def _among(self, asked: str) -> tuple[int, int]:
        """The longest beginning of a string that stands here: it begins one of the two suffixes around it."""
        text, size = self.text, len(asked)
        place = bisect_left(self.order, asked, key=lambda start: text[start : start + size])
        beside = [int(start) for start in self.order[max(0, place - 1) : place + 1]]
        return max(((agreement(asked, text[start : start + size]), start) for start in beside), default=(0, 0))


def suffix_array(tokens: NDArray[np.int64]) -> NDArray[np.int64]:
    """The places of a text in the order of what begins there, (N,).

    Example:
        >>> suffix_array(np.array([2, 1, 3, 1, 3, 1])).tolist()  # banana
        [5, 3, 1, 0, 4, 2]
    """
    count, size = len(tokens), 1
    rank = np.unique(tokens, return_inverse=True)[1].astype(np.int64)
    while count and rank.max() < count - 1:
        following = np.zeros(count, np.int64)
        following[: count - size] = rank[size:] + 1  # 0 where the text ends: a beginning comes before what it begins
        rank = np.unique(rank * (count + 1) + following, return_inverse=True)[1].astype(np.int64)
        size *= 2
    order = np.empty(count, np.int64)
    order[rank] = np.arange(count)
    return order


def agreement(a: str, b: str) -> int:
    """How many symbols two strings have in common from their beginning on, by halving.

    Example:
        >>> agreement("to be", "to bear")
        5
    """
    low, high = 0, min(len(a), len(b))
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if a[low:middle] == b[low:middle] else (low, middle - 1)
    return low


def shares(lengths: NDArray[np.int64], ks: Iterable[int] = LENGTHS) -> dict[int, float]:
    """The share of a text's sequences of k symbols that stand in the other, for each k that it is long enough for."""
    return {k: float((lengths[: len(lengths) - k + 1] >= k).mean()) for k in ks if k <= len(lengths)}


def spans(lengths: NDArray[np.int64], sources: NDArray[np.int64], least: int) -> list[Span]:
    """The longest runs of at least so many symbols that lie in no other, in the order of the text."""
    found, reached = [], 0
    for start, (length, source) in enumerate(zip(lengths.tolist(), sources.tolist(), strict=True)):
        if length >= least and start + length > reached:
            found.append(Span(start, source, length))
            reached = start + length
    return found


def points(text: str) -> NDArray[np.int64]:
    """The code points of a text, (N,)."""
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), "<u4").astype(np.int64)


def string(tokens: NDArray[np.int64]) -> str:
    """Numbers below 1,114,112 as a string of as many characters, which Python searches fast."""
    return tokens.astype("<u4").tobytes().decode("utf-32-le", "surrogatepass")
