"""The configuration of a run: what was asked for, checked against two signatures, written as ``config.toml``.

``options`` is what a person decides about any training; the keyword arguments of a recipe's ``run`` are the
rest.
"""

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import tomli_w

from reverie import recipes
from reverie.arguments import Count, Positive, Range, check, keywords
from reverie.errors import UsageError, suggest

HEADER = "# A Reverie run, resolved. Repeat it exactly with: reverie train --config {path}\n"


def options(  # noqa: PLR0913 - what a person decides, one by one
    *,
    data: str | None = None,
    text: str | None = None,
    size: str | None = None,
    channels: Literal["auto", "grey", "rgb", "rgba"] = "auto",
    items: Count | None = None,
    minutes: Positive | None = None,
    epochs: Positive | None = None,
    steps: Count | None = None,
    init: str | None = None,
    seed: Annotated[int, Range(low=0, high=2**62)] = 0,
    threads: Annotated[int, Range(low=0, high=512)] = 0,
    ranks: Annotated[int, Range(low=1, high=512)] = 1,
    device: Literal["auto", "cpu", "cuda"] = "auto",
    precision: Literal["auto", "bf16", "fp32"] = "auto",
    save_every: Annotated[int, Range(low=0)] = 0,
    keep_epochs: bool = False,
) -> None:
    """The options of every training.

    Args:
        data: a name from the catalog, or the path of a folder or file: of images, or of text for recipes of text.
        text: the text itself, for recipes of text.
        size: images are cropped and resized to this height and width, as in 28x20.
        channels: grey, rgb or rgba; auto looks at the images.
        items: at most so many training images, drawn once for all.
        minutes: budget as time; the number of steps is measured at the start and written into config.toml.
        epochs: budget in passes over the data.
        steps: budget in updates.
        init: start from the weights of this run, of the same recipe and arguments; a vocabulary grows by new symbols.
        seed: fixes all randomness.
        threads: processor threads; 0 takes the cores that are free.
        ranks: processes that train as one.
        device: auto takes a GPU where there is one.
        precision: of matrix products in training; auto takes bf16 where the processor has it. Densities are
            fp32.
        save_every: steps between checkpoints; 0 saves once a minute, and after an epoch of ten seconds.
        keep_epochs: keep the weights of all networks after every epoch that is measured, in the folder weights.
    """


def resolve(recipe: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Split what was given into options and arguments of the recipe, check both, and fill in defaults.

    Raises:
        UsageError: every unknown name and every value out of its range, in one message.
    """
    module = recipes.find(recipe)
    known = keywords(options)
    values = {name.replace("-", "_"): value for name, value in given.items() if value is not None}
    mine = {name: value for name, value in values.items() if name in known}
    theirs = {name: value for name, value in values.items() if name not in known}
    _refuse_unknown(recipe, theirs, {*known, *keywords(module.run)})
    budgets = [f"--{name}" for name in ("minutes", "epochs", "steps") if mine.get(name)]
    if len(budgets) > 1:
        raise UsageError(f"{' and '.join(budgets)} are both a budget; give one of them.")
    arguments = check(module.run, theirs, f"recipe {recipe}")
    # A recipe file is named by its whole path, so that the run finds it again from any folder.
    name = str(Path(recipe).resolve()) if recipe.endswith(".py") else recipe.replace("_", "-")
    chosen = check(options, mine | ({"size": str(mine["size"])} if "size" in mine else {}), "training")
    parse_size(chosen["size"])
    _refuse_other_encodings({"recipe": name, **chosen, **arguments})
    return {"recipe": name, **chosen, "arguments": arguments}


def _refuse_other_encodings(settings: Mapping[str, Any]) -> None:
    """Refuse words that a configuration, which is in UTF-8, cannot hold: bytes of another encoding."""
    for name, value in settings.items():
        if isinstance(value, str) and value != (shown := value.encode("utf-8", "backslashreplace").decode()):
            flag = name.replace("_", "-")
            raise UsageError(f'--{flag} "{shown[:80]}" is not UTF-8: write it in UTF-8; a file or folder, rename.')


def parse_size(size: str | None) -> tuple[int, int] | None:
    """Height and width from ``28`` or ``28x20``.

    Raises:
        UsageError: it is neither.

    Example:
        >>> parse_size("28x20")
        (28, 20)
    """
    if size is None:
        return None
    found = re.fullmatch(r"([0-9]{1,5})(?:x([0-9]{1,5}))?", size)
    if not found or not int(found[1]) or (found[2] and not int(found[2])):
        raise UsageError(f'--size "{size}" must be a height and width in pixels, as in 28 or 28x20.')
    return int(found[1]), int(found[2] or found[1])


def _refuse_unknown(recipe: str, theirs: Mapping[str, Any], known: set[str]) -> None:
    flags = [name.replace("_", "-") for name in known]
    unknown = [name.replace("_", "-") for name in theirs if name not in known]
    if unknown:
        lines = [f'Recipe {recipe} has no argument "{name}".{suggest(name, flags)}' for name in unknown]
        raise UsageError("\n".join([*lines, f"See them with: reverie train {recipe} --help"]))


def to_toml(config: Mapping[str, Any], path: Path) -> str:
    """A configuration as TOML; what is not set is left out."""

    def settle(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {name: settle(item) for name, item in value.items() if item is not None}
        return list(value) if isinstance(value, tuple) else value

    return HEADER.format(path=path) + tomli_w.dumps(settle(config))


def from_toml(path: Path) -> dict[str, Any]:
    """Read a configuration file into one flat mapping: ``recipe``, options and arguments.

    Raises:
        UsageError: it is missing, not TOML, or names no recipe.
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise UsageError(f"There is no configuration file {path}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, IsADirectoryError) as error:
        raise UsageError(f"{path} is not a TOML file: {error}") from error
    arguments = table.pop("arguments", {})
    if not isinstance(arguments, dict):
        raise UsageError(f"{path}: [arguments] must be a table of the recipe's arguments.")
    if not isinstance(table.get("recipe"), str):
        raise UsageError(f'{path} names no recipe; its first line should read: recipe = "vae-conv"')
    return {**table, **arguments}
