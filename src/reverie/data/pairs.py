"""Byte pairs: a vocabulary of frequent runs of bytes, by the package ``tokenizers`` (an extra)."""

import json
from collections.abc import Iterable
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from reverie.errors import DataError, UsageError

Kind = Literal["characters", "bytes", "words", "bpe"]  # of tokenizers
USUAL = 1024  # symbols, if no number is given


class Pairs:
    """Byte-pair encoding of the bytes of a text (Sennrich et al. 2016, 1508.07909): nothing is unknown."""

    kind: Kind = "bpe"
    unknown = None

    def __init__(self, model: str) -> None:
        """Open a vocabulary as ``tokenizers`` writes it, JSON.

        Raises:
            DataError: it is none.
            UsageError: ``tokenizers`` is not installed.
        """
        package = _package()
        try:
            self._engine = package.Tokenizer.from_str(model)
        except Exception as error:  # the package raises no class of its own for what it cannot parse
            raise DataError(f"the vocabulary of byte pairs cannot be read: {error}") from error
        self._model = model

    @classmethod
    def of(cls, texts: Iterable[str], most: int = 0) -> "Pairs":
        """Merge the most frequent pairs of texts until there are ``most`` symbols; 256 of them are the bytes."""
        package = _package()
        engine = package.Tokenizer(package.models.BPE())
        engine.pre_tokenizer = package.pre_tokenizers.ByteLevel(add_prefix_space=False)
        engine.decoder = package.decoders.ByteLevel()
        alphabet = package.pre_tokenizers.ByteLevel.alphabet()
        trainer = package.trainers.BpeTrainer(
            vocab_size=max(256, most or USUAL), initial_alphabet=alphabet, show_progress=False
        )
        engine.train_from_iterator(texts, trainer)
        return cls(engine.to_str())

    @property
    def symbols(self) -> list[str]:
        """The text of each symbol; U+FFFD where it is a part of a character."""
        return [self._engine.decode([i]) for i in range(len(self))]

    def __len__(self) -> int:
        """The size of the vocabulary."""
        return int(self._engine.get_vocab_size())

    def encode(self, text: str) -> NDArray[np.unsignedinteger[Any]]:
        """The symbols of a text."""
        ids = self._engine.encode(text.encode("utf-8", "replace").decode()).ids
        return np.array(ids, np.uint16 if len(self) <= 2**16 else np.uint32)

    def decode(self, ids: Iterable[int]) -> str:
        """The text of symbols."""
        return str(self._engine.decode([int(i) for i in ids]))

    def to_json(self) -> dict[str, Any]:
        """The kind, and the vocabulary with its merges."""
        return {"kind": self.kind, "model": json.dumps(json.loads(self._model), ensure_ascii=False)}


def _package() -> Any:
    try:
        import tokenizers
    except ImportError as error:
        raise UsageError(
            "byte pairs need the package tokenizers: pip install 'reverie[bpe]', or take --tokens characters."
        ) from error
    return tokenizers
