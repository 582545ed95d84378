"""How surprised a model is by each symbol of a text: ``-log p(symbol | all before it)``, in nats.

Two protocols. *Carried*: the state goes through the whole text; how many symbols are taken at a time changes nothing.
*Cold windows* of N: every N symbols the state is forgotten, so that the symbols of a window are predicted from
1 to N before them; that is how models without a state are often measured (nanoGPT, N = 256).
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from reverie.errors import DataError, Diverged, Interrupted, UsageError
from reverie.metrics.batches import evaluating

CHUNK = 1024  # symbols between two questions whether to stop


def never() -> bool:
    """Nobody asks to stop."""
    return False


def surprise(model: nn.Module, tokens: Tensor, *, window: int = 0, should_stop: Callable[[], bool] = never) -> Tensor:
    """The nats of each symbol but the first, (N - 1,) float64 on the CPU.

    Args:
        model: called with tokens (B, T) and a state, gives logits (B, T, V) and the next state.
        tokens: the text, (N,) int64.
        window: 0 carries the state; else it is forgotten after so many symbols.
        should_stop: asked now and then.

    Raises:
        DataError: there are less than two symbols.
        UsageError: the window is below 0.
        Diverged: the model gives numbers that are not finite.
        Interrupted: ``should_stop`` said so.
    """
    if len(tokens) < 2:
        raise DataError("There are less than two symbols, and the first is not scored: give a longer text.")
    if window < 0:
        raise UsageError(f"--window must be at least 0 (the state is carried); got {window}.")
    with evaluating(model):
        found = _cold(model, tokens, window, should_stop) if window else _carried(model, tokens, should_stop)
    if not bool(torch.isfinite(found).all()):
        raise Diverged("The model gives probabilities that are not finite; train it again at a lower --rate.")
    return found


def _carried(model: nn.Module, tokens: Tensor, should_stop: Callable[[], bool]) -> Tensor:
    nats, state = [], None
    for first in range(0, len(tokens) - 1, CHUNK):
        if should_stop():
            raise Interrupted(f"Stopped after {first:,} of {len(tokens):,} symbols.")
        part, state = chunk(model, tokens[first : first + CHUNK + 1].unsqueeze(0), state)
        nats.append(part.squeeze(0))
    return torch.cat(nats)


def _cold(model: nn.Module, tokens: Tensor, window: int, should_stop: Callable[[], bool]) -> Tensor:
    """All whole windows side by side, a batch at a time, and what is left over."""
    whole = (len(tokens) - 1) // window
    rows = [tokens[i * window : (i + 1) * window + 1] for i in range(whole)]
    batch, nats = max(1, 2048 // window), []
    for first in range(0, whole, batch):
        if should_stop():
            raise Interrupted(f"Stopped after {first * window:,} of {len(tokens):,} symbols.")
        nats.append(chunk(model, torch.stack(rows[first : first + batch]), None)[0].flatten())
    if len(rest := tokens[whole * window :]) > 1:
        nats.append(chunk(model, rest.unsqueeze(0), None)[0].flatten())
    return torch.cat(nats)


def chunk(model: nn.Module, tokens: Tensor, state: Any) -> tuple[Tensor, Any]:
    """The nats of all columns but the first, tokens (B, T + 1) to (B, T) float64, and the state after them."""
    logits, state = model(tokens[:, :-1], state)  # (B, T, V)
    log_chances = logits.double().log_softmax(-1).cpu()
    return -log_chances.gather(-1, tokens[:, 1:].unsqueeze(-1)).squeeze(-1), state
