"""What a person does with a trained model: each action draws a picture and returns the numbers in it.

Every action works for any model that has what it needs (codes, samples, a density), and says so where it does
not. Pictures go to the run's ``pictures`` folder, for light pages and with a ``.dark`` twin, unless ``out``
names a file.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from reverie import latent
from reverie.actions import samples, scores
from reverie.actions.out import save_drawn
from reverie.actions.result import Result
from reverie.data.images import Split
from reverie.errors import UsageError, suggest
from reverie.latent import decode_means
from reverie.protocols import Autoencoder, LatentDensity
from reverie.report import plots, sheets
from reverie.report.sheets import Axis
from reverie.trained import Trained, code_use, codes_of, spread

Pair = tuple[float, float]
EXAMPLES = 2000  # of a class, that an attribute's direction is made from, at most


def sample(
    trained: Trained,
    n: int = 64,
    *,
    label: str | int | None = None,
    seed: int = 0,
    temperature: float = 1.0,
    out: Path | None = None,
) -> Result:
    """Draw new images from the model; sample i is the same whatever n is.

    A model that is told classes draws those of ``label``; without it, a row of each class with the same codes, as
    long as n allows: what stays the same in a column is what the code says.

    Args:
        trained: a model that draws.
        n: how many.
        label: the class, by its name or its number.
        seed: of the noise.
        temperature: scales the prior's standard deviation, or what the model says of it.
        out: a PNG to write instead of the run's own.

    Raises:
        UsageError: the model draws nothing, n is below 1, or the label is no class or not for this model.
    """
    trained.sampler()
    if n < 1:
        raise UsageError(f"The number of samples must be at least 1; got {n}.")
    if seed < 0:
        raise UsageError(f"--seed must be at least 0; got {seed}.")
    if not 0 <= temperature < float("inf"):
        raise UsageError(f"The temperature must be at least 0, where 1 is the prior itself; got {temperature:g}.")
    wanted = samples.wanted(trained, n, label)
    images = samples.draw(trained, wanted, seed=seed, temperature=temperature)
    caption = f"{trained.name}, {wanted.words}, seed {seed}, temperature {temperature:g}"
    files = save_drawn(
        trained, "samples", out,
        lambda t: sheets.sheet(images, title="Samples", caption=caption, columns=wanted.columns, rows=wanted.rows,
                               theme=t),
    )  # fmt: skip
    return Result(files, images)


def reconstruct(
    trained: Trained,
    images: str | Path | None = None,
    *,
    label: str | int | None = None,
    n: int = 20,
    out: Path | None = None,
) -> Result:
    """Encode and decode images: a person's own, or test images, evenly spaced.

    Args:
        trained: a model with codes.
        images: an image, a folder, or anything that ``--data`` takes.
        label: the class of all images, by its name or its number, for a model that is told it; by default that of each
            test image.
        n: at most so many.
        out: a PNG to write instead of the run's own.

    Returns:
        Pictures, and the squared error of each image, per pixel of [0, 1].
    """
    split = trained.images(images, n)
    pixels = split.pixels
    restored = trained.restored(trained.observe(pixels), trained.labels(split, label), "reconstruct")
    errors = ((pixels.float() - restored.float()) / 255).square().flatten(1).mean(1).tolist()
    unit = f"{trained.name}, squared error per pixel of [0, 1]"
    files = save_drawn(
        trained,
        "reconstructions" if images is None else "own-reconstructions",
        out,
        lambda t: sheets.pairs(pixels, restored, errors, title="Reconstructions", unit=unit, theme=t),
    )
    return Result(files, restored, values={"squared_error_per_pixel": errors})


def one_image(trained: Trained, which: str | int) -> Tensor:
    """An image by its number among the test images, or by its file; pixels (1, C, H, W)."""
    if isinstance(which, int) or str(which).isdigit():
        number, count = int(which), len(trained.data.test)
        if not 0 <= number < count:
            raise UsageError(f"There is no test image {number}; they are numbered 0 to {count - 1}.")
        return trained.data.test.pixels[number : number + 1]
    return trained.images(which, 1).pixels


def interpolate(
    trained: Trained,
    a: str | int = 0,
    b: str | int | None = None,
    *,
    steps: int = 12,
    path: Literal["linear", "spherical"] = "spherical",
    out: Path | None = None,
) -> Result:
    """Walk from the code of one image to that of another: a strip, and an animation that goes forth and back.

    Args:
        trained: a model with codes.
        a: the number of a test image, or an image file.
        b: the same; by default the test image in the middle, as neighbours may be of one class.
        steps: pictures on the way, with both ends.
        path: a straight line, or a great circle, which keeps the length of the code.
        out: a PNG to write instead of the run's own; the GIF lies beside it.
    """
    model = trained.autoencoder("interpolate")
    b = len(trained.data.test) // 2 if b is None else b
    codes = codes_of(trained, torch.cat([one_image(trained, a), one_image(trained, b)]), "interpolate")
    images = trained.pixels(decode_means(model, latent.path(codes[0], codes[1], steps, path)))
    labels = [f"{i / (steps - 1):.2f}" for i in range(steps)]
    title = f"From image {a} to image {b}"
    caption = f"{trained.name}, {path} path between two codes"
    files = save_drawn(
        trained,
        "interpolation",
        out,
        lambda t: sheets.strip(images, title=title, labels=labels, caption=caption, theme=t),
    )
    gif = sheets.animation(images, files[0].with_suffix(".gif"))
    return Result([*files, gif], images)


def manifold(  # noqa: PLR0913 - each is a choice of its own
    trained: Trained,
    *,
    points: tuple[int, int] = (15, 15),
    x: Pair | None = None,
    y: Pair | None = None,
    kind: Literal["probability", "linear"] = "probability",
    axes: tuple[int, int] = (0, 1),
    out: Path | None = None,
) -> Result:
    """Decode a grid of codes as one continuous picture.

    Args:
        trained: a model with codes of two or more numbers; those that are not drawn are 0.
        points: along the first and the second axis.
        x: where the first axis starts and ends: probabilities (0.05 and 0.95) or coordinates (-4 and 4).
        y: the same for the second axis, which runs upwards.
        kind: evenly in probability under the prior, or evenly in space.
        axes: which two numbers of the code.
        out: a PNG to write instead of the run's own.
    """
    model = trained.autoencoder("draw a manifold")
    default = (0.05, 0.95) if kind == "probability" else (-4.0, 4.0)
    (x_low, x_high), (y_low, y_high) = x or default, y or default
    if kind == "probability":
        across, _ = latent.grid_by_probability(points[0], 2, x_low, x_high)
        _, up = latent.grid_by_probability(2, points[1], y_low, y_high)
    else:
        across, up = latent.grid_linear(x_low, x_high, points[0], y_low, y_high, points[1])
    images = trained.pixels(decode_means(model, latent.plane(across, up, latent=model.latent, axes=axes)))
    spacing = "quantiles of the prior" if kind == "probability" else "a linear grid"
    caption = f"{trained.name}, {points[0]}x{points[1]} codes on {spacing}"
    ticks = [Axis(f"z{axis}", values.tolist()) for axis, values in zip(axes, (across, up), strict=True)]
    files = save_drawn(
        trained,
        "manifold",
        out,
        lambda t: sheets.manifold(images, x=ticks[0], y=ticks[1], title="Manifold", caption=caption, theme=t),
    )
    return Result(files, images)


def traverse(
    trained: Trained,
    image: str | int = 0,
    *,
    dimensions: Sequence[int] | None = None,
    span: float = 3.0,
    steps: int = 11,
    out: Path | None = None,
) -> Result:
    """Change one number of an image's code at a time, the most used ones first.

    Args:
        trained: a model with codes.
        image: the number of a test image, or an image file.
        dimensions: which numbers; by default the ten with the largest divergence from the prior, or, where that is not
            known in closed form, the largest variance over images.
        span: from -span to span.
        steps: pictures a row.
        out: a PNG to write instead of the run's own.
    """
    model = trained.autoencoder("traverse")
    if steps < 2 or not span > 0:
        raise UsageError(f"A traversal needs at least 2 steps and a span above 0; got {steps} and {span:g}.")
    _, use, unit = code_use(trained, spread(trained.data.test, 500))
    chosen = list(dimensions) if dimensions else latent.informative(use)[:10].tolist()
    values = torch.linspace(-span, span, steps)
    code = codes_of(trained, one_image(trained, image), "traverse")[0]
    images = trained.pixels(decode_means(model, latent.traversals(code, chosen, values))).flatten(0, 1)
    rows = [f"z{d}" + (f"  {use[d]:.2f} {unit}" if use[d].isfinite() else "") for d in chosen]
    columns = [f"{round(value, 1) + 0.0:+.1f}".replace("-", "\u2212") for value in values.tolist()]
    caption = f"{trained.name}, the code of image {image} with one number changed in each row"
    files = save_drawn(
        trained,
        "traversal",
        out,
        lambda t: sheets.sheet(images, title="Traversals", caption=caption, columns=columns, rows=rows, theme=t),
    )
    return Result(files, images, values={"kl" if unit == "nats" else "variance": use.tolist()})


def codes(trained: Trained, *, n: int = 5000, out: Path | None = None) -> Result:
    """Draw the codes of test images by class; more than three numbers through their principal components."""
    split = trained.images(None, n)
    points = codes_of(trained, split.pixels, "draw its codes")
    title = f"Codes of {len(points):,} test images"
    if points.shape[1] > 3:
        _, _, axes = torch.linalg.svd(points - points.mean(0), full_matrices=False)
        points, title = (points - points.mean(0)) @ axes[:2].T, f"{title}, first two principal components"
    if points.shape[1] == 1:
        return Result([])
    classes = trained.data.classes
    files = save_drawn(
        trained, "codes", out, lambda t: plots.scatter(points, split.labels, classes, title=title, theme=t)
    )
    return Result(files)


def edit(  # noqa: PLR0913 - each is a choice of its own
    trained: Trained,
    having: str,
    lacking: str | None = None,
    *,
    images: str | Path | None = None,
    strength: Sequence[float] = (-1.0, -0.5, 0.0, 0.5, 1.0, 1.5),
    n: int = 6,
    out: Path | None = None,
) -> Result:
    """Add an attribute to images: the "smile" vector, the difference of the mean codes of two groups.

    Args:
        trained: a model with codes.
        having: examples with the attribute: a class of the data, or a folder.
        lacking: examples without it; by default all other classes.
        images: what is edited: an image or a folder; by default test images without the attribute.
        strength: steps along the direction, in units of the distance between the groups.
        n: at most so many images.
        out: a PNG to write instead of the run's own.

    Returns:
        The strip, and how well the direction tells the two groups apart (cross-validated).
    """
    model = trained.autoencoder("edit")
    if n < 1:
        raise UsageError(f"The number of images must be at least 1; got {n}.")
    if lacking is not None and Path(having).resolve() == Path(lacking).resolve():
        raise UsageError(f"The examples with the attribute and those without it must differ; both are {having}.")
    with_it, without = _group(trained, having), _other_group(trained, having, lacking)
    codes_with, codes_without = codes_of(trained, with_it, "edit"), codes_of(trained, without, "edit")
    direction = latent.attribute_direction(codes_with, codes_without)
    accuracy = latent.attribute_accuracy(codes_with, codes_without)
    subjects = trained.images(images, n).pixels if images else without[:n]
    edited = latent.edit(codes_of(trained, subjects, "edit"), direction, torch.tensor(list(strength)))
    shown = trained.pixels(decode_means(model, edited)).flatten(0, 1)
    columns = [f"{value:+g}" for value in strength]
    caption = f"towards {having}; the direction tells the groups apart in {accuracy:.0%} of held-out examples"
    files = save_drawn(
        trained,
        "edit",
        out,
        lambda t: sheets.sheet(shown, title="Edited", caption=caption, columns=columns, theme=t),
    )
    return Result(files, shown, values={"accuracy": accuracy, "with": len(with_it), "without": len(without)})


def _group(trained: Trained, name: str) -> Tensor:
    """The pixels of a class of the training images, or of a folder."""
    classes, train = trained.data.classes, trained.data.train
    if name in classes and train.labels is not None:
        return spread(Split(train.pixels[train.labels == classes.index(name)]), EXAMPLES).pixels
    if Path(name).exists():
        return trained.images(name, None).pixels
    raise UsageError(
        f'"{name}" is neither a class of {trained.data.name} nor a folder.{suggest(name, classes)} '
        + (f"Classes: {', '.join(classes)}." if classes else "This data has no classes; give a folder of examples.")
    )


def _other_group(trained: Trained, having: str, lacking: str | None) -> Tensor:
    if lacking is not None:
        return _group(trained, lacking)
    classes, train = trained.data.classes, trained.data.train
    if having not in classes or train.labels is None:
        raise UsageError(f"Examples without the attribute are needed too: a class, or a folder; got only {having}.")
    return spread(Split(train.pixels[train.labels != classes.index(having)]), EXAMPLES).pixels


def score(  # noqa: PLR0913 - each is a choice of its own
    trained: Trained,
    images: str | Path | None = None,
    *,
    label: str | int | None = None,
    k: int = 50,
    n: int | None = None,
    seed: int = 0,
    out: Path | None = None,
) -> Result:
    """Rank images by their log-likelihood, exact or its importance-weighted bound: the strangest first.

    Args:
        trained: a likelihood model.
        images: an image, a folder, or anything that ``--data`` takes; by default the test images.
        label: the class of all images, for a model that is told it; by default that of each test image.
        k: importance samples for each image; an exact likelihood needs none.
        n: at most so many images.
        seed: of the samples.
        out: a PNG to write instead of the run's own.

    Returns:
        A sheet of the least likely images, and the bound in nats of each image in the order given.
    """
    trained.density()
    if k < 1:
        raise UsageError(f"The number of importance samples must be at least 1; got {k}.")
    split = trained.images(images, n)
    pixels, labels = split.pixels, trained.labels(split, label)
    x = trained.observe(pixels)
    bounds = scores.log_likelihoods(trained, x, labels, k=k, seed=seed)
    order = bounds.argsort()
    kind = f"log-likelihood bound in nats, K = {k}" if isinstance(trained.model, LatentDensity) else "log p(x) in nats"
    caption = f"{trained.name}, {kind}, of {len(pixels):,} images"
    shown = order[:24]
    known, coded = None if labels is None else labels[shown], isinstance(trained.model, Autoencoder)
    restored = trained.restored(x[shown], known, "score") if coded else None  # from what was scored
    nats = bounds[shown].tolist()
    files = save_drawn(
        trained, "score", out,
        lambda t: scores.strangest(pixels[shown], restored, nats, caption=caption, theme=t),
    )  # fmt: skip
    return Result(files, values={"bound": bounds.tolist(), "order": order.tolist(), "unit": "nats"})
