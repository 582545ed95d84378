"""What all tests share: one thread, a folder of runs of their own, no network, and no haste."""

import os

import pytest
import torch
from hypothesis import settings

torch.set_num_threads(1)
os.environ.setdefault("REVERIE_OFFLINE", "1")
settings.register_profile("unhurried", deadline=None)  # a busy machine is no fault of the code
settings.load_profile("unhurried")


@pytest.fixture(autouse=True)
def _own_runs(tmp_path, monkeypatch):
    monkeypatch.setenv("REVERIE_RUNS", str(tmp_path / "runs"))


@pytest.fixture
def shared_data():
    """The folder of real data sets; a test that needs it skips, visibly, where it is not there."""
    folder = os.environ.get("REVERIE_DATA")
    if not folder or not os.path.isdir(folder):
        pytest.skip("REVERIE_DATA names no folder of data sets")
    return folder
