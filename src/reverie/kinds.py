"""The kinds of data that a recipe may take, images, text or points: which one a recipe takes, and how it is read."""

import os
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, get_type_hints

from reverie import config, recipes
from reverie.data import ImageData, ImageSpec, load
from reverie.data.catalog import CATALOG
from reverie.data.corpus import TextData, TextSpec, load_text, pasted
from reverie.data.points import LAWS, PointData, PointSpec, load_points
from reverie.errors import UsageError
from reverie.metrics.samples import some

Data = ImageData | TextData | PointData
Spec = ImageSpec | TextSpec | PointSpec
Kind = Literal["images", "text", "points"]

OF_IMAGES = {"size": None, "items": None, "channels": "auto"}  # options of images alone, and what they are unasked


def kind_of(recipe: str) -> Kind:
    """What a recipe takes, by the type of the first argument of its ``run``; images if it says nothing."""
    kinds: dict[Any, Kind] = {TextSpec: "text", PointSpec: "points"}
    return kinds.get(get_type_hints(recipes.find(recipe).run).get("data"), "images")


def takes_text(recipe: str) -> bool:
    """Whether a recipe is for text."""
    return kind_of(recipe) == "text"


def read(settings: Mapping[str, Any], source: str | None) -> Data:
    """The data of a configuration, of the kind that its recipe takes.

    Args:
        settings: a resolved configuration.
        source: a name, a file or a folder; None where the text was pasted.

    Raises:
        DataError: it is missing, broken, or of another kind.
        UsageError: an option is for another kind, or text is both named and pasted.
    """
    recipe, size = settings["recipe"], config.parse_size(settings["size"])
    kind = kind_of(recipe)
    if kind != "text" and settings["text"] is not None:
        raise UsageError(f"--text is for recipes of text; {recipe} takes {kind}: give --data.")
    if kind != "images" and any(settings[name] != unasked for name, unasked in OF_IMAGES.items()):
        raise UsageError(f"--size, --channels and --items are for images; {recipe} takes {kind}: leave them out.")
    if kind == "images":
        return _at_most(load(source or "", size=size, channels=settings["channels"]), settings["items"])
    if kind == "points":
        return load_points(source or "")
    if settings["text"] is None:
        return load_text(source or "")
    if settings["data"]:
        raise UsageError("--data and --text are both a text; give one of them.")
    return pasted(settings["text"])


def lasting(recipe: str, source: str) -> str:
    """A source as it is found again from any folder: a path as a whole one, a name as it is."""
    names: Collection[str] = LAWS if kind_of(recipe) == "points" else CATALOG
    path = Path(source).expanduser()
    if source in names or source.rpartition("/")[0] in names:
        return source
    # What is no file itself may be a class of one: faces.npz/smiling.
    return os.path.abspath(path) if path.exists() or path.parent.is_file() else source


def _at_most(data: ImageData, items: int | None) -> ImageData:
    """The data with so many training images, which stand for all of them."""
    there = len(data.train)
    if items is None or items >= there:
        return data
    words = f"{data.split}; {items:,} of {there:,} training images, drawn"
    return replace(data, train=some(data.train, items), split=words)


def spec_of(recipe: str, record: Mapping[str, Any], folder: Path) -> Spec:
    """What a recipe must know to build a trained model again.

    Args:
        recipe: its name or file.
        record: what a run's record says of its data.
        folder: the model folder.

    Raises:
        DataError: the vocabulary of a language model is missing or damaged.
    """
    kind = kind_of(recipe)
    if kind == "text":
        return TextSpec.of_record(record, folder)
    return PointSpec.of_record(record) if kind == "points" else ImageSpec.of_record(record)
