"""What a generated text copies from the training text, beside what a held-out text shares with it by chance.

Two texts of one kind share many short sequences. Only what goes beyond the held-out share may have been memorised.
"""

import statistics
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reverie.errors import DataError
from reverie.text.copies import LENGTHS, Copies, Span, points, shares, spans

MOST = 200_000  # characters of the held-out text that are looked at, its first ones
MARKED = 20  # characters of the shortest run that is marked, unless the held-out text shares longer ones


@dataclass(frozen=True)
class Memory:
    """What a text copies, in characters.

    Args:
        longest: its longest run that stands in the training text.
        usual: how long that is in a held-out text of the same length: the median over such texts.
        shares: for k characters in a row: the share of the text's sequences that stand in the training text, and the
            same of the held-out text.
        spans: the runs that are longer than most held-out texts have any, in the order of the text.
        least: the length from which on a run is among them.
    """

    longest: Span
    usual: float
    shares: dict[int, tuple[float, float]]
    spans: list[Span]
    least: int

    def to_json(self) -> dict[str, Any]:
        """Return what ``json.dumps`` takes."""
        return {
            "longest": vars(self.longest),
            "usual_longest": self.usual,
            "shares": {str(k): {"text": mine, "held_out": others} for k, (mine, others) in self.shares.items()},
            "spans": [vars(span) for span in self.spans],
            "marked_from": self.least,
        }


def memorisation(text: str, train: Copies, held_out: str) -> Memory:
    """Hold a text against the training text, and a held-out text against it too.

    Args:
        text: generated.
        train: the characters of the training text.
        held_out: never trained on, of the same kind.

    Raises:
        DataError: one of them is empty.
    """
    if not text or not held_out or not len(train.tokens):
        raise DataError("To look for copies a generated, a training and a held-out text are needed; one is empty.")
    lengths, sources = train.longest(points(text))
    others, _ = train.longest(points(held_out[:MOST]))
    place = int(lengths.argmax())
    both = shares(lengths), shares(others)
    usual = usual_longest(others, len(text))
    least = max(MARKED, int(usual) + 1)
    return Memory(
        longest=Span(place, int(sources[place]), int(lengths[place])),
        usual=usual,
        shares={k: (both[0][k], both[1][k]) for k in LENGTHS if k in both[0] and k in both[1]},
        spans=spans(lengths, sources, least),
        least=least,
    )


def usual_longest(lengths: NDArray[np.int64], size: int) -> float:
    """The median, over pieces of so many characters, of the longest run that a piece shares with the training text.

    Args:
        lengths: of the run from each place of the held-out text on, (M,).
        size: characters of a piece; the whole text where it is shorter.
    """
    size = min(size, len(lengths))
    left = size - np.arange(size)  # a run ends with its piece
    starts = range(0, len(lengths) - size + 1, size)
    return float(statistics.median(int(np.minimum(lengths[first : first + size], left).max()) for first in starts))
