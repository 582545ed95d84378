"""The loss of a text in all its units, with its protocol, beside what counting and compressing reach.

Units: 1 nat is 1 / ln 2 = 1.4427 bits; the perplexity is e to the nats of a symbol. Nats and perplexities of a symbol
depend on what a symbol is; bits per character and per byte do not, and compare models of all vocabularies.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from reverie.data.tokenizers import Ids, Tokenizer
from reverie.data.utf8 import Utf8
from reverie.errors import DataError
from reverie.metrics.batches import never
from reverie.metrics.figures import Figure
from reverie.metrics.language import symbol_nats
from reverie.text.baselines import LONGEST, XZ, witten_bell, xz_bits

COLD = 256  # symbols of a cold window, as nanoGPT has it
GRAM = 5  # symbols of the longest gram of the counted baseline
SHANNON = (
    "for scale: people who guessed printed English of 27 symbols needed 0.6 to 1.3 bits per letter (Shannon 1951), "
    "which are 0.42 to 0.90 nats, and not of these symbols"
)


def beginning(text: str, tokenizer: Tokenizer, count: int) -> str:
    """As much of a text's beginning, in whole characters, as makes at most so many symbols.

    It is the text itself: what symbols decode to has lost the spelling of unknown words, and cut characters.

    Example:
        >>> from reverie.data.tokenizers import Words
        >>> beginning("to be or not", Words.of(["to be or not"]), 2)
        'to be '
    """
    low, high = 0, max(1, count)
    while high < len(text) and len(tokenizer.encode(text[:high])) <= count:
        low, high = high, 2 * high
    high = min(high, len(text)) + 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if len(tokenizer.encode(text[:middle])) <= count else (low, middle)
    return text[:low]


@dataclass(frozen=True)
class Passage:
    """A text that is measured.

    Args:
        text: as it was written.
        ids: its symbols, (N,) int64.
        head: characters that the first symbol, which is not scored, stands for.
    """

    text: str
    ids: Tensor
    head: int

    @classmethod
    def of(cls, text: str, tokenizer: Tokenizer) -> "Passage":
        """A text in the symbols of a vocabulary.

        Raises:
            DataError: there are fewer than two symbols.
        """
        ids = torch.from_numpy(tokenizer.encode(text).astype(np.int64))
        if len(ids) < 2:
            raise DataError("The text has fewer than two symbols, and the first is not scored: give a longer one.")
        first = tokenizer.decode(ids[:1].numpy())
        return cls(text, ids, len(first) if text.startswith(first) else 0)

    @property
    def counts(self) -> "Counts":
        """How much of it is scored."""
        rest = self.text[self.head :]
        return Counts(len(self.ids) - 1, len(rest), len(rest.encode("utf-8", "surrogatepass")))


@dataclass(frozen=True)
class Counts:
    """How much text was scored: every symbol but the first.

    Args:
        symbols: of the vocabulary.
        characters: code points that they stand for.
        bytes: of those in UTF-8.
    """

    symbols: int
    characters: int
    bytes: int


def figures_of(nats: float, counts: Counts, prefix: str, protocol: Mapping[str, Any], note: str = "") -> list[Figure]:
    """The sum of a text's nats in all units.

    Args:
        nats: over all scored symbols.
        counts: how many there were.
        prefix: of the names, as in ``unigram_``; '' for the model.
        protocol: how it was measured.
        note: of all of them.

    Example:
        >>> loss = figures_of(1.49, Counts(1, 1, 1), "", {})
        >>> [(figure.name, round(figure.value, 4)) for figure in loss[:2]]
        [('nats_per_symbol', 1.49), ('bits_per_character', 2.1496)]
    """
    bits = nats / math.log(2)
    known = {
        "nats_per_symbol": (nats / counts.symbols, "nats per symbol"),
        "bits_per_character": (bits / counts.characters, "bits per character"),
        "bits_per_byte": (bits / counts.bytes, "bits per byte of UTF-8"),
        "perplexity": (math.exp(min(700.0, nats / counts.symbols)), "choices per symbol"),
    }
    protocol = {**protocol, "scored": f"{counts.symbols:,} symbols, all but the first"}
    return [Figure(prefix + name, value, unit, None, protocol, note) for name, (value, unit) in known.items()]


def evaluate_text(
    model: nn.Module,
    passage: Passage,
    *,
    protocol: Mapping[str, Any],
    window: int = 0,
    should_stop: Callable[[], bool] = never,
) -> list[Figure]:
    """The exact loss of a text under a model, summed in float64.

    Args:
        model: called with tokens (B, T) and a state, gives logits (B, T, V) and the next state.
        passage: measured.
        protocol: what the caller knows: data, split, symbols ...
        window: 0 carries the state through the whole text; else it is forgotten after so many symbols.
        should_stop: asked now and then.

    Raises:
        ReverieError: as for ``symbol_nats``.
    """
    nats = symbol_nats(model, passage.ids, window=window, should_stop=should_stop)
    known = {**protocol, "context": context_of(window), "dtype": "float32"}
    figures = figures_of(float(nats.sum()), passage.counts, "cold_" if window else "", known)
    return [replace(one, note=SHANNON) if one.name == "bits_per_character" else one for one in figures]


def context_of(window: int) -> str:
    """What symbols are predicted from, in words."""
    return f"cold windows of {window:,}" if window else "all before it, the state carried"


def evaluate_baselines(
    train: Ids, train_text: Utf8, passage: Passage, vocabulary: int, *, protocol: Mapping[str, Any], n: int = GRAM
) -> list[Figure]:
    """What counting the training text and what xz reach on a text: nats per symbol, and bits per character.

    Args:
        train: counted, (M,).
        train_text: the same in UTF-8, for xz.
        passage: measured.
        vocabulary: V.
        protocol: what the caller knows.
        n: symbols of the longest gram.
    """
    kept, found = ("nats_per_symbol", "bits_per_character"), list[Figure]()
    for name, order in (("unigram", 1), (f"{n}-gram", n)):
        nats = float(witten_bell(train, passage.ids.numpy(), vocabulary, order).sum())
        seen = f"{order - 1} symbols, counted in {_last(len(train), LONGEST, 'training symbols')}"
        note = "interpolated by Witten and Bell" if order > 1 else "how often each symbol is"
        figures = figures_of(nats, passage.counts, f"{name}_", {**protocol, "context": seen}, note)
        found += [figure for figure in figures if figure.name.endswith(kept)]
    seen = f"{_last(len(train_text), XZ, 'training bytes')}, by compressing both texts and the first alone"
    bits = xz_bits(train_text.last(XZ).read(), passage.text) / len(passage.text)
    xz = Figure("xz_bits_per_character", bits, "bits per character", None, {**protocol, "context": seen})
    return [*found, xz]


def _last(count: int, most: int, what: str) -> str:
    return f"{count:,} {what}" if count <= most else f"the last {most:,} {what}"
