"""Models of text from the command to the folder: kills, other data, growing vocabularies, mistakes."""

import json
import math
import shutil
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest
import torch

import reverie
from reverie import config, evaluation, recipes
from reverie.engine import loop
from reverie.engine.checkpoint import newest
from reverie.engine.loop import Report
from reverie.errors import DataError, Interrupted, UsageError
from reverie.kinds import takes_text
from reverie.loading import load_model
from reverie.models.language import LanguageModel
from reverie.runs import Run
from reverie.training import create, go, prepare

WORDS = "to be, or not to be, that is the question:\nwhether 'tis nobler in the mind to suffer\n" * 12
SMALL = {"embedding": 4, "units": (8,), "batch": 4, "window": 8, "threads": 1, "device": "cpu", "precision": "fp32"}


def trained(folder, name="a", **changes):
    return reverie.train("text-char", name=name, runs=folder, **{"text": WORDS, "steps": 40, **SMALL, **changes})


def digest(run: Run) -> str:
    return sha256((run.folder / "model" / "model.safetensors").read_bytes()).hexdigest()


def test_recipes_say_by_their_type_what_they_take():
    assert takes_text("text-char")
    assert not takes_text("vae-mlp")
    assert [name for name in recipes.names() if takes_text(name)] == [
        n for n in recipes.names() if n.startswith("text-")
    ]


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_a_stopped_run_goes_on_to_the_same_weights_with_its_state(cell, tmp_path, monkeypatch):
    settings = {"text": WORDS, "steps": 40, "cell": cell, **SMALL, "units": (8, 6)}
    whole = reverie.train("text-char", name="whole", runs=tmp_path, **settings)
    folder = create(prepare(config.resolve("text-char", settings)), "broken", tmp_path)
    for at in (7, 23):  # the second within the second epoch, the first within the first

        def stop(step, row, at=at):
            if step >= at:
                signal_self()

        with pytest.raises(Interrupted):
            go(folder, Report(on_step=stop))
        checkpoint, _ = newest(folder / "checkpoints")
        assert checkpoint.step == at
        carried = checkpoint.tensors["carried"]
        assert carried.keys() == {f"language/{i}" for i in range(4 if cell == "lstm" else 2)}
        assert all(tensor.any() for tensor in carried.values())
    assert digest(go(folder, Report())) == digest(whole)


def signal_self():
    import os
    import signal

    os.kill(os.getpid(), signal.SIGTERM)


def test_a_state_that_is_forgotten_changes_the_weights(tmp_path, monkeypatch):
    whole = trained(tmp_path, "whole")
    monkeypatch.setattr(loop, "_unflatten", lambda tensors, device: {})
    settings = {"text": WORDS, "steps": 40, **SMALL}
    folder = create(prepare(config.resolve("text-char", settings)), "broken", tmp_path)
    with pytest.raises(Interrupted):
        go(folder, Report(on_step=lambda step, row: signal_self() if step == 7 else None))
    assert digest(go(folder, Report())) != digest(whole)


def test_the_state_starts_anew_where_the_text_wraps(tmp_path, monkeypatch):
    seen, usual = [], LanguageModel.loss

    def loss(self, player, batch, noise):
        seen.append((batch.state is None, batch.x[:, 0].tolist()))
        found = usual(self, player, batch, noise)
        assert not any(tensor.requires_grad for tensor in found.state)
        return found

    monkeypatch.setattr(LanguageModel, "loss", loss)
    run = trained(tmp_path, steps=70)
    turns = run.record["data"]["train"] // (4 * 8)
    assert [number for number, (fresh, _) in enumerate(seen) if fresh] == list(range(0, 70, turns))
    assert seen[0][1] != seen[turns][1]  # from another place


def test_ranks_train_as_one(tmp_path):
    settings = [
        "--text", WORDS, "--steps", "30", "--embedding", "4", "--units", "8", "5", "--batch", "5", "--window", "8",
        "--threads", "2", "--device", "cpu", "--precision", "fp32", "--runs", str(tmp_path),
    ]  # fmt: skip
    for name, ranks in (("one", "1"), ("two", "2")):
        words = ["train", "text-char", "--name", name, "--ranks", ranks, *settings]
        answer = subprocess.run([sys.executable, "-m", "reverie", *words], capture_output=True, text=True, check=False)
        assert answer.returncode == 0, answer.stderr
    one, two = (load_model(tmp_path / name).state_dict() for name in ("one", "two"))
    for name, tensor in one.items():
        torch.testing.assert_close(tensor, two[name], rtol=1e-4, atol=1e-5)


def test_the_model_folder_is_enough(tmp_path):
    run = trained(tmp_path)
    alone = tmp_path / "elsewhere"
    shutil.copytree(run.folder / "model", alone)
    model = reverie.load(alone)
    tokens = torch.from_numpy(run.written.tokenizer.encode("to be").astype("int64"))[None]
    assert torch.equal(model(tokens)[0], run.model(tokens)[0])
    stored = json.loads((alone / "vocabulary.json").read_text())
    assert stored["kind"] == "characters"
    (alone / "vocabulary.json").unlink()
    with pytest.raises(DataError, match="vocabulary.json is missing"):
        reverie.load(alone)
    (run.folder / "model" / "vocabulary.json").unlink()
    with pytest.raises(DataError, match="vocabulary.json is missing"):
        Run(run.folder).spec  # noqa: B018


