"""Text as a model sees it: in columns that go on from turn to turn, or in windows that do not.

Which symbols a turn sees is a pure function of its number, the batch and the seed, so that nothing has to be restored.
"""

from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
import torch
from numpy.typing import NDArray

from reverie.data.batches import order
from reverie.data.corpus import TextData
from reverie.data.tokenizers import Ids, Tokenizer
from reverie.errors import UsageError
from reverie.protocols import Batch, Noise


@dataclass(frozen=True)
class Columns:
    """The training text as a ring, cut into as many columns as a batch has rows; each turn reads ``window`` symbols on.

    Column i of a turn goes on where column i of the turn before ended, and with it the state of a recurrent model.
    Each epoch starts at another place of the ring, with a fresh state.

    Args:
        tokenizer: from text to numbers.
        window: symbols of a column in a turn, T.
    """

    tokenizer: Tokenizer
    window: int

    @property
    def protocol(self) -> str:
        """The view in words."""
        return f"{self.tokenizer.kind}, {len(self.tokenizer):,} symbols, in columns of {self.window}"

    def fixed(self, data: TextData) -> TextData:
        """The text in numbers."""
        return data.encoded(self.tokenizer)

    def check(self, data: TextData, batch: int) -> None:
        """Refuse a text that is shorter than one turn."""
        n, needed = len(data.ids["train"]), batch * self.window
        if n < needed:
            raise UsageError(
                f"The {n:,} training symbols of {data.name} do not fill --batch {batch} columns of --window "
                f"{self.window}: {needed:,} are needed. Give a longer text, or a smaller --batch or --window."
            )

    def stock(self, data: TextData, device: torch.device | str) -> "ColumnStock":
        """The training part in columns."""
        return ColumnStock(data.ids["train"], self.window, device)


@dataclass(frozen=True)
class ColumnStock:
    """The columns of a text: x (B, T + 1), of which the last T symbols follow the first T."""

    ids: Ids
    window: int
    device: torch.device | str

    def turns(self, batch: int) -> int:
        """Windows of a column in an epoch."""
        return len(self.ids) // (batch * self.window)

    def take(self, turn: int, batch: int, rows: range, seed: int, noise: Noise) -> Batch:
        """The next window of those columns, int64."""
        epoch, place = divmod(turn, self.turns(batch))
        digest = blake2b(f"start {len(self.ids)} {seed} {epoch}".encode(), digest_size=8).digest()
        start = int.from_bytes(digest, "big") % len(self.ids)
        heads = start + (np.arange(rows.start, rows.stop) * self.turns(batch) + place) * self.window
        return Batch(_windows(self.ids, heads, self.window, self.device))

    def continues(self, turn: int, batch: int) -> bool:
        """Whether the turn before read the symbols before these: not at the start of an epoch."""
        return turn % self.turns(batch) != 0


@dataclass(frozen=True)
class Windows:
    """Overlapping windows of the training text in a new order each epoch, each with a cold start.

    Args:
        tokenizer: from text to numbers.
        window: symbols of a window; one more follows it.
        step: from the start of a window to the next.
        examples: windows of an epoch; 0 for all.
        aside: share of them that an epoch does not train on. They overlap those it trains on, and other epochs train on
            them: their loss is not that of held-out text, as which the classic examples report it.
    """

    tokenizer: Tokenizer
    window: int
    step: int
    examples: int
    aside: float = 0.0

    @property
    def protocol(self) -> str:
        """The view in words."""
        return (
            f"{self.tokenizer.kind}, {len(self.tokenizer):,} symbols, in windows of {self.window} that start every "
            f"{self.step} symbols, {self.examples or 'all'} an epoch"
        )

    def fixed(self, data: TextData) -> TextData:
        """The text in numbers."""
        return data.encoded(self.tokenizer)

    def check(self, data: TextData, batch: int) -> None:
        """Refuse a text with fewer windows than a batch."""
        count = self.stock(data, "cpu").turns(1)
        if count < batch:
            raise UsageError(
                f"{data.name} has {count:,} windows of --window {self.window} an epoch, fewer than --batch {batch}. "
                "Give a longer text, more --examples, or a smaller --batch or --window."
            )

    def stock(self, data: TextData, device: torch.device | str) -> "WindowStock":
        """The windows of the training part."""
        return WindowStock(data.ids["train"], self, device)


@dataclass(frozen=True)
class WindowStock:
    """The windows of a text: x (B, T + 1)."""

    ids: Ids
    how: Windows
    device: torch.device | str

    @property
    def count(self) -> int:
        """Windows that there are."""
        return max(0, (len(self.ids) - self.how.window - 1) // self.how.step + 1)

    @property
    def split(self) -> tuple[int, int]:
        """Windows of an epoch that are trained on, and those that are set aside."""
        examples = min(self.count, self.how.examples or self.count)
        aside = int(self.how.aside * examples)
        return examples - aside, aside

    def turns(self, batch: int) -> int:
        """Full batches in an epoch."""
        return self.split[0] // batch

    def take(self, turn: int, batch: int, rows: range, seed: int, noise: Noise) -> Batch:
        """Those windows, int64."""
        epoch, place = divmod(turn, self.turns(batch))
        return Batch(self._at(order(self.count, seed, epoch)[place * batch :][rows.start : rows.stop]))

    def aside(self, epoch: int, seed: int) -> torch.Tensor:
        """The windows that an epoch (from 0) sets aside, (N, T + 1) int64."""
        trained, aside = self.split
        return self._at(order(self.count, seed, epoch)[trained : trained + aside])

    def _at(self, chosen: torch.Tensor) -> torch.Tensor:
        return _windows(self.ids, chosen.numpy() * self.how.step, self.how.window, self.device)

    def continues(self, turn: int, batch: int) -> bool:
        """Never: a window starts anywhere."""
        return False


def _windows(ids: Ids, heads: NDArray[np.int64], window: int, device: torch.device | str) -> torch.Tensor:
    """The symbols from each head to ``window`` after it, round the ring, (B, T + 1) int64."""
    places = (heads[:, None] + np.arange(window + 1)) % len(ids)
    return torch.from_numpy(ids[places].astype(np.int64)).to(device)
