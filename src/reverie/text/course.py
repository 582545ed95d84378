"""The classic table: after each epoch one seed text is gone on with at several temperatures (``course.jsonl``)."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from reverie.data.tokenizers import Tokenizer
from reverie.files import append_line
from reverie.protocols import TextGenerator
from reverie.text.generation import Wish, generate
from reverie.text.sampling import Choice

TEMPERATURES = (0.0, 0.25, 0.5, 0.75)
LENGTH = 120  # symbols of a sample, as in the classic example
SEED = 60  # symbols of the held-out text that are gone on with


def continuations(
    model: TextGenerator,
    tokenizer: Tokenizer,
    seed_text: str,
    *,
    temperatures: Sequence[float] = TEMPERATURES,
    length: int = LENGTH,
) -> list[dict[str, Any]]:
    """A row for each temperature: the seed text, and what the model goes on with, always from the same noise.

    Args:
        model: gives logits.
        tokenizer: its vocabulary.
        seed_text: where each sample goes on from.
        temperatures: 0 takes the likeliest symbol.
        length: symbols of a sample.
    """
    prompt = [int(token) for token in tokenizer.encode(seed_text)]
    rows = []
    for temperature in temperatures:
        wish = Wish(length=length, choice=Choice(temperature))
        text = "".join(piece.text for piece in generate(model, tokenizer, prompt, wish))
        rows.append({"temperature": temperature, "seed": seed_text, "text": text})
    return rows


def note_epoch(folder: Path, epoch: int, step: int, loss: float | None, rows: Sequence[dict[str, Any]]) -> None:
    """Append the rows of an epoch to ``course.jsonl`` of a run, beside its validation loss in nats per symbol."""
    append_line(folder / "course.jsonl", {"step": step, "epoch": epoch, "nats": loss, "rows": list(rows)})
