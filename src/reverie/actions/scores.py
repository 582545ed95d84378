"""Log-likelihoods of single images, exact or bounds, and a picture of the strangest."""

import torch
from PIL import Image
from torch import Tensor

from reverie.engine.noise import ItemNoise
from reverie.metrics.batches import condition
from reverie.report import sheets
from reverie.report.theme import Name
from reverie.trained import Trained

BATCH = 50  # images at once


@torch.no_grad()
def log_likelihoods(trained: Trained, x: Tensor, labels: Tensor | None, *, k: int, seed: int) -> Tensor:
    """``log p(x)`` of each observation in nats, or its bound with k importance samples, (N,)."""
    found = []
    for first in range(0, len(x), BATCH):
        items = range(first, min(first + BATCH, len(x)))
        noise = ItemNoise((seed, "score"), items, (0, k, k))
        known = dict(zip(["label"], condition(labels, items), strict=False))
        found.append(trained.density().log_prob(x[items.start : items.stop], noise, k=k, **known).value)
    return torch.cat(found)


def strangest(pixels: Tensor, restored: Tensor | None, nats: list[float], *, caption: str, theme: Name) -> Image.Image:
    """Images with their log-likelihoods; above what the model makes of each, where it has codes."""
    title, values = "Least likely images", [float(f"{value:.1f}") for value in nats]
    if restored is not None:
        return sheets.pairs(pixels, restored, values, title=title, unit=caption, theme=theme)
    shown = [str(value) for value in values[:12]]
    return sheets.strip(pixels[:12], title=title, labels=shown, caption=caption, theme=theme)
