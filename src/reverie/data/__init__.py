"""Data: named sets, readers for a person's own files, and batches that stay on the device.

Names are imported when they are first used, so that listing the catalog needs neither torch nor numpy.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from reverie.data.batches import Resident, indices, order
    from reverie.data.catalog import CATALOG, Entry, availability, cache
    from reverie.data.download import fetch
    from reverie.data.images import ImageData, ImageSpec, Split, load
    from reverie.data.inspection import Inspection, inspect
    from reverie.data.text import read_parts, read_text
    from reverie.data.views import View, bits, bits_hash, levels, symmetric, unit

_HOMES = {
    "batches": ("Resident", "indices", "order"),
    "catalog": ("CATALOG", "Entry", "availability", "cache"),
    "download": ("fetch",),
    "images": ("ImageData", "ImageSpec", "Split", "load"),
    "inspection": ("Inspection", "inspect"),
    "text": ("read_parts", "read_text"),
    "views": ("View", "bits", "bits_hash", "levels", "symmetric", "unit"),
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "CATALOG",
    "Entry",
    "ImageData",
    "ImageSpec",
    "Inspection",
    "Resident",
    "Split",
    "View",
    "availability",
    "bits",
    "bits_hash",
    "cache",
    "fetch",
    "indices",
    "inspect",
    "levels",
    "load",
    "order",
    "read_parts",
    "read_text",
    "symmetric",
    "unit",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value
