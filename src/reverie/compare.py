"""Two runs side by side: their figures, ranked only where the protocols are equal, and their pictures."""

from pathlib import Path
from typing import Any

from PIL import Image

from reverie.errors import UsageError
from reverie.evaluation import compare, read_figures
from reverie.metrics.figures import Figure
from reverie.report import sheets, table
from reverie.runs import Run

OF_TEXT = ("nats_per_symbol", "bits_per_character", "bits_per_byte", "perplexity")
COLD = tuple(f"cold_{name}" for name in OF_TEXT)
LOWER_IS_BETTER = ("squared_error", "squared_error_per_pixel", "bits_per_dimension", *OF_TEXT, *COLD)
HIGHER_IS_BETTER = ("elbo", "importance_bound", "log_likelihood", "psnr", "knn_accuracy")


def side_by_side(first: Run, second: Run) -> list[dict[str, Any]]:
    """A row for each figure that both runs have.

    Raises:
        UsageError: a run has no figures yet, or the two have none in common.
    """
    for run in (first, second):
        if not read_figures(run.folder):
            raise UsageError(f"{run.name} has no figures yet; measure it with: reverie evaluate {run.folder}")
    rows = [
        _row(a, b, differ, (first.name, second.name))
        for a, b, differ in compare(read_figures(first.folder), read_figures(second.folder))
    ]
    if not rows:
        raise UsageError(f"{first.name} and {second.name} have no figure in common.")
    return rows


def _row(a: Figure, b: Figure, differ: list[str], names: tuple[str, str]) -> dict[str, Any]:
    verdict = f"not comparable: {', '.join(differ)} differ" if differ else _verdict(a, b, names)
    return {
        "name": a.name,
        "values": [a.value, b.value],
        "differ": differ,
        "verdict": verdict,
        "amounts": [table.amount(figure.to_json()) for figure in (a, b)],
        "unit": a.unit,
    }


def lines(rows: list[dict[str, Any]], names: tuple[str, str]) -> list[str]:
    """The rows as aligned lines of plain text, under the names of the runs."""
    cells = [("", *names), *((row["name"], *row["amounts"]) for row in rows)]
    wide = [max(map(len, column)) for column in zip(*cells, strict=True)]
    ends = ["", *(f"{row['unit']}; {row['verdict']}" for row in rows)]
    return [
        f"{name:<{wide[0]}}  {first:>{wide[1]}}  {second:>{wide[2]}}  {end}".rstrip()
        for (name, first, second), end in zip(cells, ends, strict=True)
    ]


def _verdict(a: Figure, b: Figure, names: tuple[str, str]) -> str:
    """Who is better, where better has a meaning and the difference is beyond two standard errors."""
    if a.name not in LOWER_IS_BETTER + HIGHER_IS_BETTER:
        return "no ranking"
    noise = 2 * ((a.standard_error or 0) ** 2 + (b.standard_error or 0) ** 2) ** 0.5
    if abs(a.value - b.value) <= noise:
        return "equal within two standard errors" if noise else "equal"
    first_better = (a.value > b.value) == (a.name in HIGHER_IS_BETTER)
    return f"{names[0] if first_better else names[1]} is better"


def sheet(first: Run, second: Run) -> list[Path]:
    """Both runs' sheets of one kind, one beside the other, in the second run's pictures."""
    for name in ("reconstructions.png", "samples.png", "manifold.png"):
        pictures = [run.folder / "pictures" / name for run in (first, second)]
        if all(path.is_file() for path in pictures):
            out = second.folder / "pictures" / f"beside-{first.name}-{name}"
            return [sheets.save(_beside([Image.open(path) for path in pictures]), out)]
    return []


def _beside(pictures: list[Image.Image]) -> Image.Image:
    width, height = sum(p.width for p in pictures), max(p.height for p in pictures)
    whole = Image.new("RGB", (width, height), pictures[0].convert("RGB").getpixel((0, 0)))
    place = 0
    for picture in pictures:
        whole.paste(picture.convert("RGB"), (place, 0))
        place += picture.width
    return whole
