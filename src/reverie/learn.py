"""``reverie learn``: the page of lessons, one HTML file that needs nothing but itself."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from reverie import __version__, lessons
from reverie.files import write
from reverie.lessons import HUMPS, Numbers
from reverie.report import files, plots
from reverie.report.page import Picture, inline
from reverie.report.plots import Panel
from reverie.report.theme import Name, theme_of


@dataclass(frozen=True)
class Lesson:
    """What stands on the page, from top to bottom."""

    title: str
    before: Sequence[str]
    formula: str
    picture: Picture
    after: Sequence[str]


def learn(out: Path) -> Path:
    """Compute the lessons and write the page.

    Args:
        out: the file to write.
    """
    made = [three_costs(), best_critic(), smallest_game(), nearest_law()]
    page = files.render(
        "learn.html.j2", lessons=made, light=theme_of("light"), dark=theme_of("dark"), version=__version__
    )
    return write(out, page.encode())


def _drawn(parts: Sequence[Panel], title: str, caption: str) -> Picture:
    def draw(theme: Name) -> Image.Image:
        return plots.panels(parts, title=title, caption=caption, theme=theme)

    return inline(draw("light"), draw("dark"), f"{title}: {caption}")


def _line(x: Numbers, y: Numbers) -> Numbers:
    return np.stack([x, y], 1)


def three_costs() -> Lesson:
    """What a generator pays, and what it learns from, as the critic's answer goes from no to yes."""
    lesson = lessons.costs()
    cost = {name: _line(lesson.answer, values) for name, values in lesson.cost.items()}
    slope = {name: _line(lesson.answer, values) for name, values in lesson.slope.items()}
    across = "D(G(z)), the critic's answer to a drawn image"
    picture = _drawn(
        [
            Panel("the cost", across, cost, limits=(-6, 6)),
            Panel("its slope by the critic's logit", across, slope, limits=(0, 3)),
        ],
        "Three costs of a generator",
        "left: what is made small; right: how hard it pulls",
    )
    return Lesson(
        "Three costs of a generator",
        [
            "The critic answers D(x), the probability it gives to an image being real. A generator can be paid for the "
            "answer to its images in several ways, all of which fall as D(G(z)) rises."
        ],
        "minimax log(1 − D)  ·  non-saturating −log D  ·  maximum likelihood −D / (1 − D) = −exp(logit D)",
        picture,
        [
            "At the start drawn images are bad, and the critic is sure of it: D is near 0. There the minimax cost is "
            "flat, and nothing is learned; the non-saturating cost pulls hardest just there. The cost of maximum "
            "likelihood pulls hardest at the images that are already best, so that a few of a batch decide."
        ],
    )


def best_critic() -> Lesson:
    """A critic on six letters climbs to the best answers, and the game's value to a divergence."""
    lesson = lessons.duel()
    letters = np.arange(len(lesson.best), dtype=np.float64)
    steps = np.arange(len(lesson.values), dtype=np.float64)
    bound = np.full_like(steps, lesson.bound)
    laws = {"data p": lessons.LETTERS, "generator q": lessons.GUESSES}
    picture = _drawn(
        [
            Panel("two laws of six letters", "letter", bars=laws),
            Panel(
                "the critic's answers", "letter", {"p / (p + q)": _line(letters, lesson.best)},
                {"learned": _line(letters, lesson.learned)}, limits=(0, 1),
            ),
            Panel(
                "the value of the game", "step",
                {"of the critic that learns": _line(steps, lesson.values), "2 JSD − log 4": _line(steps, bound)},
            ),
        ],
        "The best critic there is",
        "a critic that climbs its gradient finds p / (p + q)",
    )  # fmt: skip
    divergence = lessons.jensen_shannon(lessons.LETTERS, lessons.GUESSES)
    return Lesson(
        "The best critic",
        [
            "Where data has probability p and the generator q, no critic can do better than to answer p / (p + q). "
            "What it then earns is a distance between the two laws: the Jensen-Shannon divergence."
        ],
        "max over D of  Σ p log D + q log(1 − D)  =  2 JSD(p, q) − log 4",
        picture,
        [
            f"Here JSD(p, q) is {divergence:.4f} nats, so that the value is {lesson.bound:.4f}; the critic that learns "
            f"has reached {lesson.values[-1]:.4f}. If q were p, the best answer would be 1/2 everywhere, and the value "
            f"−log 4 = −1.3863: a critic that is at a loss is the aim of the game. KL(p ‖ q) is "
            f"{lessons.kl(lessons.LETTERS, lessons.GUESSES):.4f} and KL(q ‖ p) "
            f"{lessons.kl(lessons.GUESSES, lessons.LETTERS):.4f}: these depend on who is asked, the JSD does not."
        ],
    )


