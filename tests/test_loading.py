"""A model alone: a folder that came from elsewhere gives its weights, and never has code run."""

import json
import shutil
import sys

import pytest
import torch

import reverie
from reverie.engine.noise import ItemNoise
from reverie.errors import ReverieError, UsageError
from scenes import GAME, make_runs

TRAP = "from pathlib import Path\nPath({mark!r}).write_text('ran')\n"


@pytest.fixture(scope="module")
def workshop(tmp_path_factory):
    home = tmp_path_factory.mktemp("loading")
    make_runs(home, only=("vae", "game"))
    return home


@pytest.fixture
def home(workshop, tmp_path, monkeypatch):
    """Copies of two runs, where nothing else is: the recipe file of ``game`` lies in ``workshop``."""
    shutil.copytree(workshop / "runs", tmp_path / "runs")
    monkeypatch.setenv("REVERIE_RUNS", str(tmp_path / "runs"))
    return tmp_path


@pytest.fixture
def shared(home):
    """From a run's name to its model folder as it would lie on another machine."""

    def share(name):
        return shutil.copytree(home / "runs" / name / "model", home / "shared" / name)

    return share


def rename(folder, recipe):
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "recipe": recipe}))


def traps(place):
    """A recipe file, or a package, that leaves a mark if it is ever run; and where the mark would be."""
    mark = place / "mark"
    (place / "evil.py").write_text(TRAP.format(mark=str(mark)) + GAME)
    return mark


@pytest.mark.parametrize("named", ["evil.py", "./evil.py", "{place}/evil.py", "{place}/evil", "../shared/game/evil.py"])
def test_a_folder_that_names_a_file_never_runs_it(named, shared, home, monkeypatch):
    folder = shared("game")
    mark = traps(folder)
    rename(folder, named.format(place=folder))
    monkeypatch.chdir(folder)
    with pytest.raises(UsageError, match="none of the package") as refusal:
        reverie.load(folder)
    assert 'recipe="my_recipe.py"' in str(refusal.value)
    assert not mark.exists()
    assert "reverie_recipe_evil" not in sys.modules


@pytest.mark.parametrize("named", [None, 7, ["evil.py"], "", "_parts", "vae-lost"])
def test_what_is_no_recipe_of_the_package_is_refused(named, shared):
    folder = shared("vae")
    rename(folder, named)
    with pytest.raises(UsageError, match="none of the package"):
        reverie.load(folder)


def test_a_person_may_give_the_recipe_file(shared, home, workshop):
    folder, noise = shared("game"), ItemNoise((0,), range(3))
    wanted = reverie.load("game").sample(3, noise)
    model = reverie.load(folder, recipe=workshop / "game.py")
    assert torch.equal(model.sample(3, noise), wanted)
    with pytest.raises(UsageError, match="none of the package"):
        reverie.load(folder)


def test_a_recipe_of_the_package_needs_no_word(shared):
    model, again = reverie.load(shared("vae")), reverie.load("vae")
    assert all(torch.equal(again.state_dict()[name], tensor) for name, tensor in model.state_dict().items())
    assert not model.training


def test_a_recipe_is_not_given_for_a_run(home):
    with pytest.raises(UsageError, match=r"recipe= is for a folder in the Hub's layout; vae is none"):
        reverie.load("vae", recipe="other.py")


@pytest.mark.parametrize(
    "described", [{}, {"recipe": "vae-mlp", "arguments": 3, "data": {}}, {"recipe": "vae-mlp"}, []]
)
def test_a_description_that_is_none_is_one_message(described, shared):
    folder = shared("vae")
    (folder / "config.json").write_text(json.dumps(described))
    with pytest.raises(ReverieError, match="describes no model"):
        reverie.load(folder)


def test_weights_of_another_model_are_one_message(shared):
    folder = shared("vae")
    path = folder / "config.json"
    known = json.loads(path.read_text())
    path.write_text(json.dumps({**known, "arguments": {**known["arguments"], "hidden": 9}}))
    with pytest.raises(ReverieError, match="not those of vae-mlp as it is here"):
        reverie.load(folder)
