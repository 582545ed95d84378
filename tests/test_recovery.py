"""Nothing is lost: kills at any instant, damaged files, full disks, signals, ranks that die."""

import errno
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

import reverie
from reverie import files, native, training
from reverie.engine.checkpoint import newest, places
from reverie.engine.loop import Report, fit, restore, save
from reverie.engine.stop import Stop
from reverie.errors import ReverieError
from reverie.files import read_lines
from reverie.runs import Run
from toys import training_of, weights

HERE = Path(__file__).parent
ONE_THREAD = {**os.environ, "OMP_NUM_THREADS": "1"}


def reverie_command(*words: str, **options) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "reverie", *words],
        capture_output=True,
        text=True,
        env=ONE_THREAD,
        check=False,
        **options,
    )


@pytest.fixture(scope="module")
def pixels(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "pixels.npy"
    np.save(path, np.random.default_rng(0).integers(0, 256, (400, 8, 8), dtype=np.uint8))
    return path


@pytest.mark.parametrize("kills", [20, pytest.param(200, marks=pytest.mark.slow)])
def test_kills_at_random_instants_change_nothing(kills, tmp_path):
    answer = subprocess.run(
        [sys.executable, str(HERE / "kills.py"), str(kills), str(tmp_path)],
        capture_output=True, text=True, env=ONE_THREAD, check=False,
    )  # fmt: skip
    assert answer.returncode == 0, answer.stderr
    found = json.loads(answer.stdout.splitlines()[-1])
    print(found)
    assert found["kills"] >= kills
    assert found["unreadable"] == 0
    assert found["different"] == 0


def damaged(checkpoint: Path):
    """Every file of a checkpoint with a flipped bit, cut short, emptied or removed."""
    chance = random.Random(0)
    for name in sorted(path.name for path in checkpoint.iterdir()):
        for kind in ("flip", "flip", "flip", "cut", "empty", "remove"):
            yield name, kind, chance.random()


def damage(path: Path, kind: str, where: float) -> None:
    content = bytearray(path.read_bytes())
    if kind == "flip":
        content[int(where * len(content))] ^= 1 << int(8 * where)
    path.unlink()
    if kind != "remove":
        path.write_bytes({"flip": content, "cut": content[: int(where * len(content))], "empty": b""}[kind])


def test_every_damaged_file_is_found_and_the_older_checkpoint_used(tmp_path):
    training = training_of("vae", tmp_path, steps=4)
    fit(training, Stop(), Report(), save_every=2)
    good, checked = tmp_path / "good", 0
    shutil.copytree(training.folder, good)
    for name, kind, where in damaged(places(good)[0]):
        shutil.rmtree(training.folder)
        shutil.copytree(good, training.folder)
        damage(places(training.folder)[0] / name, kind, where)
        checkpoint, words = newest(training.folder)
        assert checkpoint is not None
        assert checkpoint.step == 2, (name, kind)
        assert len(words) == 1
        assert "older checkpoint is used" in words[0]
        checked += 1
    assert checked >= 30


def test_resume_says_that_an_older_checkpoint_is_used_and_ends_in_the_same_weights(pixels, tmp_path):
    settings = {
        "data": str(pixels),
        "hidden": 8,
        "latent": 2,
        "batch": 16,
        "steps": 6,
        "save_every": 2,
        "threads": 1,
    }
    run = reverie.train("vae-mlp", name="a", runs=tmp_path, **settings)
    before = (run.folder / "model" / "model.safetensors").read_bytes()
    (run.folder / "eval.json").unlink()  # the end was cut short
    path = places(run.folder / "checkpoints")[0] / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"\0\0")
    answer = reverie_command("train", "--resume", str(run.folder))
    assert answer.returncode == 0, answer.stderr
    assert "model.safetensors is damaged" in answer.stderr
    assert "older checkpoint is used" in answer.stderr
    assert (run.folder / "model" / "model.safetensors").read_bytes() == before


def test_a_finished_run_is_left_as_it_is_and_what_is_missing_is_made(pixels, tmp_path):
    settings = {"data": str(pixels), "hidden": 8, "latent": 2, "batch": 16, "steps": 2, "threads": 1}
    run = reverie.train("vae-mlp", name="a", runs=tmp_path, **settings)
    figures = run.folder / "eval.json"
    kept = figures.read_text().replace('"figures"', '"measured_for_hours": true, "figures"')
    figures.write_text(kept)
    answer = reverie_command("train", "--resume", str(run.folder))
    assert answer.returncode == 0, answer.stderr
    assert "a is finished; there is nothing to be done" in answer.stderr
    assert figures.read_text() == kept
    for name in ("eval.json", "report.html", "model/README.md", "model/model.safetensors"):
        (run.folder / name).unlink()
        reverie.resume(run.folder)
        assert (run.folder / name).is_file()


