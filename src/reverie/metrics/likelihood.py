"""Log-likelihood of a latent-variable model: the bounds, what they are made of, and how sure they are.

Every image has noise of its own, so no figure depends on the size of a batch or a chunk. Densities are
float32; everything over draws and images is float64. See ``docs/likelihood.md``.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from reverie.distributions import Gaussian
from reverie.engine.noise import ItemNoise
from reverie.errors import DataError, Diverged, Interrupted, UsageError
from reverie.metrics.batches import batches, condition, evaluating, never, restored
from reverie.metrics.figures import Figure, Protocol, mean_figure
from reverie.objectives.elbo import LogMeanExp
from reverie.protocols import Autoencoder, LatentDensity, Posterior

MEMORY = 256 * 2**20  # bytes that a batch of draws may take
DRAWS = 16  # of a code, in two halves, where the mean of its posterior has no closed form
ACTIVE = 0.01  # the variance above which a latent dimension counts as active (Burda et al. 2016)


@dataclass(frozen=True)
class _Measured:
    """What is known of each of N images, in nats, float64."""

    log_likelihood: Tensor  # (N,) mean of log p(x|z) over the draws
    kl: Tensor  # (N, parts) exact, or (N, 1) from the draws
    exact: bool  # whether kl is exact
    layers: Tensor  # (N, layers) at one draw, topmost first, or (N, 0)
    bound: Tensor  # (N,) importance-weighted, K draws
    effective: Tensor  # (N,) effective number of draws
    known: bool  # whether the means of the codes are exact
    means: Tensor  # (N, 2, D) two estimates of E_q[z|x] with errors of their own, or (N, 2, 0)


def evaluate_likelihood(  # noqa: PLR0913 - how to measure, what it must not depend on, and how to stop
    model: LatentDensity,
    x: Tensor,
    *,
    protocol: Protocol,
    label: Tensor | None = None,
    k: int = 1000,
    seed: int = 0,
    batch: int = 20,
    chunk: int = 25,
    should_stop: Callable[[], bool] = never,
) -> list[Figure]:
    """Measure the bounds of ``log p(x)`` on images, with K draws from the posterior of each.

    ``elbo = E_q[log p(x|z)] - KL``; ``importance_bound = log 1/K sum_k p(x, z_k) / q(z_k|x)``, with the mean
    effective number of draws; the two parts of the elbo apart; the number of latent dimensions whose mean
    varies, ``Var_x(E_q z) > 0.01``; and, for models of 8-bit levels, bits per dimension,
    ``-importance_bound / (D log 2)``. Source: Burda et al. 2016, 1509.00519.

    Args:
        model: has a latent density.
        x: (N, C, H, W), in the model's own space; binary images are those same bits that are encoded.
        protocol: what the caller knows: data, split, binarisation ... ``values`` ("binary", "256 levels" or
            "continuous") where the model's observations do not tell; ``range`` of continuous values.
        label: the class of each image, (N,), of a model that is told them: the figures are of ``log p(x|y)``.
        k: draws for each image.
        seed: of the draws.
        batch: images at once, at most.
        chunk: draws of an image at once, at most; both shrink to keep the memory bounded. Some 500 rows
            together are fastest on a processor, whose cache they fit; a GPU wants more.
        should_stop: asked between batches.

    Raises:
        UsageError: K is below 1, or the model has no latent density.
        DataError: there are no images, or pixels are not the values that the model gives probabilities to.
        Diverged: a log-probability is not finite.
        Interrupted: ``should_stop`` said so.
    """
    if k < 1:
        raise UsageError(f"The number of importance samples K must be at least 1; got {k}.")
    if not isinstance(model, LatentDensity):
        raise UsageError("This model gives no likelihood: it has no infer and log_weights to measure it by.")
    values = str(protocol.get("values", _support(model, x, label)))
    check_values(x, values)
    if label is not None:
        protocol = {**protocol, "given": "the label"}
    batch, chunk = _fit(x, batch, chunk, k * getattr(model, "latent", 64))
    parts = []
    with evaluating(model):
        for items, part in batches(model, x, batch):
            if should_stop():
                raise Interrupted(f"The likelihood was stopped after {items.start} of {len(x)} images.")
            inferred = model.infer(part, *condition(label, items))
            measured = _measure(model, part, inferred, ItemNoise((seed, "likelihood"), items), k, chunk)
            known = measured.exact or isinstance(getattr(inferred, "posterior", inferred), Gaussian)
            means = _code_means(inferred, ItemNoise((seed, "codes"), items), known)
            parts.append(replace(measured, known=known, means=means.double().cpu()))
    measured = _joined(parts)
    check_finite(measured.log_likelihood + measured.bound + measured.kl.sum(1))
    return _figures(measured, x, k, {**protocol, "values": values, "seed": seed})


def _measure(model: LatentDensity, x: Tensor, inferred: Any, noise: ItemNoise, k: int, chunk: int) -> _Measured:
    """Weigh K draws in chunks from what was inferred once."""
    weights = LogMeanExp()
    likelihood, ratio = torch.zeros((), dtype=torch.float64), torch.zeros((), dtype=torch.float64)
    for first in range(0, k, chunk):
        last = min(first + chunk, k)
        given_z, of_z = model.log_weights(x, inferred, noise.chunk(first, last, k), last - first)
        given_z, of_z = given_z.double().cpu(), of_z.double().cpu()
        weights.add(given_z + of_z)
        likelihood, ratio = likelihood + given_z.sum(1), ratio + of_z.sum(1)
    exact = model.divergence(inferred)
    kl = (-ratio / weights.count).unsqueeze(1) if exact is None else exact.double().cpu()
    layers = model.divergence(inferred, noise.chunk(0, 1, k)) if exact is None else None
    return _Measured(
        log_likelihood=likelihood / weights.count,
        kl=kl,
        exact=exact is not None,
        layers=likelihood.new_empty(len(x), 0) if layers is None else layers.double().cpu(),
        bound=weights.bound(),
        effective=weights.effective_sample_size(),
        known=False,
        means=likelihood.new_empty(len(x), 2, 0),
    )


def _code_means(inferred: Any, noise: ItemNoise, known: bool) -> Tensor:
    """Twice the mean of each code, or its means over two halves of the draws, (B, 2, D); (B, 2, 0) without codes.

    A normal posterior knows its mean, whatever the prior, and so does one whose divergence has a closed form. That of a
    flow does not: where the flow takes the mean of its base is another point.
    """
    if not isinstance(inferred, Posterior):
        return torch.empty(len(noise.items), 2, 0)
    if known:
        return inferred.mean.unsqueeze(1).expand(-1, 2, -1)
    z, _ = inferred.draw(noise, DRAWS)
    return torch.stack([half.double().mean(1) for half in z.chunk(2, 1)], 1)


def _joined(parts: list[_Measured]) -> _Measured:
    return _Measured(
        log_likelihood=torch.cat([part.log_likelihood for part in parts]),
        kl=torch.cat([part.kl for part in parts]),
        exact=parts[0].exact,
        layers=torch.cat([part.layers for part in parts]),
        bound=torch.cat([part.bound for part in parts]),
        effective=torch.cat([part.effective for part in parts]),
        known=parts[0].known,
        means=torch.cat([part.means for part in parts]),
    )


def _figures(measured: _Measured, x: Tensor, k: int, protocol: Protocol) -> list[Figure]:
    unit = unit_of(x, protocol)
    kl = measured.kl.sum(1)
    drawn = f"mean over {k} draws an image"
    exact = "KL in closed form" if measured.exact else "KL from the draws"
    weighted = {**protocol, "K": k}
    figures = [
        mean_figure("elbo", measured.log_likelihood - kl, unit, protocol, f"lower bound; {drawn}, {exact}"),
        mean_figure("importance_bound", measured.bound, unit, weighted, "lower bound; rises with K"),
        mean_figure("reconstruction", -measured.log_likelihood, unit, protocol, f"-log p(x|z); {drawn}"),
        mean_figure("kl", kl, "nats per image", protocol, _by_part(measured)),
        mean_figure("effective_sample_size", measured.effective, "draws", weighted, f"of {k}"),
    ]
    if measured.means.shape[2] and len(x) > 1:
        figures.append(_active_units(measured, protocol))
    if protocol["values"] == "256 levels":
        bits = -measured.bound / (x[0].numel() * math.log(2))
        note = "upper bound; falls with K"
        figures.append(mean_figure("bits_per_dimension", bits, "bits per dimension", weighted, note))
    return figures


def _active_units(measured: _Measured, protocol: Protocol) -> Figure:
    variance, error = _variance_of_means(measured.means)
    note = f"of {len(variance)}; Var_x(E_q z) > {ACTIVE}"
    if not measured.known:
        unsure = int(((variance - ACTIVE).abs() < 2 * error).sum())
        note += f", from {DRAWS} draws an image; {unsure} within two standard errors of {ACTIVE}"
    active = float((variance > ACTIVE).sum())
    return Figure("active_units", active, "latent dimensions", None, {**protocol, "n": len(measured.means)}, note)


def _variance_of_means(means: Tensor) -> tuple[Tensor, Tensor]:
    """``Var_x(E_q[z|x])`` of each dimension, and its standard error, (D,) each, from two estimates of each mean.

    It is their covariance over the images: the errors of the estimates are independent, and add nothing to it, where
    the variance of one of them would be too large by the variance of its error.
    """
    first, second = (means - means.mean(0)).unbind(1)
    products = first * second
    return products.sum(0) / (len(means) - 1), products.std(0) / len(means) ** 0.5


def _by_part(measured: _Measured) -> str:
    """The divergence of each layer, topmost first, or of each dimension, in words."""
    if layers := measured.layers.mean(0).tolist():
        return "by layer, topmost first, at one draw an image: " + " ".join(f"{value:.2f}" for value in layers)
    return _largest(measured.kl.mean(0))


def _largest(kl: Tensor, shown: int = 20) -> str:
    """The divergence of each dimension in words, largest first."""
    if len(kl) == 1:
        return ""
    ordered = kl.sort(descending=True).values[:shown]
    more = f" ... ({len(kl)} in all)" if len(kl) > shown else ""
    return "by dimension: " + " ".join(f"{value:.2f}" for value in ordered.tolist()) + more


def unit_of(x: Tensor, protocol: Protocol) -> str:
    """Nats per image; for continuous values with the words that it is a density, and over which range."""
    if protocol["values"] != "continuous":
        return "nats per image"
    span = protocol.get("range", "[-1, 1]" if x.min() < 0 else "[0, 1]")
    return f"nats per image, density of values in {span}"


def _support(model: LatentDensity, x: Tensor, label: Tensor | None) -> str:
    """Ask the model's own observations which values they give probabilities to."""
    if not isinstance(model, Autoencoder) or not len(x):
        return "unknown"
    with evaluating(model):
        ((items, part),) = batches(model, x[:1], 1)
        return getattr(restored(model, part, *condition(label, items)), "support", "unknown")


