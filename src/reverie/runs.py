"""Runs: opening a run folder, and everything a person does with what was trained."""

import inspect
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import nn

from reverie import config, recipes
from reverie.actions import of_images, of_points, of_text
from reverie.actions.of_text import SHOWN, SPOKEN, Speech
from reverie.actions.result import Result
from reverie.data import ImageData
from reverie.data.corpus import TextData, TextSpec
from reverie.data.points import PointData
from reverie.data.views import View
from reverie.engine.checkpoint import load_weights, newest
from reverie.engine.machine import keep_freed_memory
from reverie.engine.plan import Plan
from reverie.errors import Interrupted, ReverieError, UsageError, suggest
from reverie.evaluation import evaluate
from reverie.files import read_json, write, write_json
from reverie.kinds import Data, Kind, Spec, kind_of, read, spec_of
from reverie.planar import Planar
from reverie.trained import Trained
from reverie.written import Voice, Written

CAN = {
    "images": "sample, evaluate",
    "text": "generate, score, copies, compress, evaluate",
    "points": "sample, evaluate",
}
RECORDED = {"status", "recipe", "data", "versions", "view"}


@dataclass(frozen=True)
class Run:
    """A run folder, and what can be done with it. Made by ``reverie.train`` and ``reverie.open_run``."""

    folder: Path

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.folder.name

    @property
    def config(self) -> dict[str, Any]:
        """The resolved configuration."""
        flat = config.from_toml(self.folder / "config.toml")
        return config.resolve(flat.pop("recipe"), flat)

    @property
    def record(self) -> dict[str, Any]:
        """Status, versions, device, data fingerprint, reason of the end."""
        way_out = f"Bring it back from a copy, or train again with --config {self.folder}/config.toml."
        try:
            record = read_json(self.folder / "run.json")
        except ReverieError as error:
            raise ReverieError(f"{error}. {way_out}") from error
        if not isinstance(record, dict) or not RECORDED <= record.keys():
            raise ReverieError(f"{self.folder / 'run.json'} is not the record of a run. {way_out}")
        return record

    def update(self, **values: Any) -> None:
        """Change entries of the record."""
        write_json(self.folder / "run.json", {**self.record, **values})

    def interrupted(self) -> Interrupted:
        """The word to a person who stopped it."""
        return Interrupted(f"Stopped and saved. Go on with: reverie train --resume {self.folder}")

    @property
    def kind(self) -> Kind:
        """What it is a model of: images, text or points."""
        return kind_of(self.config["recipe"])

    @property
    def is_text(self) -> bool:
        """Whether it is a model of text."""
        return self.kind == "text"

    def _without(self, what: str) -> UsageError:
        """The word to a person who wants what a model of this kind has not."""
        return UsageError(f"{self.name} is a model of {self.kind} and has no {what}. It can: {CAN[self.kind]}.")

    @cached_property
    def spec(self) -> Spec:
        """Shape and classes of images, or the vocabulary of text, without reading them."""
        return spec_of(self.config["recipe"], self.record["data"], self.folder / "model")

    @cached_property
    def plan(self) -> Plan:
        """The recipe's plan, with fresh weights."""
        settings = self.config
        plan: Plan = recipes.find(settings["recipe"]).run(self.spec, **settings["arguments"])
        return plan

    @cached_property
    def data(self) -> Data:
        """The data it was trained on, read again, as its view fixes it."""
        settings = self.config
        data: Data = self.plan.view.fixed(read(settings, settings["data"]))
        return data

    @cached_property
    def model(self) -> nn.Module:
        """The trained model in evaluation mode: of ``model/``, or of the newest checkpoint till then."""
        model = self.plan.model
        if not isinstance(model, nn.Module):
            raise TypeError(f"a plan's model must be an nn.Module; got {type(model).__name__}")
        load_weights(model, self._weights(), str(self.folder))
        keep_freed_memory()
        return model.eval().requires_grad_(False)

    def _weights(self) -> Mapping[str, torch.Tensor]:
        path = self.folder / "model" / "model.safetensors"
        if path.exists():
            return read_tensors(path)
        checkpoint, _ = newest(self.folder / "checkpoints")
        if checkpoint is None:
            raise ReverieError(f"{self.name} has no weights yet; train it with: reverie train --resume {self.folder}")
        return checkpoint.tensors.get("ema", checkpoint.tensors["model"])

    def save_model(self, model: nn.Module) -> None:
        """Write the weights and the configuration that rebuilds the model, in the Hub's layout."""
        settings = self.config
        described = {"library": "reverie", "recipe": settings["recipe"], "arguments": settings["arguments"]}
        described |= {
            "data": self.record["data"],
            "view": self.record["view"],
            "versions": self.record["versions"],
        }
        write(self.folder / "model" / "model.safetensors", _packed(model))
        write_json(self.folder / "model" / "config.json", described)

    def save_weights(self, step: int, model: nn.Module) -> None:
        """Keep the weights of all networks at a step, in a file of their own."""
        write(self.folder / "weights" / f"{step:06d}.safetensors", _packed(model))

    @cached_property
    def trained(self) -> Trained:
        """The model with its images, as the actions take it.

        Raises:
            UsageError: it is not a model of images.
        """
        view, data = self.plan.view, self.data
        if not isinstance(view, View) or not isinstance(data, ImageData):
            raise self._without("images")
        return Trained(self.name, self.folder, self.model, view, data)

    @cached_property
    def written(self) -> Written:
        """The language model with its text.

        Raises:
            UsageError: it is not a model of text.
        """
        data = self.data
        if not isinstance(data, TextData):
            raise self._without("text")
        return Written(self.name, self.folder, self.model, data, self.plan.view)

    @cached_property
    def planar(self) -> Planar:
        """The model with its points.

        Raises:
            UsageError: it is not a model of points.
        """
        data = self.data
        if not isinstance(data, PointData):
            raise self._without("points")
        return Planar(self.name, self.folder, self.model, data)

    @cached_property
    def voice(self) -> Voice:
        """The language model with its vocabulary, without its text.

        Raises:
            UsageError: it is not a model of text.
        """
        spec = self.spec
        if not isinstance(spec, TextSpec) or spec.kept is None:
            raise self._without("text")
        return Voice(self.name, self.folder, self.model, spec.kept)

    def sample(self, n: int = 64, **options: Any) -> Result:
        """Draw new images or points; see ``sample`` of ``reverie.actions``, of images and of points."""
        if self.kind == "points":
            return of_points.sample(self.planar, n, **options)
        return of_images.sample(self.trained, n, **options)

    def reconstruct(self, images: str | Path | None = None, **options: Any) -> Result:
        """Encode and decode images; see ``reverie.actions.of_images.reconstruct``."""
        return of_images.reconstruct(self.trained, images, **options)

    def interpolate(self, a: str | int = 0, b: str | int | None = None, **options: Any) -> Result:
        """Walk from one image to another; see ``reverie.actions.of_images.interpolate``."""
        return of_images.interpolate(self.trained, a, b, **options)

    def manifold(self, **options: Any) -> Result:
        """Decode a grid of codes; see ``reverie.actions.of_images.manifold``."""
        return of_images.manifold(self.trained, **{**self.plan.pictures.get("manifold", {}), **options})

    def traverse(self, image: str | int = 0, **options: Any) -> Result:
        """Change one number of a code at a time; see ``reverie.actions.of_images.traverse``."""
        return of_images.traverse(self.trained, image, **options)

    def edit(self, having: str, lacking: str | None = None, **options: Any) -> Result:
        """Add an attribute to images; see ``reverie.actions.of_images.edit``."""
        return of_images.edit(self.trained, having, lacking, **options)

    def score(self, source: str | Path | None = None, **options: Any) -> Result:
        """Rank images by how likely they are, or colour a text by how surprising it is; by default held-out ones.

        See ``reverie.actions.of_images.score`` and ``reverie.actions.of_text.score``.
        """
        if not self.is_text:
            return of_images.score(self.trained, source, **self._for(of_images.score, options))
        chosen = self._for(of_text.score, options)
        text, name = of_text.read_source(source) if source else (self._held_out()[:SHOWN], "the held-out text")
        return of_text.score(self.voice, text, name=name, **chosen)

    def _for(self, action: Callable[..., Result], options: Mapping[str, Any]) -> Mapping[str, Any]:
        """Refuse options that are for models of another kind."""
        if strange := [f"--{name}" for name in options if name not in inspect.signature(action).parameters]:
            raise UsageError(f"{self.name} is a model of {self.kind}: leave out {', '.join(strange)}.")
        return options

    def _held_out(self) -> str:
        return self.written.data.parts["valid"].decode()

    def stream(self, prompt: str = "", *, count: int = 1, **options: Any) -> Speech:
        """Go on with a text, symbol by symbol; see ``reverie.actions.of_text.wish_of`` for the options."""
        voice = self.voice
        wish = of_text.wish_of(**options, train=lambda: self.written.data.ids["train"])
        return of_text.speak(voice, prompt, wish, count=count)

    def generate(self, prompt: str = "", *, count: int = 1, **options: Any) -> Result:
        """Go on with a text: its ``values`` hold the ``prompt``, the ``texts``, and a ``note`` of what was unknown."""
        speech = self.stream(prompt, count=count, **options)
        return Result([], values={"prompt": speech.prompt, "texts": speech.texts(), "note": speech.note})

    def copies(self, source: str | Path | None = None, *, out: Path | None = None, **drawn: Any) -> Result:
        """What a text, or what the model says, copies from its training text; see ``reverie.actions.of_text.copies``.

        How the model speaks (``length``, ``temperature``, ``seed`` ...) goes without a text.
        """
        voice = self.voice
        if source is not None and drawn:
            raise UsageError(f"{source} is a text already: leave out {', '.join(f'--{name}' for name in drawn)}.")
        if source is not None:
            text, name = of_text.read_source(source)
        else:
            drawn = {"length": SPOKEN, "temperature": 1.0, **drawn}
            (text,) = self.stream(**drawn).texts()
            name = f"{self.name} at temperature {drawn['temperature']:g}"
        return of_text.copies(voice, self.written.data, text, name=name, out=out)

    def compress(self, source: str | Path, **options: Any) -> Result:
        """Compress a text file by the model; see ``reverie.actions.of_text.compress``."""
        return of_text.compress(self.voice, Path(source), **options)

    def decompress(self, source: str | Path, **options: Any) -> Result:
        """Bring back what ``compress`` wrote; see ``reverie.actions.of_text.restore``."""
        return of_text.restore(self.voice, Path(source), **options)

    def evaluate(self, **options: Any) -> Result:
        """Measure the model on test images, into ``eval.json``; see ``reverie.evaluation.evaluate``."""
        kind = self.kind
        subject = self.written if kind == "text" else self.planar if kind == "points" else self.trained
        return evaluate(subject, **options)

    def draw(self) -> list[Path]:
        """Draw the pictures that the recipe names, as it wants them."""
        drawers: dict[str, Callable[..., Result]] = {
            "samples": self.sample,
            "reconstructions": self.reconstruct,
            "interpolation": self.interpolate,
            "manifold": self.manifold,
            "traversal": self.traverse,
            "codes": lambda **how: of_images.codes(self.trained, **how),
        }
        return [file for name, how in self.plan.pictures.items() for file in drawers[name](**how).files]


