"""What is told of a training: figures on a line, quiet in a file, a bar on a terminal."""

import re
import sys

import pytest

from reverie.cli import terminal
from reverie.cli.terminal import line, telling


class Clock:
    """A clock that is set by hand."""

    now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch):
    found = Clock()
    monkeypatch.setattr(terminal, "time", found)
    return found


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"test_loss": 98.765, "test_kl": 12.0}, "test ELBO -98.77 nats  test kl 12.00  3.2 s"),
        ({"test_loss": 4.0}, "test loss 4.00    3.2 s"),
        ({"critic_loss": 1.0}, "critic loss 1.00  3.2 s"),
    ],
)
def test_an_epoch_is_one_line(row, words):
    assert line(row, 3.21) == words


def test_a_file_gets_a_line_each_quarter_of_a_minute(clock, capsys):
    with telling() as report:
        for step in range(1, 41):
            clock.now += 1
            report.on_step(step, {"of": 2000, "epoch": step / 10, "loss": 5.0})
    lines = capsys.readouterr().err.splitlines()
    assert lines == ["step 16 of 2,000  epoch 1.60  loss 5.00", "step 32 of 2,000  epoch 3.20  loss 5.00"]


def test_a_file_gets_every_epoch_with_its_seconds(clock, capsys):
    with telling() as report:
        for epoch in (1, 2):
            clock.now += 2 * epoch
            report.on_measured(epoch, {"test_loss": 3.0})
        report.say("measuring and drawing ...")
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        "epoch 1  test loss 3.00    2.0 s",
        "epoch 2  test loss 3.00    4.0 s",
        "measuring and drawing ...",
    ]


def test_a_terminal_gets_a_bar_and_the_epochs_above_it(monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    with telling() as report:
        report.on_step(3, {"of": 7, "epoch": 0.5, "loss": 2.5})
        report.on_measured(1, {"test_loss": 3.0})
        report.say("images of [bold] people")
    shown = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", capsys.readouterr().err)
    assert "images of [bold] people" in shown
    assert "3/7" in shown
    assert "loss 2.50" in shown
    assert "epoch 1  test loss 3.00" in shown
