"""How surprised a model is by each symbol of a text: ``-log p(symbol | what is before it)``, in nats.

Two protocols. *Carried*: the state goes through the whole text. *Cold windows* of N: every N symbols the state is
forgotten, so that the symbols of a window are predicted from 1 to N before them; that is how models without a state are
often measured (nanoGPT, N = 256). Both score every symbol but the first of the text, once.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from reverie.errors import DataError, Diverged, Interrupted, UsageError
from reverie.metrics.batches import evaluating
from reverie.metrics.language import symbol_nats

AT_ONCE = 2048  # symbols of cold windows side by side


def never() -> bool:
    """Nobody asks to stop."""
    return False


def surprise(model: nn.Module, ids: Tensor, *, window: int = 0, should_stop: Callable[[], bool] = never) -> Tensor:
    """The nats of each symbol but the first, (N - 1,) float64 on the CPU.

    Args:
        model: called with tokens (B, T) and a state, gives logits (B, T, V) and the next state.
        ids: the text, (N,) int64.
        window: 0 carries the state; else it is forgotten after so many symbols.
        should_stop: asked now and then.

    Raises:
        DataError: there are fewer than two symbols.
        UsageError: the window is below 0.
        Diverged: the model gives numbers that are not finite.
        Interrupted: ``should_stop`` said so.
    """
    if window < 0:
        raise UsageError(f"--window must be at least 0 (the state is carried); got {window}.")
    if not window:
        return symbol_nats(model, ids, should_stop=should_stop)
    if len(ids) < 2:
        raise DataError("There are fewer than two symbols to measure the loss of.")
    device, found = next((p.device for p in model.parameters()), ids.device), list[Tensor]()
    with evaluating(model):
        for rows in _windows(ids, window):
            if should_stop():
                raise Interrupted(f"The loss was stopped after {sum(map(len, found)):,} of {len(ids):,} symbols.")
            found.append(_cold(model, rows.to(device)))
    nats = torch.cat(found)
    if not bool(nats.isfinite().all()):
        raise Diverged("The loss is not finite: the weights of this model are damaged, or it diverged.")
    return nats


def _windows(ids: Tensor, window: int) -> list[Tensor]:
    """Windows with one symbol more than is scored, (B, window + 1): whole ones side by side, then what is left over."""
    whole, rest = (len(ids) - 1) // window, ids[(len(ids) - 1) // window * window :]
    rows = torch.split(ids.unfold(0, window + 1, window), max(1, AT_ONCE // window)) if whole else ()
    return [*rows, *([rest.unsqueeze(0)] if len(rest) > 1 else [])]


def _cold(model: nn.Module, rows: Tensor) -> Tensor:
    """The nats of all columns but the first, row by row, from a fresh state."""
    logits, _ = model(rows[:, :-1], None)  # (B, T, V)
    nats = functional.cross_entropy(logits.float().flatten(0, 1), rows[:, 1:].flatten(), reduction="none")
    return nats.double().cpu()
