"""The loss of a text: how surprised a model is by each symbol but the first, given those before it.

Two protocols. *Carried*: the state goes through the whole text. *Cold windows* of N: every N symbols the state is
forgotten, so that the symbols of a window are predicted from 1 to N before them; that is how models without a state are
often measured (nanoGPT, N = 256). Both score every symbol but the first of the text, once.
"""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional

from reverie.errors import DataError, Diverged, Interrupted, UsageError
from reverie.metrics.batches import evaluating, never
from reverie.protocols import TextGenerator

CHUNK = 256  # symbols that are read at once where the state is carried; it changes no figure
AT_ONCE = 2048  # symbols of cold windows side by side


def symbol_nats(
    model: nn.Module, ids: Tensor, *, window: int = 0, chunk: int = CHUNK, should_stop: Callable[[], bool] = never
) -> Tensor:
    """``-log p(symbol | what is before it)`` of each symbol but the first, (N - 1,) float64 on the CPU, in nats.

    Args:
        model: called with tokens (B, T) and a state, gives logits (B, T, V) and the next state.
        ids: the text, (N,) int64.
        window: 0 carries the state from the first symbol to the last; else it is forgotten after so many symbols.
        chunk: symbols that are read at once where it is carried.
        should_stop: asked now and then.

    Raises:
        UsageError: the model does not predict symbols, or the window is below 0.
        DataError: there are fewer than two symbols.
        Diverged: a probability is not finite.
        Interrupted: ``should_stop`` said so.
    """
    _check(model, ids, window)
    ids, found = ids.to(next(model.parameters()).device), list[Tensor]()
    with evaluating(model):
        for nats in _cold(model, ids, window) if window else _carried(model, ids, chunk):
            if should_stop():
                raise Interrupted(f"The loss was stopped after {sum(map(len, found)):,} of {len(ids):,} symbols.")
            found.append(nats.double().cpu())
    nats = torch.cat(found)
    if not bool(nats.isfinite().all()):
        raise Diverged("The loss is not finite: the weights of this model are damaged, or it diverged.")
    return nats


def _check(model: nn.Module, ids: Tensor, window: int) -> None:
    if not isinstance(model, TextGenerator):
        raise UsageError(f"A {type(model).__name__} predicts no symbols: it has no step().")
    if window < 0:
        raise UsageError(f"--window must be at least 0 (the state is carried); got {window}.")
    if len(ids) < 2:
        raise DataError("There are fewer than two symbols to measure the loss of.")


def _carried(model: nn.Module, ids: Tensor, chunk: int) -> Iterator[Tensor]:
    """The nats of one chunk after the other."""
    state = None
    for first in range(0, len(ids) - 1, chunk):
        part = ids[first : first + chunk + 1]
        logits, state = model(part[None, :-1], state)
        yield functional.cross_entropy(logits[0].float(), part[1:], reduction="none")


def _cold(model: nn.Module, ids: Tensor, window: int) -> Iterator[Tensor]:
    """The nats of windows side by side, row by row, each from a fresh state; then of what is left over."""
    whole, rest = (len(ids) - 1) // window, ids[(len(ids) - 1) // window * window :]
    rows = torch.split(ids.unfold(0, window + 1, window), max(1, AT_ONCE // window)) if whole else ()
    for part in [*rows, *([rest.unsqueeze(0)] if len(rest) > 1 else [])]:  # (B, T + 1): one symbol more than is scored
        logits, _ = model(part[:, :-1], None)
        yield functional.cross_entropy(logits.float().flatten(0, 1), part[:, 1:].flatten(), reduction="none")
