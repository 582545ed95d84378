"""Text from a model, symbol by symbol, many samples in one batch.

Each sample has noise of its own, so that what it draws does not depend on how many others are drawn. (Another batch may
change a logit in its last bit, as another machine may.)
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from torch import Tensor

from reverie.data.tokenizers import Tokenizer
from reverie.engine.noise import ItemNoise
from reverie.errors import Diverged, UsageError
from reverie.metrics.batches import resting
from reverie.protocols import TextGenerator
from reverie.text.copies import Copies
from reverie.text.sampling import OUT, Choice, draw, log_odds
from reverie.text.streaming import Stream

BLOCK = 256  # symbols that noise is drawn for at once


@dataclass(frozen=True)
class Wish:
    """What text is wanted.

    Args:
        length: symbols of each sample, at most.
        choice: how each symbol is chosen.
        no_repeat: no sequence of this many symbols comes twice in a sample, its prompt included; 0 allows all.
        copies: the training text, of which no longer sequence than ``max_copy`` is repeated.
        max_copy: symbols in a row that may stand in the training text just so; 0 allows all.
        stop: strings that end a sample, and are no part of it.
        seed: of the noise.

    Raises:
        UsageError: a number lies outside its range; all of them in one message.
    """

    length: int = 200
    choice: Choice = field(default_factory=Choice)
    no_repeat: int = 0
    copies: Copies | None = None
    max_copy: int = 0
    stop: tuple[str, ...] = ()
    seed: int = 0

    def __post_init__(self) -> None:
        floors = {"length": (self.length, 1), "no-repeat-ngram": (self.no_repeat, 0)}
        floors |= {"max-copy": (self.max_copy, 0), "seed": (self.seed, 0)}
        wrong = [f"--{n} must be at least {low}; got {value}." for n, (value, low) in floors.items() if value < low]
        if self.max_copy and self.copies is None:
            wrong.append("--max-copy needs the training text.")
        if wrong:
            raise UsageError("\n".join(wrong))


class Piece(NamedTuple):
    """One symbol of one sample."""

    sample: int
    place: int
    symbol: str  # its name; '' where a sample ends because nothing is allowed, and only its text is left to show
    text: str  # what can be shown of the sample from now on: '' while a character or a stop string is half there
    probability: float  # the model's own
    chance: float  # after temperature, top-k, top-p, min-p and what was forbidden


@dataclass
class Row:
    """One sample as it grows."""

    tokens: list[int]
    stream: Stream
    repeats: "Repeats"

    def add(self, token: int, *, last: bool) -> str:
        """Add a symbol; what can be shown: with the last symbol, all that was held back."""
        self.tokens.append(token)
        self.repeats.add(token)
        text = self.stream.add(token)
        return text + self.stream.flush() if last and not self.stream.ended else text


class Repeats:
    """The sequences of n symbols that a sample has already.

    Args:
        n: 0 for none.
        tokens: of the sample so far.

    Example:
        >>> Repeats(3, [1, 2, 3, 1, 2]).forbidden()
        {3}
    """

    def __init__(self, n: int, tokens: Sequence[int]) -> None:
        self.n = n
        self.last: tuple[int, ...] = ()
        self.after: dict[tuple[int, ...], set[int]] = {}
        for token in tokens:
            self.add(token)

    def add(self, token: int) -> None:
        """Note the sequence that ends with a symbol."""
        if self.n and len(self.last) == self.n - 1:
            self.after.setdefault(self.last, set()).add(token)
        self.last = (*self.last, token)[-(self.n - 1) :] if self.n > 1 else ()

    def forbidden(self) -> set[int]:
        """The symbols that would end one of them again."""
        return set(self.after.get(self.last, ()))


def generate(
    model: TextGenerator, tokenizer: Tokenizer, prompt: Sequence[int], wish: Wish, *, count: int = 1
) -> Iterator[Piece]:
    """Continue a prompt: yield the symbols of all samples, place by place.

    A sample ends at its length, at a stop string, or where everything that could follow is forbidden. ``<unk>`` is
    never drawn.

    Args:
        model: gives logits and a state.
        tokenizer: its vocabulary.
        prompt: the symbols before the first that is drawn, at least one.
        wish: how long, and how symbols are chosen.
        count: samples.

    Raises:
        UsageError: there is no prompt, or less than one sample is wanted.
    """
    if not len(prompt):
        raise UsageError("The prompt is empty: give at least one symbol to go on from.")
    if count < 1:
        raise UsageError(f"--count must be at least 1; got {count}.")
    rows = [
        Row(list(prompt), Stream(tokenizer, prompt, wish.stop), Repeats(wish.no_repeat, prompt)) for _ in range(count)
    ]
    uniform, names = torch.empty(0), tokenizer.symbols
    with resting(model):
        logits, state = read(model, prompt, count)  # (B, V)
        for place in range(wish.length):
            if place % BLOCK == 0:
                uniform = ItemNoise((wish.seed, "text", place), range(count)).uniform("symbols", (count, BLOCK))
            odds, free = _allowed(without(logits, tokenizer.unknown), rows, wish)
            token = draw(odds, uniform[:, place % BLOCK])
            chances = (logits.double().softmax(-1), odds.softmax(-1))
            own, drawn = (p.gather(-1, token.unsqueeze(-1)).squeeze(-1).tolist() for p in chances)
            for sample, row in enumerate(rows):
                if row.stream.ended:
                    continue
                if free[sample]:
                    text = row.add(int(token[sample]), last=place == wish.length - 1)
                    yield Piece(sample, place, names[int(token[sample])], text, own[sample], drawn[sample])
                elif text := row.stream.flush():
                    yield Piece(sample, place, "", text, 0.0, 0.0)
            if all(row.stream.ended for row in rows):
                return
            logits, state = step(model, token, state)


def _allowed(logits: Tensor, rows: Sequence[Row], wish: Wish) -> tuple[Tensor, list[bool]]:
    """What is drawn from, (B, V), and which samples have anything left; the others get something, and no use of it."""
    if not (wish.no_repeat or wish.max_copy):
        return log_odds(logits, wish.choice), [True] * len(rows)
    out = torch.zeros(logits.shape, dtype=torch.bool)
    for place, row in enumerate(rows):
        out[place, sorted(_forbidden(row, wish))] = True
    left = logits.masked_fill(out, OUT)
    free = (left > OUT).any(-1)
    return log_odds(torch.where(free.unsqueeze(-1), left, logits), wish.choice), free.tolist()


def _forbidden(row: Row, wish: Wish) -> set[int]:
    """The symbols that would repeat a sequence of the sample, or copy one of the training text that is too long."""
    found = row.repeats.forbidden()
    if wish.max_copy and wish.copies is not None and len(row.tokens) >= wish.max_copy:
        found |= wish.copies.following(row.tokens[-wish.max_copy :])
    return found


def without(logits: Tensor, unknown: int | None) -> Tensor:
    """Logits (B, V) under which the symbol for what is not in the vocabulary is never drawn: it has no text."""
    return logits if unknown is None else logits.index_fill(-1, torch.tensor([unknown]), OUT)


@torch.no_grad()
def step(model: TextGenerator, token: Tensor, state: Any) -> tuple[Tensor, Any]:
    """One step without gradients: logits (B, V) on the CPU, and the next state.

    Raises:
        Diverged: a logit is not a number.
    """
    logits, state = model.step(token, state)
    if bool(logits.isnan().any()):
        raise Diverged("The model gives logits that are no numbers: its weights are damaged, or it diverged.")
    return logits.float().cpu(), state


def read(model: TextGenerator, prompt: Sequence[int], count: int) -> tuple[Tensor, Any]:
    """The logits after a prompt, and the state, for a batch of ``count`` equal rows."""
    state, logits = None, torch.empty(0)
    for token in prompt:
        logits, state = step(model, torch.full((count,), int(token)), state)
    return logits, state
