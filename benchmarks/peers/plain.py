"""The loop that everybody writes: PyTorch, a DataLoader, Adam, float32. Networks: conv and mlp, as in the recipes."""

import json
import sys
import time

import numpy as np
import torch
from torch import nn
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset


class VAE(nn.Module):
    def __init__(self, kind):
        super().__init__()
        if kind == "conv":
            self.encoder = nn.Sequential(
                nn.Conv2d(1, 32, 3, padding=1), nn.ReLU(), nn.Conv2d(32, 64, 3, 2, 1), nn.ReLU(),
                nn.Conv2d(64, 64, 3, padding=1), nn.ReLU(), nn.Conv2d(64, 64, 3, padding=1), nn.ReLU(),
                nn.Flatten(), nn.Linear(12544, 32), nn.ReLU(),
            )  # fmt: skip
            self.mean, self.log_variance = nn.Linear(32, 2), nn.Linear(32, 2)
            self.decoder = nn.Sequential(
                nn.Linear(2, 12544), nn.ReLU(), nn.Unflatten(1, (64, 14, 14)),
                nn.ConvTranspose2d(64, 32, 3, 2, 1, 1), nn.ReLU(), nn.Conv2d(32, 1, 3, padding=1),
            )  # fmt: skip
        else:
            self.encoder = nn.Sequential(nn.Flatten(), nn.Linear(784, 400), nn.ReLU())
            self.mean, self.log_variance = nn.Linear(400, 20), nn.Linear(400, 20)
            self.decoder = nn.Sequential(
                nn.Linear(20, 400), nn.ReLU(), nn.Linear(400, 784), nn.Tanh(), nn.Unflatten(1, (1, 28, 28))
            )
        self.kind = kind

    def forward(self, x):
        hidden = self.encoder(x)
        mean, log_variance = self.mean(hidden), self.log_variance(hidden)
        restored = self.decoder(mean + torch.exp(log_variance / 2) * torch.randn_like(mean))
        if self.kind == "conv":
            error = functional.binary_cross_entropy_with_logits(restored, x, reduction="sum")
        else:
            error = 0.5 * functional.mse_loss(restored, x, reduction="sum")
        kl = -0.5 * torch.sum(1 + log_variance - mean.pow(2) - log_variance.exp())
        return (error + kl) / len(x)


def main(kind, path, batch, seconds):
    pixels = np.load(path)
    x = torch.tensor(pixels[:, None] / 255, dtype=torch.float32)
    x = (x > 0.5).float() if kind == "conv" else 2 * x - 1
    loader = DataLoader(TensorDataset(x), batch_size=batch, shuffle=True, drop_last=True)
    model = VAE(kind)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    seen, began = 0, None
    while began is None or time.perf_counter() - began < seconds:
        for step, (images,) in enumerate(loader):
            if began is None and step == 5:
                seen, began = 0, time.perf_counter()
            optimizer.zero_grad()
            loss = model(images)
            loss.backward()
            optimizer.step()
            seen += len(images)
            if began is not None and time.perf_counter() - began > seconds:
                break
    print(json.dumps({"images_per_second": seen / (time.perf_counter() - began)}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4]))
