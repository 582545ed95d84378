"""Trainings live on their own: they outlive the studio, are found again, stop in good order, and end as always."""

import os
import shutil
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256

import pytest

from reverie import config
from reverie.engine.ranks import World
from reverie.errors import UsageError
from reverie.files import held
from reverie.runs import open_run
from reverie.studio.shelf import Shelf
from reverie.studio.trainer import Trainer
from reverie.training import _alone
from scenes import pictures, quietly, reverie

SETTINGS = {"hidden": 8, "latent": 2, "batch": 8, "threads": 1, "device": "cpu", "precision": "fp32", "save_every": 50}


@pytest.fixture
def data(tmp_path):
    return str(pictures(tmp_path / "flat"))


@pytest.fixture
def trainer(tmp_path):
    made = Trainer(tmp_path / "shelf")
    yield made
    for child in made.children.values():
        if child.poll() is None:
            child.kill()
        child.wait()


def wait(what, seconds=120):
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.05)


def digest(folder):
    return sha256((folder / "model" / "model.safetensors").read_bytes()).hexdigest()


def under_way(trainer, name):
    return lambda: any((trainer.runs / name / "checkpoints").glob("step-*0"))


def test_it_ends_in_the_weights_that_the_command_line_ends_in(trainer, data, tmp_path):
    name = trainer.start("vae-mlp", {**SETTINGS, "data": data, "steps": 4}, None)
    assert name == "vae-mlp-flat-1"
    assert Shelf(trainer.runs, trainer).all()[0]["status"] == "starting"
    wait(lambda: not trainer.alive(name))
    assert open_run(trainer.runs / name).record["status"] == "finished", trainer.said(name)
    words = [word for key, value in SETTINGS.items() for word in (f"--{key.replace('_', '-')}", str(value))]
    with quietly():
        assert (
            reverie(
                "train", "vae-mlp", "--data", data, "--steps", "4", "--runs", str(tmp_path), "--name", "by-hand", *words
            )
            == 0
        )
    assert digest(trainer.runs / name) == digest(tmp_path / "by-hand")


def test_another_studio_finds_it_stops_it_and_resumes_it(trainer, data):
    name = trainer.start("vae-mlp", {**SETTINGS, "data": data, "steps": 1_000_000}, "mine")
    wait(under_way(trainer, name))
    later = Trainer(trainer.runs)  # a studio that was started anew knows no children
    assert later.alive(name)
    assert Shelf(later.runs, later).summary(open_run(later.runs / name))["status"] == "training"
    with pytest.raises(UsageError, match="being trained"):
        later.resume(open_run(later.runs / name))
    later.stop(name)
    trainer.children[name].wait(60)
    assert not later.alive(name)
    assert open_run(later.runs / name).record["status"] == "stopped"
    with pytest.raises(UsageError, match="not being trained"):
        later.stop(name)
    later.resume(open_run(later.runs / name))
    wait(lambda: open_run(later.runs / name).record["status"] == "running")
    later.stop(name)
    assert later.children[name].wait(60) == 130
    assert "Stopped and saved" in later.said(name)[-1]


def test_trainings_that_are_started_at_once_keep_their_own_names_and_settings(trainer, data, monkeypatch):
    begun = []

    def launch(name, words, *, fresh):
        time.sleep(0.01)
        if name in begun:
            return False
        begun.append(name)
        monkeypatch.setattr(trainer, "_free", lambda *_: f"run-{len(begun)}")
        return True

    monkeypatch.setattr(trainer, "_launch", launch)
    monkeypatch.setattr(trainer, "_free", lambda *_: "run-0")
    wishes = [{**SETTINGS, "data": data, "steps": steps} for steps in range(1, 13)]
    with ThreadPoolExecutor(12) as pool:
        names = list(pool.map(lambda wish: trainer.start("vae-mlp", wish, None), wishes))
    assert len(set(names)) == 12
    kept = [config.from_toml(trainer.desk / f"{name}.toml")["steps"] for name in names]
    assert kept == [wish["steps"] for wish in wishes]


def test_a_run_is_not_named_as_the_folder_of_what_was_brought(trainer, data):
    with pytest.raises(UsageError, match="uploads"):
        trainer.start("vae-mlp", {**SETTINGS, "data": data, "steps": 1}, "uploads")


def test_a_killed_training_is_seen_to_be_dead(trainer, data):
    name = trainer.start("vae-mlp", {**SETTINGS, "data": data, "steps": 1_000_000}, "mine")
    wait(under_way(trainer, name))
    os.kill(trainer.children[name].pid, signal.SIGKILL)
    trainer.children[name].wait()
    later = Trainer(trainer.runs)
    assert not later.alive(name)
    assert Shelf(later.runs, later).summary(open_run(later.runs / name))["status"] == "interrupted"


def test_a_training_that_could_not_start_says_why(trainer, tmp_path):
    name = trainer.start("vae-mlp", {"data": str(tmp_path / "nothing")}, "mine")
    wait(lambda: not trainer.alive(name))
    shelf = Shelf(trainer.runs, trainer)
    (run,) = shelf.all()
    assert run["status"] == "failed"
    assert "there is no file" in shelf.detail(name)["said"][-1]
    shelf.delete(name, name)
    assert shelf.all() == []


def test_a_run_of_the_terminal_cannot_be_trained_twice(trainer, data):
    name = trainer.start("vae-mlp", {**SETTINGS, "data": data, "steps": 1_000_000}, "mine")
    wait(under_way(trainer, name))
    wait(lambda: held(trainer.runs / name))
    with pytest.raises(UsageError, match="being trained"), _alone(open_run(trainer.runs / name), World()):
        pass
    shutil.rmtree(data)  # it is refused before the data is looked for
    with quietly():
        assert reverie("train", "--resume", str(trainer.runs / name)) == 2
