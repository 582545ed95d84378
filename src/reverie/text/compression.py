"""A text compressed by a model and restored: the proof that its bits are what the evaluation says.

Coder and decoder take the same steps, one symbol at a time, so that both see the same probabilities: on one machine,
with one version of PyTorch and one number of threads. What was restored is held against the hash of the text.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from reverie.data.tokenizers import Tokenizer
from reverie.errors import DataError, Interrupted, UsageError
from reverie.metrics.batches import never, resting
from reverie.protocols import TextGenerator
from reverie.text.coding import Coder, Decoder, frequencies
from reverie.text.generation import step

MAGIC = b"reverie compressed text 1\n"
MOST = 100_000_000  # symbols that a file may announce


@dataclass(frozen=True)
class Header:
    """What a compressed text says of itself, as one line of JSON.

    Args:
        model: the sha256 of the weights.
        symbols: how many there are.
        text: the sha256 of the text in UTF-8.
    """

    model: str
    symbols: int
    text: str


def compress(
    model: TextGenerator, tokenizer: Tokenizer, text: str, sha256: str, should_stop: Callable[[], bool] = never
) -> bytes:
    """A text as bytes: a header of one line, then each symbol in about as many bits as it surprises the model.

    The first symbol, which no model predicts, takes ``log2 V`` bits.

    Args:
        model: gives logits.
        tokenizer: its vocabulary; the text must come back from it exactly.
        text: what is compressed.
        sha256: of the model's weights, for the header.
        should_stop: asked now and then.

    Raises:
        DataError: the text does not come back from the vocabulary as it was.
    """
    tokens = [int(token) for token in tokenizer.encode(text)]
    if (back := tokenizer.decode(tokens)) != text:
        raise DataError(_difference(text, back))
    coder = Coder()
    with resting(model):
        predictor = _Predictor(model, len(tokenizer))
        for place, token in enumerate(tokens):
            _ask(should_stop, place)
            coder.write(token, predictor.frequencies())
            predictor.see(token)
    header = Header(sha256, len(tokens), hashlib.sha256(text.encode()).hexdigest())
    return MAGIC + json.dumps(asdict(header)).encode() + b"\n" + coder.finish()


def restore(
    model: TextGenerator, tokenizer: Tokenizer, data: bytes, sha256: str, should_stop: Callable[[], bool] = never
) -> str:
    """The text that ``compress`` was given.

    Raises:
        DataError: these are no bytes of ``compress``, or damaged ones, or this machine computes other probabilities.
        UsageError: it was compressed with another model.
    """
    header, body = parts(data)
    if header.model != sha256:
        raise UsageError(
            f"This text was compressed with another model, whose weights have the sha256 {header.model[:16]}...; "
            f"those of this one have {sha256[:16]}... Give the run that compressed it."
        )
    decoder, tokens = Decoder(body), []
    with resting(model):
        predictor = _Predictor(model, len(tokenizer))
        for place in range(header.symbols):
            _ask(should_stop, place)
            tokens.append(decoder.read(predictor.frequencies()))
            predictor.see(tokens[-1])
    text = tokenizer.decode(tokens)
    if hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest() != header.text:
        raise DataError(
            "What was restored is not the text that was compressed: the file is damaged, or this machine or version of "
            "PyTorch computes other probabilities than the one that compressed it."
        )
    return text


def parts(data: bytes) -> tuple[Header, bytes]:
    """The header and the body of a compressed text.

    Raises:
        DataError: it is none.
    """
    line, _, body = data[len(MAGIC) :].partition(b"\n")
    try:
        header = Header(**json.loads(line)) if data.startswith(MAGIC) else None
    except (ValueError, TypeError, RecursionError):
        header = None
    if header is None or not _sound(header):
        raise DataError("This is no text that reverie compress wrote, or its beginning is damaged.")
    return header, body


def _sound(header: Header) -> bool:
    count: Any = header.symbols
    words = isinstance(header.model, str) and isinstance(header.text, str)
    return words and isinstance(count, int) and not isinstance(count, bool) and 0 <= count <= MOST


class _Predictor:
    """The frequencies of the next symbol, step by step."""

    def __init__(self, model: TextGenerator, vocabulary: int) -> None:
        self.model = model
        self.state: Any = None
        self.chances: NDArray[np.float64] = np.full(vocabulary, 1 / vocabulary)

    def frequencies(self) -> NDArray[np.int64]:
        return frequencies(self.chances)

    def see(self, token: int) -> None:
        logits, self.state = step(self.model, torch.tensor([token]), self.state)
        odds = logits[0].numpy().astype(np.float64)
        weights = np.exp(odds - odds.max())
        self.chances = weights / weights.sum()


def _ask(should_stop: Callable[[], bool], place: int) -> None:
    if place % 1024 == 0 and should_stop():
        raise Interrupted(f"Stopped after {place:,} symbols; nothing was written.")


def _difference(text: str, back: str) -> str:
    """Where a text first differs from what its vocabulary makes of it."""
    pairs: Sequence[tuple[str, str]] = list(zip(text, back, strict=False))
    place = next((i for i, (a, b) in enumerate(pairs) if a != b), min(len(text), len(back)))
    line, shown = text.count("\n", 0, place) + 1, text[place : place + 1]
    return (
        f"This text cannot be restored exactly with the vocabulary of this model, which loses {shown!r} in line "
        f"{line}. Take it out of the text, or train a model of bytes, which know every text."
    )
