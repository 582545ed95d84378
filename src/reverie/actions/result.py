"""What an action gives back."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor

from reverie.metrics.figures import Figure


@dataclass(frozen=True)
class Result:
    """What an action made.

    Args:
        files: the pictures and tables that were written.
        images: the pictures as pixels, uint8 (N, C, H, W), where there are any.
        figures: what was measured.
        values: other numbers, by name.
    """

    files: list[Path]
    images: Tensor | None = None
    figures: list[Figure] = field(default_factory=list)
    values: dict[str, Any] = field(default_factory=dict)