def check_values(x: Tensor, values: str) -> None:
    """Refuse images without any, or whose pixels are not the ``values`` that a model gives probabilities to.

    Raises:
        DataError: that is so.
    """
    if not len(x):
        raise DataError("There are no images to measure the likelihood of.")
    if values == "binary" and not ((x == 0) | (x == 1)).all():
        raise DataError(
            f"A Bernoulli model gives probabilities to 0 and 1 only; the images hold values from "
            f"{x.min():.3g} to {x.max():.3g}. Binarise them."
        )
    levels = (x.double() + 1) * 127.5
    if values == "256 levels" and not ((levels - levels.round()).abs().max() < 1e-3 and x.abs().max() <= 1):
        raise DataError("A model of 256 levels needs pixels v / 127.5 - 1, v from 0 to 255; these are others.")


def check_finite(log_prob: Tensor) -> None:
    """Refuse log-probabilities, (N,), of which any is not finite.

    Raises:
        Diverged: that is so.
    """
    bad = (~log_prob.isfinite()).nonzero().flatten()
    if len(bad):
        raise Diverged(
            f"The log-likelihood of {len(bad)} of {len(log_prob)} images is not finite, image {int(bad[0])} "
            f"first. Look for NaN in the weights or the data, or evaluate an earlier checkpoint."
        )


def _fit(x: Tensor, batch: int, chunk: int, noise_per_image: int) -> tuple[int, int]:
    """Shrink the batch until its noise fits, and the chunk until its activations do: 32 images a row."""
    batch = max(1, min(batch, len(x), MEMORY // (4 * noise_per_image)))
    row = 4 * 32 * x[0].numel()
    return batch, max(1, min(chunk, MEMORY // (row * batch)))
