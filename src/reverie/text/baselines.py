"""What a text costs without any network: counted n-grams, and what xz makes of it.

A model that is not better than these has learned nothing that counting does not know.
"""

import lzma
from typing import Any

import numpy as np
from numpy.typing import NDArray

LONGEST = 5_000_000  # symbols of the training text that are counted, its last ones
XZ = 8_000_000  # bytes of the training text that xz sees
_BLOCK = 2**18  # symbols that are numbered at once

Numbers = NDArray[Any]  # unsigned integers


def witten_bell(train: NDArray[Any], text: NDArray[Any], vocabulary: int, n: int) -> NDArray[np.float64]:
    r"""The nats of each symbol but the first under an interpolated n-gram model, (M - 1,).

    .. math:: p_n(w | h) = \frac{c(h w) + t(h) \, p_{n-1}(w | h')}{c(h) + t(h)}, \qquad p_0 = 1 / V

    with c the counts of the training text, t(h) the number of different symbols after h, and h' without its first
    symbol. Method C of Bell, Cleary and Witten 1990; Witten and Bell 1991. Nothing is known of what was before the
    text: its first symbols have shorter contexts. n = 1 is the unigram.

    Only contexts that come in the text are told apart, so that a few numbers of 4 bytes are held for each symbol.

    Args:
        train: counted, (N,).
        text: measured, (M,).
        vocabulary: V.
        n: symbols of the longest gram.
    """
    train, chances = train[-LONGEST:], np.full(len(text) - 1, 1 / vocabulary)
    size = 1 + int(max(train.max(initial=0), text.max(initial=0)))
    count = 1
    seen: Numbers = np.zeros(len(train), np.uint8)
    asked: Numbers = np.zeros(len(text), np.uint8)
    for order in range(1, min(n, len(text)) + 1):
        seen, asked = _grams(seen, train, size, count), _grams(asked, text[order - 1 :], size, count)
        scored = asked[1:] if order == 1 else asked
        found, total, kinds = _counts(np.sort(seen[order - 1 :]), scored, size)
        lower = chances[-len(scored) :] if len(scored) else chances[:0]
        lower[:] = np.where(total > 0, (found + kinds * lower) / np.maximum(total + kinds, 1), lower)
        known = np.unique(asked)
        count, seen, asked = len(known), _contexts(known, seen), np.searchsorted(known, asked[:-1])
    nats: NDArray[np.float64] = -np.log(chances)
    return nats


def _grams(contexts: Numbers, symbols: Numbers, size: int, count: int) -> Numbers:
    """A number for each context with the symbol after it, in the smallest type that holds all of them.

    Args:
        contexts: numbers below ``count`` of contexts that are asked for, ``count`` for any other.
        symbols: after them, below ``size``.
        size: of the alphabet.
        count: of contexts.
    """
    kind = np.min_scalar_type((count + 1) * size)
    grams: Numbers = contexts.astype(kind)
    grams *= kind.type(size)
    np.add(grams, symbols, out=grams, casting="unsafe")  # a sum that fits
    return grams


def _counts(seen: Numbers, asked: Numbers, size: int) -> tuple[NDArray[np.int64], ...]:
    """How often the grams asked for were seen, how often their contexts, and how many different symbols came after.

    Args:
        seen: grams in order.
        asked: grams.
        size: of the alphabet.
    """
    first = asked // asked.dtype.type(size) * asked.dtype.type(size)
    last = first + asked.dtype.type(size - 1)
    fresh = np.ones(len(seen), bool)
    fresh[1:] = seen[1:] != seen[:-1]
    different = seen[fresh]
    return _between(seen, asked, asked), _between(seen, first, last), _between(different, first, last)


def _between(ordered: Numbers, first: Numbers, last: Numbers) -> NDArray[np.int64]:
    """How many numbers lie between two of them, both included."""
    return np.searchsorted(ordered, last, "right") - np.searchsorted(ordered, first, "left")


def _contexts(known: Numbers, grams: Numbers) -> Numbers:
    """For each place the number of the context before it: where in ``known`` the gram that ends there stands.

    It is ``len(known)`` for a gram that is not there, and at the first place.
    """
    contexts = np.full(len(grams), len(known), np.min_scalar_type(len(known)))
    for start in range(0, len(grams) - 1, _BLOCK):
        block = grams[start : min(start + _BLOCK, len(grams) - 1)]
        places = np.minimum(np.searchsorted(known, block), len(known) - 1)
        contexts[start + 1 :][: len(block)] = np.where(known[places] == block, places, len(known))
    return contexts


def xz_bits(train: bytes, text: str) -> float:
    """The bits that xz adds for a text when it has seen the training text: the difference of two compressed sizes.

    Python's lzma takes no preset dictionary, so the training text is compressed with it, and once alone.
    """
    known, more = train[-XZ:], text.encode("utf-8", "surrogatepass")
    return 8.0 * (_packed(known + more) - _packed(known))


def _packed(data: bytes) -> int:
    """The size that is left, by the strongest setting; a dictionary larger than the data is of no use."""
    window = min(max(len(data), 4096), 2**26)
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME, "dict_size": window}]
    return len(lzma.compress(data, format=lzma.FORMAT_XZ, check=lzma.CHECK_NONE, filters=filters))
