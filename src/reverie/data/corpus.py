"""A text for a language model: its parts as UTF-8, split before anything is counted, and their numbers."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from reverie.data.catalog import CATALOG
from reverie.data.limits import encodable
from reverie.data.pairs import Kind
from reverie.data.text import check_utf8, read_utf8
from reverie.data.tokenizers import Ids, Tokenizer, build, from_json, smallest
from reverie.data.utf8 import Utf8, blocks, pieces
from reverie.errors import DataError, UsageError

HELD_OUT = 0.1  # of a text without parts, its last tenth is for validation
VOCABULARY = "vocabulary.json"
_BLOCK = 2**20  # symbols that are counted at once
FEWEST = 20  # bytes of a text that has no parts
NOTHING = Utf8.of(b"")


@dataclass(frozen=True)
class TextSpec:
    """What a recipe must know of its text to build a model.

    Args:
        name: of the text.
        train: the training part in UTF-8, of which a vocabulary is made.
        kept: the vocabulary that a model was trained with; it is then used as it is.
    """

    name: str
    train: Utf8 = field(default=NOTHING, repr=False)
    kept: Tokenizer | None = None

    def tokenizer(self, kind: Kind, most: int = 0) -> Tokenizer:
        """The vocabulary of the training part, or the one that is kept.

        Args:
            kind: characters, bytes, words or bpe.
            most: symbols at most; 0 for no limit.

        Raises:
            UsageError: the one that is kept is of another kind.
        """
        if self.kept is None:
            return build(kind, pieces(self.train), most)
        if self.kept.kind != kind:
            raise UsageError(f"The model was trained on {self.kept.kind}; --tokens {kind} is another vocabulary.")
        return self.kept

    @classmethod
    def of_record(cls, record: Mapping[str, Any], folder: Path) -> "TextSpec":
        """What is needed to build a trained model again, without its text.

        Args:
            record: what ``TextData.record`` gave.
            folder: where ``vocabulary.json`` lies.

        Raises:
            DataError: the vocabulary is missing or damaged.
        """
        return cls(record["name"], kept=read_vocabulary(folder))


def read_vocabulary(folder: Path) -> Tokenizer:
    """The vocabulary of a model folder.

    Raises:
        DataError: it is missing or damaged.
    """
    path = folder / VOCABULARY
    try:
        return from_json(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError as error:
        raise DataError(
            f"{path} is missing: without its vocabulary the numbers of a model stand for nothing. Bring it back from "
            "a copy, or train again."
        ) from error
    except (ValueError, DataError) as error:
        raise DataError(f"{path} cannot be read: {error}") from error


@dataclass(frozen=True)
class TextData:
    """A text in its parts, with all that a figure's protocol must say of it.

    Args:
        name: of the text.
        parts: ``train``, ``valid`` and, where there is one, ``test``, each in UTF-8.
        split: how the parts came to be, in words.
        license: of the text.
        tokenizer: the vocabulary, once a recipe has chosen it.
        ids: the numbers of each part in it.
    """

    name: str
    parts: Mapping[str, Utf8] = field(repr=False)
    split: str
    license: str
    tokenizer: Tokenizer | None = None
    ids: Mapping[str, Ids] = field(default_factory=dict, repr=False)

    @property
    def spec(self) -> TextSpec:
        """The name and the training part, or the vocabulary that was chosen."""
        return TextSpec(self.name, self.parts["train"], self.tokenizer)

    def encoded(self, tokenizer: Tokenizer) -> "TextData":
        """The same text with the numbers of each part.

        Raises:
            DataError: the training part holds one distinct symbol only.
        """
        ids = {part: encode(tokenizer, data) for part, data in self.parts.items()}
        if len(ids["train"]) and ids["train"].min() == ids["train"].max():
            what = f"{tokenizer.decode(ids['train'][:1])!r}"
            raise DataError(f"{self.name} holds one distinct symbol only, {what}: there is nothing to learn.")
        return replace(self, tokenizer=tokenizer, ids=ids)

    def fingerprint(self) -> str:
        """Return the sha256 over the parts and their names: equal only for equal texts, equally split."""
        digest = sha256()
        for part, data in self.parts.items():
            digest.update(f"{part} {len(data)} ".encode())
            for block in blocks(data):
                digest.update(block)
        return digest.hexdigest()

    def record(self) -> dict[str, Any]:
        """What a run's record says of the text: symbols and unknown symbols of each part."""
        kind, size = (self.tokenizer.kind, len(self.tokenizer)) if self.tokenizer else ("", 0)
        return {
            "name": self.name,
            "split": self.split,
            "fingerprint": self.fingerprint(),
            "tokens": kind,
            "vocabulary": size,
            **{part: len(ids) for part, ids in self.ids.items()},
            "unknown": {part: self._unknown(ids) for part, ids in self.ids.items()},
        }

    def _unknown(self, ids: Ids) -> int:
        unknown = self.tokenizer.unknown if self.tokenizer else None
        blocks = range(0, len(ids), _BLOCK)
        return 0 if unknown is None else sum(int((ids[i : i + _BLOCK] == unknown).sum()) for i in blocks)

    def companions(self) -> dict[str, Any]:
        """What lies beside the weights, by file: the vocabulary."""
        return {VOCABULARY: self.tokenizer.to_json()} if self.tokenizer else {}


