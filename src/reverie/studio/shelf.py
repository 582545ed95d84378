"""The runs as the page sees them. A name is looked up among the runs that are there, and never made into a path."""

import json
import math
import secrets
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from starlette.exceptions import HTTPException

from reverie.errors import ReverieError, UsageError
from reverie.evaluation import read_figures
from reverie.files import read_lines
from reverie.kinds import kind_of
from reverie.report import page, table
from reverie.report.health import Verdict, verdict
from reverie.runs import Run, list_runs
from reverie.studio.trainer import Trainer

CHUNK = 1_000_000  # bytes of the course of a training in one answer
# What a status means where no process lives, and where one does.
ENDS = {"running": "interrupted", "created": "interrupted"}
LIVES = {"running": "training", "created": "starting", "finished": "measuring"}
LIVES |= dict.fromkeys(("stopped", "diverged"), "resuming")


@dataclass(frozen=True)
class Shelf:
    """The runs of a folder."""

    runs: Path
    trainer: Trainer

    def find(self, name: str) -> Run:
        """The run of that name.

        Raises:
            HTTPException: there is none (404).
        """
        for run in list_runs(self.runs):
            if run.name == name:
                return run
        raise HTTPException(404, "There is no such run.")

    def all(self) -> list[dict[str, Any]]:
        """Every run, the newest first; before them those that are about to be."""
        waiting = [self._waiting(name) for name in self.trainer.starting()]
        return [*waiting, *(self.summary(run) for run in reversed(list_runs(self.runs)))]

    def _waiting(self, name: str) -> dict[str, Any]:
        alive = self.trainer.alive(name)
        return {"name": name, "status": "starting" if alive else "failed", "alive": alive, "folder": False}

    def summary(self, run: Run) -> dict[str, Any]:
        """What a list shows of a run; of one that cannot be read, that it is so."""
        alive = self.trainer.alive(run.name)
        try:
            record = run.record
        except ReverieError as error:
            return {"name": run.name, "status": "unreadable", "alive": alive, "folder": True, "reason": str(error)}
        status = str(record["status"])
        sheets = self.sheets(run, "samples")
        return {
            "name": run.name,
            "status": (LIVES if alive else ENDS).get(status, status),
            "alive": alive,
            "folder": True,
            "recipe": Path(str(record["recipe"])).stem,
            "kind": _kind(str(record["recipe"])),
            "data": _name_of(record["data"]),
            "created": record.get("created", ""),
            "seconds": record.get("seconds"),
            "steps": record.get("steps"),
            "step": _last_step(run.folder / "metrics.jsonl"),
            "reason": record.get("reason", ""),
            "figure": next(iter(_figures(run)), None),
            "sheet": sheets[-1] if sheets else None,
        }

    def detail(self, name: str) -> dict[str, Any]:
        """All that the page of a run shows.

        Raises:
            HTTPException: there is none (404).
        """
        if name in self.trainer.starting():
            return {**self._waiting(name), "said": self.trainer.said(name)}
        run = self.find(name)
        found = {**self.summary(run), "said": self.trainer.said(name)}
        if found["status"] == "unreadable":
            return found
        return found | {
            "record": plainly(run.record),
            "settings": plainly(_settings(run)),
            "figures": [_said(group) for group in table.groups(_figures(run))],
            "course": _course(run),
            "samples": self.sheets(run, "samples"),
            "pictures": self.sheets(run, "pictures"),
            "report": (run.folder / "report.html").is_file(),
            "model": (run.folder / "model" / "model.safetensors").is_file(),
        }

    def sheets(self, run: Run, kind: str) -> list[dict[str, Any]]:
        """The pictures of a run: each with the time of its making, and whether it has a dark twin."""
        there = {path.name: path for path in (run.folder / kind).glob("*.png") if path.is_file()}
        return [
            {"name": name, "dark": name.replace(".png", ".dark.png") in there, "made": int(path.stat().st_mtime)}
            for name, path in sorted(there.items())
            if not name.endswith(".dark.png")
        ]

    def picture(self, name: str, kind: str, file: str) -> Path:
        """A picture of a run.

        Raises:
            HTTPException: there is none (404).
        """
        if kind in ("samples", "pictures"):
            for path in (self.find(name).folder / kind).glob("*.png"):
                if path.name == file and path.is_file():
                    return path
        raise HTTPException(404, "There is no such picture.")

    def rows(self, name: str, start: int) -> dict[str, Any]:
        """The course of a training from a byte on: whole lines, and where the next one begins."""
        path = self.find(name).folder / "metrics.jsonl"
        if not path.is_file():
            return {"next": 0, "rows": []}
        with path.open("rb") as file:
            size = path.stat().st_size
            file.seek(start if start <= size else 0)
            first = file.tell()
            text = file.read(CHUNK)
            if len(text) == CHUNK and b"\n" not in text:
                text += file.readline()  # a line that is longer comes whole too
        whole = text[: text.rfind(b"\n") + 1]
        rows = [row for line in whole.splitlines() if (row := _row(line)) is not None]
        return {"next": first + len(whole), "rows": rows, "more": len(text) >= CHUNK and bool(whole)}

    def verdict(self, name: str) -> Verdict | None:
        """How a game of two networks goes.

        Raises:
            HTTPException: there is no such run (404).
        """
        return verdict(read_lines(self.find(name).folder / "metrics.jsonl"))

    def stop(self, name: str) -> None:
        """Let a training save and end.

        Raises:
            HTTPException: there is no such run (404).
            UsageError: it is not under way.
        """
        self._require(name)
        self.trainer.stop(name)

    def _require(self, name: str) -> None:
        """A run that is there, or is about to be."""
        if name not in self.trainer.starting():
            self.find(name)

    def delete(self, name: str, typed: object) -> None:
        """Remove a run for good.

        Raises:
            HTTPException: there is no such run (404).
            UsageError: the name was not typed, the run is being trained, or is a link to elsewhere.
        """
        self._require(name)
        if typed != name:
            raise UsageError("Type the name of the run to delete it.")
        if self.trainer.alive(name):
            raise UsageError(f"{name} is being trained; stop it first.")
        if name in self.trainer.starting():
            self.trainer.forget(name)
            return
        folder = self.find(name).folder
        if folder.is_symlink():
            raise UsageError(f"{name} is a link to another folder; remove it by hand.")
        gone = folder.with_name(f".deleted-{secrets.token_hex(4)}")
        folder.rename(gone)
        shutil.rmtree(gone, ignore_errors=True)
        self.trainer.forget(name)


