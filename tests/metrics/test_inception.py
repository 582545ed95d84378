"""The path of the FID with a stand-in for its network: resizing, range and distance against NumPy and SciPy."""

import math
import sys

import numpy as np
import pytest
import torch
from scipy import linalg, ndimage

from networks import CELL, CELLS, MIX, stand_in
from reverie.data.images import Split
from reverie.errors import DataError, Interrupted, UsageError
from reverie.metrics import inception
from reverie.metrics.inception import SIDE, WIDTH, evaluate_fid, opened, prepared

pytest.importorskip("onnx", reason="the extra export is not installed")


def resized(image):
    """Bilinear interpolation at the places i h / 299, j w / 299 of an image (C, H, W), by SciPy, in float64."""
    places = np.meshgrid(*(np.arange(SIDE) * side / SIDE for side in image.shape[1:]), indexing="ij")
    return np.array([ndimage.map_coordinates(channel, places, order=1, mode="nearest") for channel in image])


def seen(pixels):
    """What the stand-in sees, by NumPy alone."""
    rows = []
    for image in pixels.numpy().astype(np.float64):
        large = (resized(np.broadcast_to(image, (3, *image.shape[1:]))) - 128) / 128
        cells = large.reshape(3, CELLS, CELL, CELLS, CELL).mean((2, 4)).reshape(-1)
        rows.append(np.maximum(cells @ MIX.astype(np.float64), 0))
    return np.array(rows)


def pictures(n, channels=1, size=(9, 12), seed=0):
    source = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (n, channels, *size), generator=source, dtype=torch.uint8)


@pytest.fixture
def network(tmp_path):
    return opened(stand_in(tmp_path / "stand-in.onnx"))


@pytest.mark.parametrize(("channels", "size"), [(1, (9, 12)), (3, (28, 28)), (3, (299, 299)), (1, (400, 31))])
def test_images_are_resized_and_scaled_as_the_original_does(channels, size):
    pixels = pictures(1, channels, size)
    found, image = prepared(pixels), pixels[0].numpy().astype(np.float64)
    wanted = (resized(np.broadcast_to(image, (3, *size))) - 128) / 128
    assert found.shape == (1, 3, SIDE, SIDE)
    assert found.dtype == torch.float32
    np.testing.assert_allclose(found[0].numpy(), wanted, atol=2e-5)
    if size == (SIDE, SIDE):
        assert found[0].equal((pixels[0].float() - 128) / 128)


@pytest.mark.parametrize("pooled", [False, True])
def test_features_are_those_of_the_graph_whatever_the_batch(pooled, tmp_path, monkeypatch):
    network = opened(stand_in(tmp_path / "x.onnx", pooled=pooled))
    pixels = pictures(5)
    found = network.features(pixels)
    assert found.shape == (5, WIDTH)
    np.testing.assert_allclose(found.numpy(), seen(pixels), atol=1e-4)
    monkeypatch.setattr(inception, "BATCH", 2)
    moments = network.moments(pixels, lambda: False)
    np.testing.assert_allclose(moments.mean.numpy(), found.mean(0).numpy(), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(moments.covariance.numpy(), np.cov(found.numpy(), rowvar=False), rtol=1e-6, atol=1e-9)


def test_the_distance_is_that_of_scipy_on_the_features_of_numpy(tmp_path, monkeypatch):
    """With tr (S_a S_b)^(1/2) as the sum of the singular values of A B^T, of centred features over sqrt(n - 1).

    Of 64 features, since roots of 2,048 take a minute.
    """
    monkeypatch.setattr(inception, "WIDTH", 64)
    network = opened(stand_in(tmp_path / "narrow.onnx", width=64))
    train, fake, test = pictures(14, seed=1), pictures(12, seed=2) // 2, pictures(10, seed=3)
    known, held_out = Split(train), Split(test)
    figure = evaluate_fid(network, fake, known, held_out, protocol={"data": "noise"}, should_stop=lambda: False)
    a, b = (seen(pixels)[:, :64] for pixels in (fake, train))
    scatter_a, scatter_b = ((x - x.mean(0)) / math.sqrt(len(x) - 1) for x in (a, b))
    common = linalg.svdvals(scatter_a @ scatter_b.T).sum()
    wanted = ((a.mean(0) - b.mean(0)) ** 2).sum() + (scatter_a**2).sum() + (scatter_b**2).sum() - 2 * common
    assert figure.name == "FID"
    assert figure.value == pytest.approx(wanted, rel=1e-3)
    assert figure.protocol["n"] == 12
    assert figure.protocol["reference"] == "14 training images"
    assert figure.protocol["features_sha256"] == network.sha256[:16]
    assert figure.note.endswith("10 held-out images")


@pytest.mark.parametrize(
    ("wrong", "words"),
    [({"width": 64}, r"gives \(2, 64\)"), ({"side": 32}, "cannot be used"), ({"batch": 1}, "cannot be used")],
)
def test_another_graph_is_refused_with_what_is_wanted(wrong, words, tmp_path):
    with pytest.raises(DataError, match=f"{words}.*wanted is a graph from images .N, 3, 299, 299.") as error:
        opened(stand_in(tmp_path / "x.onnx", **wrong))
    assert "\n" not in str(error.value)


def test_what_is_no_graph_or_not_there_is_said_in_one_line(tmp_path):
    with pytest.raises(DataError, match="there is no file"):
        opened(tmp_path / "none.onnx")
    (tmp_path / "x.onnx").write_bytes(b"weights")
    with pytest.raises(DataError, match="cannot be used"):
        opened(tmp_path / "x.onnx")


def test_without_the_package_it_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(UsageError, match=r"pip install 'reverie\[export\]'"):
        opened(tmp_path / "x.onnx")


def test_transparent_images_are_refused_and_a_stop_is_answered(network):
    with pytest.raises(UsageError, match="4 channels"):
        network.features(pictures(2, channels=4))
    with pytest.raises(Interrupted, match="after 0 of 3"):
        network.moments(pictures(3), lambda: True)
