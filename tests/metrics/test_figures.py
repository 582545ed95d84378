"""Figures: what may be compared, what is kept, and their errors."""

import json

import pytest
import torch

from reverie.metrics.figures import Figure, comparable, mean_figure

PROTOCOL = {"data": "mnist", "split": "test", "binarisation": "fixed", "K": 1000, "n": 10_000}


def figure(**changes):
    fields = {"name": "elbo", "value": -90.0, "unit": "nats per image", "standard_error": 0.2}
    return Figure(**(fields | {"protocol": PROTOCOL} | changes))


def test_json_and_back():
    for made in (figure(), figure(standard_error=None, note="lower bound")):
        assert Figure.from_json(json.loads(json.dumps(made.to_json()))) == made


def test_figures_of_one_protocol_are_comparable_whatever_their_values():
    assert comparable(figure(), figure(value=-80.0, standard_error=0.3, note="other")) == []


@pytest.mark.parametrize("key", PROTOCOL)
def test_every_key_of_the_protocol_counts(key):
    assert comparable(figure(), figure(protocol=PROTOCOL | {key: "other"})) == [key]
    without = {name: value for name, value in PROTOCOL.items() if name != key}
    assert comparable(figure(), figure(protocol=without)) == [key]


def test_names_and_units_count():
    assert comparable(figure(), figure(name="kl", unit="bits")) == ["name", "unit"]


def test_mean_and_standard_error():
    made = mean_figure("x", torch.tensor([1.0, 2.0, 3.0, 6.0]), "nats", {"data": "a"})
    assert made.value == 3.0
    assert made.standard_error == pytest.approx((14 / 3) ** 0.5 / 2)
    assert made.protocol == {"data": "a", "n": 4}
    assert mean_figure("x", torch.tensor([1.0]), "nats", {}).standard_error is None
    assert mean_figure("x", torch.tensor([1.0, float("nan")]), "nats", {}).value != 1.0
