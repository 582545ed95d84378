"""Reconstruction figures against NumPy and scikit-learn."""

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA as Oracle
from torch import nn

from reverie.errors import UsageError
from reverie.metrics import reconstruction
from reverie.metrics.reconstruction import evaluate_pca, evaluate_reconstruction, fit_pca
from reverie.models.autoencoder import Autoencoder

PROTOCOL = {"data": "noise"}


def pictures(n, *shape, seed=0):
    """Correlated numbers, so that principal components differ."""
    source = torch.Generator().manual_seed(seed)
    width = int(np.prod(shape))
    mixing = torch.randn(width, width, generator=torch.Generator().manual_seed(9))
    return (torch.randn(n, width, generator=source) @ mixing * 0.1 + 0.5).view(n, *shape)


@pytest.mark.parametrize(("n", "shape"), [(200, (1, 3, 4)), (15, (2, 4, 5))], ids=["covariance", "gram"])
def test_principal_components_are_those_of_scikit_learn(n, shape, monkeypatch):
    monkeypatch.setattr(reconstruction, "ROWS", 64)
    x = pictures(n, *shape)
    flat = x.flatten(1).double().numpy()
    pca, oracle = fit_pca(x, 5), Oracle(5, svd_solver="full").fit(flat)
    signs = np.sign((pca.components.numpy() * oracle.components_).sum(1))
    np.testing.assert_allclose(pca.components, oracle.components_ * signs[:, None], atol=1e-9)
    np.testing.assert_allclose(pca.variances, oracle.explained_variance_, rtol=1e-9)
    np.testing.assert_allclose(pca.encode(x), oracle.transform(flat) * signs, atol=1e-9)
    restored = oracle.inverse_transform(oracle.transform(flat))
    np.testing.assert_allclose(pca.decode(pca.encode(x)), restored, atol=1e-9)
    assert (pca.components.gather(1, pca.components.abs().argmax(1, keepdim=True)) > 0).all()


@pytest.mark.parametrize("dimensions", [0, 10, 13])
def test_more_components_than_there_are_is_refused(dimensions):
    with pytest.raises(UsageError, match=f"at most 9 principal components; {dimensions} were"):
        fit_pca(pictures(10, 12), dimensions)


def test_all_components_restore_everything():
    x = pictures(50, 1, 2, 3)
    figures = evaluate_pca(x, x, 6, to_unit=lambda v: v, protocol=PROTOCOL)
    assert figures[0].value == pytest.approx(0, abs=1e-20)
    assert figures[2].value == pytest.approx(100)


def test_components_are_orthonormal_where_images_repeat():
    """Of 60 images of which 5 differ: 4 components restore them all, and the others are orthonormal all the same."""
    x = pictures(5, 1, 10, 10).repeat(12, 1, 1, 1)
    pca = fit_pca(x, 40)
    gram = pca.components @ pca.components.T
    torch.testing.assert_close(gram, torch.eye(40, dtype=torch.float64), rtol=0, atol=1e-10)
    torch.testing.assert_close(pca.decode(pca.encode(x)), x.flatten(1).double(), rtol=0, atol=1e-10)
    assert (pca.variances >= 0).all()


@pytest.mark.parametrize("value", [0.0, 0.3])
def test_equal_images_are_restored_by_their_mean(value):
    x = torch.full((12, 1, 5, 5), value)
    pca = fit_pca(x, 7)
    torch.testing.assert_close(pca.components @ pca.components.T, torch.eye(7, dtype=torch.float64))
    figures = evaluate_pca(x, x, 7, to_unit=lambda v: v, protocol=PROTOCOL)
    assert figures[0].value == pytest.approx(0, abs=1e-20)


def test_the_error_of_training_images_is_the_variance_left_out():
    x = pictures(60, 1, 2, 4)
    variances = np.linalg.eigvalsh(np.cov(x.flatten(1).double().numpy().T))
    error = evaluate_pca(x, x, 3, to_unit=lambda v: v, protocol=PROTOCOL)[0]
    assert error.name == "pca_squared_error"
    assert error.value == pytest.approx(variances[:-3].sum() * 59 / 60, rel=1e-9)


class Off(nn.Module):
    """A decoder that is wrong by a given amount everywhere."""

    def forward(self, z):
        return z.view(-1, 1, 2, 2) + torch.tensor([0.2, 0.02])[:, None, None, None]


@pytest.mark.parametrize("batch", [2, 500])
def test_error_and_psnr_are_in_units_of_pixels_in_0_1(batch):
    x = torch.rand(2, 1, 2, 2) * 2 - 1
    model = Autoencoder(nn.Flatten(), Off(), latent=4)
    figures = evaluate_reconstruction(model, x, to_unit=lambda v: (v + 1) / 2, protocol=PROTOCOL, batch=batch)
    values = {f.name: f.value for f in figures}
    assert values["squared_error"] == pytest.approx(4 * (0.1**2 + 0.01**2) / 2, rel=1e-5)
    assert values["squared_error_per_pixel"] == pytest.approx((0.1**2 + 0.01**2) / 2, rel=1e-5)
    assert values["psnr"] == pytest.approx((20 + 40) / 2, rel=1e-5)
    assert all(f.protocol == PROTOCOL | {"n": 2} for f in figures)
    assert figures[0].standard_error is not None
