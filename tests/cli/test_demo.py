"""The demonstration tells the whole story: what was measured, where it lies, and commands that work."""

from pathlib import Path

import pytest

from reverie.cli import demo as story
from reverie.engine.loop import Report
from reverie.training import train
from scenes import pictures, reverie


@pytest.fixture
def told(tmp_path, monkeypatch):
    """The demonstration in small, on other pictures."""
    asked, said = {}, []

    def small(recipe, **given):
        asked.update(given, recipe=recipe)
        flat = str(pictures(tmp_path / "flat"))
        return train(recipe, data=flat, steps=2, batch=8, threads=1, runs=given["runs"], report=given["report"])

    monkeypatch.setattr(story, "train", small)
    return story.demo(tmp_path / "runs", Report(say=said.append)), asked, said


def test_it_trains_on_what_is_always_there(told):
    _, asked, said = told
    assert (asked["recipe"], asked["data"], asked["epochs"]) == ("vae-conv", "mnist-5k", story.EPOCHS)
    assert "handwritten digits" in said[0]


def test_every_file_it_names_is_there(told):
    answer, _, _ = told
    named = [Path(word) for line in answer["words"] for word in line.split() if word.endswith((".html", ".png"))]
    assert len(named) == 4
    assert all(path.stat().st_size for path in named)
    assert len(answer["figures"]) > 5


def test_figures_of_samples_stand_in_the_report_and_not_in_its_few_lines(told):
    answer, _, _ = told
    measured = {figure["name"] for figure in answer["figures"]}
    assert {"elbo", "FD[random,64d]", "twins"} <= measured
    printed = {line.split()[0] for line in answer["words"][0].splitlines() if line}
    assert measured & printed == {figure["name"] for figure in answer["figures"] if "samples" not in figure["protocol"]}
    report = next(word for line in answer["words"] for word in line.split() if word.endswith("report.html"))
    assert "FD[random,64d]" in Path(report).read_text(encoding="utf-8")


def test_the_walk_it_proposes_works(told, capsys):
    answer, _, _ = told
    line = next(line for line in answer["words"] if "reverie interpolate" in line)
    assert reverie(*line.split()[1:]) == 0
    assert "interpolation.png" in capsys.readouterr().out