def smallest_game() -> Lesson:
    """Data at a point, a generator at another, a critic with one weight: three ways to play."""
    ways: dict[str, Callable[[], Numbers]] = {
        "both at once: outwards": lambda: lessons.orbit(steps=260, rate=0.2),
        "in turns: round and round": lambda: lessons.orbit(steps=260, rate=0.2, in_turns=True),
        "with a penalty of 0.3: home": lambda: lessons.orbit(steps=260, rate=0.2, penalty=0.3),
    }
    parts = []
    for name, play in ways.items():
        path = play()
        ends = {"start": path[:1], "end": path[-1:]}
        parts.append(
            Panel(name, "where the generator is (up: the critic's weight)", {" path": path}, ends, square=True)
        )
    picture = _drawn(parts, "The smallest game", "data at 0; the aim is the middle of each picture")
    return Lesson(
        "The smallest game",
        [
            "All data is the number 0. The generator draws one number t, and the critic has one weight c: D(x) = c x. "
            "The critic pushes t towards 0, and t runs past it, for nobody has told either to slow down."
        ],
        "t' = σ(ct) c  ·  c' = −σ(ct) t − γ c  ·  eigenvalues at (0, 0): −γ/2 ± √(γ²/4 − 1/4)",
        picture,
        [
            "Without a penalty the eigenvalues have no real part: the flow goes in circles, and steps of finite size "
            "spiral out of it. A penalty γ/2 |∇D|² on the critic's slope (R1) gives them one, and the game comes to "
            "rest. That is why recipes here have penalties, spectral normalisation, or averaged weights."
        ],
    )


def nearest_law() -> Lesson:
    """One hump for two: which Gaussian is nearest depends on what near means."""
    x, p, found = lessons.fits()
    parts = [
        Panel(
            f"smallest {fit.name}", "x", {"data p": _line(x, p), "Gaussian q": _line(x, fit.density)}, limits=(0, 0.65)
        )
        for fit in found
    ]
    picture = _drawn(parts, "One hump for two", "the nearest Gaussian, in three senses")
    likely, sharp, between = found
    return Lesson(
        "What near means",
        [
            "A model that is too simple must give something up. Maximum likelihood makes KL(p ‖ q) small, which is "
            "infinite wherever data is and the model is not. KL(q ‖ p) forgives what is left out, and nothing that is "
            "made up. The Jensen-Shannon divergence stands between."
        ],
        "KL(p ‖ q) = Σ p log(p / q)  ·  JSD(p, q) = ½ KL(p ‖ m) + ½ KL(q ‖ m),  m = ½ (p + q)",
        picture,
        [
            f"The data has humps at {HUMPS[0][1]:g} and {HUMPS[1][1]:g}. Maximum likelihood puts its mean at "
            f"{likely.mean:.2f} with deviation {likely.deviation:.2f}: all data is covered, and much of what is drawn "
            f"lies where there is none. KL(q ‖ p) takes the heavier hump, at {sharp.mean:.2f} with "
            f"{sharp.deviation:.2f}, and forgets the other; the JSD chooses {between.mean:.2f} with "
            f"{between.deviation:.2f}. Blurred samples and forgotten modes are these two mistakes."
        ],
    )
