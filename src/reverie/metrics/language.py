"""The loss of a text under a language model, exact over every symbol but the first."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from reverie.errors import DataError, Diverged, Interrupted, UsageError
from reverie.metrics.batches import evaluating
from reverie.protocols import TextGenerator

CHUNK = 256  # symbols that are read at once; it changes no figure


def symbol_nats(
    model: nn.Module, ids: Tensor, *, chunk: int = CHUNK, should_stop: Callable[[], bool] = lambda: False
) -> Tensor:
    """``-log p(symbol | all symbols before it)`` of each symbol but the first, (N - 1,) float64, in nats.

    The state is carried from the first symbol to the last.

    Args:
        model: called with tokens (1, T) and a state, gives logits (1, T, V) and the next state.
        ids: (N,) int64.
        chunk: symbols that are read at once.
        should_stop: asked between chunks.

    Raises:
        UsageError: the model does not predict symbols.
        DataError: there are fewer than two symbols.
        Diverged: a probability is not finite.
        Interrupted: ``should_stop`` said so.
    """
    if not isinstance(model, TextGenerator):
        raise UsageError(f"A {type(model).__name__} predicts no symbols: it has no step().")
    if len(ids) < 2:
        raise DataError("There are fewer than two symbols to measure the loss of.")
    device = next(model.parameters()).device
    found, state = list[Tensor](), None
    with evaluating(model):
        for first in range(0, len(ids) - 1, chunk):
            if should_stop():
                raise Interrupted(f"The loss was stopped after {first:,} of {len(ids):,} symbols.")
            part = ids[first : first + chunk + 1].to(device)
            nats, state = _chunk(model, part, state)
            found.append(nats)
    nats = torch.cat(found)
    if not bool(nats.isfinite().all()):
        raise Diverged("The loss is not finite: the weights of this model are damaged, or it diverged.")
    return nats


def _chunk(model: nn.Module, ids: Tensor, state: Any) -> tuple[Tensor, Any]:
    logits, state = model(ids[None, :-1], state)
    nats = nn.functional.cross_entropy(logits[0].float(), ids[1:], reduction="none")
    return nats.double().cpu(), state
