"""What a model is measured beside: references that stand for all training images, whatever the order these lie in."""

import json
import math

import numpy as np
import torch
from sklearn.decomposition import PCA
from torch import nn

from reverie import evaluation
from reverie.data.images import ImageData, Split
from reverie.data.views import unit
from reverie.distributions import Point, unit_gaussian
from reverie.evaluation import evaluate
from reverie.metrics.figures import Figure
from reverie.metrics.samples import some
from reverie.trained import Trained, spread


class Corner(nn.Module):
    """Codes are the four pixels of a corner, and every picture is restored to one grey."""

    latent = 4

    def encode(self, x, label=None):
        return Point(x[:, 0, :2, :2].flatten(1))

    def decode(self, z, label=None):
        return unit_gaussian(0.5 * torch.ones(len(z), 1, 8, 8))


def alternating(n, seed):
    """Images that vary in their left half, and in turn others that vary in their right half; labels say which."""
    source = np.random.default_rng(seed)
    strokes = np.random.default_rng(0).uniform(0.2, 1, (2, 2, 8, 4))
    pixels, labels = np.zeros((n, 8, 8)), np.arange(n) % 2
    for i in range(n):
        made = (source.uniform(0, 0.5, (2, 1, 1)) * strokes[i % 2]).sum(0)
        pixels[i, :, 4 * (i % 2) : 4 * (i % 2) + 4] = made
    levels = torch.from_numpy((255 * pixels).astype(np.uint8))[:, None]
    return Split(levels, torch.from_numpy(labels))


def test_references_stand_for_images_that_alternate_between_two_kinds(tmp_path, monkeypatch):
    """100 of 200: an even step would take one kind alone, restore the other badly, and know no neighbour of it."""
    monkeypatch.setattr(evaluation, "REFERENCES", 100)
    train, test = alternating(200, 1), alternating(60, 2)
    data = ImageData("halves", train, test, ("left", "right"), "all", "none")
    trained = Trained("run", tmp_path, Corner(), unit(), data)
    found = {figure.name: figure for figure in evaluate(trained, samples=0).figures}

    def error(known):
        fitted = PCA(4).fit(known.pixels.flatten(1).double() / 255)
        x = test.pixels.flatten(1).double().numpy() / 255
        return float(((fitted.inverse_transform(fitted.transform(x)) - x) ** 2).sum(1).mean())

    assert spread(train, 100).labels.unique().tolist() == [0]
    drawn = error(some(train, 100))
    assert abs(found["pca_squared_error"].value - drawn) < 1e-5
    assert error(spread(train, 100)) > 100 * drawn
    assert found["pca_knn_accuracy"].value > 0.95
    assert found["pca_squared_error"].protocol["fitted_on"] == "100 of 200 training images, drawn"
    assert found["pca_knn_accuracy"].protocol["among"] == "100 of 200 training images, drawn"
    monkeypatch.setattr(evaluation, "REFERENCES", 999)
    whole = {figure.name: figure for figure in evaluate(trained, samples=0).figures}
    assert whole["knn_accuracy"].protocol["among"] == "200 of 200 training images"


def test_figures_that_are_not_finite_are_left_out_and_named(tmp_path, monkeypatch):
    found = [Figure("good", 1.0, "nats", math.nan, {}), Figure("bad", math.nan, "nats", None, {})]
    monkeypatch.setattr(evaluation, "_of_images", lambda *_: found)
    split = Split(torch.zeros(4, 1, 8, 8, dtype=torch.uint8))
    trained = Trained("run", tmp_path, Corner(), unit(), ImageData("x", split, split, (), "all", "none"))
    assert [figure.name for figure in evaluate(trained).figures] == ["good"]
    assert json.loads((tmp_path / "eval.json").read_text())["left_out"] == {"not finite": ["bad"]}
    assert evaluation.read_figures(tmp_path) == [Figure("good", 1.0, "nats", None, {})]
