"""Measuring a trained model on what it was not trained on: every figure with its protocol, into ``eval.json``."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from reverie.actions.of_points import COUNT, measure_points, watch_points
from reverie.actions.of_text import unknown_of
from reverie.actions.result import Result
from reverie.data.images import Split
from reverie.data.streams import Windows
from reverie.data.views import bits_hash, is_binary
from reverie.engine.noise import ItemNoise
from reverie.errors import ReverieError, UsageError
from reverie.files import read_json, write_json
from reverie.metrics.batches import condition, never, restored
from reverie.metrics.density import evaluate_density
from reverie.metrics.figures import Figure, comparable, finite
from reverie.metrics.language import symbol_nats
from reverie.metrics.likelihood import evaluate_likelihood
from reverie.metrics.reconstruction import evaluate_pca, evaluate_reconstruction
from reverie.metrics.samples import some
from reverie.metrics.separability import evaluate_separability
from reverie.planar import Planar
from reverie.protocols import Autoencoder, Density, LatentDensity, Sampler
from reverie.quality import measure_samples, usual_count
from reverie.text.measures import COLD, Passage, beginning, evaluate_baselines, evaluate_text
from reverie.trained import Trained
from reverie.written import Written

K, QUICK_K = 100, 50  # importance samples of an evaluation, and of the quick one that ends a training
REFERENCES = 10_000  # training codes that neighbours are looked for among


def evaluate(  # noqa: PLR0913 - each is a choice of its own
    trained: Trained | Written | Planar,
    *,
    k: int | None = None,
    n: int | None = None,
    samples: int | None = None,
    inception: Path | None = None,
    quick: bool = False,
    should_stop: Callable[[], bool] | None = None,
) -> Result:
    """Measure everything that the model can be measured by, and write ``eval.json``.

    Args:
        trained: the model.
        k: importance samples for each image, for the bound of a latent-variable model; 100 by default, quickly 50.
        n: so many test images, evenly spaced, symbols from the start of the held-out text, or points; by default all,
            and of points 10,000.
        samples: how many samples are drawn and measured; 0 for none; by default as many as there are test images, at
            most 10,000, and fewer if the model draws pixel by pixel.
        inception: an ONNX file with the network of the FID; without it there is no such figure.
        quick: samples are few by default, and held against some of the training images: seconds.
        should_stop: asked between batches.

    Raises:
        UsageError: k or n is below 1, samples is 1 or below 0, there are no samples for the FID, or a model has no use
            for k or samples.
    """
    if k is not None and k < 1:
        raise UsageError(f"--k: the number of importance samples must be at least 1; got {k}.")
    if n is not None and n < 1:
        raise UsageError(f"--n: the number of test images must be at least 1; got {n}.")
    if samples is not None and (samples == 1 or samples < 0):
        raise UsageError(f"--samples: the number of samples must be at least 2, or 0 for none; got {samples}.")
    if inception and (samples == 0 or not isinstance(trained, Trained) or not isinstance(trained.model, Sampler)):
        raise UsageError("--inception measures samples of images; this model has none, or --samples 0 leaves them out.")
    _refuse_unused(trained, k, samples)
    stop = should_stop or never
    files: list[Path] = []
    if isinstance(trained, Written):
        found = _of_text(trained, n, stop)
    elif isinstance(trained, Planar):
        found = measure_points(trained, n or COUNT)
    else:
        drawn = _of_samples(trained, samples, quick, inception, stop)
        found, files = _of_images(trained, k or (QUICK_K if quick else K), n, stop) + drawn.figures, drawn.files
    figures = finite(found)
    left_out = [figure.name for figure in found if not math.isfinite(figure.value)]
    note = {"left_out": {"not finite": left_out}} if left_out else {}
    content = {"run": trained.name, "figures": [figure.to_json() for figure in figures], **note}
    write_json(trained.folder / "eval.json", content)
    return Result([trained.folder / "eval.json", *files], figures=figures)


def _refuse_unused(trained: Trained | Written | Planar, k: int | None, samples: int | None) -> None:
    """Refuse what would be ignored: importance samples without a bound, and samples of a model that draws none."""
    model = trained.model if isinstance(trained, Trained) else None
    unused = ["--k"] if k is not None and not isinstance(model, LatentDensity) else []
    unused += ["--samples"] if samples and not isinstance(model, Sampler) else []
    if not unused:
        return
    kind = "text" if isinstance(trained, Written) else "points" if isinstance(trained, Planar) else ""
    why = f"is a model of {kind}" if kind else f"has no use for {' and '.join(unused)}"
    raise UsageError(f"{trained.name} {why}: leave out {', '.join(unused)}.")


def _of_samples(
    trained: Trained, count: int | None, quick: bool, inception: Path | None, stop: Callable[[], bool]
) -> Result:
    count = usual_count(trained, quick) if count is None else count
    if not isinstance(trained.model, Sampler) or not count:
        return Result([])
    protocol = _set(trained)
    return measure_samples(trained, count, protocol=protocol, quick=quick, inception=inception, should_stop=stop)


def _of_images(trained: Trained, k: int, n: int | None, stop: Callable[[], bool]) -> list[Figure]:
    test = trained.images(None, n)
    protocol = _protocol(trained, len(test))
    figures: list[Figure] = []
    x = trained.view.still(test.pixels)
    if isinstance(trained.model, LatentDensity):
        label = trained.labels(test)
        figures += evaluate_likelihood(trained.model, x, protocol=protocol, label=label, k=k, should_stop=stop)
    elif isinstance(trained.model, Density):
        figures += evaluate_density(trained.model, x, protocol=protocol, should_stop=stop)
    if isinstance(trained.model, Autoencoder):
        figures += _codes(trained, trained.model, test, protocol)
    return figures


def _of_text(written: Written, n: int | None, stop: Callable[[], bool]) -> list[Figure]:
    """Carried and in cold windows, beside what counting and xz reach."""
    passage, known = _passage(written, n), _text_protocol(written)
    if unknown := unknown_of(written.tokenizer, passage):
        known["unknown"] = unknown
    found = evaluate_text(written.model, passage, protocol=known, should_stop=stop)
    found += evaluate_text(written.model, passage, protocol=known, window=COLD, should_stop=stop)
    train, size = written.data.ids["train"], len(written.tokenizer)
    return found + evaluate_baselines(train, written.data.parts["train"], passage, size, protocol=known)


def _passage(written: Written, n: int | None) -> Passage:
    """The validation part, or its beginning: at most n symbols that are scored."""
    text = written.data.parts["valid"].decode()
    if n is None or n + 1 >= len(written.data.ids["valid"]):
        return Passage.of(text, written.tokenizer)
    kept = beginning(text, written.tokenizer, n + 1)
    if len(written.tokenizer.encode(kept)) < 2:
        raise UsageError(f"--n {n}: the held-out text begins with a character of more symbols; give a larger number.")
    return Passage.of(kept, written.tokenizer)


def _held_out(written: Written, n: int | None) -> Tensor:
    """The first symbols of the validation part, int64."""
    return torch.from_numpy(written.data.ids["valid"][:n].astype(np.int64))


def _text_protocol(written: Written) -> dict[str, str | int | float]:
    data = written.data
    return {
        "data": data.name,
        "split": f"validation of {data.split}",
        "symbols": f"{written.tokenizer.kind}, {len(written.tokenizer):,}",
        "data_sha256": data.fingerprint()[:16],
    }


def _protocol(trained: Trained, n: int) -> dict[str, str | int | float]:
    data = trained.data
    protocol: dict[str, str | int | float] = {
        "data": data.name,
        "shape": "x".join(map(str, data.spec.shape)),
        "split": f"test of {data.split}",
        "images": f"{n:,} of {len(data.test):,}" + (", evenly spaced" if n < len(data.test) else ""),
        "view": "binary images" if _binary_already(trained) else trained.view.protocol,
        "data_sha256": data.fingerprint()[:16],
    }
    if trained.view.binary:
        protocol["bits_sha256"] = bits_hash(data.test)[:16]
    return protocol


def _set(trained: Trained) -> dict[str, str | int | float]:
    """The protocol of samples: of the images as they came, so that models of bits and of levels stand side by side."""
    plain = trained.data.plain
    shape = "x".join(map(str, plain.spec.shape))
    return {"data": plain.name, "shape": shape, "split": plain.split, "data_sha256": plain.fingerprint()[:16]}


def _binary_already(trained: Trained) -> bool:
    """Whether the training images are bits as they come, so that dynamic binarisation draws nothing."""
    return trained.view.mode == "dynamic" and is_binary(trained.data.train.pixels)


def _codes(trained: Trained, model: Autoencoder, test: Split, protocol: dict[str, Any]) -> list[Figure]:
    """Reconstruction and separability beside principal components of the same number.

    Codes of a model that is told the class are not asked for it.
    """
    view, data, label = trained.view, trained.data, trained.labels(test)

    def to_unit(x: Tensor) -> Tensor:
        return x if view.name in ("unit", "bits") else (x + 1) / 2

    references = some(data.train, REFERENCES)
    x, train = view.still(test.pixels), view.still(references.pixels)
    figures = evaluate_reconstruction(model, x, to_unit=to_unit, protocol=protocol, label=label)
    chosen = f"{len(train):,} of {len(data.train):,} training images" + ", drawn" * (len(train) < len(data.train))
    dimensions = min(model.latent, len(train) - 1)
    if 0 < dimensions and model.latent < train[0].numel():  # as many components as pixels would restore everything
        baseline = {**protocol, "fitted_on": chosen}
        figures += evaluate_pca(train, x, dimensions, to_unit=to_unit, protocol=baseline)
    if label is None and references.labels is not None and test.labels is not None and len(data.classes) > 1:
        known, asked = (train, references.labels), (x, test.labels)
        neighbours = min(10, len(train))
        protocol = {**protocol, "among": chosen}
        figures += evaluate_separability(model, known, asked, protocol=protocol, k=neighbours)
    return figures


@torch.no_grad()
def watch(trained: Trained | Written | Planar, items: int) -> dict[str, float]:
    """What is looked at after each epoch, on test images, evenly spaced, or on held-out text; the first is a loss.

    Of points it is their distance from as many held-out ones.

    A text's is in nats per symbol, exact, over its first symbols with the state carried. The loss of a latent-variable
    model is the negative elbo at one draw an image; that of an exact density, the negative log-likelihood; an
    autoencoder's, its squared error. What can only draw samples is watched by ``reverie.quality.watch_samples``.
    """
    if isinstance(trained, Written):
        return {"test_loss": float(symbol_nats(trained.model, _held_out(trained, items + 1)).mean())}
    if isinstance(trained, Planar):
        return watch_points(trained, items)
    split = trained.images(None, items)
    x, label, found = trained.view.still(split.pixels), trained.labels(split), []
    for first in range(0, len(x), 100):  # few enough for networks whose features are many times the image
        rows = range(first, min(first + 100, len(x)))
        noise = ItemNoise(("watch",), rows)
        found.append(_watched(trained.model, x[first : rows.stop], condition(label, rows), noise))
    return {name: float(torch.cat([each[name] for each in found]).double().mean()) for name in (found or [{}])[0]}


@torch.no_grad()
def watch_aside(written: Written, epoch: int, seed: int) -> dict[str, float]:
    """The loss of the windows that an epoch set aside, of their last symbols from a cold start; no held-out figure."""
    if not isinstance(written.view, Windows):
        return {}
    device = next(written.model.parameters()).device
    windows = written.view.stock(written.data, device).aside(epoch, seed)
    if not len(windows):
        return {}
    nats = [
        functional.cross_entropy(written.model(part[:, :-1])[0][:, -1].float(), part[:, -1], reduction="none")
        for part in torch.split(windows, 256)
    ]
    return {"aside_loss": float(torch.cat(nats).double().mean())}


def _watched(model: Any, x: Tensor, label: tuple[Tensor, ...], noise: Any) -> dict[str, Tensor]:
    if isinstance(model, LatentDensity):
        inferred = model.infer(x, *label)
        likelihood, ratio = (weights.squeeze(1) for weights in model.log_weights(x, inferred, noise, 1))
        exact = model.divergence(inferred)
        kl = -ratio if exact is None else exact.sum(1)
        return {"test_loss": kl - likelihood, "test_reconstruction": -likelihood, "test_kl": kl}
    if isinstance(model, Density):
        return {"test_loss": -model.log_prob(x, noise).value}
    if isinstance(model, Autoencoder):
        return {"test_loss": (restored(model, x, *label).mean - x).square().flatten(1).sum(1)}
    return {}


def read_figures(folder: Any) -> list[Figure]:
    """The figures of a run's ``eval.json``; none if it was not evaluated."""
    path = folder / "eval.json"
    try:
        return [Figure.from_json(entry) for entry in read_json(path)["figures"]] if path.exists() else []
    except (ReverieError, KeyError, TypeError, ValueError) as error:
        raise ReverieError(
            f"{path} holds no figures that can be read; measure again: reverie evaluate {folder}"
        ) from error


def compare(first: list[Figure], second: list[Figure]) -> list[tuple[Figure, Figure, list[str]]]:
    """Figures of two runs side by side, with what differs in their protocols: no verdict if anything does."""
    by_name = {figure.name: figure for figure in second}
    pairs = [(figure, by_name[figure.name]) for figure in first if figure.name in by_name]
    return [(a, b, comparable(a, b)) for a, b in pairs]
