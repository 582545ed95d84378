"""A run folder as an object."""

from pathlib import Path
from types import SimpleNamespace

from reverie.actions import Result
from reverie.runs import Run


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
