"""The longest name that a run may have, on every page that shows it, in windows narrow and wide."""

import pytest

from scenes import make_runs

LONG = "x" * 100


@pytest.fixture(scope="module")
def long(folder, tmp_path_factory):
    """A run with the longest name that a run may have."""
    runs = make_runs(tmp_path_factory.mktemp("long"), only=("vae",))
    folder.mkdir(parents=True, exist_ok=True)
    (runs / "vae").rename(folder / LONG)
    return LONG


@pytest.mark.parametrize("path", ["/", f"/runs/{LONG}", f"/explore/{LONG}", f"/compare?first={LONG}&second={LONG}"])
@pytest.mark.parametrize("width", [360, 640, 1280])
def test_a_long_name_is_not_cut_off(path, width, long, enter):
    page = enter(path, viewport={"width": width, "height": 700})
    page.evaluate("() => document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