def test_a_run_learns_and_says_so_in_nats(tmp_path):
    run = trained(tmp_path, steps=None, epochs=10, units=(32,), dropout=0.0, rate=2e-2)
    rows = [json.loads(line) for line in (run.folder / "metrics.jsonl").read_text().splitlines()]
    watched = [row["test_loss"] for row in rows if row.get("test")]
    assert rows[0]["step"] == 1
    assert rows[0]["loss"] == pytest.approx(math.log(len(run.written.tokenizer)), abs=0.1)  # it knows nothing yet
    assert watched[-1] < 1.0
    figure = json.loads((run.folder / "eval.json").read_text())["figures"][0]
    assert (figure["name"], figure["unit"]) == ("nats_per_symbol", "nats per symbol")
    assert figure["value"] == pytest.approx(watched[-1], abs=1e-6)
    assert (run.folder / "report.html").is_file()
    assert run.evaluate(n=50).figures[0].protocol["scored"] == "50 symbols, all but the first"


@pytest.mark.parametrize(
    ("text", "how"),
    [
        ("to be or incomprehensible not ", {"tokens": "words", "vocabulary": 5}),
        ("日本語の文章", {"tokens": "bytes"}),
    ],
)
def test_the_beginning_that_is_measured_is_the_text_as_it_was_written(text, how, tmp_path):
    run = trained(tmp_path, text=text * 90, steps=2, **how)
    passage = evaluation._passage(run.written, 13)
    assert run.written.data.parts["valid"].decode().startswith(passage.text)
    assert 10 < passage.counts.symbols <= 13


def test_too_few_bytes_for_a_character_are_refused(tmp_path):
    run = trained(tmp_path, text="日本語の文章" * 90, steps=2, tokens="bytes")
    with pytest.raises(UsageError, match="--n 1: "):
        run.evaluate(n=1)


def test_the_classic_says_its_own_validation_beside_that_of_new_text(tmp_path):
    how = {"units": (32,), "window": 12, "step": 1, "examples": 0, "batch": 16, "epochs": 6, "threads": 1}
    run = reverie.train("text-char-classic", runs=tmp_path, text=WORDS + "zx qk jw vyp " * 8, **how)
    rows = [json.loads(line) for line in (run.folder / "metrics.jsonl").read_text().splitlines()]
    aside, new = ([row[name] for row in rows if row.get("test")] for name in ("aside_loss", "test_loss"))
    assert len(aside) == len(new) == 6
    assert aside[-1] < 0.3 * aside[0]
    assert new[-1] > 5 * aside[-1]  # windows of the text that it learns by heart say nothing of words it never saw


def test_what_lies_in_the_held_out_part_alone_is_not_learnt(tmp_path):
    canary = "zqxjkvbpyg zqxjkvbpyg zqxjkvbpyg"
    run = trained(tmp_path, text=WORDS + canary * 4, steps=200, units=(32,))
    from reverie.metrics.language import symbol_nats

    data = run.written.data
    assert canary.encode() in data.parts["valid"].read()
    assert canary.encode() not in data.parts["train"].read()
    ids = torch.from_numpy(run.written.tokenizer.encode(canary).astype("int64"))
    assert float(symbol_nats(run.model, ids).mean()) > math.log(len(run.written.tokenizer))


MISTAKES = {
    "size": ({"size": "8"}, UsageError, "--size, --channels and --items are for images"),
    "both": ({"data": "python-stdlib"}, UsageError, "--data and --text are both a text"),
    "short": ({"text": "to be or not to be that is"}, UsageError, "do not fill --batch 4 columns of --window 8"),
    "empty": ({"text": "  "}, DataError, "--text is empty"),
    "one": ({"text": "a" * 500}, DataError, "one distinct symbol only"),
    "images": ({"text": None, "data": "mnist-5k"}, DataError, "set of images"),
}


@pytest.mark.parametrize(("changes", "error", "words"), MISTAKES.values(), ids=MISTAKES)
def test_mistakes_are_one_message(changes, error, words, tmp_path):
    with pytest.raises(error, match=words):
        trained(tmp_path, **changes)
    assert not list(tmp_path.iterdir())


def test_images_take_no_text_and_text_runs_have_no_images(tmp_path):
    with pytest.raises(UsageError, match="--text is for recipes of text"):
        reverie.train("vae-mlp", runs=tmp_path, text=WORDS)
    run = trained(tmp_path, steps=2)
    with pytest.raises(UsageError, match="model of text and has no images"):
        run.sample(4)
    with pytest.raises(UsageError, match="recipe of text"):
        list(__import__("reverie.verify").verify.checks("text-char", data=str(_file(tmp_path))))


def _file(folder: Path) -> Path:
    path = folder / "words.txt"
    path.write_text(WORDS)
    return path


def test_other_text_is_refused_on_resuming(tmp_path):
    path = _file(tmp_path)
    run = trained(tmp_path, text=None, data=str(path), steps=2)
    path.write_text(WORDS + "more")
    (run.folder / "eval.json").unlink()  # otherwise it is finished, and nothing is to be done
    with pytest.raises(DataError, match="no longer the same"):
        reverie.resume(run.folder)
