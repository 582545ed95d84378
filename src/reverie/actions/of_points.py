"""What is done with a trained model of points: its picture, its film, and its figures."""

from pathlib import Path

import torch
from PIL import Image

from reverie.actions.out import save_drawn
from reverie.actions.result import Result
from reverie.errors import UsageError
from reverie.metrics.figures import Figure, Protocol
from reverie.metrics.points import ANGLES, GOOD, NEAR, SHARE, Found, found_modes, sliced_wasserstein
from reverie.planar import Planar
from reverie.report import field, sheets
from reverie.report.field import EDGE, Scene
from reverie.report.theme import Name

SHOWN = 1000  # real points of a picture
ARROWS = 90
PLACES = 81  # on a side of the square where the critic is asked
COUNT = 10_000  # points on each side of a figure


def sample(
    planar: Planar,
    n: int = SHOWN,
    *,
    label: str | int | None = None,
    seed: int = 0,
    temperature: float = 1.0,
    out: Path | None = None,
) -> Result:
    """Draw n points from the model, with real ones, the critic's level and the generator's arrows; a picture.

    Args:
        planar: the model.
        n: how many.
        label: none; points have no classes.
        seed: of the noise.
        temperature: scales the codes.
        out: a PNG to write instead of the run's own.

    Raises:
        UsageError: a label is given, or n is below 1, or ``out`` cannot be written.
    """
    if label is not None:
        raise UsageError(f"{planar.name} was trained without labels: leave out --label.")
    if n < 1:
        raise UsageError(f"The number of points must be at least 1; got {n}.")
    shown = scene(planar, n, seed, temperature)

    def draw(theme: Name) -> Image.Image:
        return field.picture(shown, title=planar.name, caption=_caption(planar, shown), theme=theme)

    return Result(save_drawn(planar, "samples", out, draw))


def show_epoch(planar: Planar, epoch: float, step: int) -> None:
    """The picture of an epoch, always of the same noise."""
    shown, title = scene(planar, SHOWN), f"Epoch {epoch:g}, step {step:,}"
    sheets.both(
        planar.folder / "samples" / f"{step:06d}.png",
        lambda theme: field.picture(shown, title=title, caption=_caption(planar, shown), theme=theme),
        Title=title,
    )


def film(planar: Planar) -> list[Path]:
    """The pictures of the epochs one after the other, as GIFs for light and dark pages; none without any."""
    pictures = planar.folder / "pictures"
    found = sorted((planar.folder / "samples").glob("*.png"))
    dark = [path for path in found if path.name.endswith(".dark.png")]
    light = [path for path in found if path not in dark]
    named = ((light, "training.gif"), (dark, "training.dark.gif"))
    return [field.film(frames, pictures / name) for frames, name in named if frames]


def scene(planar: Planar, n: int, seed: int = 0, temperature: float = 1.0) -> Scene:
    """What a picture shows: n generated points, real ones, the critic's level and the generator's arrows.

    Args:
        planar: the model.
        n: how many.
        seed: of the noise.
        temperature: scales the codes.
    """
    real, generated = planar.real(SHOWN, "shown"), planar.generated(n, seed, "sample", temperature=temperature)
    line = torch.linspace(-EDGE, EDGE, PLACES)
    level = planar.judged(torch.cartesian_prod(line, line).flip(1))
    if level is not None:
        of_real, of_fake = (planar.judged(points) for points in (real, generated))
        middle = 0.0 if of_real is None or of_fake is None else float(of_real.mean() + of_fake.mean()) / 2
        level = (level - middle).view(PLACES, PLACES)
    pulled, pull = planar.pulled(ARROWS, seed, "sample") or (None, None)
    return Scene(real, generated, level, pulled, pull)


def _caption(planar: Planar, shown: Scene) -> str:
    """Modes, good points, and how long the arrows are, in the cost's own unit."""
    said, modes = [f"{len(shown.generated):,} points"], planar.data.modes
    if modes is not None:
        found = found_modes(shown.generated, modes.centres, modes.sigma)
        said = [f"{found.modes} of {len(modes.centres)} modes", f"{found.good:.0%} of points within {NEAR:g} sigma"]
    if shown.pull is not None:
        said.append(f"median pull {float(shown.pull.norm(dim=1).median()):.2g}")
    return ", ".join(said)


def watch_points(planar: Planar, n: int) -> dict[str, float]:
    """What is looked at after each epoch: the sliced distance first, then modes found and the share of good points."""
    points, modes = planar.generated(n, 0, "watch"), planar.data.modes
    figures = {"test_distance": sliced_wasserstein(points, planar.real(n, "watch"))}
    if modes is not None:
        found = found_modes(points, modes.centres, modes.sigma)
        figures |= {"test_modes": float(found.modes), "test_good": found.good}
    return figures


def measure_points(planar: Planar, n: int = COUNT) -> list[Figure]:
    """Figures of n generated points beside n held-out ones, each with what a perfect generator would have.

    Args:
        planar: the model.
        n: points on each side.
    """
    points, held_out, others = planar.generated(n, 0, "evaluate"), planar.real(n, "evaluate"), planar.real(n, "floor")
    known: dict[str, str | int | float] = {
        "data": planar.data.name,
        "data_sha256": planar.data.fingerprint()[:16],
        "points": f"{n:,}",
    }
    how = {**known, "against": f"{n:,} held-out points", "directions": ANGLES}
    floor = sliced_wasserstein(others, held_out)
    distance = sliced_wasserstein(points, held_out)
    note = f"floor {floor:.5f}: as many points of the law itself"
    found = [Figure("sliced_wasserstein", distance, "", None, how, note)]
    if (modes := planar.data.modes) is not None:
        return found + _of_modes(found_modes(points, modes.centres, modes.sigma), len(modes.centres), known)
    return found


def _of_modes(found: Found, total: int, known: Protocol) -> list[Figure]:
    near = {**known, "near": f"{NEAR:g} standard deviations"}
    enough = {**near, "found": f"{SHARE:g} of the fair share of all points"}
    return [
        Figure("modes", float(found.modes), f"of {total}", None, enough),
        Figure("good_points", found.good, "", None, near, f"{GOOD:.4f} of the points of the law itself"),
    ]
