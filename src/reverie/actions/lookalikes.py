"""Samples beside the training images nearest to them: whether a model repeats what it was shown, to the eye."""

from collections.abc import Sequence
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from reverie.metrics.extractors import thinned
from reverie.metrics.neighbours import nearest, nearest_index
from reverie.metrics.samples import MEMORIES, Yardstick
from reverie.report import sheets
from reverie.report.theme import Name
from reverie.trained import Trained

SHOWN = 12  # samples: half of them the nearest to a training image, half the first that were drawn

TITLE = "Samples and their nearest training images"


def draw_lookalikes(trained: Trained, pixels: Tensor, yardsticks: Sequence[Yardstick]) -> list[Path]:
    """Draw some samples, below each its nearest training image in pixels and in each extractor's features.

    Args:
        trained: the model.
        pixels: samples, (N, C, H, W) uint8.
        yardsticks: the images, as each extractor sees them.

    Returns:
        ``pictures/lookalikes.png`` of the run, and its dark twin.
    """
    first = yardsticks[0]
    ratio = closeness(pixels[:MEMORIES], first)
    chosen = shown(ratio)
    rows = nearest_rows(pixels[chosen], yardsticks)
    names = ["sample", "in pixels", *(f"in {each.extractor.name}" for each in yardsticks)]
    labels = [f"{value:.2f}" for value in ratio[chosen].tolist()]
    over = ", over that of held-out images" if usual(first) > 0 else ""
    caption = (
        f"{trained.name}: samples above their nearest among {len(first.train):,} training images. The left half: the "
        f"nearest of {len(ratio):,} samples; the right half: the first. Numbers: the distance in "
        f"{first.extractor.title}{over}."
    )

    def draw(theme: Name) -> Image.Image:
        return sheets.sheet(rows, title=TITLE, caption=caption, columns=labels, rows=names, theme=theme)

    path = trained.folder / "pictures" / "lookalikes.png"
    return list(sheets.both(path, draw, Title=TITLE, Software="Reverie", Source=trained.name))


def closeness(pixels: Tensor, yardstick: Yardstick) -> Tensor:
    """The distance of each sample to its nearest training image, over the mean of held-out images' distances, (N,).

    The distance itself, where all of theirs are zero.
    """
    return nearest(yardstick.extractor.features(pixels), yardstick.known).sqrt() / (usual(yardstick) or 1.0)


def usual(yardstick: Yardstick) -> float:
    """The mean distance of held-out images to the nearest training image; 0 where all of them occur in training."""
    return float(nearest(thinned(yardstick.held_out, MEMORIES), yardstick.known).sqrt().mean())


def shown(ratio: Tensor) -> list[int]:
    """Which samples are shown: half of them those of the smallest ratios, then the first of the others."""
    count = min(SHOWN, len(ratio))
    near: list[int] = ratio.argsort(stable=True)[: count - count // 2].tolist()
    others = [i for i in range(len(ratio)) if i not in near]
    return near + others[: count // 2]


def nearest_rows(pixels: Tensor, yardsticks: Sequence[Yardstick]) -> Tensor:
    """Samples, then their nearest training images in pixels, then in each extractor's features: a row of each."""
    train = yardsticks[0].train.pixels
    rows = [pixels, train[nearest_index(pixels.flatten(1), train.flatten(1))]]
    for each in yardsticks:
        rows.append(each.train.pixels[nearest_index(each.extractor.features(pixels), each.known)])
    return torch.cat(rows)
