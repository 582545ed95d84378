"""A folder in the Hub's layout: weights, configuration, model card. ``reverie.load`` reads it anywhere."""

from pathlib import Path

from reverie.errors import ReverieError, UsageError
from reverie.export.facts import facts_of
from reverie.files import whole_folder, write
from reverie.loading import load_model
from reverie.report import card
from reverie.runs import Run


def export_hub(run: Run, out: Path | None = None) -> Path:
    """Write the folder, with a card of the newest figures, and read it back before it is kept.

    Args:
        run: a finished run.
        out: the folder; by default ``export/hub`` of the run. What was there is replaced, once the new is whole.

    Raises:
        UsageError: the run is not finished.
        ReverieError: what was written does not load.
    """
    facts_of(run)  # refuses a run that is not finished
    card.write_card(run.folder)
    place = out or run.folder / "export" / "hub"
    with whole_folder(place) as folder:
        for file in sorted((run.folder / "model").iterdir()):
            if file.is_file() and not file.name.startswith("."):
                write(folder / file.name, file.read_bytes())
        recipe = run.config["recipe"]
        load_model(folder, recipe=recipe if recipe.endswith(".py") else None)  # this person's own file
    return place


def push(folder: Path, name: str) -> str:
    """Upload a folder to a repository on the Hub, made where it is not there; private till its owner opens it.

    Returns:
        Where it is.

    Raises:
        UsageError: the package for it is missing.
        ReverieError: the Hub refuses, or cannot be reached.
    """
    try:
        from huggingface_hub import HfApi
    except ImportError as error:
        raise UsageError(f"--push needs {error.name}. Install it with: pip install 'reverie[hub]'") from error
    try:
        hub = HfApi()
        hub.create_repo(name, private=True, exist_ok=True)
        return str(hub.upload_folder(repo_id=name, folder_path=folder))
    except Exception as error:  # no network, no token, no right, no such name: the Hub's own words say which
        words = " ".join(str(error).split())[:300]
        raise ReverieError(f"{folder} is whole, and was not pushed to {name}: {words}") from error
