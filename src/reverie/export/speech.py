"""What the page of a language model knows: its vocabulary, and the shapes of what its step takes."""

from collections.abc import Mapping
from typing import Any

from reverie.data.corpus import TextSpec
from reverie.errors import UsageError
from reverie.export.parts import Input, Part
from reverie.runs import Run


def speech(run: Run, facts: Mapping[str, Any], step: Part) -> dict[str, Any]:
    """What the page is told.

    Args:
        run: a finished run of a language model.
        facts: of the model.
        step: its graph.

    Returns:
        Facts with the vocabulary as it is stored, how many symbols it has, and the shape of each input of the step,
        for one text.

    Raises:
        UsageError: the model has no vocabulary.
    """
    vocabulary = run.spec.kept if isinstance(run.spec, TextSpec) else None
    if vocabulary is None:
        raise UsageError(f"{run.name} has no page: it predicts symbols, and has no vocabulary. Use --to onnx.")
    inputs = {"step": {name: _of_one(each) for name, each in step.inputs.items()}}
    return {**facts, "inputs": inputs, "vocabulary": vocabulary.to_json(), "symbols": len(vocabulary)}


def _of_one(each: Input) -> list[int]:
    """The shape of a batch of one."""
    return [*each.shape[: each.axis], 1, *each.shape[each.axis :]]
