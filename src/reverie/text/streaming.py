"""Symbols into text as they come: no half characters, and nothing that may turn out to be a stop string."""

from collections.abc import Sequence

from reverie.data.tokenizers import REPLACEMENT, Tokenizer

LONGEST = 4  # bytes of a character


class Stream:
    """The text of one sample as it grows.

    Args:
        tokenizer: decodes.
        context: the symbols before it, since how a word is written may depend on the one before.
        stop: strings that end it; they are not part of the text.
    """

    def __init__(self, tokenizer: Tokenizer, context: Sequence[int], stop: Sequence[str]) -> None:
        self.tokenizer = tokenizer
        self.stop = [word for word in stop if word]
        self.recent = list(context[-LONGEST:])  # symbols that are written, and then those that are not yet
        self.written = len(self.recent)
        self.held = ""
        self.ended = False

    def add(self, token: int) -> str:
        """What can be shown, now that one symbol more is there."""
        self.recent.append(token)
        self.held += self._readable(last=False)
        if found := [place for word in self.stop if (place := self.held.find(word)) >= 0]:
            self.ended, self.held = True, self.held[: min(found)]
            return self.flush()
        keep = max((self._beginning(word) for word in self.stop), default=0)
        shown, self.held = self.held[: len(self.held) - keep], self.held[len(self.held) - keep :]
        return shown

    def flush(self) -> str:
        """All that was held back, at the end."""
        shown, self.held = self.held + ("" if self.ended else self._readable(last=True)), ""
        self.ended = True
        return shown

    def _readable(self, *, last: bool) -> str:
        """The text of the symbols that are not written yet; nothing while they may be half a character."""
        before, now = (self.tokenizer.decode(part) for part in (self.recent[: self.written], self.recent))
        waiting = len(self.recent) - self.written
        if now.endswith(REPLACEMENT) and waiting < LONGEST and not last:
            return ""
        self.recent, self.written = self.recent[self.written :] or self.recent, waiting or self.written
        return now[len(before) :]

    def _beginning(self, word: str) -> int:
        """How much of the end of the text may be the beginning of a stop string."""
        sizes = range(min(len(word) - 1, len(self.held)), 0, -1)
        return next((size for size in sizes if self.held.endswith(word[:size])), 0)