def runs_folder(runs: str | Path | None = None) -> Path:
    """The folder of runs: the one given, else ``$REVERIE_RUNS``, else ``runs``."""
    return Path(runs or os.environ.get("REVERIE_RUNS") or "runs")


def list_runs(runs: str | Path | None = None) -> list[Run]:
    """All runs of a folder, the oldest first."""
    found = [
        Run(path.parent) for path in runs_folder(runs).glob("[!.]*/run.json") if (path.parent / "config.toml").is_file()
    ]
    return sorted(found, key=lambda run: (run.folder / "config.toml").stat().st_mtime_ns)


def open_run(run: str | Path, runs: str | Path | None = None) -> Run:
    """A run by its path, its name, or ``last``.

    Raises:
        ReverieError: there is no such run; names the nearest.
    """
    folder = runs_folder(runs)
    if Path(run).name == "last" and not Path(run).is_dir():
        parent = folder if str(run) == "last" else Path(run).parent
        if there := list_runs(parent):
            return there[-1]
        raise UsageError(f"There is no run in {parent} yet; train one with: reverie train vae-conv")
    for place in (Path(run), folder / str(run)):
        if (place / "run.json").is_file() and (place / "config.toml").is_file():
            return Run(place)
        if (place / "run.json").is_file() or (place / "config.toml").is_file():
            missing = "config.toml" if (place / "run.json").is_file() else "run.json"
            raise UsageError(f"The run {place} has no {missing}; bring it back from a copy, or train anew.")
    names = [each.name for each in list_runs(folder)]
    raise UsageError(f'There is no run "{run}" in {folder}.{suggest(str(run), names)} See them with: reverie runs')


