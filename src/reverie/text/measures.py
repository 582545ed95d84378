"""The loss of a text in all its units, with its protocol, beside what counting and compressing reach.

Units: 1 nat is 1 / ln 2 = 1.4427 bits; the perplexity is e to the nats of a symbol. Nats and perplexities of a symbol
depend on what a symbol is; bits per character and per byte do not, and compare models of all vocabularies.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from reverie.data.tokenizers import Tokenizer
from reverie.errors import DataError
from reverie.metrics.figures import Figure
from reverie.text.baselines import witten_bell, xz_bits
from reverie.text.surprise import never, surprise

COLD = 256  # symbols of a cold window, as nanoGPT has it
GRAM = 5  # symbols of the longest gram of the counted baseline
SHANNON = (
    "For scale: people who guessed printed English of 27 symbols (26 letters and the space) with 100 letters before "
    "each needed 0.6 to 1.3 bits per letter (Shannon 1951). A text with capitals, marks and line breaks has more to "
    "say per character, and nats are no bits (1.3 bits are 0.90 nats): that range is no target for these figures."
)


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

    @classmethod
    def of(cls, text: str, tokenizer: Tokenizer) -> "Counts":
        """What is scored of a text.

        Raises:
            DataError: there are less than two symbols.
        """
        tokens = tokenizer.encode(text)
        if len(tokens) < 2:
            raise DataError("The text has less than two symbols, and the first is not scored: give a longer one.")
        rest = text.removeprefix(tokenizer.decode(tokens[:1]))
        return cls(len(tokens) - 1, len(rest), len(rest.encode("utf-8", "surrogatepass")))


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
    tokenizer: Tokenizer,
    text: str,
    *,
    protocol: Mapping[str, Any],
    window: int = 0,
    should_stop: Callable[[], bool] = never,
) -> list[Figure]:
    """The exact loss of a text under a model, summed in float64.

    Args:
        model: called with tokens (B, T) and a state, gives logits (B, T, V) and the next state.
        tokenizer: its vocabulary.
        text: measured.
        protocol: what the caller knows: data, split ...
        window: 0 carries the state through the whole text; else it is forgotten after so many symbols.
        should_stop: asked now and then.
    """
    counts = Counts.of(text, tokenizer)
    tokens = torch.tensor([int(token) for token in tokenizer.encode(text)])
    nats = surprise(model, tokens, window=window, should_stop=should_stop)
    context = f"cold windows of {window:,}" if window else "all before it, the state carried"
    dtype = str(next(iter(getattr(model, "parameters", lambda: iter(()))()), torch.empty(0)).dtype).removeprefix(
        "torch."
    )
    known = {**protocol, **_unknown(tokenizer, tokens), "context": context, "dtype": dtype}
    return figures_of(float(nats.sum()), counts, "cold_" if window else "", known)


def _dtype(model: nn.Module) -> str:
    """The numbers that a model computes in."""
    weights = next(model.parameters(), None)
    return "float32" if weights is None else str(weights.dtype).removeprefix("torch.")


def _unknown(tokenizer: Tokenizer, tokens: torch.Tensor) -> dict[str, str]:
    """What part of a text the vocabulary does not know: a model is not asked for the spelling of it."""
    number = tokenizer.unknown
    count = 0 if number is None else int((tokens[1:] == number).sum())
    return {"unknown": f"{count:,} symbols scored as <unk>"} if count else {}


def evaluate_baselines(
    train: str, tokenizer: Tokenizer, text: str, *, protocol: Mapping[str, Any], n: int = GRAM
) -> list[Figure]:
    """What counting the training text and what xz reach on a text: nats per symbol, and bits per character.

    Args:
        train: counted.
        tokenizer: says what a symbol is.
        text: measured.
        protocol: what the caller knows.
        n: symbols of the longest gram.
    """
    counts, vocabulary = Counts.of(text, tokenizer), len(tokenizer)
    symbols = [torch.tensor([int(t) for t in tokenizer.encode(part)]).numpy() for part in (train, text)]
    kept = ("nats_per_symbol", "bits_per_character")
    found = []
    for name, order in (("unigram", 1), (f"{n}-gram", n)):
        nats = float(witten_bell(symbols[0], symbols[1], vocabulary, order).sum())
        known = {**protocol, "context": f"{order - 1} symbols, counted in the training text"}
        note = "interpolated by Witten and Bell" if order > 1 else "how often each symbol is"
        found += [f for f in figures_of(nats, counts, f"{name}_", known, note) if f.name.endswith(kept)]
    known = {**protocol, "context": "the training text, by compressing both and the first alone"}
    xz = Figure("xz_bits_per_character", xz_bits(train, text) / len(text), "bits per character", None, known)
    return [*found, xz]
