"""The loop that everybody writes around a recipe's network of torch's own layers: a DataLoader and float32.

It does the recipe's work: its optimizer (torch's own Adam; Muon as it was published, a kernel at a time), its limit of
the gradient's norm, and its average of the weights.
"""

import json
import sys
import time

import numpy as np
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
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


class PlainMuon(torch.optim.Optimizer):
    """Muon (Jordan et al. 2024), a matrix at a time."""

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                state = self.state[p]
                momentum = state.setdefault("momentum", torch.zeros_like(p))
                momentum.lerp_(p.grad, 1 - group["momentum"])
                ahead = p.grad.lerp(momentum, group["momentum"]).flatten(1)
                step = max(1, ahead.shape[0] / ahead.shape[1]) ** 0.5 * newton_schulz(ahead)
                p.add_(step.view_as(p), alpha=-group["lr"])


def newton_schulz(g, steps=5):
    x = g.mT if g.shape[0] > g.shape[1] else g
    x = x / (x.norm() + 1e-7)
    for _ in range(steps):
        square = x @ x.mT
        x = 3.4445 * x + (-4.7750 * square + 2.0315 * square @ square) @ x
    return x.mT if g.shape[0] > g.shape[1] else x


def optimizers_of(plan, player):
    """The recipe's optimizer in its plain form: one for each group of parameters."""
    groups = plan.optimizers[player](plan.model.players[player].parameters()).param_groups
    return [
        PlainMuon([group], {})
        if "momentum" in group
        else torch.optim.Adam(group["params"], group["lr"], group["betas"], group["eps"], group["weight_decay"])
        for group in groups
    ]


def main(recipe, path, batch, seconds):
    pixels = torch.from_numpy(np.load(path))[:, None]
    plan = recipes.find(recipe).run(ImageSpec("digits", tuple(pixels.shape[1:]), ()), batch=batch)
    model = plain(plan.model)
    x, bits = pixels / 255, plan.view.binary
    x = x.float() if bits else 2 * x.float() - 1
    loader = DataLoader(TensorDataset(x), batch_size=batch, shuffle=True, drop_last=True)
    optimizers = {name: optimizers_of(plan, name) for name in model.players}
    average = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(plan.ema)) if plan.ema else None
    seen, began = 0, None
    while began is None or time.perf_counter() - began < seconds:
        for step, (images,) in enumerate(loader):
            if began is None and step == 5:
                seen, began = 0, time.perf_counter()
            images = torch.bernoulli(images) if bits else images
            for name, several in optimizers.items():
                for optimizer in several:
                    optimizer.zero_grad()
                model.loss(name, Batch(images, progress=0.5), Draws()).value.mean().backward()
                if plan.clip:
                    nn.utils.clip_grad_norm_(model.players[name].parameters(), plan.clip)
                for optimizer in several:
                    optimizer.step()
            if average:
                average.update_parameters(model)
            seen += len(images)
            if began is not None and time.perf_counter() - began > seconds:
                break
    print(json.dumps({"images_per_second": seen / (time.perf_counter() - began)}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4]))
