"""Prompts: what a person writes, in the symbols that a model knows; the nearest ones where it does not know them."""

import unicodedata
from collections.abc import Callable, Iterator

from reverie.data.tokenizers import Characters, Ids, Tokenizer, Words

_PLAIN = {"‘": "'", "’": "'", "‚": "'", "“": '"', "”": '"', "„": '"', "–": "-", "—": "--", "\t": " ", "\r": "\n"}
_SHOWN = 8  # changes that the message lists


def encode_prompt(tokenizer: Tokenizer, text: str) -> tuple[Ids, str]:
    """The numbers of a prompt, and a word about what was not known ('' if all was).

    An unknown character becomes the first of these that is known: its plain form (typographic quotes and dashes),
    its parts by NFKD without accents, the same in lower or upper case; else ``<unk>``. An unknown word is tried in
    lower and upper case. Nothing is refused.

    Example:
        >>> tokenizer = Characters(list("abcdeé "))
        >>> ids, word = encode_prompt(tokenizer, "É ä B")
        >>> tokenizer.decode(ids), word
        ('é a b', 'the model does not know "É", "ä", "B"; taken instead: "é", "a", "b".')
    """
    if isinstance(tokenizer, Characters):
        return _near(tokenizer, list(text), "", near_characters)
    if isinstance(tokenizer, Words):
        pieces = text.replace("\n", " <eos> ").split()
        return _near(tokenizer, pieces, " ", lambda word: iter((word.lower(), word.capitalize(), word.upper())))
    return tokenizer.encode(text), ""


def near_characters(character: str) -> Iterator[str]:
    """What an unknown character may be replaced by, the nearest first."""
    plain = _PLAIN.get(character, "")
    parts = "".join(c for c in unicodedata.normalize("NFKD", character) if not unicodedata.combining(c))
    yield from (plain, parts, character.lower(), character.upper(), parts.lower(), parts.upper())


def _near(
    tokenizer: Tokenizer, pieces: list[str], between: str, near: Callable[[str], Iterator[str]]
) -> tuple[Ids, str]:
    """The numbers of pieces, each replaced by the first near one that is known."""
    known, changes = set(tokenizer.symbols), dict[str, str]()
    for piece in dict.fromkeys(pieces):
        if piece not in known:
            changes[piece] = next((n for n in near(piece) if n and _all_known(n, known, between)), "")
    text = between.join(changes.get(piece, piece) or "\0" for piece in pieces)
    return tokenizer.encode(text), _words(changes)


def _all_known(form: str, known: set[str], between: str) -> bool:
    return form in known if between else all(c in known for c in form)


def _words(changes: dict[str, str]) -> str:
    if not changes:
        return ""
    shown = list(changes.items())[:_SHOWN]
    more = f" and {len(changes) - _SHOWN} more" if len(changes) > _SHOWN else ""
    asked, taken = (", ".join(f'"{pair[i]}"' if pair[i] else "<unk>" for pair in shown) for i in (0, 1))
    return f"the model does not know {asked}{more}; taken instead: {taken}."
