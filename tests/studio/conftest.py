"""A studio over four small runs, and a person who has entered it."""

import shutil

import pytest

pytest.importorskip("starlette", reason="the extra [studio] is not installed")
from starlette.testclient import TestClient  # noqa: E402

from reverie.studio.app import Studio, application  # noqa: E402
from reverie.studio.guard import Door  # noqa: E402
from scenes import make_runs  # noqa: E402

HOME = "http://127.0.0.1:8017"


@pytest.fixture(scope="session")
def _studio_runs(tmp_path_factory):
    home = tmp_path_factory.mktemp("studio")
    make_runs(home, only=("vae", "told", "game", "words"))
    return home


@pytest.fixture
def runs(_studio_runs, tmp_path):
    """A folder of runs of one's own."""
    shutil.copytree(_studio_runs / "runs", tmp_path / "shelf")
    return tmp_path / "shelf"


@pytest.fixture
def studio(runs):
    made = Studio.of(runs, Door(8017))
    yield made
    made.close()


@pytest.fixture
def stranger(studio):
    """Somebody at the right address who has not entered."""
    return TestClient(application(studio), base_url=HOME, headers={"origin": HOME})


@pytest.fixture
def client(studio, stranger):
    """A person who came by the printed address."""
    assert stranger.post("/enter", json={"token": studio.door.token}).status_code == 200
    return stranger
