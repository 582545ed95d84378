"""What the page knows of the data: codes of test images, which numbers of a code matter, and a few images."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from reverie.distributions import Gaussian
from reverie.export.parts import Part
from reverie.latent import informative
from reverie.metrics.batches import told
from reverie.protocols import Autoencoder, Conditional, Sampler
from reverie.runs import Run
from reverie.trained import Trained, spread

POINTS = 3000  # codes on the map, at most
NUMBERS = 400_000  # in all of them
EXAMPLES = 12  # test images that the page holds
PICTURES = 0.5  # megabytes of them, at most


def album(run: Run, facts: Mapping[str, Any], parts: Sequence[Part]) -> tuple[dict[str, Any], dict[str, bytes]]:
    """What the page is told, and the arrays that go with it.

    Args:
        run: a finished run.
        facts: of the model.
        parts: its graphs.

    Returns:
        Facts with the inputs of each graph and, where there are codes, the numbers of a code in falling order of use;
        and ``codes`` (float32, N x D), ``labels`` (uint8, N), ``examples`` (uint8, N x C x H x W), as they are there.
    """
    inputs = {part.name: {key: list(each.shape) for key, each in part.inputs.items()} for part in parts}
    kinds = {key: each.kind for part in parts for key, each in part.inputs.items()}
    conditional = isinstance(run.model, Conditional)
    about = {**facts, "inputs": inputs, "kinds": kinds, "conditional": conditional}
    if not isinstance(run.model, Autoencoder):
        return about, {}
    codes, use, labels = _codes(run.trained)
    unit = "nats" if use is not None else "variance"
    measure = codes.var(0) if use is None else use
    prior = isinstance(run.model, Sampler)
    about |= {
        "order": informative(measure).tolist(),
        "use": [round(value, 6) for value in measure.tolist()],
        "unit": unit,
        "mean": [0.0] * run.model.latent if prior else codes.mean(0).tolist(),
        "deviation": [1.0] * run.model.latent if prior else codes.std(0).tolist(),
    }
    arrays = {"codes": codes.numpy().astype(np.float32).tobytes()}
    if labels is not None and len(facts["classes"]) <= 256:
        arrays["labels"] = labels.numpy().astype(np.uint8).tobytes()
    return about | {"points": len(codes)}, arrays | _examples(run.trained)


@torch.no_grad()
def _codes(trained: Trained) -> tuple[Tensor, Tensor | None, Tensor | None]:
    """Mean codes of test images (N, D), the divergence of each number (D,) where it is known, and the labels."""
    model: Any = trained.model
    split = spread(trained.data.test, min(POINTS, max(1, NUMBERS // model.latent)))
    given = trained.labels(split) if isinstance(model, Conditional) else None
    means, divergences = [], []
    for first in range(0, len(split), 500):
        rows = range(first, min(first + 500, len(split)))
        posterior = model.encode(trained.observe(split.pixels[rows.start : rows.stop]), *told(given, rows))
        means.append(posterior.mean.float())
        divergences += [posterior.kl()] if isinstance(posterior, Gaussian) else []
    use = torch.cat(divergences).mean(0) if divergences and bool(torch.cat(divergences).isfinite().all()) else None
    return torch.cat(means), use, split.labels


def _examples(trained: Trained) -> dict[str, bytes]:
    """A few test images, and the class of each where a model is told it."""
    one = trained.data.test.pixels[0].numel()
    few = spread(trained.data.test, max(1, min(EXAMPLES, int(PICTURES * 1e6) // one)))
    arrays = {"examples": few.pixels.numpy().tobytes()}
    if few.labels is not None:
        arrays["examples.labels"] = few.labels.numpy().astype(np.uint8).tobytes()
    return arrays
