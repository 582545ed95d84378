"""Trainings, each a process of its own that outlives the page and the server.

The process is ``python -m reverie train``, in a session of its own. What it says goes into ``.studio/NAME.log`` of the
runs folder; the log is locked for as long as the process lives, and so is the run folder once it trains. That is how a
studio that starts later finds it again, and how it knows that a process has died.
"""

import fcntl
import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from reverie import config, recipes
from reverie.errors import ReverieError, UsageError
from reverie.files import held, write
from reverie.runs import Run, free_name
from reverie.studio.uploads import FOLDER, source

TAIL = 20_000  # bytes of a log that are shown


@dataclass
class Trainer:
    """Starts, stops and resumes the trainings of a runs folder.

    Args:
        runs: the folder.
        children: the processes that this studio started, so that none is left a zombie.
        turn: one training is started at a time, so that none takes another's name and configuration.
    """

    runs: Path
    children: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    turn: threading.Lock = field(default_factory=threading.Lock)

    @property
    def desk(self) -> Path:
        """Where logs and configurations lie before there is a run."""
        return self.runs / ".studio"

    def start(self, recipe: str, values: dict[str, Any], name: str | None) -> str:
        """Start a training; the name that its run will have.

        Raises:
            UsageError: the recipe is none of the package's, or every value that does not fit, in one message, or the
                name is that of the uploads.
            DataError: the data was not uploaded.
        """
        if recipe not in recipes.names():
            raise UsageError(f'There is no recipe "{recipe}" in this package.')
        if name == FOLDER:
            raise UsageError(f'A run may not be named "{FOLDER}": what you bring is kept there. Choose another name.')
        if "data" in values and isinstance(values["data"], str):
            values = {**values, "data": source(self.runs, values["data"])}
        settings = config.resolve(recipe, values)
        stem = f"{recipe}-{Path(str(settings['data'] or recipes.find(recipe).DATA)).stem}"
        with self.turn:
            for _ in range(100):
                chosen = self._free(name, stem)
                settled = write(self.desk / f"{chosen}.toml", config.to_toml(settings, self.desk / f"{chosen}.toml"))
                words = ["--config", str(settled), "--name", chosen, "--runs", str(self.runs)]
                if self._launch(chosen, words, fresh=True):
                    return chosen
        raise ReverieError("No name was free for this run; give one.")

    def resume(self, run: Run) -> None:
        """Go on with a run.

        Raises:
            UsageError: it is under way.
        """
        with self.turn:
            begun = not self.alive(run.name) and self._launch(run.name, ["--resume", str(run.folder)], fresh=False)
        if not begun:
            raise UsageError(f"{run.name} is being trained already.")

    def stop(self, name: str) -> None:
        """Ask a training to save and end.

        Raises:
            UsageError: it is not under way.
        """
        number = self._number(name)
        if number is None:
            raise UsageError(f"{name} is not being trained.")
        with suppress(ProcessLookupError):
            os.kill(number, signal.SIGTERM)

    def alive(self, name: str) -> bool:
        """Whether a process trains this run, or is about to."""
        for child in list(self.children.values()):  # others are started meanwhile
            child.poll()
        return held(self._log(name)) or held(self.runs / name)

    def starting(self) -> list[str]:
        """Names that were started and have no run folder yet: under way, or failed before there was one."""
        there = (path.stem for path in sorted(self.desk.glob("*.log")))
        return [name for name in there if not (self.runs / name / "config.toml").is_file()]  # what is written last

    def said(self, name: str) -> list[str]:
        """The last lines of its log."""
        with suppress(FileNotFoundError), self._log(name).open("rb") as file:
            file.seek(max(0, self._log(name).stat().st_size - TAIL))
            return file.read(TAIL).decode("utf-8", "replace").splitlines()[-40:]
        return []

    def forget(self, name: str) -> None:
        """Remove what lies beside a run."""
        for suffix in (".log", ".toml", ".process"):
            (self.desk / f"{name}{suffix}").unlink(missing_ok=True)

    def _free(self, name: str | None, stem: str) -> str:
        """A name that neither a run nor a process that starts has."""
        chosen = free_name(self.runs, name, stem).name
        root, number = chosen.rsplit("-", 1) if name is None else (chosen, "")
        while held(self._log(chosen)):
            if name is not None:
                raise UsageError(f'A run "{name}" is just starting; choose another name.')
            number = str(int(number) + 1)
            chosen = f"{root}-{number}"
        return chosen

    def _log(self, name: str) -> Path:
        return self.desk / f"{name}.log"

    def _number(self, name: str) -> int | None:
        """The process that trains a run. A lock that is held proves that the number is still that process's."""
        with suppress(OSError, ValueError):
            if held(self._log(name)):
                return int((self.desk / f"{name}.process").read_text())
        if held(self.runs / name):
            number = Run(self.runs / name).record.get("process")
            return number if isinstance(number, int) else None
        return None

    def _launch(self, name: str, words: list[str], *, fresh: bool) -> bool:
        """Start the process; False if another one has the log."""
        self.desk.mkdir(parents=True, exist_ok=True)
        with self._log(name).open("ab") as log:
            try:
                fcntl.flock(log, fcntl.LOCK_EX | fcntl.LOCK_NB)  # the process inherits it, and holds it while it lives
            except BlockingIOError:
                return False
            if fresh:
                log.truncate(0)
            child = subprocess.Popen(
                [sys.executable, "-m", "reverie", "train", *words],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
            )  # fmt: skip
        write(self.desk / f"{name}.process", str(child.pid))
        self.children[name] = child
        return True
