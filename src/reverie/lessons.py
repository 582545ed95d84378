"""What a person learns a game of two networks by: four small computations, each with its closed form.

All of it is computed when the page is made: nothing on it is drawn by hand. ``reverie learn`` writes the page.
"""

from dataclasses import dataclass
from math import log

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]

# Two laws on six letters, and a law with two humps: what the lessons are about.
LETTERS = np.array([0.30, 0.25, 0.20, 0.15, 0.07, 0.03])
GUESSES = np.array([0.05, 0.10, 0.15, 0.20, 0.25, 0.25])
HUMPS = ((0.75, -1.2, 0.7), (0.25, 2.2, 0.5))  # weight, mean, standard deviation


@dataclass(frozen=True)
class Costs:
    """Costs of a generator and their slopes, as the critic's answer D(G(z)) goes from 0 to 1.

    Args:
        answer: D, (N,).
        cost: of each name, (N,).
        slope: of each name, the size of the derivative by the critic's logit, (N,).
    """

    answer: Numbers
    cost: dict[str, Numbers]
    slope: dict[str, Numbers]


def costs(points: int = 400) -> Costs:
    """The three costs of Goodfellow 2016 (arXiv:1701.00160, figure 16), by the logit l with D = sigmoid(l).

    Minimax ``log(1 - D)`` has slope ``-D``, non-saturating ``-log D`` has ``-(1 - D)``, maximum likelihood
    ``-D / (1 - D)`` has ``-D / (1 - D)``.
    """
    d = np.linspace(0.002, 0.998, points)
    cost = {"minimax": np.log1p(-d), "non-saturating": -np.log(d), "maximum likelihood": -d / (1 - d)}
    return Costs(d, cost, {"minimax": d, "non-saturating": 1 - d, "maximum likelihood": d / (1 - d)})


@dataclass(frozen=True)
class Duel:
    """A critic that learns, and the best one there is.

    Args:
        best: ``p / (p + q)`` for each letter.
        learned: what ascent found for each letter.
        values: of the game before each step.
        bound: ``2 JSD(p, q) - log 4``, the value at the best critic, in nats.
    """

    best: Numbers
    learned: Numbers
    values: Numbers
    bound: float


def duel(p: Numbers = LETTERS, q: Numbers = GUESSES, *, steps: int = 80, rate: float = 1.5) -> Duel:
    """Ascend ``V = sum p log D + q log(1 - D)`` in the logits of a critic on a finite alphabet, from D = 1/2.

    The derivative by the logit of a letter is ``p - (p + q) D``. Source: Goodfellow et al. 2014, arXiv:1406.2661,
    proposition 1 and theorem 1.

    Args:
        p: probabilities of the data, (K,).
        q: of the generator, (K,).
        steps: of ascent.
        rate: of ascent.
    """
    logits, values = np.zeros(len(p)), []
    for _ in range(steps):
        d = _sigmoid(logits)
        values.append(float((p * np.log(d) + q * np.log1p(-d)).sum()))
        logits = logits + rate * (p - (p + q) * d)
    return Duel(p / (p + q), _sigmoid(logits), np.array(values), 2 * jensen_shannon(p, q) - log(4))


def _sigmoid(x: Numbers) -> Numbers:
    return np.asarray(1 / (1 + np.exp(-x)))


def kl(p: Numbers, q: Numbers) -> float:
    """``KL(p || q) = sum p log(p / q)`` in nats, of probabilities (K,); infinite where q forgets a letter of p."""
    there = p > 0
    with np.errstate(divide="ignore"):
        return float((p[there] * np.log(p[there] / q[there])).sum())


def jensen_shannon(p: Numbers, q: Numbers) -> float:
    """``JSD(p, q) = KL(p || m) / 2 + KL(q || m) / 2`` with m between them, in nats: at most log 2."""
    middle = (p + q) / 2
    return (kl(p, middle) + kl(q, middle)) / 2


def orbit(*, steps: int, rate: float, penalty: float = 0.0, in_turns: bool = False) -> Numbers:
    """The path of the smallest game there is, from (1, 0): data at 0, a generator at t, a critic ``D(x) = c x``.

    The critic ascends ``-log(1 + e^(c t)) - penalty / 2 c^2`` and the generator descends ``-log(1 + e^(c t))``, so that
    ``dt = s(c t) c`` and ``dc = -s(c t) t - penalty c`` with s the sigmoid: around (0, 0) the eigenvalues are
    ``-penalty / 2 ± sqrt(penalty^2 / 4 - 1 / 4)``. Steps of finite size at once spiral outwards; in turns they go
    round and round; with a penalty they arrive. Source: Mescheder et al. 2018, arXiv:1801.04406.

    Args:
        steps: N.
        rate: of both.
        penalty: on the square of the critic's slope.
        in_turns: whether the generator sees the critic's new weight.

    Returns:
        (N + 1, 2): t and c after each step.
    """
    t, c = 1.0, 0.0
    path = [(t, c)]
    for _ in range(steps):
        pull = 1 / (1 + np.exp(-c * t))
        after = c + rate * (-pull * t - penalty * c)
        seen = after if in_turns else c
        t = t + rate * seen / (1 + np.exp(-seen * t))
        c = after
        path.append((float(t), float(c)))
    return np.array(path)


@dataclass(frozen=True)
class Fit:
    """A Gaussian that is nearest to a law with two humps, in one sense of near.

    Args:
        name: of the sense.
        mean: of the Gaussian.
        deviation: its standard deviation.
        density: on the points of the lesson, (N,).
        value: of what was made small, in nats.
    """

    name: str
    mean: float
    deviation: float
    density: Numbers
    value: float


def fits(points: int = 400) -> tuple[Numbers, Numbers, list[Fit]]:
    """The Gaussians that make KL(p || q), KL(q || p) and the Jensen-Shannon divergence from two humps small.

    The first is maximum likelihood, whose answer is the mean and the deviation of p itself; all three are found by
    looking at every pair of 121 means and 60 deviations.

    Returns:
        The points (N,), the density of p there (N,), and the fits.
    """
    x = np.linspace(-6, 6, points)
    p = np.sum([weight * _gaussian(x, mean, deviation) for weight, mean, deviation in HUMPS], axis=0)
    senses = {"KL(p || q)": kl, "KL(q || p)": lambda a, b: kl(b, a), "JSD(p, q)": jensen_shannon}
    tried = [(m, s, _gaussian(x, m, s)) for m in np.linspace(-3, 3, 121) for s in np.linspace(0.3, 3.25, 60)]
    step = float(x[1] - x[0])
    found = []
    for name, divergence in senses.items():
        values = [divergence(p * step, np.maximum(q, 1e-300) * step) for _, _, q in tried]
        mean, deviation, density = tried[int(np.argmin(values))]
        found.append(Fit(name, float(mean), float(deviation), density, min(values)))
    return x, p, found


def _gaussian(x: Numbers, mean: float, deviation: float) -> Numbers:
    return np.asarray(np.exp(-(((x - mean) / deviation) ** 2) / 2) / (deviation * np.sqrt(2 * np.pi)))
