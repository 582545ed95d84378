"""``reverie demo``: the whole story in two minutes on two cores, with no network."""

from pathlib import Path
from typing import Any

from reverie.engine.loop import Report
from reverie.evaluation import read_figures
from reverie.report.table import plain
from reverie.training import train

EPOCHS, BATCH, RATE = 22, 32, 2e-3  # small batches, large steps: 4,000 images need many updates to fill the plane


def demo(runs: Path | None, report: Report) -> dict[str, Any]:
    """Train the convolutional VAE on 5,000 digits; its figures beside those of principal components.

    Figures of its samples stand in the report, with what they mean.

    Raises:
        DataError: the digits are not installed; says how.
    """
    report.say(f"Training a variational autoencoder on 4,000 handwritten digits, {EPOCHS} passes, a minute or two.")
    run = train("vae-conv", data="mnist-5k", epochs=EPOCHS, batch=BATCH, rate=RATE, runs=runs, report=report)
    figures = read_figures(run.folder)
    folder = run.folder
    words = [
        plain([figure.to_json() for figure in figures if "samples" not in figure.protocol]),
        "",
        f"The report          {folder / 'report.html'}",
        f"The plane of digits {folder / 'pictures' / 'manifold.png'}",
        f"Reconstructions     {folder / 'pictures' / 'reconstructions.png'}",
        f"Samples             {folder / 'pictures' / 'samples.png'}",
        "",
        "Next, with images of your own:",
        "  reverie data check PHOTOS",
        "  reverie train vae-conv --data PHOTOS --size 64 --minutes 5",
        "or with this model:",
        f"  reverie interpolate {folder}",
        f"  reverie edit {folder} 7 1",
        "  reverie recipes",
        "or, to drag over the plane and draw digits of your own, in the browser:",
        f"  reverie studio {folder}",
    ]
    return {"run": str(folder), "figures": [figure.to_json() for figure in figures], "words": words}
