"""The flags that several commands take, and how commands print what they made.

Nothing here imports torch before a command needs it.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

if TYPE_CHECKING:
    from reverie.actions.result import Result
    from reverie.runs import Run


@Parameter(name="*")
@dataclass(frozen=True)
class Common:
    """What every command takes.

    Args:
        runs: the folder of runs; by default $REVERIE_RUNS, then runs.
        json: print the answer as JSON.
    """

    runs: Path | None = None
    json: bool = False


PLAIN = Common()
RunName = Annotated[str, Parameter(help="A path, a name, or last.")]
Label = Annotated[str | None, Parameter(help="A class by its name or number, for a model that is told classes.")]
Count = Annotated[int, Parameter(name=("--n", "-n"), help="How many, at most.")]
Scored = Annotated[
    int | None,
    Parameter(
        name=("--n", "-n"), help="So many images: your own first, or test images, evenly spaced; by default all."
    ),
]
Measured = Annotated[
    int | None,
    Parameter(
        name=("--n", "-n"),
        help="So many test images, evenly spaced, or symbols from the start of the held-out text; by default all. Or "
        "points, by default 10,000.",
    ),
]
Own = Annotated[Path | None, Parameter(help="An image or a folder of your own; by default test images, evenly spaced.")]
One = Annotated[str, Parameter(help="The number of a test image, or an image file.")]
Other = Annotated[str | None, Parameter(help="Another; by default the test image in the middle.")]
Way = Annotated[
    Literal["spherical", "linear"],
    Parameter(help="A great circle, which keeps the length of a code, or a straight line."),
]
Numbers = Annotated[tuple[int, ...], Parameter(help="Which numbers of the code; by default the ten most used ones.")]
Span = Annotated[float, Parameter(help="How far each number goes, to either side of 0.")]
SetName = Annotated[str, Parameter(help="A name from: reverie data list.")]
Offline = Annotated[bool, Parameter(help="Use what is in the cache alone, and no network.")]
Seed = Annotated[int, Parameter(help="Fixes all randomness.")]
Scale = Annotated[float, Parameter(help="Factor on the standard deviation of the prior.")]
Steps = Annotated[int, Parameter(help="Pictures on the way, with both ends.")]
Out = Annotated[Path | None, Parameter(help="A PNG to write, instead of one in the run's folder.")]


def opened(run: str, common: Common) -> "Run":
    """The run that a command names."""
    from reverie.runs import open_run

    return open_run(run, common.runs)


def say(words: object) -> None:
    """Print a line at once."""
    print(words, flush=True)


def aligned(rows: Iterable[tuple[str, ...]]) -> list[str]:
    """Rows of words as lines whose columns stand below each other.

    Example:
        >>> aligned([("a", "first"), ("long", "second")])
        ['a     first', 'long  second']
    """
    listed = list(rows)
    wide = [max(map(len, column)) for column in zip(*listed, strict=True)]
    return ["  ".join(f"{words:{w}}" for words, w in zip(row, wide, strict=True)).rstrip() for row in listed]


def show(result: "Result", common: Common, **more: Any) -> None:
    """Print what an action made."""
    if common.json:
        figures = [figure.to_json() for figure in result.figures]
        say(json.dumps({"files": [str(f) for f in result.files], "figures": figures, **result.values, **more}))
        return
    for file in result.files:
        if ".dark." not in file.name:
            say(file)
    for name, value in more.items():
        say(f"{name}: {value}")
