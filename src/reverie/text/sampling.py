"""From logits to the next symbol: pure functions, always in one order.

What is forbidden goes first, then temperature, top-k, top-p, min-p, and the draw. A symbol that is out has the logit
-inf. Shapes: B samples, V symbols.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from reverie.errors import UsageError

OUT = float("-inf")


@dataclass(frozen=True)
class Choice:
    """How the next symbol is chosen among those that the model finds possible.

    Args:
        temperature: logits are divided by it: 0 always takes the likeliest, 1 leaves the model's probabilities alone,
            more flattens them.
        top_k: only the k likeliest stay; None keeps all.
        top_p: only the likeliest stay that together reach this probability (Holtzman et al. 2020, arXiv:1904.09751).
        min_p: only those stay that have this share of the largest probability (Nguyen et al. 2024, arXiv:2407.01082).

    Raises:
        UsageError: a value lies outside its range; all of them in one message.
    """

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float = 1.0
    min_p: float = 0.0

    def __post_init__(self) -> None:
        wrong = [
            (not 0 <= self.temperature < math.inf, "--temperature must be 0 (the likeliest) or more", self.temperature),
            (self.top_k is not None and self.top_k < 1, "--top-k must be at least 1", self.top_k),
            (not 0 < self.top_p <= 1, "--top-p must be above 0 and at most 1 (all)", self.top_p),
            (not 0 <= self.min_p <= 1, "--min-p must be from 0 (all) to 1", self.min_p),
        ]
        if problems := [f"{words}; got {value}." for is_wrong, words, value in wrong if is_wrong]:
            raise UsageError("\n".join(problems))


def log_odds(logits: Tensor, how: Choice) -> Tensor:
    """Logits (B, V) after temperature, top-k, top-p and min-p, as float64: their softmax is what is drawn from."""
    odds = tempered(logits, how.temperature)
    if how.top_k is not None:
        odds = top_k(odds, how.top_k)
    return min_p(top_p(odds, how.top_p), how.min_p)


def tempered(logits: Tensor, temperature: float) -> Tensor:
    """``(logits - max) / T`` as float64, (B, V): any T above 0 works, since nothing is exponentiated before it divides.

    At T = 0 only the likeliest symbol stays; of several, the first.

    Example:
        >>> p = torch.tensor([0.1, 0.7, 0.2], dtype=torch.float64)
        >>> [round(float(q), 4) for q in tempered(p.log(), 0.25).softmax(-1)]
        [0.0004, 0.993, 0.0066]
    """
    below = logits.double() - logits.double().amax(-1, keepdim=True)
    if temperature == 0:
        return torch.full_like(below, OUT).scatter(-1, below.argmax(-1, keepdim=True), 0.0)
    return below / temperature


def top_k(logits: Tensor, k: int) -> Tensor:
    """Keep the k largest, (B, V); of equal ones the first."""
    order = logits.sort(dim=-1, descending=True, stable=True).indices
    return logits.scatter(-1, order[..., k:], OUT)


def top_p(logits: Tensor, p: float) -> Tensor:
    """Keep the fewest of the likeliest whose probabilities add up to p or more, and at least one, (B, V)."""
    if p == 1:
        return logits
    chances, order = logits.softmax(-1).sort(dim=-1, descending=True, stable=True)
    before = chances.cumsum(-1) - chances
    keep = torch.zeros_like(before, dtype=torch.bool).scatter(-1, order, before < p)
    return logits.masked_fill(~keep, OUT)


def min_p(logits: Tensor, p: float) -> Tensor:
    """Keep what has at least p times the largest probability, (B, V)."""
    if p == 0:
        return logits
    return logits.masked_fill(logits < logits.amax(-1, keepdim=True) + math.log(p), OUT)


def draw(log_odds: Tensor, uniform: Tensor) -> Tensor:
    """The symbol of each sample, (B,) int64: the first whose cumulative probability is above ``uniform``, (B,).

    What is out is never drawn.
    """
    cumulative = log_odds.double().softmax(-1).cumsum(-1)
    places = uniform.double().unsqueeze(-1) * cumulative[..., -1:]
    return torch.searchsorted(cumulative, places, right=True).squeeze(-1)
