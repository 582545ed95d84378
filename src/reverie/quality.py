"""How good a model's samples are: drawing them, choosing what they are held against, and watching them in training."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import fmean

import torch
from torch import Tensor

from reverie.actions.lookalikes import draw_lookalikes
from reverie.actions.result import Result
from reverie.data import ImageData, load
from reverie.data.images import Split
from reverie.data.views import bits, is_binary
from reverie.engine.noise import ItemNoise
from reverie.errors import Interrupted
from reverie.metrics.batches import never
from reverie.metrics.classifier import classifier
from reverie.metrics.distances import Moments, frechet_distance
from reverie.metrics.extractors import random_network, scaled, thinned
from reverie.metrics.figures import Protocol
from reverie.metrics.inception import evaluate_fid, opened
from reverie.metrics.modes import effective_classes
from reverie.metrics.neighbours import memory_ratio, neighbourhoods
from reverie.metrics.samples import (
    MEMORIES,
    NEIGHBOURS,
    Yardstick,
    evaluate_modes,
    evaluate_samples,
    some,
    yardsticks,
)
from reverie.protocols import Ancestral, Autoencoder, Conditional, Density, LatentDensity, Sampler
from reverie.trained import Trained

BATCH = 250  # samples at once
SAMPLES, SLOWLY, QUICK = (
    10_000,
    500,
    1000,
)  # that are measured; of a model that draws pixel by pixel; when training ends
STACKED = 26_000  # of stacked digits, as Srivastava et al. 2017, arXiv:1705.07761, count them
KNOWN = 10_000  # training images that samples are held against where it must be quick, and held-out ones at most


def usual_count(trained: Trained, quick: bool) -> int:
    """How many samples are drawn where nobody says: as many as there are test images, up to a number.

    The number is lower where it is quick, or the model draws pixel by pixel.
    """
    slow = isinstance(trained.model, Density) and not isinstance(trained.model, LatentDensity)
    thorough = STACKED if _colours(trained.data) else SLOWLY if slow else SAMPLES
    most = (0 if slow else QUICK) if quick else thorough
    return min(most, len(trained.data.test)) if _measurable(trained.data) else 0


def _measurable(data: ImageData) -> bool:
    """Whether samples can be held against a set: distances are of two images at least."""
    return min(len(data.train), len(data.test)) > 1


def judged_by_samples(model: object) -> bool:
    """Whether samples are all that a model can be measured by: no likelihood, no codes."""
    return isinstance(model, Sampler) and not isinstance(model, Density | LatentDensity | Autoencoder)


def labelled(data: ImageData) -> bool:
    """Whether a classifier can be trained on a set; stacks of digits are read digit by digit instead."""
    return data.train.labels is not None and len(data.classes) > 1 and not _colours(data)


def _colours(data: ImageData) -> int:
    """In how many colours of a set of stacked digits there is one; 0 for any other set."""
    return round(math.log10(len(data.classes))) if data.classes and data.name.startswith("stacked-mnist") else 0


def measure_samples(
    trained: Trained,
    count: int,
    *,
    protocol: Protocol,
    quick: bool,
    inception: Path | None = None,
    should_stop: Callable[[], bool] = never,
) -> Result:
    """Draw samples and measure them against training images; see ``reverie.metrics.samples``.

    Where samples are all that a model can be measured by, some are drawn beside their nearest training images.

    Args:
        trained: a model that samples.
        count: how many, N.
        protocol: what the caller knows of the data.
        quick: against some training images, and with the classifier of a labelled set only where training watched
            samples with it; otherwise against all, with it.
        inception: an ONNX file with the network of the FID, which is measured with it and not without.
        should_stop: asked between batches.
    """
    network = opened(inception) if inception else None
    pixels = drawn(trained, count, "evaluate", should_stop)
    train, test = _references(trained.data, pixels)
    data = trained.data.plain
    extractors = [random_network(train)]
    if labelled(data) and (judged_by_samples(trained.model) or not quick):
        extractors.insert(0, scaled(classifier(data), train) if is_binary(pixels) else classifier(data))
    if quick:
        train = some(train, KNOWN)
    words = "bits" if is_binary(pixels) else "8-bit levels"
    how = {"samples": _kind(trained), "noise": "seed 0, not that of training", "both_sides": words}
    beside = yardsticks(count, train, test, extractors)
    protocol = {**protocol, **how}
    figures = evaluate_samples(pixels, beside, protocol=protocol)
    if network:
        figures.append(evaluate_fid(network, pixels, train, test, protocol=protocol, should_stop=should_stop))
    if colours := _colours(data):
        digits = classifier(load("mnist", size=data.spec.shape[1:]))
        figures += evaluate_modes(pixels, test.pixels, digits, colours=colours, protocol=protocol)
    files = draw_lookalikes(trained, pixels, beside) if judged_by_samples(trained.model) else []
    return Result(files, figures=figures)


def _kind(trained: Trained) -> str:
    """What a sample is, in words."""
    kind = "draws"
    if isinstance(trained.model, Autoencoder):
        kind = "bits drawn from p(x|z)" if trained.view.binary else "decoder means"
        kind += ", z from the prior"
    return f"{kind}, classes as often as in training" if isinstance(trained.model, Conditional) else kind


@torch.no_grad()
def drawn(trained: Trained, count: int, purpose: str, should_stop: Callable[[], bool] = never) -> Tensor:
    """Samples as pixels, (N, C, H, W) uint8: sample i is the same whatever the batch, and the count.

    Of a model of bits they are bits, ``x ~ p(x|z)``, as its likelihood says: the mean of a decoder is an average over
    images, smoother than any of them, and bits that were drawn already stay as they are.

    Raises:
        Interrupted: ``should_stop`` said so.
    """
    label, found = _labels(trained, count), []
    for first in range(0, count, BATCH):
        if should_stop():
            raise Interrupted(f"The samples were stopped after {first:,} of {count:,}.")
        items = range(first, min(first + BATCH, count))
        classes = None if label is None else label[items.start : items.stop]
        noise = ItemNoise((0, purpose), items)
        found.append(trained.pixels(_draw(trained, noise, classes)).cpu())
    return torch.cat(found)


def _draw(trained: Trained, noise: ItemNoise, label: Tensor | None) -> Tensor:
    """Observations, one for each item of the noise; bits may depend on one another given z, as p(x|z) says."""
    n, model = len(noise.items), trained.model
    if trained.view.binary and isinstance(model, Ancestral):
        p = model.from_prior(n, noise, label=label)
        if getattr(p, "support", "") == "binary":
            return p.sample(noise, "bits")
    x = trained.sampler().sample(n, noise, label=label, temperature=1.0)
    return (noise.uniform("bits", tuple(x.shape)).to(x.device) < x).float() if trained.view.binary else x


def _labels(trained: Trained, count: int) -> Tensor | None:
    """Classes as often as in training, in an order that does not depend on the count."""
    labels = trained.data.train.labels
    if not isinstance(trained.model, Conditional) or labels is None:
        return None
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(0))
    return labels[order[torch.arange(count) % len(labels)]]


def _references(data: ImageData, pixels: Tensor) -> tuple[Split, Split]:
    """Training and test images in the form of the samples: bits beside bits, otherwise levels."""
    plain = data.plain
    if not is_binary(pixels):
        return plain.train, plain.test
    view = bits("static")
    return view.fix(plain.train, "train"), view.fix(plain.test, "test")


def yardsticks_of(data: ImageData, say: Callable[[str], None]) -> list[Yardstick]:
    """What samples are watched with in training: some images as random features see them, and as a classifier does.

    Both, for a classifier finds classes in noise too, and random features hardly see what tells classes apart. None
    where there are fewer than two training or held-out images.
    """
    if not _measurable(data):
        return []
    plain = data.plain
    extractors = [random_network(plain.train)]
    if labelled(plain):
        extractors.append(classifier(plain, say))
    return [Yardstick(each, some(plain.train, KNOWN), some(plain.test, KNOWN)) for each in extractors]


def watch_samples(trained: Trained, yardsticks: Sequence[Yardstick], count: int) -> dict[str, float]:
    """What is looked at after each epoch where samples are all there is; the first figure is the best checkpoint's.

    ``test_fd`` is the Fréchet distance from held-out images, of samples whose noise is used for nothing else;
    precision and recall are among as many held-out images; ``test_memory`` is the memory ratio in features, left out
    where every held-out image occurs in training. Each is the mean over the extractors. ``test_classes`` is the
    effective number of classes.

    Args:
        trained: the model.
        yardsticks: the images, as one or several extractors see them.
        count: samples, N.
    """
    pixels, looks, classes = drawn(trained, count, "watch"), [], {}
    for yardstick in yardsticks:
        seen, found = yardstick.extractor.look(pixels)
        looks.append(_watched(seen, yardstick))
        if found is not None:
            classes = {"test_classes": effective_classes(torch.bincount(found))}
    names = [name for name in looks[0] if all(math.isfinite(look[name]) for look in looks)]
    return {name: fmean(look[name] for look in looks) for name in names} | classes


def _watched(seen: Tensor, yardstick: Yardstick) -> dict[str, float]:
    held_out = yardstick.held_out
    n = min(len(seen), len(held_out))
    found = neighbourhoods(thinned(held_out, n), seen[:n], k=min(NEIGHBOURS, n - 1))
    return {
        "test_fd": frechet_distance(Moments.of(seen), Moments.of(held_out)),
        "test_precision": float(found.precision.mean()),
        "test_recall": float(found.recall.mean()),
        "test_memory": memory_ratio(seen[:MEMORIES], thinned(held_out, MEMORIES), yardstick.known)[0],
    }
