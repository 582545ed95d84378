"""Runs of points from the command to the folder: figures, pictures, films, kills, and mistakes."""

import json
import os
import signal
from hashlib import sha256

import pytest
import torch
from PIL import Image
from torch import nn

import reverie
from reverie import config
from reverie.actions.of_points import measure_points, watch_points
from reverie.data.points import load_points
from reverie.engine.checkpoint import newest
from reverie.engine.loop import Report
from reverie.engine.noise import StepNoise
from reverie.errors import DataError, Interrupted, UsageError
from reverie.evaluation import evaluate
from reverie.kinds import kind_of, takes_text
from reverie.loading import load_model
from reverie.planar import Planar
from reverie.runs import Run
from reverie.training import create, go, prepare

SMALL = {"generator": (8,), "critic": (8,), "latent": 2, "batch": 6400, "threads": 1, "device": "cpu"}


class Law(nn.Module):
    """A model that draws from a law itself, or of a ring from its right half alone."""

    def __init__(self, name, half=False):
        super().__init__()
        self.law, self.half = load_points(name).law, half

    def sample(self, n, noise, *, label=None, temperature=1.0):
        x = self.law.draw(noise, n)
        return torch.cat([x[:, :1].abs(), x[:, 1:]], 1) if self.half else x


def planar(tmp_path, name="ring", half=False):
    return Planar("it", tmp_path, Law(name, half), load_points(name))


def trained(folder, name="a", **changes):
    return reverie.train("gan-toy", name=name, runs=folder, **{"epochs": 2, **SMALL, **changes})


def digest(run: Run) -> str:
    return sha256((run.folder / "model" / "model.safetensors").read_bytes()).hexdigest()


def test_the_kind_of_data_is_told_by_a_recipes_type():
    assert [kind_of(name) for name in ("gan-toy", "text-char", "vae-mlp")] == ["points", "text", "images"]
    assert not takes_text("gan-toy")


@pytest.mark.parametrize("name", ["ring", "grid"])
def test_the_law_itself_reaches_every_floor(name, tmp_path):
    distance, modes, good = measure_points(planar(tmp_path, name), 4000)
    floor = float(distance.note.split()[1].rstrip(":"))
    assert [each.name for each in (distance, modes, good)] == ["sliced_wasserstein", "modes", "good_points"]
    assert distance.value < 2.5 * floor
    assert 0.005 < floor < 0.05
    assert modes.value == len(load_points(name).modes.centres)
    assert good.value == pytest.approx(0.9889, abs=0.008)
    assert distance.protocol["points"] == "4,000"
    assert modes.protocol["near"] == "3 standard deviations"


def test_a_generator_that_forgets_half_is_seen(tmp_path):
    distance, modes, good = measure_points(planar(tmp_path, half=True), 2000)
    assert modes.value == 5  # of eight, those from the top over the right to the bottom
    assert good.value == pytest.approx(0.9889, abs=0.01)
    assert distance.value > 10 * float(distance.note.split()[1].rstrip(":"))
    assert watch_points(planar(tmp_path, half=True), 500)["test_modes"] == 5


def test_a_law_without_modes_has_the_distance_alone(tmp_path):
    assert [each.name for each in measure_points(planar(tmp_path, "spiral"), 200)] == ["sliced_wasserstein"]
    assert watch_points(planar(tmp_path, "spiral"), 200).keys() == {"test_distance"}


def test_a_run_leaves_figures_pictures_and_a_film(tmp_path):
    run = trained(tmp_path)
    figures = json.loads((run.folder / "eval.json").read_text())["figures"]
    assert [each["name"] for each in figures] == ["sliced_wasserstein", "modes", "good_points"]
    assert figures[0]["protocol"]["points"] == "10,000"
    assert run.record["data"]["name"] == "ring"
    assert run.config["precision"] == "fp32"
    rows = [json.loads(line) for line in (run.folder / "metrics.jsonl").read_text().splitlines()]
    assert sum("test_distance" in row for row in rows) == 2
    assert len(list((run.folder / "samples").glob("*.png"))) == 4  # two epochs, light and dark
    for name in ("training.gif", "training.dark.gif"):
        with Image.open(run.folder / "pictures" / name) as film:
            assert film.n_frames == 2
    noise = StepNoise((0,), 0, 3)
    assert torch.equal(load_model(run.folder).sample(3, noise), run.model.sample(3, noise))
    (out,) = run.sample(50, out=tmp_path / "mine.png").files
    with Image.open(out) as mine, Image.open(run.folder / "pictures" / "samples.png") as usual:
        assert mine.size == usual.size


def test_a_stopped_run_goes_on_to_the_same_weights(tmp_path):
    settings = {"data": "grid", "epochs": 3, "critic_turns": 2, **SMALL}
    whole = reverie.train("gan-toy", name="whole", runs=tmp_path, **settings)
    folder = create(prepare(config.resolve("gan-toy", settings)), "broken", tmp_path)
    with pytest.raises(Interrupted):
        go(folder, Report(on_step=lambda step, row: os.kill(os.getpid(), signal.SIGTERM) if step >= 3 else None))
    checkpoint, _ = newest(folder / "checkpoints")
    assert 3 <= checkpoint.step < 6
    assert digest(go(folder, Report())) == digest(whole)
    assert digest(trained(tmp_path, "other", **settings, seed=1)) != digest(whole)


def test_a_picture_is_a_density_and_must_stay_the_same(tmp_path):
    path = tmp_path / "dot.png"
    Image.new("L", (4, 4), 0).save(path)
    run = trained(tmp_path, data=str(path), epochs=1)
    assert run.record["data"]["name"] == "dot"
    image = Image.new("L", (4, 4), 0)
    image.putpixel((0, 0), 255)
    image.save(path)
    with pytest.raises(DataError, match="no longer the same"):
        go(run.folder, Report())


def test_what_points_cannot_do_is_said_once(tmp_path):
    run = trained(tmp_path, epochs=1)
    for act in (run.reconstruct, run.interpolate, run.manifold, run.traverse, run.score, lambda: run.edit("smile")):
        with pytest.raises(UsageError, match=r"model of points and has no images. It can: sample, evaluate"):
            act()
    with pytest.raises(UsageError, match="model of points and has no text"):
        run.generate("to be")
    with pytest.raises(UsageError, match="leave out --label"):
        run.sample(3, label="3")
    with pytest.raises(UsageError, match="at least 1"):
        run.sample(0)
    with pytest.raises(UsageError, match=r"ends in .png"):
        run.sample(3, out=tmp_path / "mine.gif")
    for strange in ({"size": "8"}, {"text": "to be"}):
        with pytest.raises(UsageError, match=r"gan-toy takes points"):
            trained(tmp_path, "b", **strange)
    with pytest.raises(DataError, match="Points are ring, grid, spiral"):
        trained(tmp_path, "b", data="mnist")


def test_evaluate_takes_as_many_points_as_one_says(tmp_path):
    result = evaluate(planar(tmp_path), n=300)
    assert {each.protocol["points"] for each in result.figures} == {"300"}
    with pytest.raises(UsageError, match="at least 1"):
        evaluate(planar(tmp_path), n=0)
