"""A figure: a number that says what it is, how sure it is, and how it was measured."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from torch import Tensor

Protocol = Mapping[str, str | int | float]


@dataclass(frozen=True)
class Figure:
    """One measured number.

    Args:
        name: what it is, as in ``elbo``.
        value: the number.
        unit: nats per image, bits per dimension, dB ...
        standard_error: of the value, over the examples; None where there is none.
        protocol: all that must be equal before two figures may be compared.
        note: what a reader must know about it.
    """

    name: str
    value: float
    unit: str
    standard_error: float | None
    protocol: Protocol
    note: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return what ``json.dumps`` takes."""
        return asdict(self) | {"protocol": dict(self.protocol)}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "Figure":
        """Return the figure that ``to_json`` wrote."""
        return cls(**content)


def comparable(a: Figure, b: Figure) -> list[str]:
    """Name everything that keeps two figures from being compared: no name means that they may be.

    Example:
        >>> a = Figure("elbo", -90.0, "nats per image", 0.1, {"data": "mnist", "split": "test"})
        >>> b = Figure("elbo", -89.0, "nats per image", 0.1, {"data": "mnist", "split": "train"})
        >>> comparable(a, b)
        ['split']
    """
    differ = [field for field in ("name", "unit") if getattr(a, field) != getattr(b, field)]
    keys = sorted({*a.protocol, *b.protocol})
    return differ + [key for key in keys if a.protocol.get(key) != b.protocol.get(key)]


def finite(figures: Sequence[Figure]) -> list[Figure]:
    """The figures whose values are finite; a standard error that is not is left out.

    Example:
        >>> finite([Figure("a", float("nan"), "", None, {}), Figure("b", 1.0, "", float("nan"), {})])
        [Figure(name='b', value=1.0, unit='', standard_error=None, protocol={}, note='')]
    """
    sure = [figure for figure in figures if math.isfinite(figure.value)]
    return [each if math.isfinite(each.standard_error or 0.0) else replace(each, standard_error=None) for each in sure]


def mean_figure(name: str, values: Tensor, unit: str, protocol: Protocol, note: str = "") -> Figure:
    """The mean of one value for each example, (N,), with its standard error ``sd / sqrt(N)``, in float64."""
    values = values.double()
    n = len(values)
    error = float(values.std() / n**0.5) if n > 1 else None
    return Figure(name, float(values.mean()), unit, error, {**protocol, "n": n}, note)
