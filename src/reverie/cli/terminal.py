"""What a terminal or a log file shows of a training: a bar with the time left, or plain lines."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reverie.engine.loop import Report

QUIET = 15.0  # seconds between lines in a file


def line(row: dict[str, float], seconds: float) -> str:
    """The figures of an epoch in one line."""
    figures = [f"{name.replace('_', ' ')} {value:.2f}" for name, value in row.items() if name != "test_loss"]
    loss = f"test loss {row['test_loss']:.2f}  " if "test_loss" in row else ""
    if "test_kl" in row:
        loss = f"test ELBO {-row['test_loss']:.2f} nats  "
    return f"{loss}{'  '.join(figures)}  {seconds:.1f} s"


@contextmanager
def telling() -> "Iterator[Report]":
    """A report to standard error: a bar on a terminal, lines in a file."""
    if sys.stderr.isatty():
        with _bar() as report:
            yield report
        return
    yield _lines()


def _say(words: str) -> None:
    print(words, file=sys.stderr, flush=True)


class _Clock:
    """Seconds since the last epoch ended."""

    def __init__(self) -> None:
        self.began = time.monotonic()
        self.last_line = time.monotonic()

    def lap(self) -> float:
        """Seconds since the last lap."""
        now = time.monotonic()
        seconds, self.began = now - self.began, now
        return seconds


def _lines() -> "Report":
    from reverie.engine.loop import Report

    clock = _Clock()

    def on_step(step: int, row: dict[str, float]) -> None:
        if time.monotonic() - clock.last_line > QUIET:
            clock.last_line = time.monotonic()
            loss = f"  loss {row['loss']:.2f}" if "loss" in row else ""
            _say(f"step {step:,} of {int(row['of']):,}  epoch {row['epoch']:.2f}{loss}")

    def on_measured(epoch: float, figures: dict[str, float]) -> None:
        _say(f"epoch {round(epoch, 2):g}  {line(figures, clock.lap())}")

    return Report(on_step=on_step, on_measured=on_measured, say=_say)


@contextmanager
def _bar() -> "Iterator[Report]":
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from reverie.engine.loop import Report

    clock = _Clock()
    columns = [BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"), TimeRemainingColumn()]
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task("", total=None)

        def say(words: str) -> None:
            progress.console.print(words, markup=False, highlight=False)

        def on_step(step: int, row: dict[str, float]) -> None:
            loss = f"loss {row['loss']:.2f}" if "loss" in row else ""
            progress.update(task, completed=step, total=row["of"], description=f"epoch {row['epoch']:.2f}  {loss}")

        def on_measured(epoch: float, figures: dict[str, float]) -> None:
            say(f"epoch {round(epoch, 2):g}  {line(figures, clock.lap())}")

        yield Report(on_step=on_step, on_measured=on_measured, say=say)
