"""What a text costs without any network: counted n-grams, and what xz makes of it.

A model that is not better than these has learned nothing that counting does not know.
"""

import lzma
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

LONGEST = 5_000_000  # symbols of the training text that are counted, its last ones
XZ = 8_000_000  # bytes of the training text that xz sees


def witten_bell(train: NDArray[np.integer], text: NDArray[np.integer], vocabulary: int, n: int) -> NDArray[np.float64]:
    r"""The nats of each symbol but the first under an interpolated n-gram model, (M - 1,).

    .. math:: p_n(w | h) = \frac{c(h w) + t(h) \, p_{n-1}(w | h')}{c(h) + t(h)}, \qquad p_0 = 1 / V

    with c the counts of the training text, t(h) the number of different symbols after h, and h' without its first
    symbol. Method C of Bell, Cleary and Witten 1990; Witten and Bell 1991. Nothing is known of what was before the
    text: its first symbols have shorter contexts. n = 1 is the unigram.

    Args:
        train: counted, (N,).
        text: measured, (M,).
        vocabulary: V.
        n: symbols of the longest gram.
    """
    joined = np.concatenate([train[-LONGEST:], text]).astype(np.int64)
    here = len(joined) - len(text) + 1  # the first place that is scored
    chances = np.full(len(text) - 1, 1 / vocabulary)
    for order, (context, gram) in enumerate(_grams(joined, n), 1):
        counted = slice(order - 1, here - 1)
        count, total, kinds = _counts(context[counted], gram[counted], context[here:], gram[here:])
        known = (total > 0) & (np.arange(1, len(text)) >= order - 1)
        chances = np.where(known, (count + kinds * chances) / np.maximum(total + kinds, 1), chances)
    nats: NDArray[np.float64] = -np.log(chances)
    return nats


def _grams(tokens: NDArray[np.int64], n: int) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """For 1 to n symbols: at each place a number of the context before it, and of the context with the symbol.

    The numbers are of what stands there: equal where that is equal. At the beginning, where a gram is cut off, they are
    of no use.
    """
    symbol = np.unique(tokens, return_inverse=True)[1].astype(np.int64)
    context = np.zeros(len(tokens), np.int64)
    for _ in range(n):
        gram = np.unique(context * (symbol.max() + 1) + symbol, return_inverse=True)[1].astype(np.int64)
        yield context, gram
        context = np.concatenate([[gram.max() + 1], gram[:-1]])


def _counts(
    contexts: NDArray[np.int64], grams: NDArray[np.int64], context: NDArray[np.int64], gram: NDArray[np.int64]
) -> tuple[NDArray[np.int64], ...]:
    """How often the grams and contexts asked for were seen, and how many different symbols came after each context."""
    size = 1 + max(array.max(initial=0) for array in (contexts, grams, context, gram))
    count, total = np.bincount(grams, minlength=size), np.bincount(contexts, minlength=size)
    _, first = np.unique(grams, return_index=True)
    kinds = np.bincount(contexts[first], minlength=size)
    return count[gram], total[context], kinds[context]


def xz_bits(train: bytes, text: str) -> float:
    """The bits that xz adds for a text when it has seen the training text: the difference of two compressed sizes.

    Python's lzma takes no preset dictionary, so the training text is compressed with it, and once alone.
    """
    known, more = train[-XZ:], text.encode("utf-8", "surrogatepass")
    return 8.0 * (_packed(known + more) - _packed(known))


def _packed(data: bytes) -> int:
    return len(lzma.compress(data, format=lzma.FORMAT_XZ, check=lzma.CHECK_NONE, preset=9 | lzma.PRESET_EXTREME))
