"""``docs/add-a-model.md``, followed: its blocks become files in an empty folder, and what it says must hold.

The page's own training is shortened to one epoch.
"""

import os
import runpy
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

import reverie as package
from documents import ROOT, blocks, reverie, write_files
from reverie.training import build

PAGE = ROOT / "docs" / "add-a-model.md"
SMALL = "reverie train ./recipe.py --data shapes --size 8 --hidden 16 --threads 1 --steps 400 --save-every 5"


@pytest.fixture
def place(tmp_path, monkeypatch):
    """An empty folder with the files of the page, in which a person stands."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REVERIE_RUNS", "runs")
    names = [file.name for file in write_files(PAGE, tmp_path)]
    assert names == ["denoising_autoencoder.py", "recipe.py", "test_denoising_autoencoder.py", "use.py"]
    yield tmp_path
    sys.modules.pop("denoising_autoencoder", None)


def test_help_shows_the_flags_of_the_recipe(place, monkeypatch, capsys):
    assert reverie("reverie train ./recipe.py --help", monkeypatch) == 0
    words = capsys.readouterr().out
    for flag in ("--latent", "--hidden", "--corruption", "--rate", "--batch", "--minutes", "--seed"):
        assert flag in words
    assert "probability that a pixel is set to zero" in " ".join(words.replace("│", " ").split())


def test_a_value_out_of_range_is_refused(place, monkeypatch, capsys):
    assert reverie("reverie train ./recipe.py --data shapes --corruption 1.5", monkeypatch) == 2
    assert "--corruption must be at least 0 and at most 1; got 1.5" in capsys.readouterr().err


def test_the_test_of_the_page_passes(place, monkeypatch):
    monkeypatch.syspath_prepend(str(place))
    tests = runpy.run_path("test_denoising_autoencoder.py")
    checks = [value for name, value in tests.items() if name.startswith("test_")]
    assert len(checks) == 3
    for check in checks:
        check()


def test_every_command_of_the_page_works_and_draws(place, monkeypatch, capsys):
    (commands,) = blocks(PAGE, "sh")
    for line in commands.text.splitlines():
        assert reverie(line.replace("--epochs 5", "--epochs 1"), monkeypatch) == 0, capsys.readouterr().err
    drawn = {path.name for path in Path("runs/denoised/pictures").iterdir()}
    assert {"reconstructions.png", "codes.png", "interpolation.png", "interpolation.gif"} <= drawn
    assert list(Path("runs/denoised/samples").glob("*.png"))
    assert Path("runs/denoised/report.html").stat().st_size > 0
    capsys.readouterr()
    runpy.run_path("use.py")
    errors, settings = capsys.readouterr().out.splitlines()
    assert len(errors.split(",")) == 4
    assert settings == "0.25 16"
    assert reverie("reverie sample denoised", monkeypatch) == 2
    assert "cannot sample" in capsys.readouterr().err


def test_figures_and_reconstructions_come_from_the_same_model(place, monkeypatch):
    run = package.train("recipe.py", data="shapes", size="8", hidden=16, epochs=1, name="small")
    figures = {figure.name: figure.value for figure in run.evaluate().figures}
    count = len(run.data.test)
    errors = run.reconstruct(n=count).values["squared_error_per_pixel"]
    # The pictures are rounded to 8 bits, which adds at most (1/510)^2 and a mixed term.
    assert figures["squared_error_per_pixel"] == pytest.approx(sum(errors) / count, abs=2e-4)
    assert figures["squared_error_per_pixel"] != pytest.approx(figures["pca_squared_error_per_pixel"], abs=1e-6)


def test_a_killed_run_resumes_into_the_same_weights(place, monkeypatch):
    command = [sys.executable, "-m", "reverie", *SMALL.split()[1:], "--name", "killed"]
    process = subprocess.Popen(command, env={**os.environ, "OMP_NUM_THREADS": "1"}, stderr=subprocess.DEVNULL)
    checkpoint = Path("runs/killed/checkpoints/step-00000010")
    while process.poll() is None and not checkpoint.exists():
        time.sleep(0.005)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    assert package.open_run("killed").record["status"] == "running"
    assert not Path("runs/killed/model").exists()

    assert reverie("reverie train --resume killed", monkeypatch) == 0
    assert reverie(f"{SMALL} --name whole", monkeypatch) == 0
    resumed, whole = (load_file(f"runs/{name}/model/model.safetensors") for name in ("killed", "whole"))
    assert resumed.keys() == whole.keys()
    for name, tensor in whole.items():
        assert torch.equal(resumed[name], tensor), name
    whole_run = package.open_run("whole")
    start = build(whole_run.config, whole_run.spec).model.state_dict()
    assert not all(torch.equal(start[name], tensor) for name, tensor in whole.items())
