"""Log-likelihood of a model that computes it exactly: no draws, no bound."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from reverie.engine.noise import ItemNoise
from reverie.errors import DataError, Interrupted, UsageError
from reverie.metrics.batches import batches, evaluating, never
from reverie.metrics.figures import Figure, Protocol, mean_figure
from reverie.metrics.likelihood import check_finite, check_values, unit_of
from reverie.protocols import Density

NOTE = "exact"


def evaluate_density(
    model: Density,
    x: Tensor,
    *,
    protocol: Protocol,
    batch: int = 100,
    should_stop: Callable[[], bool] = never,
) -> list[Figure]:
    """Measure the exact ``log p(x)`` of images.

    ``log_likelihood`` is its mean in nats per image; for models of 8-bit levels ``bits_per_dimension`` is
    ``-log_likelihood / (D log 2)``. Densities are float32, the mean over images is float64.

    Args:
        model: gives exact log-densities. What it says in ``support`` are the values that have probabilities.
        x: (N, C, H, W), in the model's own space.
        protocol: what the caller knows: data, split, binarisation ... ``values`` ("binary", "256 levels" or
            "continuous") where the model does not tell; ``range`` of continuous values.
        batch: images at once.
        should_stop: asked between batches.

    Raises:
        UsageError: the model has no density, or only bounds of it.
        DataError: there are no images, or pixels are not the values that the model gives probabilities to.
        Diverged: a log-probability is not finite.
        Interrupted: ``should_stop`` said so.
    """
    if not isinstance(model, Density):
        raise UsageError("This model gives no likelihood: it has no log_prob to measure it by.")
    if not len(x):
        raise DataError("There are no images to measure the likelihood of.")
    values = str(protocol.get("values", getattr(model, "support", "unknown")))
    check_values(x, values)
    parts = []
    with evaluating(model):
        for items, part in batches(model, x, batch):
            if should_stop():
                raise Interrupted(f"The likelihood was stopped after {items.start} of {len(x)} images.")
            parts.append(_exact(model, part, items))
    return _figures(torch.cat(parts), x, {**protocol, "values": values})


def _exact(model: Density, x: Tensor, items: range) -> Tensor:
    found = model.log_prob(x, ItemNoise((0, "likelihood"), items))
    if found.kind != "exact":
        raise UsageError("This model knows a bound of its likelihood only: measure it with evaluate_likelihood.")
    return found.value.double().cpu()


def _figures(log_likelihood: Tensor, x: Tensor, protocol: Protocol) -> list[Figure]:
    check_finite(log_likelihood)
    figures = [mean_figure("log_likelihood", log_likelihood, unit_of(x, protocol), protocol, NOTE)]
    if protocol["values"] == "256 levels":
        bits = -log_likelihood / (x[0].numel() * math.log(2))
        figures.append(mean_figure("bits_per_dimension", bits, "bits per dimension", protocol, NOTE))
    return figures
