"""The folder for the Hub: what lies in it, that it is the model, and what is said where it cannot be."""

import json
import shutil
import sys

import pytest
import torch

import reverie as package
from reverie.engine.noise import ItemNoise
from scenes import reverie


def test_the_folder_alone_gives_the_model_back(workshop, tmp_path, capfd):
    out = tmp_path / "taken"
    assert reverie("export", "vae", "--to", "hub", "--out", str(out)) == 0
    assert f'reverie.load("{out}")' in capfd.readouterr().out
    names = {path.name for path in out.iterdir()}
    assert names == {"model.safetensors", "config.json", "README.md", "picture.png"}
    wanted = package.load(workshop / "runs" / "vae")
    shutil.rmtree(workshop / "runs")
    model = package.load(out)
    for name, tensor in wanted.state_dict().items():
        assert torch.equal(model.state_dict()[name], tensor)
    images = model.sample(3, ItemNoise((0, "sample"), range(3)))
    assert torch.equal(images, wanted.sample(3, ItemNoise((0, "sample"), range(3))))
    assert torch.equal(model.decode(model.encode(images).mean).mean, wanted.decode(wanted.encode(images).mean).mean)


def test_the_card_and_the_classes_go_along(workshop, capfd):
    assert reverie("export", "told", "--to", "hub", "--json") == 0
    files = json.loads(capfd.readouterr().out)["files"]
    assert any(file.endswith("model.safetensors") for file in files)
    folder = workshop / "runs" / "told" / "export" / "hub"
    assert json.loads((folder / "config.json").read_text())["data"]["classes"] == ["dark", "light"]
    card = (folder / "README.md").read_text()
    assert "library_name: reverie" in card
    assert "## Figures" in card


def test_weights_that_do_not_load_leave_nothing(workshop, capfd):
    weights = workshop / "runs" / "vae" / "model" / "model.safetensors"
    assert reverie("export", "vae", "--to", "hub") == 0
    content = weights.read_bytes()
    weights.write_bytes(content[: len(content) // 2])
    before = {p.name: p.read_bytes() for p in (workshop / "runs" / "vae" / "export" / "hub").iterdir()}
    assert reverie("export", "vae", "--to", "hub") == 1
    assert "damaged" in capfd.readouterr().err
    assert [p.name for p in (workshop / "runs" / "vae" / "export").iterdir()] == ["hub"]
    assert {p.name: p.read_bytes() for p in (workshop / "runs" / "vae" / "export" / "hub").iterdir()} == before


def test_a_folder_that_does_not_load_is_not_kept(workshop, capfd):
    config = workshop / "runs" / "vae" / "model" / "config.json"
    config.write_text(config.read_text().replace('"recipe": "vae-mlp"', '"recipe": "vae-lost"'))
    assert reverie("export", "vae", "--to", "hub") == 2
    assert "vae-lost" in capfd.readouterr().err
    assert list((workshop / "runs" / "vae" / "export").iterdir()) == []


def test_a_second_export_replaces_the_first(workshop):
    assert reverie("export", "vae", "--to", "hub") == 0
    folder = workshop / "runs" / "vae" / "export" / "hub"
    (folder / "README.md").write_text("of the first")
    assert reverie("export", "vae", "--to", "hub") == 0
    assert "library_name: reverie" in (folder / "README.md").read_text()
    assert (folder / "model.safetensors").exists()
    assert [path.name for path in folder.parent.iterdir()] == ["hub"]


def test_a_folder_with_other_things_is_left_alone(workshop, tmp_path, capfd, monkeypatch):
    home = tmp_path / "home"
    home.mkdir()
    (home / "diary").write_text("mine")
    monkeypatch.chdir(home)
    for out in (str(home), "."):
        assert reverie("export", "vae", "--to", "hub", "--out", out) == 2
        assert f"{home} holds other things (diary)" in capfd.readouterr().err
    assert [(path.name, path.read_text()) for path in home.iterdir()] == [("diary", "mine")]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["home", "workshop"]
    assert reverie("export", "vae", "--to", "hub", "--out", "new/place") == 0
    assert (home / "new" / "place" / "config.json").exists()


def test_a_file_is_not_replaced_by_a_folder(workshop, tmp_path, capfd):
    (tmp_path / "mine").write_text("kept")
    assert reverie("export", "vae", "--to", "hub", "--out", str(tmp_path / "mine")) == 2
    assert "is a file; give the name of a folder" in capfd.readouterr().err
    assert (tmp_path / "mine").read_text() == "kept"


def test_a_run_that_is_not_finished_is_refused(workshop, capfd):
    shutil.rmtree(workshop / "runs" / "vae" / "model")
    for kind in ("hub", "onnx", "html"):
        assert reverie("export", "vae", "--to", kind) == 2
        assert "reverie train --resume" in capfd.readouterr().err


def test_a_recipe_of_ones_own_is_named(workshop, capfd):
    assert reverie("export", "game", "--to", "hub") == 0
    said = capfd.readouterr().out
    assert 'game.py")' in said
    assert "The folder holds no code, and runs none" in said


def test_push_says_what_it_needs(workshop, capfd, monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    assert reverie("export", "vae", "--to", "hub", "--push", "me/digits") == 2
    assert "pip install 'reverie[hub]'" in capfd.readouterr().err
    assert reverie("export", "vae", "--to", "onnx", "--push", "me/digits") == 2
    assert "--push goes with --to hub" in capfd.readouterr().err


class Hub:
    """Stands for the Hub: keeps what it is told."""

    said: list = []

    def create_repo(self, name, **how):
        self.said.append((name, how))

    def upload_folder(self, *, repo_id, folder_path):
        if repo_id == "me/closed":
            raise PermissionError("you may not write here")
        self.said.append(sorted(path.name for path in folder_path.iterdir()))
        return f"hub:{repo_id}"


def test_push_makes_a_private_repository_and_uploads_the_folder(workshop, capfd, monkeypatch):
    hub = pytest.importorskip("huggingface_hub", reason="the extra [hub] is not installed")
    monkeypatch.setattr(hub, "HfApi", Hub)
    monkeypatch.setattr(Hub, "said", [])
    assert reverie("export", "vae", "--to", "hub", "--push", "me/digits") == 0
    assert "hub:me/digits" in capfd.readouterr().out
    assert Hub.said[0] == ("me/digits", {"private": True, "exist_ok": True})
    assert Hub.said[1] == ["README.md", "config.json", "model.safetensors", "picture.png"]
    assert reverie("export", "vae", "--to", "hub", "--push", "me/closed") == 1
    assert "you may not write here" in capfd.readouterr().err
