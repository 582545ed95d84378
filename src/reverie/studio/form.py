"""The form of a recipe: what its signature and that of every training ask, as the command line reads them."""

import inspect
import types
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from reverie import config, recipes
from reverie.arguments import Range, described
from reverie.kinds import OF_IMAGES, kind_of

KINDS = {int: "whole", float: "number", str: "word", bool: "switch"}
FIRST = ("data", "size", "minutes", "epochs")  # what most people decide


def form(recipe: str) -> dict[str, Any]:
    """Name, kind, story and groups of fields. A text is not a field: the page has a place to paste it.

    Args:
        recipe: one of the package's.

    Raises:
        UsageError: there is no such recipe.
    """
    module = recipes.find(recipe)
    own, training = described(module.run), described(config.options)
    kind = kind_of(recipe)
    left_out = ("text",) if kind == "images" else ("text", *OF_IMAGES)
    fields = [field(parameter, words) for parameter, words in training if parameter.name not in left_out]
    return {
        "name": recipe,
        "kind": kind,
        "summary": recipes.summary(recipe),
        "story": (inspect.getdoc(module) or "").partition("\n")[2].strip(),
        "data": getattr(module, "DATA", None),
        "groups": [
            {"name": "training", "fields": [f for f in fields if f["name"] in FIRST]},
            {"name": "model", "fields": [field(parameter, words) for parameter, words in own]},
            {"name": "machine", "fields": [f for f in fields if f["name"] not in FIRST]},
        ],
    }


def field(parameter: inspect.Parameter, words: str) -> dict[str, Any]:
    """One argument: its name, its words, what it takes, and what it is without an answer.

    Example:
        >>> parameter = inspect.Parameter("k", inspect.Parameter.KEYWORD_ONLY, default=5, annotation=int)
        >>> field(parameter, "draws.")
        {'name': 'k', 'help': 'draws.', 'default': 5, 'kind': 'whole'}
    """
    default = parameter.default
    given = list(default) if isinstance(default, tuple) else None if default is parameter.empty else default
    return {"name": parameter.name, "help": words, "default": given, **_takes(parameter.annotation)}


def _takes(annotation: Any) -> dict[str, Any]:
    origin, items = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _takes(items[0]) | _bounds([mark for mark in items[1:] if isinstance(mark, Range)])
    if origin is Literal:
        return {"kind": "choice", "choices": [str(item) for item in items]}
    if origin in (Union, types.UnionType):
        return {**_takes(next(item for item in items if item is not type(None))), "optional": True}
    if origin is tuple:
        length = None if items[-1] is Ellipsis else len(items)
        return {"kind": "list", "of": _takes(items[0]), "length": length}
    return {"kind": KINDS.get(annotation, "word")}


def _bounds(ranges: list[Range]) -> dict[str, Any]:
    found: dict[str, Any] = {"range": " and ".join(each.reached for each in ranges if each.reached)} if ranges else {}
    for each in ranges:
        known = {name: getattr(each, name) for name in ("low", "high", "above")}
        found |= {name: value for name, value in known.items() if value is not None}
    return found
