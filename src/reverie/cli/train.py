"""``reverie train``: its flags are the signatures of the options and of the recipe that is named."""

import inspect
import json
import os
from collections.abc import Callable
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any

from reverie.errors import UsageError

if TYPE_CHECKING:
    from reverie.arguments import Described
    from reverie.runs import Run

KEEPS = (
    "A resumed run keeps its settings; for others start a new one with --config {}/config.toml and the flags to change."
)
BUDGETS = ("minutes", "epochs", "steps")


def own(
    *,
    name: str | None = None,
    resume: str | None = None,
    config: Path | None = None,
    runs: Path | None = None,
    json: bool = False,
    dry_run: bool = False,
) -> None:
    """What the command itself takes.

    Args:
        name: the run's name; by default the recipe's and the data's with a number.
        resume: go on with this run: a path, a name or last.
        config: take the settings of a config.toml; flags win over it.
        runs: the folder of runs; by default $REVERIE_RUNS, then runs.
        json: print the answer as JSON.
        dry_run: print the resolved settings and stop.
    """


def train(*words: str) -> None:
    """Train a recipe on your data: pictures, figures and a report at the end."""
    recipe = _recipe_of(words)
    groups = _flags(recipe)
    if {"--help", "-h"} & set(words):
        print(_page(recipe, groups))
        return
    given = _parse(recipe, groups, words)
    mine = {name: given.pop(name, None) for name in ("recipe", *inspect.signature(own).parameters)}
    if mine["resume"]:
        _resume(mine, given)
    else:
        _train(mine, given)


def _recipe_of(words: tuple[str, ...]) -> str | None:
    """The recipe that the words name, or the configuration file among them."""
    from reverie import config, recipes

    if words and not words[0].startswith("-"):
        return words[0]
    if named := next((word for word in words if word in recipes.names()), None):
        return named
    for word, following in zip(words, (*words[1:], ""), strict=False):
        if word == "--config" or word.startswith("--config="):
            path = word.split("=", 1)[1] if "=" in word else following
            if not path or path.startswith("-"):
                return None
            return str(config.from_toml(Path(path))["recipe"])
    return None


def _flags(recipe: str | None) -> dict[str, "Described"]:
    """The flags in their groups: of the recipe where one is named, of every training, of the command."""
    from reverie import config, recipes
    from reverie.arguments import described

    functions: dict[str, Callable[..., Any]] = {"Of every training": config.options, "Of the command": own}
    if recipe:
        functions = {f"Of {recipe}": recipes.find(recipe).run, **functions}
    return {heading: described(function) for heading, function in functions.items()}


def _page(recipe: str | None, groups: dict[str, "Described"]) -> str:
    from reverie import recipes
    from reverie.cli.help import page

    if recipe:
        return page(f"reverie train {recipe} [FLAGS]", inspect.getdoc(recipes.find(recipe)) or "", groups)
    names = ", ".join(recipes.names())
    about = f"{inspect.getdoc(train)}\n\nRECIPE is the path of a recipe file, or one of: {names}."
    about += " For the flags of one: reverie train RECIPE --help"
    return page("reverie train RECIPE [FLAGS]", about, groups)


def _parse(recipe: str | None, groups: dict[str, "Described"], words: tuple[str, ...]) -> dict[str, Any]:
    """The values that were given, by name."""
    from cyclopts import App, CycloptsError, Parameter

    from reverie.cli.help import one_line

    def command(*_: Any, **__: Any) -> None: ...

    first = inspect.Parameter("recipe", inspect.Parameter.POSITIONAL_ONLY, default=None, annotation=str | None)
    parameters = [first, *(flag for group in groups.values() for flag, _ in group)]
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {flag.name: flag.annotation for flag in parameters}
    parser = App(name="reverie train", default_parameter=Parameter(consume_multiple=True, negative=()))
    parser.default(command)
    try:
        _, bound, *_ = parser.parse_args(list(words), exit_on_error=False, print_error=False)
    except CycloptsError as error:
        way_out = f"See: reverie train {recipe or 'RECIPE'} --help"
        if any(word.split("=")[0] == "--resume" for word in words):
            way_out = f"With --resume go only --runs and --json. {KEEPS}".format("RUN")
        raise UsageError(f"{one_line(error)} {way_out}") from error
    return dict(bound.arguments)


def _train(mine: dict[str, Any], given: dict[str, Any]) -> None:
    from reverie import config

    settings: dict[str, Any] = {}
    recipe = mine["recipe"]
    if mine["config"]:
        settings = config.from_toml(mine["config"])
        usual = settings.pop("recipe")
        recipe = recipe or usual
        if set(BUDGETS) & set(given):
            settings = {name: value for name, value in settings.items() if name not in BUDGETS}
    if recipe is None:
        raise UsageError("Which recipe? For a first one: reverie train vae-conv (see them all with: reverie recipes)")
    settings |= given
    if mine["dry_run"]:
        print(config.to_toml(config.resolve(recipe, settings), Path("config.toml")), flush=True)
        return
    from reverie.cli.terminal import telling
    from reverie.training import train as run_training

    with telling() as report:
        run = run_training(recipe, name=mine["name"], runs=mine["runs"], report=report, **settings)
    _conclude(run, bool(mine["json"]))


def _resume(mine: dict[str, Any], given: dict[str, Any]) -> None:
    from reverie.runs import open_run

    run = open_run(mine["resume"], mine["runs"])
    extra = sorted({*given, *(name for name in ("recipe", "config", "name", "dry_run") if mine[name])})
    if extra:
        raise UsageError(
            f"With --resume go only --runs and --json; leave out: {', '.join(extra)}. {KEEPS}".format(run.folder)
        )
    from reverie.cli.terminal import telling
    from reverie.training import resume

    with telling() as report:
        run = resume(run.folder, report=report)
    _conclude(run, bool(mine["json"]))


def _conclude(run: "Run", as_json: bool) -> None:
    """Say what a training ended in, and what to try next."""
    if int(os.environ.get("RANK", "0")) or "WORLD_SIZE" in os.environ:
        return
    from reverie.evaluation import read_figures
    from reverie.report.table import plain

    figures = [figure.to_json() for figure in read_figures(run.folder)]
    report = run.folder / "report.html"
    if as_json:
        print(json.dumps({"run": str(run.folder), "files": [str(report)], "figures": figures}), flush=True)
        return
    if figures:
        print(plain(figures), end="\n\n")
    if run.is_text:
        print(f"{report}\nNext: reverie generate {run.folder} --length 500", flush=True)
        return
    if run.kind == "points":
        print(f"{report}\n{run.folder / 'pictures' / 'training.gif'}\nNext: reverie sample {run.folder} --n 2000")
        return
    action = f"reverie sample {run.folder} --seed 1"
    if any("given" in figure["protocol"] for figure in figures):
        action = f"reverie sample {run.folder} --label {quote(run.record['data']['classes'][-1])}"
    elif (run.folder / "pictures" / "reconstructions.png").exists():
        action = f"reverie reconstruct {run.folder} your-image.png"
    print(f"{report}\nNext: reverie evaluate {run.folder}   (all test images)\n      {action}", flush=True)
