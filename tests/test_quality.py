"""Samples of trained models: drawn one by one, held against images in their own form, and watched."""

import json
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from PIL import Image
from torch import nn

import reverie
from reverie import quality
from reverie.actions.lookalikes import closeness
from reverie.data import load
from reverie.data.images import ImageSpec
from reverie.data.views import bits, symmetric, unit
from reverie.engine.noise import ItemNoise
from reverie.errors import Interrupted
from reverie.metrics import classifier, samples
from reverie.metrics.extractors import random_network, scaled
from reverie.quality import drawn, judged_by_samples, measure_samples, usual_count, watch_samples, yardsticks_of
from reverie.recipes import ladder_mnist, vae_conditional, vae_conv
from reverie.trained import Trained


class Painter(nn.Module):
    """A sampler and nothing else: noise around a picture that is asked for by its class."""

    classes = ("circle", "square", "triangle")

    def __init__(self, template):
        super().__init__()
        self.register_buffer("template", template)

    def sample(self, n, noise, *, label=None, temperature=1.0):
        x = self.template[torch.zeros(n, dtype=torch.long) if label is None else label]
        return x + 0.01 * temperature * noise.normal("paint", tuple(x.shape))


@pytest.fixture
def trained(monkeypatch, tmp_path):
    monkeypatch.setenv("REVERIE_CACHE", str(tmp_path))
    monkeypatch.setattr(classifier, "STEPS", 100)
    monkeypatch.setattr(classifier, "EPOCHS", 1)
    data = load("shapes", size=(16, 16))
    first = torch.stack([data.train.pixels[data.train.labels == c][0] for c in range(3)]) / 127.5 - 1
    return Trained("painter", tmp_path, Painter(first), symmetric(), data)


def test_samples_depend_on_neither_batch_nor_count(trained, monkeypatch):
    whole = drawn(trained, 40, "evaluate")
    assert whole.dtype == torch.uint8
    monkeypatch.setattr(quality, "BATCH", 7)
    assert drawn(trained, 40, "evaluate").equal(whole)
    assert drawn(trained, 13, "evaluate").equal(whole[:13])
    assert not drawn(trained, 40, "watch").equal(whole)


def test_classes_come_as_often_as_in_training(trained):
    labels = quality._labels(trained, 3 * len(trained.data.train))
    assert torch.bincount(labels).equal(3 * torch.bincount(trained.data.train.labels))


def test_a_stop_is_answered_between_batches(trained):
    with pytest.raises(Interrupted, match="after 0 of 9"):
        drawn(trained, 9, "evaluate", lambda: True)


def test_a_collapsed_painter_is_found_out(trained):
    result = measure_samples(trained, 300, protocol={"data": "shapes"}, quick=True)
    assert [path.name for path in result.files] == ["lookalikes.png", "lookalikes.dark.png"]
    found = {f.name: f for f in result.figures}
    fd = found["FD[classifier-shapes,64d]"]
    assert fd.value > 10 * found["floor of FD[classifier-shapes,64d]"].value
    assert fd.protocol["n"] == 300
    assert fd.protocol["both_sides"] == "8-bit levels"
    assert found["twins"].value > 0.9
    assert found["coverage[random,64d]"].value < 0.1
    watched = watch_samples(trained, yardsticks_of(trained.data, lambda words: None), 300)
    assert list(watched)[0] == "test_fd"
    assert watched["test_fd"] > 100
    assert watched["test_recall"] < 0.1
    assert 1 <= watched["test_classes"] <= 3


def test_noise_is_found_worse_than_one_picture_of_each_class(trained):
    """A classifier alone may not see it; the mean with random features does."""
    yardsticks = yardsticks_of(trained.data, lambda words: None)
    templates = watch_samples(trained, yardsticks, 200)
    wild = Trained(**{**vars(trained), "model": Painter(trained.model.template + 30 * torch.eye(16))})
    assert len(yardsticks) == 2
    apart = [watch_samples(wild, [each], 200)["test_fd"] for each in yardsticks]
    whole = watch_samples(wild, yardsticks, 200)
    assert whole["test_fd"] == pytest.approx(sum(apart) / 2)
    assert whole["test_fd"] > templates["test_fd"]


