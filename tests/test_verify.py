"""The command: a row for each check, the same in JSON, and an exit code that says whether all hold."""

import json

import pytest
import torch

from reverie import verify
from reverie.distributions import Gaussian
from reverie.errors import ReverieError, UsageError
from reverie.verification import machine, mathematics, model
from reverie.verification.findings import Finding
from scenes import make_runs, reverie

ALL = len(mathematics.CHECKS) + len(machine.CHECKS)

PLAIN = '''"""A recipe of one's own whose model has no protocol at all."""

from torch import nn

from reverie.data.views import unit
from reverie.engine.plan import Plan


def run(data) -> Plan:
    """The recipe.

    Args:
        data: shape and classes of the images.
    """
    return Plan(nn.Linear(1, 1), unit(), {}, 4, 1)
'''


@pytest.fixture(scope="module")
def workshop(tmp_path_factory):
    home = tmp_path_factory.mktemp("workshop")
    make_runs(home)
    (home / "plain.py").write_text(PLAIN)
    return home


@pytest.fixture
def here(workshop, monkeypatch):
    monkeypatch.chdir(workshop)
    monkeypatch.setenv("REVERIE_RUNS", "runs")
    return workshop


def said(capfd, *words: str, code: int = 0) -> tuple[str, str]:
    found = reverie("verify", *words)
    out, err = capfd.readouterr()
    assert found == code, err
    return out, err


def test_the_package_and_the_machine_pass(capfd):
    out, err = said(capfd)
    checks = [*mathematics.CHECKS, *machine.CHECKS]
    lines = out.splitlines()
    assert lines[0].split() == ["check", "error", "tolerance"]
    assert all(any(line.startswith(f"{each.name} ") and " pass " in line for line in lines) for each in checks)
    assert lines[-1].startswith(f"{ALL} checked, all pass (")
    assert err == ""


def test_json_says_the_same(capfd):
    answer = json.loads(said(capfd, "--json")[0])
    assert answer["target"] is None
    assert answer["passed"] is True
    assert [each["name"] for each in answer["checks"]] == [c.name for c in (*mathematics.CHECKS, *machine.CHECKS)]
    for each in answer["checks"]:
        assert 0 <= each["error"] <= each["tolerance"]
        assert each["proves"]


def test_a_mistake_is_told_and_the_exit_code_is_1(capfd, monkeypatch):
    monkeypatch.setattr(Gaussian, "kl", lambda self: self.mean.square() + torch.expm1(self.log_variance))
    out, err = said(capfd, code=1)
    (row,) = [line for line in out.splitlines() if "FAIL" in line and "checked" not in line]
    assert row.startswith("Gaussian: divergence from the prior")
    assert f"{ALL} checked, 1 FAIL" in out
    assert f"1 of {ALL} checks failed: Gaussian: divergence from the prior. See docs/verify.md." in err
    answer = json.loads(said(capfd, "--json", code=1)[0])
    assert answer["passed"] is False
    assert [each["name"] for each in answer["checks"] if not each["passed"]] == ["Gaussian: divergence from the prior"]


@pytest.mark.parametrize("name", ["vae", "plain", "narrow", "game"])
def test_a_run_passes_whatever_its_kind(name, here, capfd):
    out, _ = said(capfd, name)
    assert "all pass" in out
    answer = json.loads(said(capfd, name, "--json")[0])
    assert [each["name"] for each in answer["checks"]] == [each.name for each in model.CHECKS]
    passed = {each["name"]: each["passed"] for each in answer["checks"]}
    assert passed["loss: one number an image, and repeatable"] is True
    assert passed["simulated images: lower bound <= upper bound"] is (True if name in ("vae", "narrow") else None)
    assert "not checked: " in out


@pytest.mark.parametrize("words", [("vae-conv", "--data", "flat"), ("vae_mlp", "--data", "flat", "--size", "6")])
def test_a_recipe_is_taken_with_fresh_weights(words, here, capfd):
    assert "all pass" in said(capfd, *words)[0]


def test_a_recipe_of_ones_own_is_taken_by_its_file(here, capfd):
    assert "1 checked, all pass" in said(capfd, "game.py", "--data", "flat")[0]


def test_a_run_is_looked_at_on_other_images(here, capfd):
    assert "all pass" in said(capfd, "narrow", "--data", "classes")[0]


def test_a_wrong_density_of_a_run_fails(here, capfd, monkeypatch):
    right = Gaussian.draw

    def too_dense(self, noise, k=1):
        z, log_q = right(self, noise, k)
        return z, log_q + 1

    monkeypatch.setattr(Gaussian, "draw", too_dense)
    assert "posterior: density of its draws" in said(capfd, "vae", code=1)[1]


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("nothing",), 2, 'There is no run "nothing"'),
        (("vae-cnov",), 2, 'Of the recipes: Did you mean "vae-conv"?'),
        (("--data", "flat"), 2, "name a run or a recipe"),
        (("--size", "8"), 2, "name a run or a recipe"),
        (("vae", "--size", "8"), 2, "--size is for recipes"),
        (("vae-conv", "--data", "nowhere"), 3, "nowhere"),
        (("vae-conv", "--data", "flat", "--size", "0"), 2, "--size"),
        (("plain.py", "--data", "flat"), 2, "There is nothing to verify"),
        (("plain.py",), 2, "names no usual data"),
    ],
)
def test_wrong_calls_are_told(words, code, message, here, capfd):
    assert message in said(capfd, *words, code=code)[1]


def finding(error, note=""):
    return Finding("a thing", error, 0.1, 1.0, note, "It is.")


def test_rows():
    assert verify.line(finding(0.05)).split() == ["a", "thing", "5.0e-02", "1.0e-01", "pass", "1.00", "s"]
    assert " FAIL " in verify.line(finding(float("nan")))
    assert verify.line(finding(0.0, "so and so")).endswith("\n    so and so")
    assert verify.line(finding(None, "no flow")).endswith("not checked: no flow")
    assert verify.total([finding(0.0), finding(None)]) == "1 checked, all pass (2.0 s)"


def test_demands():
    verify.demand([finding(0.0), finding(None)])
    with pytest.raises(ReverieError, match="1 of 1 checks failed: a thing"):
        verify.demand([finding(1.0), finding(None)])
    with pytest.raises(UsageError, match="nothing to verify"):
        verify.demand([finding(None)])
