"""The loop that everybody writes around a recipe's network of torch's own layers: a DataLoader, Adam, float32."""

import json
import sys
import time

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from reverie import recipes
from reverie.data import ImageSpec
from reverie.nn.conv import PixelsToRow, RowToPixels, TransposedConv
from reverie.nn.mlp import Dense
from reverie.nn.thin import PixelConv, ThinConv
from reverie.protocols import Batch

THEIRS = {TransposedConv: nn.ConvTranspose2d, ThinConv: nn.Conv2d, PixelConv: nn.Conv2d, Dense: nn.Linear}


class Draws:
    """Noise from torch's own generator."""

    def normal(self, name, shape):
        return torch.randn(shape)

    def uniform(self, name, shape):
        return torch.rand(shape)


def plain(model):
    """The same network of torch's own layers, in their usual layout."""
    for parent in list(model.modules()):
        for name, layer in parent.named_children():
            if type(layer) in THEIRS:
                layer.__class__ = THEIRS[type(layer)]
            elif isinstance(layer, PixelsToRow):
                setattr(parent, name, nn.Flatten())
            elif isinstance(layer, RowToPixels):
                setattr(parent, name, nn.Unflatten(1, layer.shape))
    return model.to(memory_format=torch.contiguous_format)


def main(recipe, path, batch, seconds):
    pixels = torch.from_numpy(np.load(path))[:, None]
    plan = recipes.find(recipe).run(ImageSpec("digits", tuple(pixels.shape[1:]), ()), batch=batch)
    model = plain(plan.model)
    x, bits = pixels / 255, plan.view.binary
    x = x.float() if bits else 2 * x.float() - 1
    loader = DataLoader(TensorDataset(x), batch_size=batch, shuffle=True, drop_last=True)
    optimizers = {name: torch.optim.Adam(player.parameters(), lr=1e-3) for name, player in model.players.items()}
    seen, began = 0, None
    while began is None or time.perf_counter() - began < seconds:
        for step, (images,) in enumerate(loader):
            if began is None and step == 5:
                seen, began = 0, time.perf_counter()
            images = torch.bernoulli(images) if bits else images
            for name, optimizer in optimizers.items():
                optimizer.zero_grad()
                model.loss(name, Batch(images, progress=0.5), Draws()).value.mean().backward()
                optimizer.step()
            seen += len(images)
            if began is not None and time.perf_counter() - began > seconds:
                break
    print(json.dumps({"images_per_second": seen / (time.perf_counter() - began)}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4]))
