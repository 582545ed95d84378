"""A trained model with what it was trained on: all that the actions need, whatever the kind of model."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from reverie.data import ImageData
from reverie.data.images import Split, read_images
from reverie.data.views import View
from reverie.errors import UsageError, suggest
from reverie.metrics.batches import condition, restored
from reverie.protocols import Autoencoder, Conditional, Density, LatentDensity, Sampler


@dataclass(frozen=True)
class Trained:
    """A model in its final weights, in evaluation mode, on the processor it will be asked on.

    Args:
        name: of the run.
        folder: of the run.
        model: the module.
        view: how pixels become its observations.
        data: what it was trained on, with fixed test bits.
    """

    name: str
    folder: Path
    model: nn.Module
    view: View
    data: ImageData

    def autoencoder(self, verb: str) -> Autoencoder:
        """The model as something with codes.

        Raises:
            UsageError: it has none, or its codes say nothing without a class.
        """
        if isinstance(self.model, Conditional):
            raise UsageError(
                f"{self.name} cannot {verb}: it is conditional, and its codes are no pictures without a class. "
                "It can: sample, reconstruct, score."
            )
        return self._with_codes(verb)

    def _with_codes(self, verb: str) -> Autoencoder:
        if isinstance(self.model, Autoencoder):
            return self.model
        raise UsageError(f"{self.name} cannot {verb}: its {type(self.model).__name__} has no encoder. It can: sample.")

    @torch.no_grad()
    def restored(self, x: Tensor, label: Tensor | None, verb: str) -> Tensor:
        """The pictures that observations are restored to from their mean codes, pixels (N, C, H, W).

        Raises:
            UsageError: the model has no codes.
        """
        model, parts = self._with_codes(verb), range(0, len(x), 256)
        rows = [range(first, min(first + 256, len(x))) for first in parts]
        return self.pixels(torch.cat([restored(model, x[r.start : r.stop], *condition(label, r)).mean for r in rows]))

    def sampler(self) -> Sampler:
        """The model as something that draws new observations.

        Raises:
            UsageError: it has no distribution to draw from.
        """
        if isinstance(self.model, Sampler):
            return self.model
        raise UsageError(
            f"{self.name} cannot sample: a plain autoencoder has no distribution of codes to draw from. "
            "It can: reconstruct, interpolate, manifold. For samples train a vae recipe."
        )

    def density(self) -> Density:
        """The model as a likelihood model, of bounds or exact.

        Raises:
            UsageError: it has no likelihood.
        """
        if isinstance(self.model, Density):
            return self.model
        raise UsageError(
            f"{self.name} has no likelihood: its {type(self.model).__name__} assigns no density to an image. "
            "For likelihoods train a vae recipe."
        )

    def labels(self, split: Split, label: str | int | None = None) -> Tensor | None:
        """The class of each image, (N,), for a model that is told classes: the one named, or what the split says.

        Raises:
            UsageError: the model is told classes and there is none, or it is told none and there is one; or the class
                is not one of the data.
        """
        if label is not None:
            return torch.full((len(split),), self.class_number(label))
        if not isinstance(self.model, Conditional):
            return None
        if split.labels is None:
            raise UsageError(
                f"{self.name} is conditional: it needs the class of each image. Give --label with one of: "
                f"{', '.join(self.data.classes)}."
            )
        return split.labels

    def class_number(self, label: str | int) -> int:
        """A class by its name, or by its number where no class has that name.

        Raises:
            UsageError: there is no such class, or the model is told none.
        """
        if not isinstance(self.model, Conditional):
            raise UsageError(f"{self.name} was trained without labels: leave out --label.")
        name, classes = str(label), self.data.classes
        if name in classes:
            return classes.index(name)
        if name.isdecimal() and int(name) < len(classes):
            return int(name)
        raise UsageError(
            f'{self.name} knows no class "{name}".{suggest(name, classes)} '
            f"Its classes are: {', '.join(classes)}; or a number from 0 to {len(classes) - 1}."
        )

    def observe(self, pixels: Tensor) -> Tensor:
        """Pixels (N, C, H, W) as observations; grey pixels become fixed bits where the model wants bits.

        A bit depends on the place of its image: images are observed together, and then split.
        """
        return self.view.still(self.view.fix(Split(pixels, None), "test").pixels)

    def images(self, source: str | Path | None, count: int | None) -> Split:
        """A person's own images in the size and channels of the model, or test images, evenly spaced.

        A person's own have no labels here: their classes need not be those of the data.

        Raises:
            DataError: the images cannot be read.
            UsageError: fewer than one image is wanted.
        """
        if count is not None and count < 1:
            raise UsageError(f"The number of images must be at least 1; got {count}.")
        if source is None:
            return spread(self.data.test, count)
        channels, height, width = self.data.spec.shape
        kinds: dict[int, Any] = {1: "grey", 3: "rgb", 4: "rgba"}
        return Split(read_images(source, size=(height, width), channels=kinds[channels]).pixels[:count])

    def pixels(self, x: Tensor) -> Tensor:
        """Observations or their means as uint8 pixels."""
        return self.view.pixels(x)


def spread(split: Split, count: int | None) -> Split:
    """At most ``count`` images, evenly spaced: images that lie sorted by class are not all of the first."""
    n = len(split)
    if count is None or count >= n:
        return split
    places = torch.arange(count) * n // count
    return Split(split.pixels[places], None if split.labels is None else split.labels[places])


@torch.no_grad()
def codes_of(trained: Trained, pixels: Tensor, verb: str) -> Tensor:
    """The posterior means of images, (N, D)."""
    model = trained.autoencoder(verb)
    return torch.cat([model.encode(part).mean for part in torch.split(trained.observe(pixels), 500)])


@torch.no_grad()
def code_use(trained: Trained, split: Split) -> tuple[Tensor, Tensor, str]:
    """Mean codes of images, (N, D), how much each number is used, (D,), and in which unit.

    In nats it is the mean of ``KL(q(z_d|x) || p(z_d))``, where the model knows it in closed form and it is finite; else
    it is the variance of the mean codes.
    """
    model: Any = trained._with_codes("show its codes")
    x, label, means, divergences = trained.observe(split.pixels), trained.labels(split), [], []
    for first in range(0, len(x), 500):
        rows = range(first, min(first + 500, len(x)))
        measured = isinstance(model, LatentDensity)
        inferred = (model.infer if measured else model.encode)(x[rows.start : rows.stop], *condition(label, rows))
        means.append(inferred.mean.float())
        kl = model.divergence(inferred) if measured else None
        divergences += [] if kl is None else [kl]
    codes = torch.cat(means)
    use = torch.cat(divergences).mean(0) if divergences else codes.new_full((1,), torch.nan)
    return (codes, use, "nats") if bool(use.isfinite().all()) else (codes, codes.var(0), "variance")