def encode(tokenizer: Tokenizer, data: bytes | Utf8) -> Ids:
    """The numbers of a text in UTF-8, a piece at a time, in the smallest type that holds them."""
    ids, count = np.empty(len(data), smallest(len(tokenizer))), 0  # no symbol is less than a byte
    for piece in pieces(data):
        found = tokenizer.encode(piece)
        ids[count : count + len(found)] = found
        count += len(found)
    return ids[:count]


def load_text(source: str | Path) -> TextData:
    """Read a text from any source: a name of the catalog, a file or a folder.

    Returns:
        Its parts as they come; else the last tenth of its bytes, up to a whole character, for validation.

    Raises:
        DataError: the source is missing, empty, binary, not UTF-8, or too short to be split.
    """
    entry = CATALOG.get(source) if isinstance(source, str) else None
    found = read_utf8(source)
    name = entry.name if entry else encodable(Path(source).expanduser().resolve().name)
    parts, words = divided(found, name)
    words = entry.split if entry and entry.split else words
    return TextData(name, parts, words, entry.license if entry else "not stated")


def pasted(text: str) -> TextData:
    """A text as it was pasted.

    Raises:
        DataError: it is empty, binary or too short to be split.
    """
    data = check_utf8(text.encode("utf-8", "replace"), "--text")
    if not data.strip():
        raise DataError("--text is empty: it holds no text.")
    parts, words = divided({"all": Utf8.of(data)}, "--text")
    return TextData("pasted", parts, words, "not stated")


def divided(found: Mapping[str, Utf8], name: str) -> tuple[dict[str, Utf8], str]:
    """The parts of a text with a validation part, and how that was decided, in words.

    Raises:
        DataError: the text is too short to be split.
    """
    if {"train", "valid"} <= found.keys():
        sizes = " / ".join(f"{len(data):,}" for data in found.values())
        return dict(found), f"as given, {' / '.join(found)}: {sizes} bytes"
    whole = found.get("train", found.get("all", NOTHING))
    if len(whole) < FEWEST:
        raise DataError(
            f"{name} is too short: {len(whole)} bytes; at least {FEWEST} are needed, and many more to learn."
        )
    cut = int((1 - HELD_OUT) * len(whole))
    after = whole.part(cut, cut + 4).read()
    cut += next(i for i, byte in enumerate(after) if byte & 0xC0 != 0x80)  # not inside a character
    parts = {"train": whole.part(0, cut), "valid": whole.part(cut, len(whole))}
    parts |= {part: data for part, data in found.items() if part == "test"}
    sizes = f"{cut:,} / {len(whole) - cut:,} bytes"
    return parts, f"the last tenth of the {'training part' if 'train' in found else 'text'} is validation: {sizes}"
