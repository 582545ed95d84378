"""Layouts: what lies in a tree of files, by their names, and the labels and parts that folders tell."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from reverie.data import arrays
from reverie.data.album import Album, Picture
from reverie.data.limits import Problem, encodable, printable
from reverie.data.parquet import read_rows
from reverie.data.pictures import FOREIGN, SUFFIXES
from reverie.data.stack import Stack
from reverie.data.trees import Member, Tree, open_tree, open_zip, read_file
from reverie.errors import DataError

TEXTS = frozenset({".txt", ".jsonl", ".md", ".text"})
_ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz")
_PARTS = {"train": "train", "training": "train", "test": "test", "testing": "test"} | dict.fromkeys(
    ("validation", "valid", "val", "dev"), "validation"
)
_LABEL_COLUMNS = ("label", "labels", "class", "category")
_METADATA = ("metadata.csv", "metadata.jsonl")


def read_path(path: Path) -> Album | Stack:
    """Read what lies at a path: a folder, an archive or one file.

    Raises:
        DataError: it is text, of no known kind, broken, or too large.
    """
    name = path.name.lower()
    if path.is_dir() or name.endswith(_ARCHIVES):
        return read_tree(open_tree(path))
    if name.endswith(".npz"):
        return arrays.read_npz(open_zip(path).members)
    return _read_one(Member(path.name, lambda: read_file(path)), path)


def _read_one(member: Member, path: Path) -> Album | Stack:
    name = member.name.lower()
    if name.endswith(".npy"):
        return arrays.read_npy(member)
    if name.endswith(".parquet"):
        return Album(_from_parquet([member]))
    if name.endswith(".bin"):
        return arrays.read_cifar([member])
    if member.suffix in SUFFIXES:
        raise DataError(f"{path} is one image; give a folder of at least 2.")
    if is_text(name):
        raise DataError(_text_refused(str(path)))
    if "idx" in name or arrays.is_idx(member.read()[:4]):
        return arrays.read_idx(member)
    raise DataError(f"{path} is of no kind that can be read as images. {ACCEPTED}")


ACCEPTED = (
    "Accepted are a folder or .zip of images, .npy, .npz, idx(.gz), CIFAR-10 binary batches, .parquet, "
    "and the names that `reverie data list` shows."
)


def is_text(name: str) -> bool:
    """Whether a file's name says that it is text."""
    return PurePosixPath(name.lower().removesuffix(".gz")).suffix in TEXTS


def _text_refused(what: str) -> str:
    return f"{what} is text, and an image recipe wants images. {ACCEPTED} Text is for the language recipes."


def read_tree(tree: Tree) -> Album | Stack:
    """Read the files of a folder or archive by the first layout that fits."""
    members = tree.members
    if arrays.has_idx(members):
        return arrays.read_idx_folder(members)
    if arrays.has_cifar(members):
        return arrays.read_cifar([m for m in members if m.suffix == ".bin"])
    pictures = [m for m in members if m.suffix in SUFFIXES or m.suffix in FOREIGN]
    if pictures or tree.problems:
        return _read_pictures(tree, pictures)
    for suffix, read in ((".npy", _read_npy_files), (".parquet", _read_parquet_files)):
        if files := [m for m in members if m.suffix == suffix]:
            return read(files)
    if any(is_text(m.name) for m in members):
        raise DataError(_text_refused(tree.title))
    raise DataError(f"{tree.title} holds no images, only files such as {printable(members[0].name)}. {ACCEPTED}")


def _read_npy_files(files: Sequence[Member]) -> Stack:
    names = {arrays.category(m.name) for m in files}
    parts = names & set(arrays.ARRAY_NAMES)
    return arrays.read_npz(files) if parts else arrays.read_categories(files)


def _read_parquet_files(files: Sequence[Member]) -> Album:
    return Album(_from_parquet(files))


def _read_pictures(tree: Tree, pictures: Sequence[Member]) -> Album:
    foreign = [
        Problem(m.name, f"{m.suffix} is not read; convert it to PNG or JPEG") for m in pictures if m.suffix in FOREIGN
    ]
    split = [(m, *_part(m.name)) for m in pictures if m.suffix in SUFFIXES]
    labels = _metadata_labels(tree) or _folder_labels({m.name: rest for m, _, rest in split})
    album = tuple(Picture(m.name, m.read, part, labels.get(m.name)) for m, part, _ in split)
    missing = [m.name for m, _, _ in split if labels and m.name not in labels]
    if missing:
        raise DataError(
            f"{tree.title}: {printable(missing[0])} has no row with a label in the metadata "
            "file. Add it, or remove the file."
        )
    return Album(album, (*tree.problems, *foreign))


def _part(name: str) -> tuple[str | None, str]:
    """The part that the first folder names, and the rest of the name."""
    first, _, rest = name.partition("/")
    part = _PARTS.get(first.casefold()) if rest else None
    return part, rest if part else name


def _folder_labels(rest: Mapping[str, str]) -> dict[str, str]:
    """Labels from the last folder, where all files lie equally deep in at least two (the Hub's rule)."""
    depths = {name.count("/") for name in rest.values()}
    labels = {whole: encodable(name.split("/")[-2]) for whole, name in rest.items() if "/" in name}
    return labels if len(depths) == 1 and len(set(labels.values())) > 1 else {}


def _metadata_labels(tree: Tree) -> dict[str, str]:
    """Labels from ``metadata.csv`` or ``.jsonl``; ``file_name`` counts from its folder."""
    labels: dict[str, str] = {}
    names = {m.name for m in tree.members}
    for member in (m for m in tree.members if m.base in _METADATA):
        folder = PurePosixPath(member.name).parent
        for row in _rows(member):
            name = str(folder / str(row["file_name"]).replace("\\", "/"))
            if name not in names:
                raise DataError(
                    f"{member.name} names {printable(name)}, which is not there. Correct the row, or add the file."
                )
            column = next((c for c in _LABEL_COLUMNS if row.get(c) not in (None, "")), None)
            if column:
                labels[name] = encodable(str(row[column]))
    return labels


def _rows(member: Member) -> list[Mapping[str, object]]:
    rows: list[Mapping[str, object]]
    try:
        text = member.read().decode("utf-8-sig")
        if member.suffix == ".csv":
            rows = list(csv.DictReader(io.StringIO(text)))
        else:
            rows = [json.loads(line) for line in text.splitlines() if line.strip()]
    except (ValueError, RecursionError, csv.Error) as error:
        raise DataError(f"{member.name} cannot be read as {member.suffix[1:]} in UTF-8 ({error}).") from error
    if not all(isinstance(row, dict) and isinstance(row.get("file_name"), str) for row in rows):
        raise DataError(f'{member.name} needs a column "file_name" with the name of an image in every row.')
    return rows


def _from_parquet(files: Sequence[Member]) -> tuple[Picture, ...]:
    pictures = []
    for member in files:
        part = _part(member.name)[0] or _PARTS.get(member.base.split("-")[0].split(".")[0].casefold())
        for number, (read, label) in enumerate(read_rows(member)):
            pictures.append(Picture(f"{member.name}, row {number}", read, part, label))
    return tuple(pictures)
