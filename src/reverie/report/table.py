"""Figures in words: a number with its error and its protocol, for pages, cards and terminals."""

import math
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any, NamedTuple, Protocol

WIDTH = 80
MINUS = "\u2212"


class Measured(Protocol):
    """A figure that can say itself as a mapping, as the metrics' figures do."""

    def to_json(self) -> dict[str, Any]: ...  # noqa: D102 -- named by its class


Figures = Iterable[Mapping[str, Any] | Measured]


class Group(NamedTuple):
    """Figures of the same data and split, and what their protocols have in common."""

    figures: list[Mapping[str, Any]]
    common: dict[str, Any]


def entries(figures: Figures) -> list[Mapping[str, Any]]:
    """Figures as mappings, whether they were read from ``eval.json`` or measured just now."""
    return [f if isinstance(f, Mapping) else f.to_json() for f in figures]


def amount(figure: Mapping[str, Any]) -> str:
    """A figure's value, with its standard error, if any: two digits of the error, the value as precise.

    Example:
        >>> amount({"value": 101.2345, "standard_error": 0.3456}), amount({"value": 0.98765})
        ('101.23 ± 0.35', '0.9877')
    """
    value, error = figure.get("value"), figure.get("standard_error")
    if not isinstance(value, int | float) or not math.isfinite(value):
        return "not finite"
    if not isinstance(error, int | float) or not math.isfinite(error) or error <= 0:
        return _plainly(value)
    decimals = min(9, max(0, 1 - math.floor(math.log10(error))))
    return f"{value:,.{decimals}f} ± {error:,.{decimals}f}".replace("-", MINUS)


def _plainly(value: float) -> str:
    """Whole numbers whole; others with four digits, and no fewer than stand before the point."""
    whole = float(value).is_integer() or abs(value) >= 1000
    return (f"{value:,.0f}" if whole and abs(value) < 1e15 else f"{value:.4g}").replace("-", MINUS)


def words(protocol: Mapping[str, Any]) -> str:
    """A protocol on one line.

    Example:
        >>> words({"data": "mnist", "split": "test", "k": 5000})
        'data mnist, split test, k 5,000'
    """
    return ", ".join(f"{name.replace('_', ' ')} {_setting(value)}" for name, value in protocol.items())


def _setting(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def shared(figures: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The part of the protocol that all figures have in common; nothing where there is only one figure."""
    protocols = [figure.get("protocol") or {} for figure in figures]
    first = protocols[0] if len(protocols) > 1 else {}
    return {name: value for name, value in first.items() if all(name in p and p[name] == value for p in protocols)}


def own(figure: Mapping[str, Any], common: Mapping[str, Any]) -> dict[str, Any]:
    """What of a figure's protocol is not common to all."""
    return {name: value for name, value in (figure.get("protocol") or {}).items() if name not in common}


def remark(figure: Mapping[str, Any], common: Mapping[str, Any]) -> str:
    """A figure's own protocol and its note."""
    return "; ".join(part for part in (words(own(figure, common)), str(figure.get("note") or "")) if part)


def groups(figures: Figures) -> list[Group]:
    """The figures in their order, neighbours of the same data and split together."""
    listed = [list(group) for _, group in groupby(entries(figures), key=_measured_on)]
    return [Group(group, shared(group)) for group in listed]


def _measured_on(figure: Mapping[str, Any]) -> tuple[Any, Any]:
    protocol = figure.get("protocol") or {}
    return protocol.get("data_sha256"), protocol.get("split")


def plain(figures: Figures) -> str:
    """Figures as aligned lines of plain text, their protocols and remarks as numbered notes below.

    Example:
        >>> print(plain([{"name": "elbo", "value": -90.0, "unit": "nats", "protocol": {"split": "test"}}]))
        elbo  −90  nats  [1]
        <BLANKLINE>
        [1] split test
    """
    found = groups(figures)
    rows = [_cells(figure) for group in found for figure in group.figures]
    wide = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n\n".join(_block(group, wide) for group in found)


def _cells(figure: Mapping[str, Any]) -> tuple[str, str, str]:
    return str(figure["name"]), amount(figure), str(figure.get("unit") or "")


def _block(group: Group, wide: Sequence[int]) -> str:
    said = [[words(own(f, group.common)), str(f.get("note") or "")] for f in group.figures]
    remarks = list(dict.fromkeys(words for pair in said for words in pair if words))
    marks = [" ".join(f"[{remarks.index(words) + 1}]" for words in pair if words) for pair in said]
    rows = [(*_cells(f), mark) for f, mark in zip(group.figures, marks, strict=True)]
    lines = [f"{a:<{wide[0]}}  {b:>{wide[1]}}  {c:<{wide[2]}}  {d}".rstrip() for a, b, c, d in rows]
    notes = [_note(f"[{i}] ", remark) for i, remark in enumerate(remarks, 1)]
    notes += [_note("For all of these: ", words(group.common))] if group.common else []
    return "\n".join([*lines, "", *notes] if notes else lines)


def _note(head: str, text: str) -> str:
    return textwrap.fill(text, WIDTH, initial_indent=head, subsequent_indent=" " * len(head))
