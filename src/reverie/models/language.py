"""The recurrent language model: ``p(text) = prod_t p(symbol_t | all before it)``, recurrent layers over an embedding.

Trained on all positions at once, with the state carried from window to window and cut off there (truncated
back-propagation through time). Regularisation: Merity, Keskar and Socher 2017, "Regularizing and optimizing LSTM
language models", 1708.02182.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from reverie.nn.alone import Alone
from reverie.nn.recurrent import MinGRU, Recurrent, States, dropped, fresh, tied
from reverie.protocols import Batch, Loss, Noise


class Restraint(NamedTuple):
    """What keeps a model from learning its text by heart: shares that are dropped in training, and penalties in nats.

    What is dropped differs between rows; of words and weights, it is the same in all rows.
    """

    words: float = 0.0  # of the symbols of the vocabulary: whole rows of the embedding
    inputs: float = 0.0  # of the numbers of an embedding
    layers: float = 0.0  # of the units between layers
    outputs: float = 0.0  # of the units of the last layer
    recurrent: float = 0.0  # of the recurrent weights
    state: float = 0.0  # of the rows that forget their state before a window: else a cold start is never learnt
    activity: float = 0.0  # weight of the mean of |dropped output|^2 (AR)
    slowness: float = 0.0  # weight of the mean of |output_t - output_{t-1}|^2 (TAR)
    locked: bool = True  # the same numbers at every step of a window; else drawn anew at each


class LanguageModel(Alone):
    """Embedding, recurrent layers, logits.

    The loss of a row is the mean over its positions of ``-log p(next symbol)`` in nats, plus the penalties.

    Args:
        symbols: V.
        embedding: numbers of an embedding, E.
        layers: the recurrent layers, from the first on; see ``nn.recurrent.stack``.
        tie: whether the logits use the embedding too; a projection comes before, where the last layer has not E units.
        restraint: what is dropped and penalised in training.
        last_only: whether the last position of a window alone counts, as with windows that start cold.
    """

    player = "language"

    def __init__(
        self,
        symbols: int,
        embedding: int,
        layers: Sequence[Recurrent | MinGRU],
        *,
        tie: bool = False,
        restraint: Restraint | None = None,
        last_only: bool = False,
    ) -> None:
        super().__init__()
        self.restraint, self.last_only = restraint or Restraint(), last_only
        self.embedding = nn.Embedding(symbols, embedding)
        if tie:  # as logits, embeddings of deviation 1 would start far from ln V; untied they learn faster so
            nn.init.uniform_(self.embedding.weight, -0.1, 0.1)
        self.layers = nn.ModuleList(layers)
        units = layers[-1].units
        width = embedding if tie else units
        self.project = nn.Linear(units, width) if width != units else nn.Identity()
        self.weight = None if tie else nn.Parameter(torch.empty(symbols, width).uniform_(-0.1, 0.1))
        self.bias = nn.Parameter(torch.zeros(symbols))

    def loss(self, player: str, batch: Batch, noise: Noise) -> Loss:
        """The loss of each row of x (B, T + 1), (B,), and the state after its last symbol but one."""
        tokens, following = batch.x[:, :-1], batch.x[:, 1:]
        output, raw, state = self._outputs(tokens, self._remembered(batch.state, noise), noise)
        if self.last_only:
            output, following = output[:, -1:], following[:, -1:]
        logits = self._logits(output).float()
        nats = functional.cross_entropy(logits.flatten(0, 1), following.flatten(), reduction="none")
        value = nats.view_as(following).mean(1)
        left = tuple(tensor.detach().float() for tensor in state)
        if not (self.restraint.activity or self.restraint.slowness):
            return Loss(value, {}, left)
        return Loss(value + self._penalty(output, raw), {"nats": value.detach()}, left)

    def _remembered(self, state: States | None, noise: Noise) -> States | None:
        """The carried state, zero for some of the rows (Melis et al. 2020, 1909.01792, drop it at a share of 0.01)."""
        if state is None or not self.restraint.state:
            return state
        keep = noise.uniform("state", (len(state[0]), 1)) >= self.restraint.state
        return tuple(tensor * keep for tensor in state)

    def _penalty(self, output: Tensor, raw: Tensor) -> Tensor:
        """``AR + TAR`` of each row, (B,)."""
        penalty = raw.new_zeros(len(raw), dtype=torch.float32)
        if self.restraint.activity:
            penalty = penalty + self.restraint.activity * output.float().square().mean((1, 2))
        if self.restraint.slowness and raw.shape[1] > 1:
            penalty = penalty + self.restraint.slowness * raw.float().diff(dim=1).square().mean((1, 2))
        return penalty

    def forward(self, tokens: Tensor, state: States | None = None) -> tuple[Tensor, States]:
        """Logits (B, T, V) after each of tokens (B, T), and the state after the last; nothing is dropped."""
        output, _, after = self._outputs(tokens, state, None)
        return self._logits(output), after

    def step(self, token: Tensor, state: Any) -> tuple[Tensor, States]:
        """Logits (B, V) after one more token (B,), and the next state; None is the state at the start."""
        logits, after = self(token[:, None], state)
        return logits[:, 0], after

    def _logits(self, output: Tensor) -> Tensor:
        return tied(self.project(output), self.embedding.weight if self.weight is None else self.weight, self.bias)

    def _outputs(self, tokens: Tensor, state: States | None, noise: Noise | None) -> tuple[Tensor, Tensor, States]:
        """The output of the last layer, dropped from and whole, (B, T, H) each, and the states of all layers."""
        cells = [one for one in self.layers if isinstance(one, Recurrent | MinGRU)]
        left = list(fresh(cells, len(tokens), self.bias) if state is None else state)
        x, after = self._embedded(tokens, noise), list[Tensor]()
        raw = x
        for i, one in enumerate(cells):
            own, left = left[: one.tensors], left[one.tensors :]
            raw, new = one(x, tuple(own), self._kept(i, one, noise))
            after += new
            share = self.restraint.outputs if one is cells[-1] else self.restraint.layers
            x = self._thinned(raw, f"layer {i}", share, noise)
        return x, raw, tuple(after)

    def _embedded(self, tokens: Tensor, noise: Noise | None) -> Tensor:
        weight = self.embedding.weight
        if noise is not None and self.restraint.words:
            weight = dropped(weight, noise.shared("words", (len(weight), 1)), self.restraint.words)
        return self._thinned(functional.embedding(tokens, weight), "inputs", self.restraint.inputs, noise)

    def _thinned(self, x: Tensor, name: str, share: float, noise: Noise | None) -> Tensor:
        if noise is None or not share:
            return x
        batch, steps, units = x.shape
        return dropped(x, noise.uniform(name, (batch, 1 if self.restraint.locked else steps, units)), share)

    def _kept(self, i: int, one: Recurrent | MinGRU, noise: Noise | None) -> Tensor | None:
        """Factors of the recurrent matrix of a layer; None keeps all."""
        share = self.restraint.recurrent
        if noise is None or not share or isinstance(one, MinGRU):
            return None
        drawn = noise.shared(f"recurrent {i}", tuple(one.weight_hh.shape))
        return dropped(torch.ones_like(drawn), drawn, share)
