"""How well codes tell the classes apart, by their nearest neighbours, beside principal components."""

import torch
from torch import Tensor
from torch.nn import functional

from reverie.errors import UsageError
from reverie.metrics.batches import codes
from reverie.metrics.figures import Figure, Protocol, mean_figure
from reverie.metrics.reconstruction import fit_pca
from reverie.protocols import Autoencoder

DISTANCES = 2**24  # that are held at once

Labelled = tuple[Tensor, Tensor]  # examples (N, ...), and their classes (N,) int64


def nearest_classes(z: Tensor, references: Labelled, k: int = 10) -> Tensor:
    """The class that most of the k nearest references have, (N,) (Fix & Hodges 1951).

    Of references at one distance the first ones count, and of classes with as many votes the smallest wins,
    so that the answer does not depend on how the work is split.

    Args:
        z: codes, (N, D).
        references: codes (M, D) and classes (M,).
        k: number of neighbours.

    Raises:
        UsageError: k is not between 1 and M.
    """
    known, classes = references
    if not 1 <= k <= len(known):
        raise UsageError(f"k must be between 1 and the {len(known)} reference codes; got {k}.")
    one_hot = functional.one_hot(classes).float()
    rows = max(1, DISTANCES // len(known))
    return torch.cat([_vote(part, known, one_hot, k) for part in torch.split(z, rows)])


def _vote(z: Tensor, known: Tensor, one_hot: Tensor, k: int) -> Tensor:
    # Without the product shortcut: it loses digits, and equal codes must be equally far.
    distance = torch.cdist(z, known, compute_mode="donot_use_mm_for_euclid_dist")
    nearest = distance.topk(min(k + 1, len(known)), largest=False)
    farthest = nearest.values[:, k - 1 : k]
    if not (nearest.values[:, k:] == farthest).any():
        return one_hot[nearest.indices[:, :k]].sum(1).argmax(1)
    nearer, level = distance < farthest, distance == farthest
    wanted = k - nearer.sum(1, keepdim=True)
    voters = nearer | (level & (level.cumsum(1) <= wanted))
    return (voters.float() @ one_hot).argmax(1)


def evaluate_separability(
    model: Autoencoder, train: Labelled, test: Labelled, *, protocol: Protocol, k: int = 10
) -> list[Figure]:
    """Accuracy of k nearest neighbours on codes, and on as many principal components of the pixels.

    Args:
        model: encodes.
        train: images and classes whose codes are the references.
        test: images and classes that are told apart.
        protocol: data, split ...
        k: number of neighbours.
    """
    protocol = {**protocol, "neighbours": k, "references": len(train[0])}
    dimensions = min(model.latent, train[0][0].numel(), len(train[0]) - 1)
    pca = fit_pca(train[0], dimensions)
    learned = _right(codes(model, test[0]), (codes(model, train[0]), train[1]), test[1], k)
    linear = _right(pca.encode(test[0]), (pca.encode(train[0]), train[1]), test[1], k)
    unit = "share of test images"
    return [
        mean_figure("knn_accuracy", learned, unit, protocol, f"codes of {model.latent} numbers"),
        mean_figure("pca_knn_accuracy", linear, unit, protocol, f"{dimensions} principal components"),
    ]


def _right(z: Tensor, references: Labelled, classes: Tensor, k: int) -> Tensor:
    """Whether each code is given its class, (N,), as zeros and ones."""
    return (nearest_classes(z, references, k) == classes).double()