def test_no_whole_checkpoint_is_said_and_nothing_is_overwritten(pixels, tmp_path):
    settings = {"data": str(pixels), "hidden": 8, "latent": 2, "batch": 16, "steps": 2, "threads": 1}
    run = reverie.train("vae-mlp", name="a", runs=tmp_path, **settings)
    for place in places(run.folder / "checkpoints"):
        (place / "state.json").unlink()
    (run.folder / "eval.json").unlink()
    with pytest.raises(ReverieError, match="No checkpoint of a is whole"):
        reverie.resume(run.folder)


class FullDisk:
    """A disk that is full from the k-th sync on."""

    def __init__(self, monkeypatch, at: int) -> None:
        self.calls, self.at, self.sync = 0, at, os.fsync
        monkeypatch.setattr(files.os, "fsync", self)

    def __call__(self, descriptor: int) -> None:
        self.calls += 1
        if self.calls >= self.at:
            raise OSError(errno.ENOSPC, "No space left on device")
        self.sync(descriptor)


def test_a_full_disk_at_any_write_leaves_the_last_checkpoint(tmp_path, monkeypatch):
    messages = []
    for at in range(1, 40):
        training = training_of("vae", tmp_path / str(at), steps=6)
        fit(training, Stop(), Report())
        kept = weights(training.job.model)
        training.state.step = 7
        with monkeypatch.context() as patch:
            disk = FullDisk(patch, at)
            try:
                save(training)
            except ReverieError as error:
                messages.append(str(error))
        checkpoint, words = newest(training.folder)
        assert not words
        assert checkpoint is not None
        assert checkpoint.step in (6, 7)
        assert all(torch.equal(checkpoint.tensors["model"][name], kept[name]) for name in kept)
        if disk.calls < at:
            break
    assert len(messages) >= 8
    assert all("No space left on device" in m and "What was saved before is whole" in m for m in messages)
    assert at < 39


def test_a_limit_of_the_system_on_file_sizes_is_one_message(pixels, tmp_path):
    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000))

    words = [
        "vae-mlp",
        "--data",
        str(pixels),
        "--steps",
        "4",
        "--batch",
        "16",
        "--hidden",
        "8",
        "--threads",
        "1",
    ]
    answer = reverie_command("train", *words, "--runs", str(tmp_path), preexec_fn=limit)
    assert answer.returncode == 1
    assert "Traceback" not in answer.stderr
    assert "Cannot write" in answer.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_saves_and_says_how_to_go_on(number, pixels, tmp_path):
    words = ["train", "vae-mlp", "--data", str(pixels), "--batch", "16", "--hidden", "8", "--threads", "1"]
    place = ["--runs", str(tmp_path), "--name", "stopped", "--steps", "4000"]
    process = subprocess.Popen(
        [sys.executable, "-m", "reverie", *words, *place], stderr=subprocess.PIPE, text=True, env=ONE_THREAD
    )
    wait_for(lambda: len(read_lines(tmp_path / "stopped" / "metrics.jsonl")) > 3)
    process.send_signal(number)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert f"reverie train --resume {tmp_path / 'stopped'}" in said
    record = Run(tmp_path / "stopped").record
    assert record["status"] == "stopped"
    checkpoint, _ = newest(tmp_path / "stopped" / "checkpoints")
    assert 0 < checkpoint.step < 4000


