"""Walking through a set with a model that is not being trained."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from reverie.protocols import Autoencoder, Distribution


@contextmanager
def resting(model: object) -> Iterator[None]:
    """Put a model into evaluation mode, and back into the mode it was in."""
    module = model if isinstance(model, nn.Module) else nn.Module()
    training = module.training
    module.eval()
    try:
        yield
    finally:
        module.train(training)


@contextmanager
def evaluating(model: object) -> Iterator[None]:
    """Put a model into evaluation mode, without gradients, and back into the mode it was in."""
    with resting(model), torch.inference_mode():
        yield


def batches(model: object, x: Tensor, size: int) -> Iterator[tuple[range, Tensor]]:
    """Yield the indices and the rows of each batch, the rows on the model's device."""
    parameters = model.parameters() if isinstance(model, nn.Module) else iter(())
    device = next((parameter.device for parameter in parameters), x.device)
    for first in range(0, len(x), size):
        items = range(first, min(first + size, len(x)))
        yield items, x[first : items.stop].to(device)


def condition(label: Tensor | None, items: range) -> tuple[Tensor, ...]:
    """The labels of a batch, as the last argument to a model that is told them; to the others, no argument."""
    return () if label is None else (label[items.start : items.stop],)


def restored(model: Autoencoder, x: Tensor, *label: Tensor) -> Distribution:
    """``p(x|z)`` at the mean code of each image, (B, C, H, W); with its label, for a model that is told it."""
    return model.decode(model.encode(x, *label).mean, *label)


def codes(model: Autoencoder, x: Tensor, size: int = 500) -> Tensor:
    """The mean code of every example, (N, D), on the CPU."""
    with evaluating(model):
        return torch.cat([model.encode(part).mean.cpu() for _, part in batches(model, x, size)])


def never() -> bool:
    """What ``should_stop`` answers where nobody asks to stop."""
    return False
