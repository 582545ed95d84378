"""Types of recipe arguments: a plain type, and the range it must lie in, checked before anything starts.

A recipe's signature is its whole configuration: command-line flags, the studio's form and ``config.toml`` are
read from it. ``check`` holds given values against a signature and reports every problem at once.
"""

import inspect
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from reverie.errors import UsageError, suggest

UNREACHED = 1e6  # an upper end that is left out of help


@dataclass(frozen=True)
class Range:
    """A closed interval, or one that leaves out its lower end (``above``)."""

    low: float | None = None
    high: float | None = None
    above: float | None = None

    def __contains__(self, value: float) -> bool:
        """Whether ``value`` lies in the interval; not-a-number lies in none."""
        return (
            value == value
            and (self.low is None or value >= self.low)
            and (self.above is None or value > self.above)
            and (self.high is None or value <= self.high)
        )

    @property
    def reached(self) -> str:
        """The interval in words, for help: an upper end that nobody reaches is left out."""
        return str(replace(self, high=None) if self.high is not None and self.high >= UNREACHED else self)

    def __str__(self) -> str:
        """The interval in words, for messages."""
        parts = [
            f"above {self.above:g}" if self.above is not None else "",
            f"at least {self.low:g}" if self.low is not None else "",
        ]
        parts.append(f"at most {self.high:g}" if self.high is not None else "")
        return " and ".join(part for part in parts if part)


Described = list[tuple[inspect.Parameter, str]]  # with their words
Count = Annotated[int, Range(low=1)]
Steps = Annotated[int, Range(low=0)]
Rate = Annotated[float, Range(above=0.0, high=1.0)]
Positive = Annotated[float, Range(above=0.0, high=1e9)]
Weight = Annotated[float, Range(low=0.0, high=1e6)]
Fraction = Annotated[float, Range(low=0.0, high=1.0)]


def keywords(function: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    """The keyword-only parameters of a function, with their annotations resolved."""
    hints = get_type_hints(function, include_extras=True)
    parameters = inspect.signature(function).parameters.values()
    return {p.name: p.replace(annotation=hints[p.name]) for p in parameters if p.kind is p.KEYWORD_ONLY}


def described(function: Callable[..., Any]) -> Described:
    """The keyword-only parameters of a function, each with its words in the docstring."""
    from docstring_parser import parse  # takes 15 ms, which only help and parsing need

    words = {item.arg_name: " ".join((item.description or "").split()) for item in parse(function.__doc__ or "").params}
    return [(parameter, words.get(name, "")) for name, parameter in keywords(function).items()]


def check(function: Callable[..., Any], given: Mapping[str, Any], what: str) -> dict[str, Any]:
    """Hold ``given`` against the keyword arguments of ``function``; return them with defaults filled in.

    Args:
        function: the function whose keyword-only parameters are the configuration.
        given: values by name; names may use dashes or underscores.
        what: what is configured, for the message, as in ``recipe vae-conv``.

    Raises:
        UsageError: one message that lists every unknown name and every value of a wrong type or range.
    """
    known = keywords(function)
    values = {name.replace("-", "_"): value for name, value in given.items()}
    problems = [f'{what} has no argument "{n}".{suggest(n, known)}' for n in values if n not in known]
    resolved = {}
    for name, parameter in known.items():
        value = values.get(name, parameter.default)
        if value is inspect.Parameter.empty:
            problems.append(f"--{name.replace('_', '-')} is needed.")
            continue
        resolved[name], problem = _fit(value, parameter.annotation)
        if problem:
            problems.append(f"--{name.replace('_', '-')} {problem}; got {value!r}.")
    if problems:
        raise UsageError("\n".join(problems))
    return resolved


def _fit(value: Any, annotation: Any) -> tuple[Any, str]:
    """Return the value, as its type wants it, and what is wrong with it ('' if nothing is)."""
    if get_origin(annotation) is Annotated:
        base, *marks = get_args(annotation)
        value, problem = _fit(value, base)
        outside = [
            str(m) for m in marks if isinstance(m, Range) and not problem and value is not None and value not in m
        ]
        return value, problem or (f"must be {outside[0]}" if outside else "")
    if get_origin(annotation) is Literal:
        choices = get_args(annotation)
        near = suggest(str(value), map(str, choices))
        return (
            value,
            ""
            if value in choices
            else f"must be one of {', '.join(map(str, choices))}.{near}".rstrip("?.") + ("?" if near else ""),
        )
    if get_origin(annotation) in (Union, types.UnionType):
        attempts = [_fit(value, option) for option in get_args(annotation)]
        return next((a for a in attempts if not a[1]), attempts[0])
    if get_origin(annotation) is tuple:
        return _fit_tuple(value, get_args(annotation))
    if annotation is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value), ""
    if annotation is type(None):
        return value, "" if value is None else "must be left out"
    good = isinstance(value, annotation) and (annotation is bool or not isinstance(value, bool))
    names = {int: "a whole number", float: "a number", str: "a word", bool: "true or false"}
    return value, "" if good else f"must be {names.get(annotation, annotation)}"


def _fit_tuple(value: Any, items: tuple[Any, ...]) -> tuple[Any, str]:
    if not isinstance(value, list | tuple):
        return value, "must be a list"
    wanted = [items[0]] * len(value) if items[-1] is Ellipsis else list(items)
    if len(value) != len(wanted):
        return value, f"must have {len(wanted)} values"
    fitted = [_fit(v, t) for v, t in zip(value, wanted, strict=True)]
    return tuple(v for v, _ in fitted), next((p for _, p in fitted if p), "")
