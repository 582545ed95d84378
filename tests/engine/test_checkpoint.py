"""Checkpoints: whatever instant a crash takes, what has a name is whole."""

import os

import pytest
import torch

from reverie.engine.checkpoint import Checkpoint, newest, places, read, rotate, store


class Crash(BaseException):
    """The process ends here; nothing may clean up."""


def crash_at(monkeypatch, number: int) -> None:
    """Let the process die just before its ``number``-th change of a name on disk."""
    calls = iter(range(1, 1000))

    def dying(change):
        def call(*arguments, **options):
            if next(calls) >= number:
                raise Crash
            return change(*arguments, **options)

        return call

    for name in ("unlink", "rmdir", "rename", "replace"):
        monkeypatch.setattr(os, name, dying(getattr(os, name)))


def checkpoint(step: int, value: float) -> Checkpoint:
    return Checkpoint(step, {"players": {"weight": torch.full((3,), value)}}, {"step": step})


def save_and_rotate(folder) -> None:
    """Save a new step, the same step anew with other weights, and remove the oldest."""
    store(folder, checkpoint(4, 1.0))
    store(folder, checkpoint(4, 2.0))
    rotate(folder, 4, best=None)


@pytest.mark.parametrize("number", range(1, 40))
def test_a_crash_between_any_two_changes_leaves_whole_checkpoints(number, tmp_path, monkeypatch):
    for step in (1, 2, 3):
        store(tmp_path, checkpoint(step, 0.0))
    with monkeypatch.context() as patch:
        crash_at(patch, number)
        try:
            save_and_rotate(tmp_path)
        except Crash:
            pass
        else:
            assert number > 20, "the crash came too late to be one"
    steps = [read(place).step for place in places(tmp_path)]
    assert len(steps) >= 2
    save_and_rotate(tmp_path)
    assert [read(place).step for place in places(tmp_path)] == [4, 3]
    assert read(places(tmp_path)[0]).tensors["players"]["weight"].tolist() == [2.0] * 3
    assert not list(tmp_path.glob(".*"))


def test_damaged_checkpoints_of_later_steps_do_not_push_out_whole_ones(tmp_path):
    for step in (10, 20, 30):
        store(tmp_path, checkpoint(step, float(step)))
    for place in places(tmp_path)[:2]:
        (place / "players.safetensors").write_bytes(b"damaged")
    for step in (11, 12):
        store(tmp_path, checkpoint(step, float(step)))
        rotate(tmp_path, step, best=10)
    found, words = newest(tmp_path)
    assert found is not None
    assert found.step == 12
    assert words == []
    rotate(tmp_path, 12, best=None)
    assert [read(place).step for place in places(tmp_path)] == [12, 11]
