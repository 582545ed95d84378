"""Stopping in good order: the first signal asks, the second ends."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Stop:
    """Whether somebody asked to stop, and with which signal."""

    def __init__(self) -> None:
        """Nobody asked yet."""
        self.signal = 0

    def __bool__(self) -> bool:
        """Whether a signal came."""
        return bool(self.signal)

    def ask(self, number: int, frame: FrameType | None = None) -> None:
        """Take the first signal as a wish; leave the next to the system."""
        self.signal = number
        signal.signal(number, signal.SIG_DFL)


@contextmanager
def on_signals() -> Iterator[Stop]:
    """Within the block, SIGINT and SIGTERM set a flag that loops look at."""
    stop = Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = {number: signal.signal(number, stop.ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
