"""What the page knows of the data: codes of test images, which numbers of a code matter, and a few images."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from reverie.export.parts import Part
from reverie.latent import informative
from reverie.protocols import Autoencoder, Conditional, Sampler
from reverie.runs import Run
from reverie.trained import Trained, code_use, spread

POINTS = 3000  # codes on the map, at most
NUMBERS = 400_000  # in all of them
EXAMPLES = 12  # test images that the page holds
PICTURES = 0.5  # megabytes of them, at most


def examples(run: Run, facts: Mapping[str, Any], parts: Sequence[Part]) -> tuple[dict[str, Any], dict[str, bytes]]:
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
    split = spread(run.trained.data.test, min(POINTS, max(1, NUMBERS // run.model.latent)))
    codes, use, unit = code_use(run.trained, split)
    labels = split.labels
    prior = isinstance(run.model, Sampler)
    about |= {
        "order": informative(use).tolist(),
        "use": [round(value, 6) for value in use.tolist()],
        "unit": unit,
        "mean": [0.0] * run.model.latent if prior else codes.mean(0).tolist(),
        "deviation": [1.0] * run.model.latent if prior else codes.std(0).tolist(),
    }
    arrays = {"codes": codes.numpy().astype(np.float32).tobytes()}
    if labels is not None and len(facts["classes"]) <= 256:
        arrays["labels"] = labels.numpy().astype(np.uint8).tobytes()
    return about | {"points": len(codes)}, arrays | _examples(run.trained)


def _examples(trained: Trained) -> dict[str, bytes]:
    """A few test images, and the class of each where a model is told it."""
    one = trained.data.test.pixels[0].numel()
    few = spread(trained.data.test, max(1, min(EXAMPLES, int(PICTURES * 1e6) // one)))
    arrays = {"examples": few.pixels.numpy().tobytes()}
    if few.labels is not None:
        arrays["examples.labels"] = few.labels.numpy().astype(np.uint8).tobytes()
    return arrays
