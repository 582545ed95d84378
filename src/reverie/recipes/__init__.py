"""Recipes: one file per named system. The folder is the list; one outside the package is given by its path.

A recipe module has a docstring that names its source, ``DATA`` (the set it takes if none is named), ``TINY``
(arguments that make it small, for tests), and ``run(data, *, ...) -> Plan``, whose keyword arguments are its
whole configuration.
Nothing here imports torch until a recipe is opened.
"""

import ast
import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

from reverie.errors import UsageError, suggest

FOLDER = Path(__file__).parent


def names() -> list[str]:
    """The recipes in the package, by the names of their files."""
    return sorted(path.stem.replace("_", "-") for path in FOLDER.glob("[!_]*.py"))


def summary(name: str) -> str:
    """The first line of a recipe's docstring, read without importing it."""
    path = FOLDER / f"{name.replace('-', '_')}.py"
    return (ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "").split("\n", 1)[0]


def find(name: str) -> ModuleType:
    """The module of a recipe, by its name or by the path of a Python file.

    Raises:
        UsageError: there is no such recipe, or the file is not one.
    """
    if name.endswith(".py"):
        return _from_file(Path(name))
    if name.replace("_", "-") not in names():
        raise UsageError(
            f'There is no recipe "{name}".{suggest(name, names())} '
            "See them with: reverie recipes (or give the path of a recipe file, which ends in .py)."
        )
    return importlib.import_module(f"reverie.recipes.{name.replace('-', '_')}")


def _from_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise UsageError(f"There is no recipe file {path}; give the path of a Python file with a function run().")
    name = f"reverie_recipe_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise UsageError(f"{path} is not a Python file.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    sys.path.insert(0, str(path.parent.resolve()))  # so that a recipe finds the model file beside it
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # whatever the person's own code raises
        raise UsageError(
            f"The recipe file {path} cannot be opened: {type(error).__name__}: {error}. Correct it."
        ) from error
    finally:
        sys.path.pop(0)
    if not callable(getattr(module, "run", None)):
        raise UsageError(f"The recipe file {path} has no function run(data, *, ...); see docs/add-a-model.md.")
    return module
