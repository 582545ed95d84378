"""Three small runs that are exported: a VAE, one that is told the class, and a game."""

import shutil

import pytest

from scenes import make_runs


@pytest.fixture(scope="session")
def _runs(tmp_path_factory):
    home = tmp_path_factory.mktemp("exports")
    make_runs(home, only=("vae", "told", "game"))
    return home


@pytest.fixture
def workshop(_runs, tmp_path, monkeypatch):
    """A folder of one's own with a copy of the runs."""
    home = tmp_path / "workshop"
    shutil.copytree(_runs / "runs", home / "runs")
    monkeypatch.setenv("REVERIE_RUNS", str(home / "runs"))
    return home
