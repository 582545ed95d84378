"""Walking through a set with a model that is not being trained."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from reverie.protocols import Autoencoder


@contextmanager
def evaluating(model: object) -> Iterator[None]:
    """Put a model into evaluation mode, without gradients, and back into the mode it was in."""
    module = model if isinstance(model, nn.Module) else nn.Module()
    training = module.training
    module.eval()
    try:
        with torch.inference_mode():
            yield
    finally:
        module.train(training)


def batches(model: object, x: Tensor, size: int) -> Iterator[tuple[range, Tensor]]:
    """Yield the indices and the rows of each batch, the rows on the model's device."""
    parameters = model.parameters() if isinstance(model, nn.Module) else iter(())
    device = next((parameter.device for parameter in parameters), x.device)
    for first in range(0, len(x), size):
        items = range(first, min(first + size, len(x)))
        yield items, x[first : items.stop].to(device)


def codes(model: Autoencoder, x: Tensor, size: int = 500) -> Tensor:
    """The mean code of every example, (N, D), on the CPU."""
    with evaluating(model):
        return torch.cat([model.encode(part).mean.cpu() for _, part in batches(model, x, size)])
