"""A check: what is measured against a closed form, how far off it may be, and what was found."""

import math
import textwrap
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Generic, ParamSpec

import torch
from torch import Tensor

Arguments = ParamSpec("Arguments")
Measure = Callable[Arguments, float | tuple[float, str]]

ERRORS = 4  # standard errors beyond which a difference of means is no chance: one time in 30,000
LONGEST = 200  # characters of a reason


class Inapplicable(Exception):
    """A model has no part that the check is about; the message says which."""


@dataclass(frozen=True)
class Finding:
    """What one check found.

    Args:
        name: what was checked.
        error: the distance from the closed form; None where the check did not apply.
        tolerance: the largest distance that is right.
        seconds: what the check took.
        note: what a reader must know: the size of a bracket, why it failed, why it did not apply.
        proves: the check in one sentence.
    """

    name: str
    error: float | None
    tolerance: float
    seconds: float
    note: str
    proves: str

    @property
    def passed(self) -> bool | None:
        """Whether the error is within the tolerance, which NaN never is; None where the check did not apply."""
        return None if self.error is None else self.error <= self.tolerance

    def to_json(self) -> dict[str, Any]:
        """What ``json.dumps`` takes; an error that is not finite is null, and has not passed."""
        finite = self.error is not None and math.isfinite(self.error)
        return {**asdict(self), "error": self.error if finite else None, "passed": self.passed}


@dataclass(frozen=True)
class Check(Generic[Arguments]):
    """A measurement with its tolerance; called, it measures.

    Args:
        name: what is checked.
        tolerance: the largest error that is right.
        measure: the error, alone or with a note.
    """

    name: str
    tolerance: float
    measure: Measure[Arguments]

    def __call__(self, *args: Arguments.args, **kwargs: Arguments.kwargs) -> Finding:
        """Measure; what cannot be computed has failed, with the reason, and the other checks go on."""
        started = time.perf_counter()
        error: float | None
        try:
            measured = self.measure(*args, **kwargs)
            error, note = measured if isinstance(measured, tuple) else (measured, "")
        except Inapplicable as reason:
            error, note = None, str(reason)
        except Exception as problem:  # anything may go wrong in a model of one's own, and is what is looked for
            error, note = math.inf, textwrap.shorten(f"{type(problem).__name__}: {problem}", LONGEST)
        proves = (self.measure.__doc__ or "").split("\n", 1)[0]
        return Finding(self.name, error, self.tolerance, time.perf_counter() - started, note, proves)


def check(name: str, tolerance: float) -> Callable[[Measure[Arguments]], Check[Arguments]]:
    """Make a check of a function that measures an error."""

    def make(measure: Measure[Arguments]) -> Check[Arguments]:
        return Check(name, tolerance, measure)

    return make


def largest(difference: Tensor) -> float:
    """The largest absolute value; NaN where there is one."""
    return float(difference.detach().abs().max())


def relative(found: Tensor, expected: Tensor) -> float:
    """The largest difference, in units of the expected value where that is above 1."""
    return largest((found - expected) / expected.abs().clamp(min=1))


def excess(difference: Tensor) -> float:
    """How far the mean of differences that should not be above 0 is above it, beyond four standard errors."""
    difference = difference.double()
    mean, error = difference.mean(), difference.std() / len(difference) ** 0.5
    return float(torch.clamp(mean - ERRORS * error, min=0))
