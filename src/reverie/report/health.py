"""How a game of two networks is going, in plain words, from the rows of ``metrics.jsonl``.

Losses of a game do not say whether it gets anywhere: they are measured against an opponent that changes. What is
looked at here are the critic's ranking of real above fake, the Fréchet distance of samples from held-out images as
they were watched, their recall, classes and nearest training images. Every threshold stands below by its name.
"""

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from reverie.digits import short

LATE = 0.25  # the last part of the training rows that is looked at
LOOKS = 4  # measurements before there is a verdict
GAIN = 0.98  # a distance below so much of the best one before is an improvement
STRONG, WEAK = 0.98, 0.55  # share of pairs in which the critic ranks the real image above the fake one
LOST = 0.5  # recall, or classes, below so much of the most there were
ENOUGH = 0.1  # recall that can be lost
SPARSE = 0.02  # recall of next to nothing, beside SHARP precision: a few good pictures again and again
SHARP = 0.3
COPIES = 0.5  # distance to the nearest training image, over that of held-out images
SWING = 0.3  # mean change of the distance from one measurement to the next, over its mean
BLOWN = 20.0  # loss over what it was in the middle of training

Rows = Sequence[Mapping[str, Any]]


class Verdict(NamedTuple):
    """What is going on, from what it is seen, and what to do about it."""

    name: str
    why: str
    advice: str

    def __str__(self) -> str:
        """All of it on one line."""
        return " ".join(part for part in (f"{self.name}: {self.why}.", self.advice) if part)


def verdict(rows: Rows) -> Verdict | None:
    """The first of the states below that the rows show; None where no game was played, or nothing is known yet.

    Diverging, collapsing, memorising, oscillating, critic too strong, critic too weak, plateau, learning: in this
    order, since the first ones explain the later ones.

    Args:
        rows: of ``metrics.jsonl``: of training with ``critic/loss``, ``critic/ranked`` ...; of measurements with
            ``"test": true`` and ``test_fd``, ``test_recall`` ...
    """
    played = [row for row in rows if "critic/loss" in row]
    measured = [row for row in rows if row.get("test") is True and _finite([row], "test_fd")]
    if not played:
        return None
    if found := _diverging(played):
        return found
    if len(measured) < LOOKS:
        return None
    looks = (_collapsing, _memorising, _oscillating)
    found = next((seen for look in looks if (seen := look(measured))), None)
    return found or _balance(played, measured)


def _values(rows: Rows, name: str) -> list[float]:
    return [float(row[name]) for row in rows if isinstance(row.get(name), int | float)]


def _finite(rows: Rows, name: str) -> list[float]:
    return [value for value in _values(rows, name) if math.isfinite(value)]


def _late(rows: Rows) -> Rows:
    return rows[-max(3, math.ceil(LATE * len(rows))) :]


def _diverging(played: Rows) -> Verdict | None:
    advice = "Lower both rates, or set a penalty on the critic's gradient; the last good weights are kept."
    for name in ("critic/loss", "generator/loss"):
        values = _values(played, name)
        if any(not math.isfinite(value) for value in values[-3:]):
            return Verdict("diverging", f"{name} is not finite", advice)
        if len(values) < 20:
            continue
        sizes = [abs(value) for value in values]
        before = statistics.median(sizes[len(sizes) // 5 : 3 * len(sizes) // 5])
        now = statistics.median(sizes[-max(3, len(sizes) // 10) :])
        if now > BLOWN * max(before, 1.0):
            return Verdict("diverging", f"{name} went from about {short(before)} to {short(now)}", advice)
    return None


def _collapsing(measured: Rows) -> Verdict | None:
    advice = "Try a cost with a critic that sees pairs (r3gan), packing, a larger batch, or a lower generator rate."
    for name, words, enough in (("test_recall", "recall", ENOUGH), ("test_classes", "effective classes", 2.0)):
        values = _finite(measured, name)
        if values and max(values) >= enough and values[-1] < LOST * max(values) and _worse(measured):
            why = f"{words} fell from {short(max(values))} to {short(values[-1])} while the distance grew"
            return Verdict("collapsing", why, advice)
    precision, recall = _finite(measured, "test_precision"), _finite(measured, "test_recall")
    if precision and recall and precision[-1] > SHARP and recall[-1] < SPARSE:
        why = f"precision is {precision[-1]:.2f} and recall {recall[-1]:.2f}: good pictures, but always the same few"
        return Verdict("collapsing", why, advice)
    return None


def _worse(measured: Rows) -> bool:
    distances = _values(measured, "test_fd")
    return distances[-1] * GAIN > min(distances)


def _memorising(measured: Rows) -> Verdict | None:
    memory = _finite(measured, "test_memory")
    if not memory or memory[-1] >= COPIES:
        return None
    why = f"samples lie {memory[-1]:.2f} times as far from training images as held-out images do"
    return Verdict("memorising", why, "Bring more images, add --augment, or take an earlier checkpoint.")


def _oscillating(measured: Rows) -> Verdict | None:
    late = _values(measured, "test_fd")[-2 * LOOKS :]
    steps = [b - a for a, b in zip(late, late[1:], strict=False)]
    turns = sum(a * b < 0 for a, b in zip(steps, steps[1:], strict=False))
    swing = statistics.fmean(map(abs, steps)) / statistics.fmean(late)
    if len(steps) < LOOKS or turns < 0.6 * (len(steps) - 1) or swing < SWING:
        return None
    why = f"the distance goes up and down by {swing:.0%} of itself from one measurement to the next ({_last(late)})"
    return Verdict("oscillating", why, "Average the weights (a longer half-life), lower the rates, or set a penalty.")


def _balance(played: Rows, measured: Rows) -> Verdict:
    """Learning while the distance falls; where it stays, the critic's ranking says why."""
    distances, ranked = _values(measured, "test_fd"), _values(_late(played), "critic/ranked")
    share = statistics.median(ranked) if ranked else math.nan
    recent = max(2, len(distances) // 3)
    before, now = min(distances[:-recent]), min(distances[-recent:])
    went = f"the distance went from {short(before)} to {short(now)} in the last {recent} measurements"
    if now < GAIN * before:
        return Verdict("learning", went, "")
    stays = f"the distance has stayed at {short(min(distances))} or above for {recent} measurements"
    if share > STRONG:
        why = f"{stays}, and the critic ranks {share:.1%} of real images above fake ones"
        return Verdict("critic too strong", why, "Lower the critic's rate or turns, or set a penalty on its gradient.")
    if share < WEAK:
        why = f"{stays}, and the critic ranks only {share:.1%} of real images above fake ones, where chance is 50 %"
        return Verdict("critic too weak", why, "Raise the critic's rate, turns or width, or weaken its penalty.")
    return Verdict(
        "plateau", stays, "The best weights are kept; a lower rate, a wider network or more images may help."
    )


def _last(values: Sequence[float]) -> str:
    return ", ".join(map(short, values[-4:]))
