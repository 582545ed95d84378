"""The classifier: it learns, it is kept whole or made anew, and it is the same every time."""

import json

import pytest
import torch

from reverie.data import load
from reverie.errors import DataError
from reverie.metrics import classifier as module
from reverie.metrics.classifier import classifier
from reverie.metrics.extractors import SPREAD


@pytest.fixture
def shapes(monkeypatch, tmp_path):
    monkeypatch.setenv("REVERIE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(module, "STEPS", 60)
    monkeypatch.setattr(module, "EPOCHS", 1)
    return load("shapes", size=(16, 16))


def kept(tmp_path):
    return sorted((tmp_path / "cache" / "classifiers").iterdir())


def test_it_tells_classes_and_is_read_back_as_it_was(shapes, tmp_path, monkeypatch):
    told = []
    made = classifier(shapes, told.append)
    assert made.name == "classifier-shapes"
    assert len(told) == 1
    assert "shapes is trained" in told[0]
    assert made.accuracy > 0.6  # of three classes
    features, classes = made.look(shapes.test.pixels)
    assert float((classes == shapes.test.labels).double().mean()) == made.accuracy
    assert made.features(shapes.train.pixels).var(0, correction=0).sum() == pytest.approx(SPREAD, rel=0.05)
    about, weights = kept(tmp_path)
    assert json.loads(about.read_text())["accuracy"] == made.accuracy
    assert weights.suffix == ".safetensors"
    monkeypatch.setattr(module, "_train", lambda *_: pytest.fail("it was trained again"))
    again = classifier(shapes, told.append)
    assert len(told) == 1  # who reads it back need not be told
    assert again.features(shapes.test.pixels).equal(features)
    assert again.protocol == made.protocol


@pytest.mark.parametrize("harm", ["half", "other", "no json", "wrong json"])
def test_what_is_not_whole_is_trained_anew_to_the_same_weights(shapes, tmp_path, harm):
    first = classifier(shapes).protocol
    about, weights = kept(tmp_path)
    content = weights.read_bytes()
    if harm == "half":
        weights.write_bytes(content[: len(content) // 2])
    elif harm == "other":
        weights.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    else:
        about.unlink() if harm == "no json" else about.write_text("[")
    torch.manual_seed(99)  # the global generator is not asked
    assert classifier(shapes).protocol == first
    assert weights.read_bytes() == content


def test_without_classes_there_is_none(shapes):
    from dataclasses import replace

    with pytest.raises(DataError, match="no two classes"):
        classifier(replace(shapes, classes=("one",)))


@pytest.mark.slow
def test_it_tells_99_of_100_digits(shared_data, monkeypatch, tmp_path):
    monkeypatch.setenv("REVERIE_CACHE", str(tmp_path))
    assert classifier(load("mnist")).accuracy >= 0.99
