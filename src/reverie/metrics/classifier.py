"""The classifier whose features labelled sets are measured in: trained once, and kept with its accuracy and hash."""

import json
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as unpack
from torch import Tensor, nn
from torch.nn import functional

from reverie.data import ImageData
from reverie.data.batches import indices
from reverie.data.catalog import cache
from reverie.data.images import Split
from reverie.engine.noise import generator
from reverie.errors import DataError
from reverie.files import write, write_json
from reverie.metrics.extractors import WIDTH, Extractor, packed, scaled, small_network

EPOCHS, MOST, STEPS = 3, 20, 400  # passes over the training images, more of few images, until there are so many updates
ROWS = 128  # images a step
RATE = 3e-3
VERSION = 1  # of network and training: another one is another classifier


def classifier(data: ImageData, say: Callable[[str], None] = lambda words: None) -> Extractor:
    """The extractor of a labelled set: read from the cache, or trained there now.

    Three convolutions and 64 features before the last layer, three passes over the training images; the weights depend
    on the data and the machine alone. It is kept in ``$REVERIE_CACHE/classifiers`` as safetensors, with its accuracy on
    the test images and its sha256 in a JSON file beside it.

    Args:
        data: labelled images.
        say: is told where it must be trained.

    Raises:
        DataError: the data has no labels, or one class only.
    """
    if data.train.labels is None or len(data.classes) < 2:
        raise DataError(f"{data.name} has no two classes to train a classifier on.")
    name = f"classifier-{data.name}"
    place = cache() / "classifiers" / f"{data.name}-{_key(data)}.safetensors"
    kept = _read(place, name, data)
    if kept:
        return kept
    say(f"a classifier of {data.name} is trained, to watch samples with: once, for about a minute.")
    made = _train(name, data, data.train.labels)
    content = packed(made)
    write(place, content)
    about = {"name": name, "accuracy": made.accuracy, "sha256": sha256(content).hexdigest(), "classes": data.classes}
    write_json(place.with_suffix(".json"), about)
    return made


def _key(data: ImageData) -> str:
    """What the classifier depends on, in 12 letters."""
    return sha256(f"{VERSION} {data.fingerprint()} {torch.__version__}".encode()).hexdigest()[:12]


def _modules(data: ImageData) -> tuple[nn.Sequential, nn.Linear]:
    return small_network(data.train.pixels.shape[1]).append(nn.ReLU()), nn.Linear(WIDTH, len(data.classes))


def _read(place: Path, name: str, data: ImageData) -> Extractor | None:
    """What lies in the cache, if it is whole."""
    try:
        content = place.read_bytes()
        about: dict[str, Any] = json.loads(place.with_suffix(".json").read_text(encoding="utf-8"))
        if sha256(content).hexdigest() != about["sha256"]:
            return None
        tensors, (network, head) = unpack(content), _modules(data)
        _fill(network, "network.", tensors)
        _fill(head, "head.", tensors)
        return _frozen(Extractor(name, network, tensors["scale"], head, float(about["accuracy"])))
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError):
        return None  # not there, or not whole: it is trained anew


def _fill(module: nn.Module, prefix: str, tensors: dict[str, Tensor]) -> None:
    own = {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
    module.load_state_dict(own)


def _frozen(extractor: Extractor) -> Extractor:
    for module in (extractor.network, extractor.head):
        if module is not None:
            module.eval().requires_grad_(False)
    return extractor


def _train(name: str, data: ImageData, labels: Tensor) -> Extractor:
    """Cross-entropy with Adam, its rate up over a third of the steps and down again; float32, for any machine."""
    with torch.random.fork_rng():
        torch.manual_seed(generator("extractor", "classifier").initial_seed())
        network, head = _modules(data)
    both, rows = nn.Sequential(network, head), min(ROWS, len(labels))
    epoch = len(labels) // rows
    steps = max(EPOCHS * epoch, min(STEPS, MOST * epoch))
    adam = torch.optim.Adam(both.parameters(), fused=True)
    rate = torch.optim.lr_scheduler.OneCycleLR(adam, RATE, total_steps=steps, cycle_momentum=False)
    with torch.enable_grad():
        for step in range(steps):
            some = indices(len(labels), rows, step, 0)
            x = (data.train.pixels[some] / 255).to(memory_format=torch.channels_last)
            torch.autograd.backward(functional.cross_entropy(both(x), labels[some]))
            adam.step()
            adam.zero_grad()
            rate.step()
    unscaled = _frozen(Extractor(name, network, torch.ones(WIDTH, dtype=torch.float64), head))
    fitted = scaled(unscaled, data.train)
    return Extractor(name, network, fitted.scale, head, _accuracy(fitted, data.test))


def _accuracy(extractor: Extractor, test: Split) -> float | None:
    """The share of test images whose class is told."""
    found = extractor.look(test.pixels)[1]
    if test.labels is None or found is None:
        return None
    return float((found == test.labels).double().mean())
