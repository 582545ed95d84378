"""How samples stand beside images: distances with their floors, precision and recall, classes, memory.

Both sides are 8-bit pixels that go through one network in one way. See ``docs/samples.md``.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from reverie.data.images import Split
from reverie.digits import short
from reverie.errors import DataError
from reverie.metrics.distances import Moments, frechet_distance, kernel_distance
from reverie.metrics.extractors import SPREAD, Extractor, chosen, thinned
from reverie.metrics.figures import Figure, Protocol, mean_figure
from reverie.metrics.modes import effective_classes, modes, perfect_modes, stacked
from reverie.metrics.neighbours import Neighbourhoods, memory_ratio, neighbourhoods, repeated
from reverie.metrics.probes import probes

NEIGHBOURS = 5  # of precision, recall, density and coverage
MEMORIES = 1000  # samples whose nearest training images are looked for, at most


@dataclass(frozen=True)
class Yardstick:
    """Images that samples are held against, as one extractor sees them.

    Args:
        extractor: the network.
        train: the training images, or some of them.
        test: the held-out images, as many as samples will be held against them.
    """

    extractor: Extractor
    train: Split
    test: Split

    @cached_property
    def known(self) -> Tensor:
        """Features of the training images, (T, D)."""
        return self.extractor.features(self.train.pixels)

    @cached_property
    def held_out(self) -> Tensor:
        """Features of the held-out images, (N, D)."""
        return self.extractor.features(self.test.pixels)

    def like(self, n: int) -> Tensor:
        """Features of n training images, or of all if they are fewer."""
        return thinned(self.known, n)

    @cached_property
    def moments(self) -> Moments:
        """Of the training images."""
        return Moments.of(self.known)

    def distance(self, features: Tensor) -> float:
        """The Fréchet distance of features (N, D) from the training images."""
        return frechet_distance(Moments.of(features), self.moments)

    def ladder(self) -> Mapping[str, float]:
        """The distance of each known-bad version of the held-out images."""
        return {
            words: self.distance(self.extractor.features(bad))
            for words, bad in probes(self.test).items()
            if len(bad) > 1
        }


def yardsticks(count: int, train: Split, test: Split, extractors: Sequence[Extractor]) -> list[Yardstick]:
    """What so many samples are held against: as many held-out images, where there are as many.

    The floor beside a distance is then that of as many real images.

    Args:
        count: samples.
        train: images they are held against.
        test: held-out images, for the floors.
        extractors: the first is the one that knows classes, if any does.

    Raises:
        DataError: there are fewer than two samples, training or test images.
    """
    n = min(count, len(test))
    if min(n, len(train)) < 2:
        raise DataError(
            f"Samples are measured against two training and two test images at least; there are {count} samples, "
            f"{len(train)} training and {len(test)} test images."
        )
    held_out = some(test, n)
    return [Yardstick(extractor, train, held_out) for extractor in extractors]


def evaluate_samples(pixels: Tensor, beside: Sequence[Yardstick], *, protocol: Protocol) -> list[Figure]:
    """Measure samples against images, in every extractor's features.

    Fréchet and kernel distance, precision, recall, density, coverage and memory in each; classes, repetition and
    memory in pixels once. As many samples are measured as there are held-out images.

    Args:
        pixels: samples, (N, C, H, W) uint8.
        beside: the images, as ``yardsticks`` gives them.
        protocol: data, how samples were drawn ...
    """
    train, held_out = beside[0].train, beside[0].test
    n = len(held_out)
    shared = {**protocol, "n": n, "reference": f"{len(train):,} training images"}
    figures: list[Figure] = []
    for number, yardstick in enumerate(beside):
        extractor = yardstick.extractor
        seen, classes = extractor.look(pixels)
        mine = {**shared, **extractor.protocol}
        figures += _distances(seen[:n], yardstick, mine)
        figures += _neighbourhood(seen[:n], yardstick, mine)
        figures += _memory(extractor.title, (seen[:n], yardstick.held_out, yardstick.known), mine)
        if number == 0:
            figures += _classes(classes, yardstick, {**mine, "n": len(pixels)})
            figures += [_twins(pixels[:n], seen[:n], yardstick, mine)]
    flat = (pixels[:n].flatten(1), held_out.pixels.flatten(1), train.pixels.flatten(1))
    return figures + _memory("pixels", flat, shared)


def evaluate_modes(
    pixels: Tensor, test: Tensor, digits: Extractor, *, colours: int, protocol: Protocol
) -> list[Figure]:
    """Count the modes of stacked digits, and measure ``KL(samples || uniform)``, beside those of held-out images.

    Every colour is read by the classifier of single digits, whose errors can make a missing mode seem present: modes
    with a tenth of their share are counted too. See ``reverie.metrics.modes``.

    Args:
        pixels: samples, (N, C, H, W) uint8.
        test: held-out images, (M, C, H, W) uint8.
        digits: knows the digits of a picture with one colour.
        colours: the first so many hold a digit.
        protocol: data, how samples were drawn ...
    """
    total, n = 10**colours, len(pixels)
    which, real = (stacked(_read(each, digits, colours)) for each in (pixels, test))
    found, floor, beside = modes(which, total), perfect_modes(n, total), modes(real, total)
    often = int((torch.bincount(which, minlength=total) >= 0.1 * n / total).sum())
    protocol = {**protocol, **digits.protocol, "n": n}
    note = f"of {total:,}; a perfect generator: {floor.seen:,.1f}; {len(test):,} held-out images: {beside.seen:,.0f}"
    spread = f"a perfect generator: {floor.divergence:.4f}; {len(test):,} held-out images: {beside.divergence:.4f}"
    return [
        Figure("modes", found.seen, "modes", None, protocol, f"{note}; with a tenth of their share: {often:,}"),
        Figure("mode_divergence", found.divergence, "nats, KL(samples || uniform)", None, protocol, spread),
    ]


def _read(pixels: Tensor, digits: Extractor, colours: int) -> Tensor:
    """The digit in each of the first colours, (N, colours)."""
    read = [digits.look(pixels[:, colour : colour + 1])[1] for colour in range(colours)]
    return torch.stack([each for each in read if each is not None], 1)


def some(split: Split, count: int) -> Split:
    """So many images of a split, at most, with their labels; see ``chosen``."""
    places = chosen(len(split), count)
    return Split(split.pixels[places], None if split.labels is None else split.labels[places])


def _distances(seen: Tensor, yardstick: Yardstick, protocol: Protocol) -> list[Figure]:
    title, unit = yardstick.extractor.title, f"of {SPREAD:,.0f}, the variance of the data"
    floor = yardstick.distance(yardstick.held_out)
    ladder = ", ".join(f"{words} {short(value)}" for words, value in yardstick.ladder().items())
    note = f"floor {short(floor)}: {len(seen):,} held-out images; these made bad: {ladder}"
    known = _unit(yardstick.like(len(seen)))
    kernel, error = kernel_distance(_unit(seen), known)
    apart, _ = kernel_distance(_unit(yardstick.held_out), known)
    few = {**protocol, "reference": f"{len(known):,} training images"}
    return [
        Figure(f"FD[{title}]", yardstick.distance(seen), unit, None, protocol, note),
        Figure(f"floor of FD[{title}]", floor, unit, None, protocol, "held-out images in place of samples"),
        Figure(f"KD[{title}]", kernel, "squared MMD, cubic kernel", error, few, f"held-out images: {apart:.3g}"),
    ]


def _unit(features: Tensor) -> Tensor:
    """Features of variance one, on average, which is what the kernel is made for."""
    return features * math.sqrt(features.shape[1] / SPREAD)


def _neighbourhood(seen: Tensor, yardstick: Yardstick, protocol: Protocol) -> list[Figure]:
    """As many training images as samples, whatever there are: these depend on the number of both."""
    real = yardstick.like(len(seen))
    n = len(real)
    k = min(NEIGHBOURS, n - 1)
    found, floor = (neighbourhoods(real, thinned(each, n), k=k) for each in (seen, yardstick.held_out))
    protocol = {**protocol, "reference": f"{n:,} training images", "neighbours": k}
    units = {
        "precision": "share of samples",
        "recall": "share of images",
        "density": "balls a sample",
        "coverage": "share of images",
    }
    title = yardstick.extractor.title
    return [
        mean_figure(f"{name}[{title}]", mine, units[name], protocol, f"held-out images: {real.mean():.3g}")
        for name, mine, real in zip(Neighbourhoods._fields, found, floor, strict=True)
    ]


def _classes(classes: Tensor | None, yardstick: Yardstick, protocol: Protocol) -> list[Figure]:
    head = yardstick.extractor.head
    if classes is None or head is None or yardstick.train.labels is None:
        return []
    total = int(getattr(head, "out_features", 0))
    counts = torch.bincount(classes, minlength=total)
    data = effective_classes(torch.bincount(yardstick.train.labels, minlength=total))
    shares = " ".join(f"{100 * share:.1f}" for share in (counts / counts.sum()).tolist()[:20])
    empty = int((counts == 0).sum())
    none = f"; {empty} {'class has' if empty == 1 else 'classes have'} none" if empty else ""
    note = f"training images: {data:.3g} of {total}; percent of samples by class: {shares}{none}"
    return [Figure("effective_classes", effective_classes(counts), "classes", None, protocol, note)]


def _memory(space: str, sets: tuple[Tensor, Tensor, Tensor], protocol: Protocol) -> list[Figure]:
    """Nearest training images, of samples, beside those of held-out images, (N, D) each; none if these are copies."""
    fake, held_out, train = sets
    ratio, error = memory_ratio(fake[:MEMORIES], thinned(held_out, MEMORIES), train)
    note = "distance to the nearest training image, over that of held-out images; below 1 also for smooth samples"
    asked = {**protocol, "n": len(fake[:MEMORIES])}
    return [Figure(f"memory_ratio[{space}]", ratio, "ratio", error, asked, note)] if math.isfinite(ratio) else []


def _twins(pixels: Tensor, seen: Tensor, yardstick: Yardstick, protocol: Protocol) -> Figure:
    same = len(pixels) - len(torch.unique(pixels.flatten(1), dim=0))
    real = repeated(yardstick.held_out, yardstick.held_out).mean()
    note = f"held-out images: {real:.3g}; {same:,} are equal to others"
    return mean_figure("twins", repeated(seen, yardstick.held_out), "share of samples", protocol, note)
