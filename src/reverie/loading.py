"""A trained model alone: of a run, or of a folder that came from elsewhere, which never has code run."""

from pathlib import Path
from typing import Any

from torch import nn

from reverie import config, recipes
from reverie.errors import ReverieError, UsageError
from reverie.files import read_json
from reverie.kinds import spec_of
from reverie.runs import open_run, read_tensors


def load_model(run: str | Path, runs: str | Path | None = None, *, recipe: str | Path | None = None) -> nn.Module:
    """The trained model of a run as a PyTorch module, in evaluation mode.

    Args:
        run: a path (also of its ``model`` folder, or of a folder in the Hub's layout), a name, or ``last``.
        runs: the folder of runs.
        recipe: the recipe file that builds the model of such a folder, where its recipe is none of the package:
            a folder that comes from elsewhere names code, and never has it run.

    Raises:
        UsageError: there is no such run; a folder names a recipe file, and ``recipe`` is not given.
        ReverieError: a file of the folder is damaged.
    """
    path = Path(run)
    if (path / "model.safetensors").is_file():
        return _from_model_folder(path, recipe)
    if recipe is not None:
        raise UsageError(f"recipe= is for a folder in the Hub's layout; {run} is none. A run knows its own recipe.")
    return open_run(run, runs).model


def _from_model_folder(folder: Path, recipe: str | Path | None) -> nn.Module:
    """A model from its Hub-layout folder alone."""
    described = read_json(folder / "config.json")
    try:
        arguments = dict(described["arguments"])
        chosen = _trusted(described["recipe"], recipe, folder)
        spec = spec_of(chosen, described["data"], folder)
    except (KeyError, TypeError, ValueError) as error:
        raise ReverieError(f"{folder / 'config.json'} describes no model of reverie; bring it back.") from error
    settings = config.resolve(chosen, arguments)
    model = recipes.find(chosen).run(spec, **settings["arguments"]).model
    try:
        model.load_state_dict(read_tensors(folder / "model.safetensors"))
    except RuntimeError as error:  # torch's words: names and shapes that differ
        words = " ".join(str(error).split())[:200]
        raise ReverieError(f"The weights of {folder} are not those of {chosen} as it is here: {words}") from error
    loaded: nn.Module = model.eval().requires_grad_(False)
    return loaded


def _trusted(named: Any, given: str | Path | None, folder: Path) -> str:
    """The recipe that a person gave, else the one that a folder names, if the package has it: a name runs no file."""
    if given is not None:
        return str(given)
    if not isinstance(named, str) or named.replace("_", "-") not in recipes.names():
        raise UsageError(
            f"{folder} names {str(named)!r} as its recipe, which is none of the package. A folder never says which "
            "code runs here: get the recipe file, look at it, and give it yourself: "
            f'reverie.load("{folder}", recipe="my_recipe.py").'
        )
    return named
