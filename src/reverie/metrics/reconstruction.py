"""How well a code restores an image, beside the best linear code of the same size."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from reverie.errors import UsageError
from reverie.metrics.batches import batches, condition, evaluating, restored
from reverie.metrics.figures import Figure, Protocol, mean_figure
from reverie.protocols import Autoencoder

ROWS = 4096  # images that are float64 at once


@dataclass(frozen=True)
class PCA:
    """Principal components (Pearson 1901): the linear code of least squared error.

    Args:
        mean: (D,).
        components: orthonormal rows, (d, D), by falling variance; the largest entry of each is positive.
        variances: of the training codes, (d,), with N - 1 in the denominator.
    """

    mean: Tensor
    components: Tensor
    variances: Tensor

    def encode(self, x: Tensor) -> Tensor:
        """Codes (N, d) of images (N, ...), float64."""
        return (x.flatten(1).double() - self.mean) @ self.components.T

    def decode(self, z: Tensor) -> Tensor:
        """Flat images (N, D) of codes, float64."""
        return z @ self.components + self.mean


def fit_pca(x: Tensor, dimensions: int) -> PCA:
    """Fit by an exact eigendecomposition in float64, of the smaller of covariance and Gram matrix.

    Args:
        x: (N, ...).
        dimensions: number of components d.

    Raises:
        UsageError: there are fewer images or pixels than components.
    """
    flat = x.flatten(1)
    n, width = flat.shape
    if not 1 <= dimensions <= min(n - 1, width):
        raise UsageError(
            f"{n} images of {width} values have at most {min(n - 1, width)} principal components; "
            f"{dimensions} were asked for."
        )
    mean = torch.stack([part.double().sum(0) for part in torch.split(flat, ROWS)]).sum(0) / n
    variances, components = _by_gram(flat, mean, dimensions) if n < width else _by_covariance(flat, mean, dimensions)
    largest = components.gather(1, components.abs().argmax(1, keepdim=True))
    return PCA(mean, components * largest.sign(), variances / (n - 1))


def _by_covariance(flat: Tensor, mean: Tensor, dimensions: int) -> tuple[Tensor, Tensor]:
    scatter = torch.zeros(len(mean), len(mean), dtype=torch.float64, device=flat.device)
    for part in torch.split(flat, ROWS):
        centred = part.double() - mean
        scatter.addmm_(centred.T, centred)
    values, vectors = torch.linalg.eigh(scatter)
    return values[-dimensions:].flip(0).clamp(min=0), vectors[:, -dimensions:].flip(1).T


def _by_gram(flat: Tensor, mean: Tensor, dimensions: int) -> tuple[Tensor, Tensor]:
    """Eigenvectors V of the Gram matrix XX' give those of the scatter, X'V, but for their lengths.

    They are made orthonormal in falling order: where images repeat, those of variance zero are nothing but rounding.
    """
    centred = flat.double() - mean
    values, vectors = torch.linalg.eigh(centred @ centred.T)
    components, _ = torch.linalg.qr(centred.T @ vectors[:, -dimensions:].flip(1))
    return values[-dimensions:].flip(0).clamp(min=0), components.T


def evaluate_reconstruction(
    model: Autoencoder,
    x: Tensor,
    *,
    to_unit: Callable[[Tensor], Tensor],
    protocol: Protocol,
    label: Tensor | None = None,
    batch: int = 500,
) -> list[Figure]:
    """Squared error and peak signal-to-noise ratio of ``decode(encode(x))``, both at their means.

    Args:
        model: encodes and decodes.
        x: (N, C, H, W), in the model's own space.
        to_unit: from that space to pixels in [0, 1], the units of the figures.
        protocol: data, split ...
        label: the class of each image, (N,), of a model that is told them.
        batch: images at once.
    """
    errors = []
    if label is not None:
        protocol = {**protocol, "given": "the label"}
    with evaluating(model):
        for items, part in batches(model, x, batch):
            mean = restored(model, part, *condition(label, items)).mean
            errors.append(_squared_error(to_unit(mean), to_unit(part)))
    return _figures("", torch.cat(errors), x[0].numel(), protocol)


def evaluate_pca(
    train: Tensor, x: Tensor, dimensions: int, *, to_unit: Callable[[Tensor], Tensor], protocol: Protocol
) -> list[Figure]:
    """The same figures for principal components fitted on the training images: the baseline of any code.

    Args:
        train: (M, C, H, W), to fit on.
        x: (N, C, H, W), to restore.
        dimensions: size of the code.
        to_unit: to pixels in [0, 1].
        protocol: data, split ...
    """
    pca = fit_pca(to_unit(train), dimensions)
    errors = [_squared_error(pca.decode(pca.encode(part)), part.flatten(1)) for part in torch.split(to_unit(x), ROWS)]
    return _figures("pca_", torch.cat(errors), x[0].numel(), {**protocol, "dimensions": dimensions})


def _squared_error(restored: Tensor, x: Tensor) -> Tensor:
    """Summed over pixels, (B,), float64."""
    return (restored.double() - x.double()).square().flatten(1).sum(1).cpu()


def _figures(prefix: str, errors: Tensor, pixels: int, protocol: Protocol) -> list[Figure]:
    unit = "squared pixels of [0, 1]"
    per_pixel = errors / pixels
    decibels = -10 * per_pixel.clamp(min=1e-10).log10()
    return [
        mean_figure(f"{prefix}squared_error", errors, f"{unit}, summed over an image", protocol),
        mean_figure(f"{prefix}squared_error_per_pixel", per_pixel, unit, protocol),
        mean_figure(f"{prefix}psnr", decibels, "dB", protocol, "mean over images of each one's, at most 100"),
    ]
