"""A small causal transformer: each position looks at itself and at so many before it, and at nothing after.

Vaswani et al. 2017, 1706.03762, with what came after it: normalisation before each part (Xiong et al. 2020,
2002.04745), positions as rotations of queries and keys (Su et al. 2021, 2104.09864), which say how far apart two
symbols are and never where, and keys and values that are carried from window to window (Dai et al. 2019, 1901.02860).
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from reverie.nn.alone import Alone
from reverie.nn.recurrent import dropped
from reverie.protocols import Batch, Loss, Noise

States = tuple[Tensor, ...]


class Transformer(Alone):
    """Embedding, layers of attention and two-layer networks, logits by the embedding.

    The loss of a row is the mean over its positions of ``-log p(next symbol)``, nats. A layer looks ``reach`` symbols
    back at most, from whichever window they are, so that reading in parts is reading at once.

    Args:
        symbols: V.
        width: numbers of a position, D; a multiple of twice the heads.
        layers: how many.
        heads: of each layer.
        reach: positions that one looks at, itself among them.
        dropout: share of the numbers that each part adds that is dropped in training.
    """

    player = "language"

    def __init__(self, symbols: int, *, width: int, layers: int, heads: int, reach: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.dropout = dropout
        self.embedding = nn.Embedding(symbols, width)
        nn.init.normal_(self.embedding.weight, std=0.02)
        self.layers = nn.ModuleList(Layer(width, heads, reach, layers) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.bias = nn.Parameter(torch.zeros(symbols))

    def loss(self, player: str, batch: Batch, noise: Noise) -> Loss:
        """The loss of each row of x (B, T + 1), (B,), and what the next window may look back at."""
        logits, state = self._logits(batch.x[:, :-1], batch.state, noise)
        nats = functional.cross_entropy(logits.float().flatten(0, 1), batch.x[:, 1:].flatten(), reduction="none")
        return Loss(nats.view(len(batch.x), -1).mean(1), {}, tuple(tensor.detach().float() for tensor in state))

    def forward(self, tokens: Tensor, state: States | None = None) -> tuple[Tensor, States]:
        """Logits (B, T, V) after each of tokens (B, T), and the state after the last; nothing is dropped."""
        return self._logits(tokens, state, None)

    def step(self, token: Tensor, state: Any) -> tuple[Tensor, States]:
        """Logits (B, V) after one more token (B,), and the next state; None is the state at the start."""
        logits, after = self(token[:, None], state)
        return logits[:, 0], after

    def _logits(self, tokens: Tensor, state: States | None, noise: Noise | None) -> tuple[Tensor, States]:
        x, after = self._kept(self.embedding(tokens), "embedding", noise), list[Tensor]()
        for i, one in enumerate(self.layers):
            added, past = one.attend(x, None if state is None else state[i])  # type: ignore[operator]
            x = x + self._kept(added, f"attention {i}", noise)
            x = x + self._kept(one.feed_forward(x), f"feed-forward {i}", noise)  # type: ignore[operator]
            after.append(past)
        return functional.linear(self.norm(x), self.embedding.weight, self.bias), tuple(after)

    def _kept(self, x: Tensor, name: str, noise: Noise | None) -> Tensor:
        if noise is None or not self.dropout:
            return x
        return dropped(x, noise.uniform(name, tuple(x.shape)), self.dropout)


class Layer(nn.Module):
    """One layer: attention to what is near and before, and a network for each position.

    Args:
        width: D.
        heads: that share the width.
        reach: positions that one looks at.
        layers: of the whole model; what a layer adds starts smaller, the more there are.
    """

    def __init__(self, width: int, heads: int, reach: int, layers: int) -> None:
        super().__init__()
        self.heads, self.reach = heads, reach
        self.attention_norm, self.feed_forward_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.query_key_value, self.mixed = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        for one in (self.mixed, self.down):
            nn.init.normal_(one.weight, std=0.02 / (2 * layers) ** 0.5)

    def attend(self, x: Tensor, past: Tensor | None) -> tuple[Tensor, Tensor]:
        """What attention adds to x (B, T, D), and the keys and values that later positions may see, (B, M, 2 D)."""
        query, fresh = self.query_key_value(self.attention_norm(x)).split((x.shape[2], 2 * x.shape[2]), -1)
        seen = fresh if past is None else torch.cat([past.to(fresh.dtype), fresh], 1)
        key, value = seen.chunk(2, -1)
        first = seen.shape[1] - x.shape[1]
        query, key = rotated(self._split(query.contiguous()), first), rotated(self._split(key.contiguous()), 0)
        found = functional.scaled_dot_product_attention(
            query, key, self._split(value.contiguous()), attn_mask=near(x.shape[1], seen.shape[1], self.reach, x.device)
        )
        return self.mixed(found.transpose(1, 2).flatten(2)), seen[:, max(0, seen.shape[1] - self.reach + 1) :]

    def feed_forward(self, x: Tensor) -> Tensor:
        """What the network adds to each position, (B, T, D)."""
        added: Tensor = self.down(functional.gelu(self.up(self.feed_forward_norm(x))))
        return added

    def _split(self, x: Tensor) -> Tensor:
        """(B, T, D) to (B, heads, T, D / heads)."""
        return x.view(*x.shape[:2], self.heads, -1).transpose(1, 2)


def near(count: int, seen: int, reach: int, device: torch.device) -> Tensor:
    """Which of S ``seen`` positions each of the last T, ``count``, looks at, (T, S) bool: itself and those before it.

    Example:
        >>> near(2, 3, 2, torch.device("cpu")).int().tolist()
        [[1, 1, 0], [0, 1, 1]]
    """
    distance = torch.arange(seen - count, seen, device=device)[:, None] - torch.arange(seen, device=device)
    return (distance >= 0) & (distance < reach)


def rotated(x: Tensor, first: int) -> Tensor:
    """Turn pairs of numbers by an angle that grows with the place, (B, heads, T, D): products know distances alone."""
    half = x.shape[-1] // 2
    rates = 10_000.0 ** (-torch.arange(half, device=x.device) / half)
    angles = torch.arange(first, first + x.shape[2], device=x.device)[:, None] * rates
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    a, b = x.chunk(2, -1)
    return torch.cat([a * cos - b * sin, a * sin + b * cos], -1)
