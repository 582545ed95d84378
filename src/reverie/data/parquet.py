"""Parquet files with the bytes of an image in each row, as the Hub stores its image sets."""

import json
from collections.abc import Callable, Iterator
from typing import Any

from reverie.data.limits import DECODED_LIMIT, size_words
from reverie.data.trees import Member
from reverie.errors import DataError

_IMAGE_COLUMNS = ("image", "img", "picture", "bytes")
_LABEL_COLUMNS = ("label", "labels", "class", "category", "fine_label")


def read_rows(member: Member) -> Iterator[tuple[Callable[[], bytes], str | None]]:
    """Yield the reader of each row's image, and its label.

    Raises:
        DataError: pyarrow is not installed, the file is broken, or it has no column of image bytes.
    """
    table = _table(member)
    images = _column(table.column_names, _IMAGE_COLUMNS)
    if images is None:
        raise DataError(f"{member.name} has no column of images; looked for {', '.join(_IMAGE_COLUMNS)}.")
    labels = _column(table.column_names, _LABEL_COLUMNS)
    names = _class_names(table, labels)
    for number, cell in enumerate(table.column(images)):
        label = table.column(labels)[number].as_py() if labels else None
        yield _reader(cell), None if label is None else names.get(label, str(label))


def _table(member: Member) -> Any:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise DataError(f"{member.name} needs pyarrow to be read: pip install pyarrow") from error
    try:
        file = pyarrow.parquet.ParquetFile(pyarrow.BufferReader(member.read()))
        total = sum(file.metadata.row_group(i).total_byte_size for i in range(file.num_row_groups))
        if total > DECODED_LIMIT:
            raise DataError(f"{member.name} holds {size_words(total)}; the limit is {size_words(DECODED_LIMIT)}.")
        return file.read(use_threads=False)
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        raise DataError(f"{member.name} is no parquet file that can be read ({str(error).splitlines()[0]}).") from error


def _column(names: list[str], wanted: tuple[str, ...]) -> str | None:
    return next((name for word in wanted for name in names if name.casefold() == word), None)


def _class_names(table: Any, labels: str | None) -> dict[Any, str]:
    """The names of whole-number labels, which the Hub keeps in the schema's metadata."""
    try:
        features = json.loads((table.schema.metadata or {})[b"huggingface"])["info"]["features"]
        return dict(enumerate(features[labels]["names"]))
    except (KeyError, TypeError, ValueError):
        return {}


def _reader(cell: Any) -> Callable[[], bytes]:
    def read() -> bytes:
        value = cell.as_py()
        data = value.get("bytes") if isinstance(value, dict) else value
        if not isinstance(data, bytes):
            raise DataError("holds no bytes of an image")
        return data

    return read
