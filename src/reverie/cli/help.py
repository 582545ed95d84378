"""Help pages that answer at once: drawn from docstrings and signatures, without parser, numpy or torch."""

import ast
import inspect
import types
from collections.abc import Iterable, Mapping
from pathlib import Path
from shutil import get_terminal_size
from textwrap import fill
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from reverie.arguments import Range

ABOUT = "Classic deep generative models: trained in one command, measured honestly, shown beautifully."
KINDS = {int: "N", float: "X", str: "TEXT", Path: "PATH"}


def width() -> int:
    """Columns of the terminal, at most 110 and at least 60."""
    return max(60, min(110, get_terminal_size().columns))


def rows(pairs: Iterable[tuple[str, str]]) -> str:
    """Names on the left, words on the right, wrapped to the terminal."""
    listed = list(pairs)
    margin = min(26, max(len(name) for name, _ in listed)) + 4
    return "\n".join(_row(name, words, margin) for name, words in listed)


def _row(name: str, words: str, margin: int) -> str:
    first = f"  {name}".ljust(margin)
    if len(first) > margin:
        return f"{first}\n{fill(words, width(), initial_indent=' ' * margin, subsequent_indent=' ' * margin)}"
    return fill(words, width(), initial_indent=first, subsequent_indent=" " * margin)


def one_line(error: Exception) -> str:
    """A message of several lines on one."""
    return " ".join(str(error).split())


def overview() -> str:
    """The page of ``reverie --help``."""
    parts = [
        "Usage: reverie COMMAND ...",
        fill(ABOUT, width()),
        rows(commands().items()),
        "Exit codes: 0 done, 1 failed, 2 usage, 3 data, 4 diverged, 130 interrupted and saved.\n"
        "First: reverie demo   Of one command: reverie COMMAND --help",
    ]
    return "\n\n".join(parts)


def commands() -> dict[str, str]:
    """The commands in their order, each with the first line of its docstring, read without importing."""
    trees = [
        ast.parse((Path(__file__).parent / f"{name}.py").read_text(encoding="utf-8"))
        for name in ("train", "commands", "text", "data", "studio")
    ]
    found = dict(
        _of_function(node)
        for tree in trees
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and _command(node)
    )
    return {**found, "--version": "Print the version."}


def _command(node: ast.FunctionDef) -> bool:
    return node.name in ("train", "studio") or any("app" in ast.unparse(mark) for mark in node.decorator_list)


def _of_function(node: ast.FunctionDef) -> tuple[str, str]:
    name = node.name.replace("data_", "data ", 1)
    return name, (ast.get_docstring(node) or "").split("\n", 1)[0]


def page(usage: str, about: str, flags: Mapping[str, Iterable[tuple[inspect.Parameter, str]]]) -> str:
    """A page of flags.

    Args:
        usage: the first line.
        about: what the command does.
        flags: by the heading of their group, each with its words.
    """
    groups = [f"{heading}:\n{rows(_flag(*pair) for pair in pairs)}" for heading, pairs in flags.items()]
    return "\n\n".join([f"Usage: {usage}", _paragraphs(about), *groups])


def _paragraphs(text: str) -> str:
    return "\n\n".join(fill(part.replace("``", ""), width(), break_on_hyphens=False) for part in text.split("\n\n"))


def _flag(parameter: inspect.Parameter, words: str) -> tuple[str, str]:
    kind, notes = kind_of(parameter.annotation)
    value = parameter.default
    if value is not None and value is not False and value is not parameter.empty:
        notes = [*notes, f"default {' '.join(map(str, value)) if isinstance(value, tuple) else value}"]
    name = f"--{parameter.name.replace('_', '-')} {kind}".rstrip()
    return name, f"{words} ({'; '.join(notes)})" if notes else words


def kind_of(annotation: Any) -> tuple[str, list[str]]:
    """What a flag takes, in capitals, and what its type says of it: choices, or a range.

    Example:
        >>> kind_of(Literal["cpu", "cuda"] | None)
        ('WORD', ['cpu, cuda'])
    """
    origin, items = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        kind, notes = kind_of(items[0])
        return kind, [
            *notes,
            *(mark.reached for mark in items[1:] if isinstance(mark, Range) and mark.reached),
        ]
    if origin is Literal:
        return "WORD", [", ".join(map(str, items))]
    if origin in (Union, types.UnionType):
        return kind_of(next(item for item in items if item is not type(None)))
    if origin is tuple:
        kind, notes = kind_of(items[0])
        return f"{kind} ...", notes
    return KINDS.get(annotation, ""), []
