"""``reverie export``: one of the three kinds, and what is said of it."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from reverie.errors import UsageError
from reverie.export.html import export_html
from reverie.export.hub import export_hub, push
from reverie.export.onnx import export_onnx
from reverie.runs import Run


@dataclass(frozen=True)
class Taken:
    """What was written: files, a line about each, and numbers."""

    files: list[Path]
    words: list[str]
    values: dict[str, Any] = field(default_factory=dict)

    @property
    def answer(self) -> dict[str, Any]:
        """The same for programs."""
        return {"files": [str(file) for file in self.files], **self.values}


def take(run: Run, to: Literal["onnx", "hub", "html"], out: Path | None, repository: str | None) -> Taken:
    """Export a run.

    Args:
        run: a finished run.
        to: the kind.
        out: where to; by default into the run's folder ``export``.
        repository: on the Hub, that the folder is pushed to.

    Raises:
        UsageError: a repository is named for another kind than hub, or see the kinds.
    """
    if repository is not None and to != "hub":
        raise UsageError(f"--push goes with --to hub; got --to {to}.")
    if to == "onnx":
        return _onnx(run, out)
    if to == "hub":
        return _hub(run, out, repository)
    return _html(run, out)


def _onnx(run: Run, out: Path | None) -> Taken:
    exported = export_onnx(run, out)
    differences = {each.file.stem: each.difference for each in exported}
    return Taken([each.file for each in exported], [str(each) for each in exported], {"difference": differences})


def _hub(run: Run, out: Path | None, repository: str | None) -> Taken:
    folder = export_hub(run, out)
    recipe = run.config["recipe"]
    given = f', recipe="{recipe}"' if recipe.endswith(".py") else ""
    words = [str(folder), f'Load it with: reverie.load("{folder}"{given})']
    if given:
        words.append("The folder holds no code, and runs none: whoever loads it gives the recipe file.")
    values = {"pushed": push(folder, repository)} if repository else {}
    return Taken(sorted(folder.iterdir()), [*words, *values.values()], values)


def _html(run: Run, out: Path | None) -> Taken:
    page, graphs = export_html(run, out)
    differences = {each.file.stem: each.difference for each in graphs}
    words = [f"{page}  {page.stat().st_size / 1e6:.1f} MB, opens by double click", *map(str, graphs)]
    return Taken([page], words, {"difference": differences})
