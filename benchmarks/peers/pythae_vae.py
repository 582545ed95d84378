"""The MLP VAE 784-400-20-400-784 in pythae, with its own trainer; encoder and decoder are those of the recipe."""

import json
import logging
import sys
import time

import numpy as np
import torch
from pythae.data.datasets import BaseDataset
from pythae.models import VAE, VAEConfig
from pythae.models.base.base_utils import ModelOutput
from pythae.models.nn import BaseDecoder, BaseEncoder
from pythae.trainers import BaseTrainer, BaseTrainerConfig
from pythae.trainers.training_callbacks import TrainingCallback
from torch import nn

logging.disable(logging.CRITICAL)


class Encoder(BaseEncoder):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(784, 400), nn.ReLU())
        self.mean, self.log_variance = nn.Linear(400, 20), nn.Linear(400, 20)

    def forward(self, x):
        hidden = self.layers(x)
        return ModelOutput(embedding=self.mean(hidden), log_covariance=self.log_variance(hidden))


class Decoder(BaseDecoder):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(20, 400), nn.ReLU(), nn.Linear(400, 784), nn.Tanh())

    def forward(self, z):
        return ModelOutput(reconstruction=self.layers(z).reshape(-1, 1, 28, 28))


class Clock(TrainingCallback):
    """Counts steps from the eleventh on, and ends after the given seconds."""

    def __init__(self, seconds):
        self.seconds, self.steps, self.began = seconds, -11, 0.0

    def on_train_step_end(self, training_config, **kwargs):
        self.steps += 1
        if self.steps == 0:
            self.began = time.perf_counter()
        elif self.steps > 0 and time.perf_counter() - self.began > self.seconds:
            self.took = time.perf_counter() - self.began
            raise StopIteration


def main(path, batch, seconds, folder):
    x = torch.tensor(np.load(path)[:, None] / 127.5 - 1, dtype=torch.float32)
    config = VAEConfig(input_dim=(1, 28, 28), latent_dim=20, reconstruction_loss="mse")
    model = VAE(config, encoder=Encoder(), decoder=Decoder())
    settings = BaseTrainerConfig(
        output_dir=folder,
        num_epochs=1000,
        learning_rate=1e-3,
        per_device_train_batch_size=batch,
        no_cuda=True,
    )
    clock = Clock(seconds)
    trainer = BaseTrainer(model, BaseDataset(x, torch.zeros(len(x))), training_config=settings, callbacks=[clock])
    try:
        trainer.train()
    except StopIteration:
        print(json.dumps({"images_per_second": clock.steps * batch / clock.took}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), sys.argv[4])