def test_bits_are_held_against_bits_and_means_against_levels(trained):
    grey = load("shapes", size=(16, 16), channels="grey")
    fixed = replace(grey, test=bits().fix(grey.test, "test"), train=bits("static").fix(grey.train, "train"))
    assert fixed.plain.test.pixels.equal(grey.test.pixels)
    assert fixed.plain.train.pixels.equal(grey.train.pixels)
    ink = (torch.rand(50, 1, 16, 16) < 0.5).to(torch.uint8) * 255
    for part in quality._references(fixed, ink):
        assert ((part.pixels == 0) | (part.pixels == 255)).all()
    for part, plain in zip(quality._references(fixed, ink // 2), (grey.train, grey.test), strict=True):
        assert part.pixels.equal(plain.pixels)


class Coin(nn.Module):
    """The probability of ink grows from left to right; a decoder says so, and a drawing is a draw."""

    latent = 1

    def sample(self, n, noise, *, label=None, temperature=1.0):
        return torch.linspace(0, 1, 16).expand(n, 1, 16, 16)

    def encode(self, x, label=None):
        raise NotImplementedError

    decode = encode


def test_of_a_model_of_bits_bits_are_drawn_as_often_as_its_mean_says(trained):
    """4,000 draws of each of 256 pixels: the shares lie within four standard errors of the means; others stay means."""
    coin = Trained(**{**vars(trained), "model": Coin(), "view": bits()})
    pixels = drawn(coin, 4000, "evaluate")
    assert ((pixels == 0) | (pixels == 255)).all()
    mean = torch.linspace(0, 1, 16)
    share = (pixels == 255).float().mean((0, 1, 2))
    error = (mean * (1 - mean) / (4000 * 16)).sqrt()
    assert ((share - mean).abs() <= 4 * error).all()
    assert len(torch.unique(pixels.flatten(1), dim=0)) == 4000
    assert quality._kind(coin) == "bits drawn from p(x|z), z from the prior"
    grey = Trained(**{**vars(coin), "view": unit()})
    assert drawn(grey, 2, "evaluate")[0, 0, 3].equal((mean * 255).round().to(torch.uint8))
    assert quality._kind(grey) == "decoder means, z from the prior"
    assert quality._kind(trained) == "draws, classes as often as in training"


def test_bits_that_were_drawn_stay_as_they_are(trained):
    ink = (torch.rand(9, 1, 16, 16, generator=torch.Generator().manual_seed(0)) < 0.5).float()

    class Drawer(nn.Module):
        def sample(self, n, noise, *, label=None, temperature=1.0):
            return ink[:n]

    pixels = drawn(Trained(**{**vars(trained), "model": Drawer(), "view": bits()}), 9, "evaluate")
    assert pixels.equal((ink * 255).to(torch.uint8))


def test_bits_that_follow_one_another_are_drawn_in_order(trained):
    """Each bit repeats its left neighbour: a draw of independent bits with the same means does not."""
    spec = ImageSpec("shapes", (1, 16, 16))
    model = ladder_mnist.run(spec, width=8, local=8).model.eval()
    o = model.observation
    with torch.no_grad():
        for parameter in o.parameters():
            parameter.zero_()
        o.columns.weight[0, 0, 0, -1], o.columns.bias[0] = 20, -10
        o.head[1].weight[0, 0, 0, 0] = o.last.weight[0, 0, 0, 0] = 1
        o.last.bias[0] = -4
        z = ItemNoise((1,), range(200)).normal("z", (200, model.latent))
        expected = equal_neighbours(model.decode(z).sample(ItemNoise((2,), range(200)), "x"))
    pixels = drawn(Trained(**{**vars(trained), "model": model, "view": bits()}), 200, "evaluate")
    assert expected > 0.95
    assert abs(equal_neighbours(pixels) - expected) < 0.01


def equal_neighbours(x):
    return float((x[..., 1:] == x[..., :-1]).float().mean())


@pytest.mark.parametrize("recipe", [vae_conv, ladder_mnist, vae_conditional])
def test_independent_bits_are_ones_below_their_mean(recipe, trained):
    spec = ImageSpec("shapes", (1, 16, 16), ("circle", "square", "triangle"))
    model = recipe.run(spec).model.eval()
    noise = ItemNoise((0, "evaluate"), range(20))
    label = quality._labels(Trained(**{**vars(trained), "model": model}), 20)
    with torch.no_grad():
        mean = model.sample(20, noise, label=label)
    pixels = drawn(Trained(**{**vars(trained), "model": model, "view": bits()}), 20, "evaluate")
    assert pixels.equal((noise.uniform("bits", tuple(mean.shape)) < mean).to(torch.uint8) * 255)


def test_who_is_judged_by_samples_alone(trained):
    from toys import tiny_vae

    assert judged_by_samples(trained.model)
    assert not judged_by_samples(tiny_vae())
    assert not judged_by_samples(nn.Linear(2, 2))
    assert [usual_count(trained, quick) for quick in (True, False)] == [600, 600]
    assert quality._colours(replace(trained.data, name="stacked-mnist-007", classes=())) == 0  # one class of it
    many = replace(trained.data, test=trained.data.train)
    assert [usual_count(replace(trained, data=many), quick) for quick in (True, False)] == [1000, 5400]


def test_a_run_is_evaluated_with_its_samples(monkeypatch, tmp_path):
    """A VAE of bits: bits drawn by it against bits of images; the same figures whatever the batch."""
    monkeypatch.setenv("REVERIE_CACHE", str(tmp_path))
    monkeypatch.setattr(classifier, "STEPS", 20)
    monkeypatch.setattr(classifier, "EPOCHS", 1)
    run = reverie.train("vae-conv", data="shapes", size="8", channels="grey", steps=3, threads=1)
    names = [figure.name for figure in reverie.evaluation.read_figures(run.folder)]
    assert "FD[random,64d]" in names
    assert "FD[classifier-shapes,64d]" not in names
    figures = {f.name: f for f in run.evaluate(k=1, n=5, samples=200).figures}
    fd = figures["FD[classifier-shapes,64d]"]
    assert fd.protocol["samples"] == "bits drawn from p(x|z), z from the prior"
    assert fd.protocol["both_sides"] == "bits"
    train, _ = quality._references(run.data, torch.zeros(1, 1, 8, 8, dtype=torch.uint8))
    for name, network in (("random", random_network(train)), ("classifier-shapes", None)):
        fitted = network or scaled(classifier.classifier(run.data.plain), train)
        assert figures[f"FD[{name},64d]"].protocol["features_sha256"] == fitted.protocol["features_sha256"]
        assert fitted.features(train.pixels).var(0, correction=0).sum() == pytest.approx(1000)
    monkeypatch.setattr(quality, "BATCH", 33)
    again = {f.name: f for f in run.evaluate(k=1, n=5, samples=200).figures}
    assert again["FD[random,64d]"].value == pytest.approx(figures["FD[random,64d]"].value, rel=1e-3)
    assert not [f.name for f in run.evaluate(k=1, n=5, samples=0).figures if f.name.startswith("FD")]
    with pytest.raises(reverie.errors.UsageError, match="--samples: the number of samples must be at least 2"):
        run.evaluate(samples=1)


@pytest.mark.parametrize("recipe", ["gan-mlp-small", "ae-mlp", "vae-conv"])
@pytest.mark.parametrize("count", [2, 3])
def test_a_handful_of_images_is_enough_to_train(recipe, count, tmp_path):
    """One of them is held out: samples are held against none, and one training image has no components."""
    for i in range(count):
        pixels = torch.randint(0, 256, (8, 8), generator=torch.Generator().manual_seed(i), dtype=torch.uint8)
        Image.fromarray(pixels.numpy()).save(tmp_path / f"{i}.png")
    run = reverie.train(recipe, data=str(tmp_path), steps=2, batch=1, threads=1, runs=tmp_path / "runs")
    names = [figure.name for figure in reverie.evaluation.read_figures(run.folder)]
    assert not [name for name in names if name.startswith("FD")]
    assert (recipe != "gan-mlp-small" and count == 3) == ("pca_psnr" in names)


def sorted_by_class(n, seed, shuffled=False):
    """Features of two classes far apart, one tight and one wide, the first half of one class, (n, 2)."""
    normal = torch.randn(n, 2, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    second = torch.arange(n)[:, None] >= n // 2
    x = torch.where(second, 1000 + 100 * normal, normal)
    return x[torch.randperm(n, generator=torch.Generator().manual_seed(seed))] if shuffled else x


class Seen(nn.Module):
    """An extractor whose pictures are their features already."""

    title = "plane,2d"

    def features(self, x):
        return x


def plane(train, held_out):
    return SimpleNamespace(known=sorted_by_class(train, 0, True), held_out=sorted_by_class(held_out, 1),
                           extractor=Seen(), like=lambda n: sorted_by_class(train, 0, True)[:n])  # fmt: skip


def test_held_out_images_that_lie_by_class_are_all_classes_where_some_stand_for_all():
    fake = sorted_by_class(1000, 2, True)
    watched = quality._watched(fake, plane(3000, 4000))
    assert min(watched["test_precision"], watched["test_recall"]) > 0.9
    assert watched["test_memory"] == pytest.approx(1, abs=0.2)
    assert float(closeness(fake, plane(3000, 4000)).mean()) == pytest.approx(1, abs=0.2)
    (memory,) = samples._memory("plane", (fake, sorted_by_class(4000, 1), sorted_by_class(3000, 0)), {})
    assert memory.value == pytest.approx(1, abs=0.2)
    found = samples._neighbourhood(sorted_by_class(4000, 2, True), plane(1000, 4000), {})
    floors = {figure.name: float(figure.note.split(": ")[1]) for figure in found}
    assert min(floors["recall[plane,2d]"], floors["coverage[plane,2d]"]) > 0.9


def test_memory_is_not_watched_where_every_held_out_image_occurs_in_training(trained):
    data = replace(trained.data, test=samples.some(trained.data.train, 200))
    watched = watch_samples(trained, yardsticks_of(data, lambda words: None), 200)
    assert "test_memory" not in watched
    assert list(watched)[0] == "test_fd"
    json.dumps(watched, allow_nan=False)