def read_tensors(path: Path) -> dict[str, torch.Tensor]:
    """The weights of a file.

    Raises:
        ReverieError: it is damaged.
    """
    try:
        return load_tensors(path.read_bytes())
    except SafetensorError as error:
        way_out = "bring it back from a copy, or remove it to use the newest checkpoint"
        raise ReverieError(f"{path} is damaged ({error}); {way_out}.") from error


def free_name(runs: Path, name: str | None, stem: str) -> Path:
    """A folder for a new run: the name given, or the stem with the next number.

    Raises:
        UsageError: the name is taken, or is no name for a folder.
    """
    if name is not None:
        if not re.fullmatch(r"[\w][\w.\- ]{0,100}", name) or name == "last":
            raise UsageError(f'--name "{name}" must be letters, digits, ".", "-" or "_", and not "last".')
        if os.path.lexists(runs / name):
            raise UsageError(f'There is a run "{name}" in {runs} already; choose another --name, or --resume it.')
        return runs / name
    clean = re.sub(r"[^\w.\-]+", "-", stem).strip("-.") or "run"
    taken: Sequence[int] = [
        int(path.name.rsplit("-", 1)[1])
        for path in runs.glob(f"{clean}-[0-9]*")
        if path.name.rsplit("-", 1)[1].isdigit()
    ]
    return runs / f"{clean}-{max(taken, default=0) + 1}"


def _packed(model: nn.Module) -> bytes:
    """All numbers of a module as the bytes of a safetensors file."""
    tensors = {name: tensor.detach().cpu().clone().contiguous() for name, tensor in model.state_dict().items()}
    return save_tensors(tensors, {"format": "pt"})
