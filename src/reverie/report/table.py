"""Figures in words: a number with its error and its protocol, for pages, cards and terminals."""

import math
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from rich.table import Table

WIDTH = 80
MINUS = "\u2212"


class Measured(Protocol):
    """A figure that can say itself as a mapping, as the metrics' figures do."""

    def to_json(self) -> dict[str, Any]: ...  # noqa: D102 -- named by its class


Figures = Iterable[Mapping[str, Any] | Measured]


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


def figures_table(figures: Figures) -> "Table":
    """A table for the terminal: name, value ± standard error, unit, protocol; what all share stands below."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    listed = entries(figures)
    common = shared(listed)
    below = Text(f"For all: {words(common)}.", justify="left") if common else None
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, caption=below, caption_justify="left")
    table.add_column("figure", style="bold", overflow="fold")
    table.add_column("value", justify="right", no_wrap=True)
    table.add_column("unit", overflow="fold")
    table.add_column("protocol", style="dim", overflow="fold")
    for f in listed:  # as Text: a name with brackets in it is no markup
        table.add_row(*map(Text, (str(f["name"]), amount(f), str(f.get("unit") or ""), remark(f, common))))
    return table


def plain(figures: Figures) -> str:
    """Figures as aligned lines of plain text, their protocols and remarks as numbered notes below.

    Example:
        >>> print(plain([{"name": "elbo", "value": -90.0, "unit": "nats", "protocol": {"split": "test"}}]))
        elbo  −90  nats  [1]
        <BLANKLINE>
        [1] split test
    """
    listed = entries(figures)
    common = shared(listed)
    said = [[words(own(f, common)), str(f.get("note") or "")] for f in listed]
    remarks = list(dict.fromkeys(words for pair in said for words in pair if words))
    marks = [" ".join(f"[{remarks.index(words) + 1}]" for words in pair if words) for pair in said]
    rows = [(str(f["name"]), amount(f), str(f.get("unit") or ""), m) for f, m in zip(listed, marks, strict=True)]
    wide = [max((len(row[i]) for row in rows), default=0) for i in range(3)]
    lines = [f"{a:<{wide[0]}}  {b:>{wide[1]}}  {c:<{wide[2]}}  {d}".rstrip() for a, b, c, d in rows]
    notes = [_note(f"[{i}] ", remark) for i, remark in enumerate(remarks, 1)]
    notes += [_note("For all: ", words(common))] if common else []
    return "\n".join([*lines, "", *notes] if notes else lines)


def _note(head: str, text: str) -> str:
    return textwrap.fill(text, WIDTH, initial_indent=head, subsequent_indent=" " * len(head))