def plainly(value: Any) -> Any:
    """A value as JSON can say it: numbers that are not finite are none."""
    if isinstance(value, Mapping):
        return {str(key): plainly(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plainly(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, str | int | float | bool) or value is None else str(value)


def _course(run: Run) -> dict[str, Any] | None:
    """What a language model said after its epochs; nothing where that cannot be read."""
    try:
        found: dict[str, Any] | None = plainly(page.course(read_lines(run.folder / "course.jsonl")))
    except (KeyError, TypeError):
        return None
    return found


@cache
def _kind(recipe: str) -> str | None:
    """What a recipe is for: images, text or points; None where it is not to be had any more."""
    try:
        return kind_of(recipe)
    except ReverieError:
        return None


def _row(line: bytes) -> dict[str, Any] | None:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return plainly(row) if isinstance(row, dict) else None


def _last_step(path: Path) -> int | None:
    """The step of the last whole line."""
    if not path.is_file():
        return None
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 4000))
        lines = file.read().splitlines()
    found = (row.get("step") for line in reversed(lines) if (row := _row(line)) is not None)
    return next((step for step in found if isinstance(step, int)), None)


def _said(group: table.Group) -> dict[str, Any]:
    """Figures of the same data with their remarks, and what they have in common."""
    rows = [{**each, "remark": table.remark(each, group.common)} for each in group.figures]
    return {"protocol": table.words(group.common), "rows": rows}


def _figures(run: Run) -> list[dict[str, Any]]:
    """The figures of a run, each with its value in words; none where they cannot be read."""
    try:
        figures = [figure.to_json() for figure in read_figures(run.folder)]
    except ReverieError:
        return []
    return [plainly({**each, "words": table.amount(each)}) for each in figures]


def _settings(run: Run) -> dict[str, Any]:
    try:
        settings = dict(run.config)
    except ReverieError as error:
        return {"problem": str(error)}
    arguments = settings.pop("arguments")
    return {name: value for name, value in {**settings, **arguments}.items() if value is not None}


def _name_of(data: object) -> str:
    return str(data.get("name", "")) if isinstance(data, Mapping) else ""
