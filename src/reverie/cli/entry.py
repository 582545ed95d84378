"""The entry point: which command is meant, and one message with an exit code where it goes wrong.

Nothing here imports torch, numpy or the parser before a command needs it, so that ``--help`` answers at once.
"""

import os
import sys
from collections.abc import Callable, Sequence
from typing import Any

from reverie import __version__
from reverie.errors import Interrupted, ReverieError, UsageError

TRACEBACK = "REVERIE_TRACEBACK"  # set to 1, it shows where an error came from


def dispatch(words: Sequence[str]) -> None:
    """Run the command that the words after ``reverie`` name."""
    if words in ([], ["--help"], ["-h"]):
        from reverie.cli.help import overview

        print(overview())
    elif list(words) == ["--version"]:
        print(__version__)
    elif words[0] == "train":
        from reverie.cli.train import train

        train(*words[1:])
    else:
        _command(words)


def _command(words: Sequence[str]) -> None:
    from cyclopts import CycloptsError

    from reverie.cli.commands import app
    from reverie.cli.help import one_line

    try:
        app(list(words), exit_on_error=False, print_error=False)
    except CycloptsError as error:
        raise UsageError(f"{one_line(error)} See: reverie {_named(words)}--help") from error


def _named(words: Sequence[str]) -> str:
    """As many of the first words as name a command, each with a space after it."""
    from reverie.cli.commands import app
    from reverie.cli.data import app as data_app

    if words[0] not in set(app):
        return ""
    return f"data {words[1]} " if words[0] == "data" and words[1:] and words[1] in set(data_app) else f"{words[0]} "


def guarded(command: Callable[[], Any]) -> int:
    """Run a command; its exit code, with one message where it went wrong."""
    if os.environ.get(TRACEBACK) == "1":
        command()
        return 0
    try:
        command()
        sys.stdout.flush()
    except ReverieError as error:
        return _fail(str(error), error.exit_code)
    except KeyboardInterrupt:
        return _fail("Stopped.", Interrupted.exit_code)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ReverieError.exit_code
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        return _fail(f"The system refused: {error.strerror or error}{where}.", ReverieError.exit_code)
    except MemoryError:
        return _fail("The memory is full; try smaller images (--size), or a smaller --batch.", ReverieError.exit_code)
    except Exception as error:  # a mistake in the program, or in a person's own recipe
        words = f"Unexpected {type(error).__name__}: {error}. To see where it came from, set {TRACEBACK}=1."
        return _fail(words, ReverieError.exit_code)
    return 0


def _fail(words: str, code: int) -> int:
    print(f"reverie: {words}", file=sys.stderr)
    return code


def main() -> None:
    """The entry point of the ``reverie`` command."""
    words = sys.argv[1:]
    sys.exit(guarded(lambda: dispatch(words)))
