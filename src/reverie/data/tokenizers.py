"""Tokenizers: from text to numbers and back, each with a vocabulary that is made of the training text alone.

===============  ==========================  =====================================================
kind             a symbol is                 a text comes back
===============  ==========================  =====================================================
``characters``   a code point                exactly, where its characters are in the vocabulary
``bytes``        a byte of UTF-8             exactly, always
``words``        a word, or a line's end     with single spaces, where its words are in the vocabulary
``bpe``          a frequent run of bytes     exactly, always
===============  ==========================  =====================================================
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from reverie.data.pairs import Kind, Pairs
from reverie.errors import DataError, UsageError

Ids = NDArray[np.unsignedinteger[Any]]

UNKNOWN, END = "<unk>", "<eos>"
REPLACEMENT = "\ufffd"  # what an unknown character is decoded to


class Tokenizer(Protocol):
    """What every tokenizer offers. ``encode`` never fails: what is not in the vocabulary is ``unknown``."""

    kind: Kind

    @property
    def symbols(self) -> list[str]:
        """The name of each number."""
        ...

    @property
    def unknown(self) -> int | None:
        """The number of what is not in the vocabulary; None where everything is."""
        ...

    def __len__(self) -> int:
        """The size of the vocabulary."""
        ...

    def encode(self, text: str) -> Ids:
        """The numbers of a text, (N,)."""
        ...

    def decode(self, ids: Iterable[int]) -> str:
        """The text of numbers."""
        ...

    def to_json(self) -> dict[str, Any]:
        """What ``from_json`` opens again."""
        ...


def smallest(count: int) -> type[np.unsignedinteger[Any]]:
    """The smallest type that holds 0 .. count - 1.

    Example:
        >>> smallest(256).__name__, smallest(257).__name__
        ('uint8', 'uint16')
    """
    return np.uint8 if count <= 2**8 else np.uint16 if count <= 2**16 else np.uint32


class Characters:
    """One number for each code point; number 0 is ``<unk>``."""

    kind: Kind = "characters"
    unknown = 0

    def __init__(self, characters: Sequence[str]) -> None:
        """Number characters in the order given, from 1 on.

        Raises:
            DataError: one of them is not a single character, or comes twice.
        """
        if any(len(c) != 1 for c in characters) or len(set(characters)) < len(characters):
            raise DataError("a vocabulary of characters must hold single characters, each once.")
        self.characters = list(characters)

    @classmethod
    def of(cls, texts: Iterable[str], most: int = 0) -> "Characters":
        """The characters of texts in the order of their code points: all, or the ``most`` frequent."""
        counts = np.zeros(0, np.int64)
        for text in texts:
            more = np.bincount(_points(text), minlength=len(counts))
            more[: len(counts)] += counts
            counts = more
        found = np.flatnonzero(counts)
        if most and len(found) > most:
            found = np.sort(found[np.argsort(-counts[found], kind="stable")[:most]])
        return cls([chr(point) for point in found])

    @property
    def symbols(self) -> list[str]:
        """``<unk>``, then the characters."""
        return [UNKNOWN, *self.characters]

    def __len__(self) -> int:
        """The size of the vocabulary."""
        return len(self.characters) + 1

    @cached_property
    def _numbers(self) -> Ids:
        points = [ord(c) for c in self.characters]
        numbers = np.zeros(max(points, default=-1) + 2, smallest(len(self)))  # the last is for all that lie above
        numbers[points] = np.arange(1, len(self))
        return numbers

    @cached_property
    def _names(self) -> NDArray[np.uint32]:
        return np.array([ord(c) for c in (REPLACEMENT, *self.characters)], "<u4")

    def encode(self, text: str) -> Ids:
        """The number of each code point; 0 for one that is not in the vocabulary."""
        return self._numbers[np.minimum(_points(text), len(self._numbers) - 1)]

    def decode(self, ids: Iterable[int]) -> str:
        """The characters; U+FFFD for 0."""
        points = self._names[_array(ids)].tobytes()
        return str(points, "utf-32-le", "surrogatepass")

    def to_json(self) -> dict[str, Any]:
        """The kind and the characters, as code points."""
        return {"kind": self.kind, "characters": [ord(c) for c in self.characters]}


class Bytes:
    """One number for each byte of UTF-8: 256 symbols, and nothing is unknown."""

    kind: Kind = "bytes"
    unknown = None

    @property
    def symbols(self) -> list[str]:
        """Printable ASCII as it is, other bytes as in ``0xff``."""
        return [chr(i) if 32 <= i < 127 else f"{i:#04x}" for i in range(256)]

    def __len__(self) -> int:
        """256."""
        return 256

    def encode(self, text: str) -> Ids:
        """The bytes of a text."""
        return np.frombuffer(text.encode("utf-8", "surrogatepass"), np.uint8)

    def decode(self, ids: Iterable[int]) -> str:
        """The text of bytes; U+FFFD where they are not UTF-8."""
        return _array(ids).astype(np.uint8).tobytes().decode("utf-8", "replace")

    def to_json(self) -> dict[str, Any]:
        """The kind."""
        return {"kind": self.kind}


class Words:
    """One number for each word between spaces, and ``<eos>`` for each end of a line, as in Penn Treebank tables."""

    kind: Kind = "words"

    def __init__(self, words: Sequence[str]) -> None:
        """Number words in the order given; ``<unk>`` and ``<eos>`` are among them.

        Raises:
            DataError: a word comes twice, holds a space, or those two are missing.
        """
        self._numbers = {word: number for number, word in enumerate(words)}
        if len(self._numbers) < len(words) or not {UNKNOWN, END} <= self._numbers.keys():
            raise DataError("a vocabulary of words must hold each word once, with <unk> and <eos>.")
        if any(word.split() != [word] for word in words):
            raise DataError("a vocabulary of words must hold words without spaces.")
        self.words = list(words)

    @classmethod
    def of(cls, texts: Iterable[str], most: int = 0) -> "Words":
        """``<unk>``, ``<eos>`` and the words of texts, the most frequent first: all, or ``most`` words in all."""
        counts: Counter[str] = Counter()
        for text in texts:
            counts.update(text.split())
        kept = [word for word, _ in counts.most_common() if word not in (UNKNOWN, END)]
        return cls([UNKNOWN, END, *kept][: most or None])

    @property
    def symbols(self) -> list[str]:
        """The words."""
        return self.words

    @property
    def unknown(self) -> int:
        """The number of ``<unk>``."""
        return self._numbers[UNKNOWN]

    def __len__(self) -> int:
        """The size of the vocabulary."""
        return len(self.words)

    def encode(self, text: str) -> Ids:
        """The number of each word, with that of ``<eos>`` for each end of a line."""
        lines, end, unknown = text.split("\n"), self._numbers[END], self.unknown
        ids = [i for line in lines for i in (*(self._numbers.get(w, unknown) for w in line.split()), end)]
        return np.array(ids[:-1], smallest(len(self)))

    def decode(self, ids: Iterable[int]) -> str:
        """The words with one space between them; an end of a line for ``<eos>``."""
        text = " ".join("\n" if self.words[i] == END else self.words[i] for i in ids)
        return text.replace(" \n", "\n").replace("\n ", "\n")

    def to_json(self) -> dict[str, Any]:
        """The kind and the words."""
        return {"kind": self.kind, "words": self.words}


def build(kind: Kind, texts: Iterable[str], most: int = 0) -> Tokenizer:
    """A tokenizer with the vocabulary of texts.

    Args:
        kind: characters, bytes, words or bpe.
        texts: the training text, in pieces.
        most: symbols at most; 0 for no limit (bpe: 1,024).

    Raises:
        UsageError: there is no such kind, or bpe without the package that it needs.
    """
    if kind == "bytes":
        return Bytes()
    made: Mapping[str, Any] = {"characters": Characters.of, "words": Words.of, "bpe": Pairs.of}
    if kind not in made:
        raise UsageError(f"a tokenizer is characters, bytes, words or bpe; got {kind}.")
    tokenizer: Tokenizer = made[kind](texts, most)
    return tokenizer


def grow(tokenizer: Tokenizer, texts: Iterable[str]) -> Tokenizer:
    """The same vocabulary with the new characters or words of texts after it; bytes and pairs have all there is."""
    if isinstance(tokenizer, Characters):
        known = set(tokenizer.characters)
        return Characters([*tokenizer.characters, *(c for c in Characters.of(texts).characters if c not in known)])
    if isinstance(tokenizer, Words):
        known = set(tokenizer.words)
        return Words([*tokenizer.words, *(word for word in Words.of(texts).words if word not in known)])
    return tokenizer


def from_json(stored: Mapping[str, Any]) -> Tokenizer:
    """A tokenizer from what ``to_json`` gave.

    Raises:
        DataError: it is none.
    """
    try:
        if stored["kind"] == "characters":
            return Characters([chr(point) for point in stored["characters"]])
        if stored["kind"] == "words":
            return Words(stored["words"])
        if stored["kind"] == "bpe":
            return Pairs(stored["model"])
        if stored["kind"] == "bytes":
            return Bytes()
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataError(f"the vocabulary is damaged ({type(error).__name__}: {error}); bring it back.") from error
    raise DataError(f"the vocabulary is of no kind that is known here: {stored['kind']}.")


def _points(text: str) -> NDArray[np.uint32]:
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), "<u4")


def _array(ids: Iterable[int]) -> NDArray[Any]:
    return ids if isinstance(ids, np.ndarray) else np.fromiter(ids, np.int64)
