"""A check measures, and whatever goes wrong in it is a finding; NaN never passes."""

import json
import math

import pytest
import torch

from reverie.verification.findings import Inapplicable, check, excess, largest, relative


def finding(measure, tolerance=0.1):
    return check("a thing", tolerance)(measure)()


@pytest.mark.parametrize(
    ("error", "passed"), [(0.0, True), (0.1, True), (0.11, False), (math.inf, False), (math.nan, False)]
)
def test_an_error_passes_up_to_its_tolerance(error, passed):
    found = finding(lambda: error)
    assert found.passed is passed
    answer = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert answer["passed"] is passed
    assert answer["error"] == (error if math.isfinite(error) else None)


def test_a_note_comes_with_the_error_and_the_first_line_says_what_is_proved():
    def measure(x):
        """It is proved.

        At length.
        """
        return x, "so and so"

    found = check("a thing", 1.0)(measure)(0.5)
    assert (found.error, found.note, found.proves) == (0.5, "so and so", "It is proved.")


def test_what_does_not_apply_neither_passes_nor_fails():
    def measure():
        raise Inapplicable("no flow")

    found = finding(measure)
    assert (found.error, found.passed, found.note) == (None, None, "no flow")
    assert found.to_json()["passed"] is None


def test_what_cannot_be_computed_has_failed_with_the_reason():
    def measure():
        raise RuntimeError("shapes\ndiffer")

    found = finding(measure)
    assert found.passed is False
    assert found.note == "RuntimeError: shapes differ"


def test_a_long_reason_is_cut():
    def measure():
        raise ValueError("word " * 1000)

    assert len(finding(measure).note) <= 200


def test_distances():
    assert largest(torch.tensor([1.0, -3.0])) == 3
    assert math.isnan(largest(torch.tensor([1.0, math.nan])))
    assert relative(torch.tensor([101.0, 0.3]), torch.tensor([100.0, 0.1])) == pytest.approx(0.2)


def test_an_excess_is_what_chance_does_not_explain():
    chance = torch.randn(1000, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    error = float(chance.std()) / 1000**0.5
    assert excess(chance) == 0
    assert excess(chance - 1) == 0
    assert excess(chance - chance.mean() + 1) == pytest.approx(1 - 4 * error)
    assert math.isnan(excess(torch.tensor([1.0, math.nan])))
