"""The doctor tells what is here, and how to install what is not."""

import tomllib
from pathlib import Path

import torch

from reverie import __version__, native
from reverie.cli.doctor import EXTRAS, findings


def test_versions_and_folders_are_those_of_this_process(monkeypatch, tmp_path):
    monkeypatch.setenv("REVERIE_RUNS", str(tmp_path / "mine"))
    monkeypatch.setenv("REVERIE_CACHE", str(tmp_path / "cache"))
    found = findings()
    assert (found["reverie"], found["torch"]) == (__version__, torch.__version__)
    assert (found["runs"], found["cache"]) == (str(tmp_path / "mine"), str(tmp_path / "cache"))
    assert all(isinstance(value, str) and value for value in found.values())


def test_kernels_are_named_or_why_there_are_none(monkeypatch):
    monkeypatch.setattr(native, "available", lambda: False)
    monkeypatch.setattr(native, "missing", lambda: "there is no C compiler")
    assert findings()["kernels"] == "torch's: there is no C compiler"
    monkeypatch.setattr(native, "available", lambda: True)
    monkeypatch.setattr(native, "version", lambda: "0123456789abcdef")
    assert findings()["kernels"] == "of one's own, 0123456789abcdef"


def test_data_is_listed_where_it_lies(monkeypatch, tmp_path):
    monkeypatch.setenv("REVERIE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("REVERIE_DATA", str(tmp_path))
    assert "tinyshakespeare" not in findings()["data here"].split(", ")
    (tmp_path / "shakespeare").mkdir()
    (tmp_path / "shakespeare" / "tinyshakespeare.txt").write_text("words")
    assert "tinyshakespeare" in findings()["data here"].split(", ")


def test_every_extra_of_a_user_is_looked_for():
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    assert EXTRAS.keys() == extras.keys() - {"dev", "browser"}
    assert all(any(each.startswith(package) for each in extras[extra]) for extra, package in EXTRAS.items())


def test_a_missing_extra_comes_with_the_line_that_installs_it(monkeypatch):
    monkeypatch.setattr("reverie.cli.doctor.EXTRAS", {"demo": "no-such-package"})
    assert findings()["[demo]"] == "not installed: pip install 'reverie[demo]'"
