"""The shelf: what is said of a run at every moment of its life, and the tail of its course."""

import json
import shutil

import pytest
from starlette.exceptions import HTTPException

from reverie.errors import UsageError
from reverie.files import sole, write_json
from reverie.studio import shelf as module
from reverie.studio.shelf import Shelf, plainly
from reverie.studio.trainer import Trainer


@pytest.fixture
def shelf(runs):
    return Shelf(runs, Trainer(runs))


@pytest.mark.parametrize(
    ("status", "alive", "word"),
    [
        ("created", True, "starting"), ("running", True, "training"), ("finished", True, "measuring"),
        ("stopped", True, "resuming"), ("diverged", True, "resuming"),
        ("created", False, "interrupted"), ("running", False, "interrupted"), ("finished", False, "finished"),
        ("stopped", False, "stopped"), ("diverged", False, "diverged"),
    ],
)  # fmt: skip
def test_a_status_means_something_else_where_a_process_lives(status, alive, word, shelf, runs):
    run = shelf.find("vae")
    run.update(status=status)
    with sole(runs / "vae", alive):
        assert shelf.summary(run)["status"] == word


def test_the_course_comes_in_whole_lines_and_from_where_one_stopped(shelf, runs):
    path = runs / "vae" / "metrics.jsonl"
    before = shelf.rows("vae", 0)
    assert before["rows"] == [json.loads(line) for line in path.read_text().splitlines()]
    assert before["next"] == path.stat().st_size
    with path.open("a") as file:
        file.write('{"step": 3, "loss": NaN}\n{"step": 4, "lo')
    after = shelf.rows("vae", before["next"])
    assert after["rows"] == [{"step": 3, "loss": None}]
    with path.open("a") as file:
        file.write('ss": 1}\nnonsense\n[1]\n')
    assert shelf.rows("vae", after["next"])["rows"] == [{"step": 4, "loss": 1}]
    assert shelf.rows("vae", 10**9)["rows"][0] == before["rows"][0]  # the file was begun anew


def test_a_line_that_is_longer_than_an_answer_comes_whole_and_no_line_comes_twice(shelf, runs, monkeypatch):
    monkeypatch.setattr(module, "CHUNK", 20)
    path = runs / "vae" / "metrics.jsonl"
    wanted = [{"step": 1, "words": "x" * 100}, {"step": 2}, {"step": 3, "loss": 1.5}]
    path.write_text("".join(json.dumps(row) + "\n" for row in wanted) + '{"step": 4, "words": "' + "x" * 100)
    found, answer = [], {"next": 0, "more": True}
    for _ in range(10):
        answer = shelf.rows("vae", answer["next"])
        found += answer["rows"]
        if not answer["more"]:
            break
    assert found == wanted
    assert not answer["more"]


def test_what_could_not_be_deleted_whole_is_no_run_and_keeps_no_name(shelf, runs, monkeypatch):
    monkeypatch.setattr(module.shutil, "rmtree", lambda *_, **__: None)
    for _ in range(2):
        shelf.delete("vae", "vae")
        assert "vae" not in [run["name"] for run in shelf.all()]
        assert not [run["name"] for run in shelf.all() if run["name"].startswith(".")]
        shutil.copytree(runs / "told", runs / "vae")


def test_names_are_looked_up_and_never_joined(shelf, runs):
    (runs / "vae" / "run.json").rename(runs / "run.json")
    (runs / "vae" / "config.toml").rename(runs / "config.toml")
    for name in (".", "", "..", "vae", str(runs), "told/../told"):
        with pytest.raises(HTTPException):
            shelf.find(name)


def test_a_run_that_is_trained_or_is_a_link_is_not_deleted(shelf, runs):
    with sole(runs / "vae"), pytest.raises(UsageError, match="stop it first"):
        shelf.delete("vae", "vae")
    (runs / "link").symlink_to(runs / "told")
    with pytest.raises(UsageError, match="link"):
        shelf.delete("link", "link")
    assert (runs / "told" / "run.json").is_file()


def test_numbers_that_are_not_finite_are_none():
    assert plainly({"a": [float("nan"), 1.5, True, "x", None], 3: float("inf")}) == {
        "a": [None, 1.5, True, "x", None],
        "3": None,
    }


def test_a_record_with_strange_values_is_still_shown(shelf, runs):
    record = json.loads((runs / "vae" / "run.json").read_text())
    write_json(runs / "vae" / "run.json", {**record, "data": "x", "status": 5, "steps": None, "recipe": 7})
    assert shelf.summary(shelf.find("vae"))["data"] == ""
    assert shelf.detail("vae")["name"] == "vae"


def test_what_a_language_model_said_after_its_epochs_is_told_as_far_as_it_can_be_read(shelf, runs):
    rows = [{"temperature": t, "seed": "to be", "text": f"at {t}"} for t in (0.0, 0.5)]
    path = runs / "words" / "course.jsonl"
    path.write_text("".join(json.dumps({"step": n, "epoch": n, "nats": 2.0 / n, "rows": rows}) + "\n" for n in (1, 2)))
    found = shelf.detail("words")["course"]
    assert (found["seed"], found["temperatures"]) == ("to be", [0.0, 0.5])
    assert [(line["epoch"], line["nats"]) for line in found["epochs"]] == [(1, 2.0), (2, 1.0)]
    path.write_text('{"step": 1, "epoch": 1, "nats": 2, "rows": [5]}\n')
    assert shelf.detail("words")["course"] is None
    assert shelf.detail("vae")["course"] is None