def wait_for(condition, seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


RANKED = [
    "--batch",
    "16",
    "--hidden",
    "16",
    "--latent",
    "2",
    "--precision",
    "fp32",
    "--threads",
    "2",
    "--save-every",
    "10",
]


def train_ranked(pixels: Path, runs: Path, ranks: int, steps: int = 200) -> Run:
    words = ["train", "vae-mlp", "--data", str(pixels), *RANKED, "--steps", str(steps), "--ranks", str(ranks)]
    answer = reverie_command(*words, "--runs", str(runs), "--name", f"ranks-{ranks}")
    assert answer.returncode == 0, answer.stderr
    return Run(runs / f"ranks-{ranks}")


@pytest.fixture(scope="module")
def two_ranks(pixels, tmp_path_factory):
    return train_ranked(pixels, tmp_path_factory.mktemp("ranks"), 2)


def losses(run: Run) -> dict[int, float]:
    return {row["step"]: row["loss"] for row in read_lines(run.folder / "metrics.jsonl") if "loss" in row}


def test_two_ranks_train_as_one(pixels, two_ranks, tmp_path):
    one = losses(train_ranked(pixels, tmp_path, 1))
    two = losses(two_ranks)
    assert len(one) == len(two) == 200
    worst = max(abs(one[step] - two[step]) / abs(one[step]) for step in one)
    print(f"largest relative difference of 200 losses: {worst:.2e}")
    assert worst < 1e-5
    assert sorted(p.name for p in two_ranks.folder.iterdir()) == sorted(
        p.name for p in (tmp_path / "ranks-1").iterdir()
    )


def worker_pids(folder: Path) -> list[int]:
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            environment, words = (entry / "environ").read_bytes(), (entry / "cmdline").read_bytes()
        except OSError:
            continue
        if b"\0LOCAL_RANK=" in environment and str(folder).encode() in words and b"torch.distributed.run" not in words:
            found.append(int(entry.name))
    return sorted(found)


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="finds the ranks in /proc")
def test_a_killed_rank_restarts_and_ends_in_the_same_weights(pixels, two_ranks, tmp_path):
    folder = tmp_path / "killed"
    words = ["train", "vae-mlp", "--data", str(pixels), *RANKED, "--steps", "200", "--ranks", "2"]
    process = subprocess.Popen(
        [sys.executable, "-m", "reverie", *words, "--runs", str(tmp_path), "--name", "killed"],
        stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL, env=ONE_THREAD,
    )  # fmt: skip
    wait_for(lambda: any(20 <= int(p.name[5:]) < 150 for p in places(folder / "checkpoints")))
    os.kill(worker_pids(folder)[-1], signal.SIGKILL)
    assert process.wait(timeout=180) == 0
    assert Run(folder).record["starts"] == 2
    assert two_ranks.record["starts"] == 1
    assert (folder / "model" / "model.safetensors").read_bytes() == (
        two_ranks.folder / "model" / "model.safetensors"
    ).read_bytes()


def test_ranks_agree_on_a_stop(pixels, tmp_path):
    words = ["train", "vae-mlp", "--data", str(pixels), *RANKED, "--steps", "4000", "--ranks", "2"]
    process = subprocess.Popen(
        [sys.executable, "-m", "reverie", *words, "--runs", str(tmp_path), "--name", "stopped"],
        stderr=subprocess.PIPE, text=True, env=ONE_THREAD,
    )  # fmt: skip
    wait_for(lambda: len(read_lines(tmp_path / "stopped" / "metrics.jsonl")) > 5)
    os.kill(worker_pids(tmp_path / "stopped")[-1], signal.SIGTERM)  # one rank alone
    _, said = process.communicate(timeout=120)
    assert process.returncode == 130, said
    run = Run(tmp_path / "stopped")
    assert run.record["status"] == "stopped"
    run.update(data={**run.record["data"], "fingerprint": "another"})
    answer = reverie_command("train", "--resume", str(run.folder))  # what is refused is not said to have been stopped
    assert (answer.returncode, answer.stderr.count("no longer the same")) == (3, 1), answer.stderr


@pytest.mark.parametrize(
    ("made", "words"), [(None, "0123, not torch's"), ("torch's", "0123, not torch's"), ("0123", "")]
)
def test_a_run_that_goes_on_with_other_kernels_is_told(monkeypatch, made, words):
    monkeypatch.setattr(native, "version", lambda: "0123")
    said = []
    record = {"data": {"fingerprint": "one"}, "versions": {"torch": torch.__version__}}
    record["versions"] |= {"kernels": made} if made else {}
    prepared = SimpleNamespace(
        config={"device": "cpu", "precision": "bf16"}, data=SimpleNamespace(fingerprint=lambda: "one")
    )
    training._check_same(SimpleNamespace(record=record), prepared, SimpleNamespace(say=said.append))
    assert said == ([f"The version of kernels is {words}: the result may differ in the last bits."] if words else [])


def test_restoring_is_exact(tmp_path):
    training = training_of("game", tmp_path, steps=4)
    fit(training, Stop(), Report())
    again = training_of("game", tmp_path, steps=4)
    checkpoint, _ = newest(training.folder)
    restore(again, checkpoint)
    for name, learner in training.learners.items():
        ours, theirs = (
            learner.optimizer.state_dict()["state"],
            again.learners[name].optimizer.state_dict()["state"],
        )
        assert all(torch.equal(ours[i][key], theirs[i][key]) for i in ours for key in ours[i])
