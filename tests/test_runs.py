"""A run folder as an object."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import reverie
from reverie import config, kinds, training
from reverie.actions.result import Result
from reverie.errors import ReverieError, UsageError
from reverie.files import read_lines
from reverie.runs import Run, free_name


def test_a_run_draws_the_pictures_of_its_recipe_as_the_recipe_wants_them(monkeypatch):
    asked = {}

    def note(name):
        def draw(self, **how):
            asked[name] = how
            return Result([Path(name)])

        return draw

    monkeypatch.setattr(Run, "plan", SimpleNamespace(pictures={"samples": {}, "reconstructions": {"n": 3}}))
    monkeypatch.setattr(Run, "sample", note("sample"))
    monkeypatch.setattr(Run, "reconstruct", note("reconstruct"))
    assert Run(Path("nowhere")).draw() == [Path("sample"), Path("reconstruct")]
    assert asked == {"sample": {}, "reconstruct": {"n": 3}}


def data_of(**given):
    settings = config.resolve("vae-mlp", {"data": "shapes", "size": "8", **given})
    return kinds.read(settings, settings["data"])


def test_at_most_so_many_training_images_stand_for_all():
    """Drawn from the whole set, which lies sorted by nothing here; the same each time; test images stay."""
    whole, some = data_of(), data_of(items=300)
    assert (len(some.train), some.split) == (300, f"{whole.split}; 300 of 5,400 training images, drawn")
    assert some.test.pixels.equal(whole.test.pixels)
    assert some.fingerprint() == data_of(items=300).fingerprint()
    numbers = {bytes(image): i for i, image in enumerate(whole.train.pixels.numpy())}
    places = torch.tensor([numbers[bytes(image)] for image in some.train.pixels.numpy()])
    assert some.train.labels.equal(whole.train.labels[places])
    assert len(places.unique()) > 295  # some of 5,400 circles and squares of 8 pixels are equal
    assert abs(float(places.double().mean()) / 5400 - 0.5) < 4 * 12**-0.5 * 300**-0.5
    assert data_of(items=9000).fingerprint() == whole.fingerprint()
    with pytest.raises(UsageError, match="--items must be at least 1"):
        data_of(items=0)


def test_a_game_of_a_few_rounds_is_looked_at_when_it_ends_and_its_weights_are_kept(tmp_path):
    """Both networks of every measurement lie in a file of their own; the last are the result."""
    small = {"generator": (8,), "critic": (8,), "latent": 4, "batch": 16, "threads": 1}
    run = reverie.train("gan-mlp", data="shapes/square", size="8", steps=3, keep_epochs=True, runs=tmp_path, **small)
    (row,) = [row for row in read_lines(run.folder / "metrics.jsonl") if row.get("test")]
    assert row["step"] == 3
    assert row["test_fd"] > 0
    assert run.record["weights"].startswith("step 3 of 3, with the best first figure")
    kept = load_file(run.folder / "weights" / "000003.safetensors")
    model = run.model.state_dict()
    assert {name.split(".")[0] for name in kept} == {"generator", "critic"}
    assert kept.keys() == model.keys()
    assert all(kept[name].equal(model[name]) for name in kept)
    assert [path.name for path in sorted((run.folder / "samples").iterdir())] == ["000003.dark.png", "000003.png"]
    plain = reverie.train("gan-mlp", data="shapes/square", size="8", steps=3, runs=tmp_path, **small)
    assert not (plain.folder / "weights").exists()


SMALL = {"data": "shapes/square", "size": "8", "steps": 1, "hidden": 4, "latent": 2, "batch": 16, "threads": 1}


@pytest.fixture
def overtaken(monkeypatch):
    """Another training makes its folder just after this one has looked for a free name."""

    def look(runs, name, stem):
        folder = free_name(runs, name, stem)
        if not others:
            folder.mkdir(parents=True)
            others.append(folder)
        return folder

    others = []
    monkeypatch.setattr(training, "free_name", look)
    return others


def test_two_trainings_that_start_together_have_a_folder_each(overtaken, tmp_path):
    folder = training.create(training.prepare(config.resolve("vae-mlp", SMALL)), None, tmp_path / "runs")
    assert [overtaken[0].name, folder.name] == ["vae-mlp-shapes-square-1", "vae-mlp-shapes-square-2"]
    assert not list(overtaken[0].iterdir())


def test_of_two_trainings_with_one_name_the_second_is_refused(overtaken, tmp_path):
    prepared = training.prepare(config.resolve("vae-mlp", SMALL))
    with pytest.raises(UsageError, match='There is a run "a" in'):
        training.create(prepared, "a", tmp_path)
    assert not list(overtaken[0].iterdir())


SOURCES = {
    "a folder": ("vae-mlp", "images", True),
    "a class of a file": ("vae-mlp", "a.npz/one", True),
    "a name, though there is such a file": ("vae-mlp", "shapes", False),
    "a class of a name": ("vae-mlp", "shapes/square", False),
    "a text": ("text-char", "./a.txt", True),
    "points": ("gan-toy", "ring", False),
    "a file named as points are": ("vae-mlp", "ring", True),
}


@pytest.mark.parametrize(("recipe", "source", "changes"), SOURCES.values(), ids=SOURCES)
def test_a_path_is_written_down_whole(recipe, source, changes, tmp_path, monkeypatch):
    (tmp_path / "images").mkdir()
    for name in ("a.npz", "a.txt", "ring", "shapes"):
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    assert kinds.lasting(recipe, source) == (str(tmp_path / source) if changes else source)


def test_a_run_on_a_relative_path_goes_on_from_another_folder(tmp_path, monkeypatch):
    pixels = torch.randint(0, 256, (40, 8, 8), dtype=torch.uint8).numpy()
    np.save(tmp_path / "a.npy", pixels)
    monkeypatch.chdir(tmp_path)
    prepared = training.prepare(config.resolve("vae-mlp", {**SMALL, "data": "a.npy", "size": None}))
    folder = training.create(prepared, "a", tmp_path / "runs")
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path / "other")
    assert Run(folder).config["data"] == str(tmp_path / "a.npy")
    assert Run(folder).data.fingerprint() == prepared.data.fingerprint()


def test_an_argument_that_was_edited_is_one_message(tmp_path):
    run = reverie.train("vae-mlp", name="a", runs=tmp_path, **{**SMALL, "steps": 2})
    path = run.folder / "config.toml"
    path.write_text(path.read_text().replace("hidden = 4", "hidden = 5").replace("steps = 2", "steps = 3"))
    for act in (lambda: Run(run.folder).model, lambda: reverie.resume(run.folder)):
        with pytest.raises(ReverieError, match="are not those of the recipe.*Put config.toml"):
            act()
