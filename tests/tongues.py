"""A small language whose every probability is known: a Markov source of order 2, as a model, a text and a tokenizer."""

import numpy as np
import torch
from torch import Tensor, nn

ALPHABET = "abcd \n"


class Letters:
    """One symbol for each character; the first stands for all others, where there is one."""

    def __init__(self, characters: str = ALPHABET, unknown: bool = False) -> None:
        self.symbols = ["<unk>", *characters] if unknown else list(characters)
        self.unknown = 0 if unknown else None

    def __len__(self) -> int:
        return len(self.symbols)

    def encode(self, text: str) -> np.ndarray:
        known = {symbol: number for number, symbol in enumerate(self.symbols)}
        return np.array([known[c] if self.unknown is None else known.get(c, 0) for c in text], np.uint8)

    def decode(self, tokens) -> str:
        return "".join("\ufffd" if t == self.unknown else self.symbols[t] for t in tokens)


class Markov(nn.Module):
    """P(next | the two before), from a table (V, V, V); after one symbol, the mean over what was before it."""

    def __init__(self, table: np.ndarray) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.tensor(table, dtype=torch.float64), requires_grad=False)
        self.asked = 0  # rows that were computed

    def forward(self, tokens: Tensor, state=None) -> tuple[Tensor, Tensor]:
        logits = []
        for token in tokens.T:
            found, state = self.step(token, state)
            logits.append(found)
        return torch.stack(logits, 1), state

    def step(self, token: Tensor, state) -> tuple[Tensor, Tensor]:
        self.asked += len(token)
        chances = self.table.mean(0)[token] if state is None else self.table[state, token]
        return chances.log(), token


def table(seed: int = 0, size: int = len(ALPHABET), sharpness: float = 0.3) -> np.ndarray:
    return np.random.default_rng(seed).dirichlet(np.full(size, sharpness), (size, size)) * 0.999 + 0.001 / size


def spoken(chances: np.ndarray, count: int, seed: int = 0) -> list[int]:
    """So many symbols of the source."""
    uniform = np.random.default_rng(seed).random(count)
    cumulative = chances.cumsum(-1)
    tokens = [0, 0]
    for u in uniform:
        tokens.append(min(int(np.searchsorted(cumulative[tokens[-2], tokens[-1]], u)), len(chances) - 1))
    return tokens[2:]


def exact(chances: np.ndarray, tokens) -> np.ndarray:
    """``-log P`` of each symbol but the first, in nats."""
    first = chances.mean(0)[tokens[0], tokens[1]]
    later = [chances[a, b, c] for a, b, c in zip(tokens, tokens[1:], tokens[2:], strict=False)]
    return -np.log([first, *later])


def entropy(chances: np.ndarray) -> float:
    """The entropy rate in nats: of the next symbol, over the stationary distribution of pairs."""
    size = len(chances)
    pairs = np.full((size, size), 1 / size**2)
    for _ in range(5000):
        pairs = np.einsum("ab,abc->bc", pairs, chances)
    return float(-(pairs[..., None] * chances * np.log(chances)).sum())
