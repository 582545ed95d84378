"""The kinds of data that a recipe may take, images or text: the only place where they are told apart."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_type_hints

from reverie import config, recipes
from reverie.data import ImageData, ImageSpec, load
from reverie.data.corpus import TextData, TextSpec, load_text, pasted
from reverie.errors import UsageError

Data = ImageData | TextData
Spec = ImageSpec | TextSpec


def takes_text(recipe: str) -> bool:
    """Whether a recipe is for text: whether the first argument of its ``run`` is a ``TextSpec``."""
    return get_type_hints(recipes.find(recipe).run).get("data") is TextSpec


def read(settings: Mapping[str, Any], source: str | None) -> Data:
    """The data of a configuration, of the kind that its recipe takes.

    Args:
        settings: a resolved configuration.
        source: a name, a file or a folder; None where the text was pasted.

    Raises:
        DataError: it is missing, broken, or of another kind.
        UsageError: an option is for the other kind, or text is both named and pasted.
    """
    recipe, size = settings["recipe"], config.parse_size(settings["size"])
    if not takes_text(recipe):
        if settings["text"] is not None:
            raise UsageError(f"--text is for recipes of text; {recipe} takes images: give --data.")
        return load(source or "", size=size, channels=settings["channels"])
    if size or settings["channels"] != "auto":
        raise UsageError(f"--size and --channels are for images; {recipe} takes text: leave them out.")
    if settings["text"] is None:
        return load_text(source or "")
    if settings["data"]:
        raise UsageError("--data and --text are both a text; give one of them.")
    return pasted(settings["text"])


def spec_of(recipe: str, record: Mapping[str, Any], folder: Path) -> Spec:
    """What a recipe must know to build a trained model again.

    Args:
        recipe: its name or file.
        record: what a run's record says of its data.
        folder: the model folder.

    Raises:
        DataError: the vocabulary of a language model is missing or damaged.
    """
    return TextSpec.of_record(record, folder) if takes_text(recipe) else ImageSpec.of_record(record)
