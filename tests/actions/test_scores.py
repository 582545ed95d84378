"""Scores of grey images under models of bits: of one draw of bits, whatever the batch."""

import pytest
import torch

from reverie.actions import of_images, scores
from reverie.data.images import ImageData, Split
from reverie.data.views import bits
from reverie.distributions import Bernoulli
from reverie.models.vae import VAE
from reverie.nn.mlp import mlp_decoder, mlp_encoder
from reverie.priors import StandardNormal, VampPrior
from reverie.trained import Trained, code_use, codes_of

SHAPE = (1, 4, 4)


def grey(prior, folder, n=120):
    """A model of bits with grey images, whose bits nobody has fixed."""
    torch.manual_seed(0)
    model = VAE(mlp_encoder(SHAPE, (8,), 4), mlp_decoder(2, (8,), SHAPE), Bernoulli, prior).eval()
    split = Split(torch.randint(0, 256, (n, *SHAPE), dtype=torch.uint8))
    return Trained("run", folder, model, bits(), ImageData("grey", split, split, (), "all", "none"))


def test_scores_depend_on_no_batch(monkeypatch, tmp_path):
    found = []
    for size in (50, 7):
        monkeypatch.setattr(scores, "BATCH", size)
        found.append(of_images.score(grey(StandardNormal(2), tmp_path), k=3, out=tmp_path / "a.png").values["bound"])
    assert found[0] == pytest.approx(found[1], abs=1e-4)


def test_the_strangest_are_restored_from_the_bits_that_were_scored(monkeypatch, tmp_path):
    trained, seen = grey(StandardNormal(2), tmp_path), []
    encode = trained.model.encode
    monkeypatch.setattr(trained.model, "encode", lambda x: (seen.append(x), encode(x))[1])
    order = of_images.score(trained, k=3, out=tmp_path / "a.png").values["order"]
    assert seen[-1].equal(trained.observe(trained.data.test.pixels)[order[:24]])


def test_codes_are_of_one_draw_of_bits(tmp_path):
    trained = grey(StandardNormal(2), tmp_path, 1100)
    pixels = trained.data.test.pixels
    with torch.no_grad():
        mean = trained.model.encode(trained.observe(pixels)).mean
    torch.testing.assert_close(codes_of(trained, pixels, "look"), mean)
    torch.testing.assert_close(code_use(trained, trained.data.test)[0], mean)
    with torch.no_grad():
        pictures = trained.pixels(trained.model.decode(mean).mean)
    assert (trained.restored(trained.observe(pixels), None, "look").int() - pictures.int()).abs().max() <= 1


def test_codes_are_used_by_nats_from_a_standard_normal_and_else_by_variance(tmp_path):
    for prior in (StandardNormal(2), VampPrior(torch.rand(3, *SHAPE), 2)):
        trained = grey(prior, tmp_path)
        with torch.no_grad():
            q = trained.model.encode(trained.observe(trained.data.test.pixels))
        codes, use, unit = code_use(trained, trained.data.test)
        normal = isinstance(prior, StandardNormal)
        assert unit == ("nats" if normal else "variance")
        torch.testing.assert_close(codes, q.mean)
        torch.testing.assert_close(use, q.kl().mean(0) if normal else q.mean.var(0))
        values = of_images.traverse(trained, out=tmp_path / "a.png").values
        assert list(values) == ["kl" if normal else "variance"]
