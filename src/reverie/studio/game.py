"""A game of points that a person plays by hand: the recipe's players, the engine's turns, in memory alone.

A step is a round of ``engine.turn``, of both players or of one of them, at the recipe's full rate. What is shown is
what the pictures of a run show: real and generated points, the critic's level, the generator's arrows.
"""

import asyncio
import secrets
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from starlette.exceptions import HTTPException
from torch import Tensor

from reverie import config
from reverie.actions.of_points import scene, watch_points
from reverie.data.points import Drawing, PointData, load_points
from reverie.engine.ranks import World
from reverie.engine.turn import Job, Learner, round_of
from reverie.errors import UsageError
from reverie.planar import Planar
from reverie.report.field import EDGE, arrows, balanced
from reverie.training import build

RECIPE = "gan-toy"
TAKEN = ("cost", "penalty", "weight", "critic_turns", "latent", "generator", "critic", "rate", "batch", "seed")
LARGEST = {"weight": 1e3, "critic_turns": 10, "latent": 64, "generator": 256, "critic": 256, "rate": 1.0, "batch": 1024}
LAYERS = 6  # of a player, at most
LAWS = {"ring": "eight Gaussians on a circle", "grid": "25 Gaussians on a grid", "spiral": "a spiral of two windings"}
SIDE = 64  # pixels of a drawing
POINTS = 700  # that are shown of each kind
MEASURED = 1000  # points on each side of the figures
STEPS, LONGEST = 1000, 20.0  # of one request, and its seconds
MOST = 8  # games at once; the oldest one goes
T = TypeVar("T")


@dataclass
class Game:
    """Two players and their points.

    Args:
        job: the recipe's plan on this machine.
        learners: the players with their optimizers.
        planar: the model as pictures see it.
        rounds: played so far.
        moves: rounds that each player has played.
        logs: what the players said last.
    """

    job: Job
    learners: dict[str, Learner]
    planar: Planar
    rounds: int = 0
    moves: dict[str, int] = field(default_factory=dict)
    logs: dict[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, wish: Mapping[str, Any]) -> "Game":
        """A game at its beginning.

        Args:
            wish: ``law``, with ``dark`` if it is drawn, and ``arguments`` of the recipe, with a ``seed``.

        Raises:
            ReverieError: the law or an argument is none.
        """
        data, given = _law(wish), wish.get("arguments", {})
        if not isinstance(given, dict):
            raise UsageError("The arguments must be those of the recipe, by their names.")
        settings = config.resolve(RECIPE, given)
        _small(given, settings["arguments"])
        plan = build(settings, data.spec)
        cpu = torch.device("cpu")
        job = Job(plan, plan.view.stock(data, cpu), STEPS, settings["seed"], cpu, "fp32", 1, World())
        learners = {name: Learner.of(job, name) for name in plan.model.players}
        return cls(job, learners, Planar("the game", Path(), job.model, data), moves=dict.fromkeys(learners, 0))

    def step(self, wish: Mapping[str, Any]) -> None:
        """Play some rounds, as many as there is time for.

        Args:
            wish: ``player``, one of them or ``both``, and ``steps``.

        Raises:
            UsageError: there is no such player, or the number is none, or the game has diverged.
        """
        player, steps = wish.get("player"), wish.get("steps")
        if player not in ("both", *self.learners):
            raise UsageError(f"The player is both, {' or '.join(self.learners)}.")
        if not isinstance(steps, int) or isinstance(steps, bool) or not 1 <= steps <= STEPS:
            raise UsageError(f"Steps are a number from 1 to {STEPS:,}.")
        learners = {name: learner for name, learner in self.learners.items() if player in ("both", name)}
        end = time.monotonic() + LONGEST
        for _ in range(steps):
            self._round(learners)
            if time.monotonic() > end:
                return

    def _round(self, learners: Mapping[str, Learner]) -> None:
        logs, updated = round_of(self.job, learners, self.rounds, 1.0, {})
        if not updated:
            raise UsageError("The losses are not finite any more: begin anew, with a lower rate or another cost.")
        self.rounds += 1
        named = {name if "/" in name else f"{next(iter(learners))}/{name}": value for name, value in logs.items()}
        self.logs |= {name: float(value) for name, value in named.items()}
        for name in learners:
            self.moves[name] += 1

    def real(self) -> list[list[float]]:
        """Points of the law, (N, 2)."""
        return _short(self.planar.real(POINTS, "shown"))

    def frame(self) -> dict[str, Any]:
        """This moment of the game: points, the critic's level from -100 to 100, arrows, figures."""
        seen = scene(self.planar, POINTS)
        found: dict[str, Any] = {"moves": self.moves, "generated": _short(seen.generated), "edge": EDGE}
        if seen.level is not None:
            level = 100 * balanced(seen.level.double().numpy())
            found |= {"side": len(level), "level": level.round().astype(int).flatten().tolist()}
        if seen.pulled is not None and seen.pull is not None:
            ways = torch.from_numpy(arrows(seen.pull.double().numpy()).astype(np.float32))
            found |= {
                "arrows": _short(torch.cat([seen.pulled, ways], 1)),
                "pull": float(seen.pull.norm(dim=1).median()),
            }
        modes = self.planar.data.modes
        return found | {
            "logs": self.logs,
            "figures": watch_points(self.planar, MEASURED),
            "modes": None if modes is None else len(modes.centres),
        }


def _small(given: Mapping[str, Any], arguments: Mapping[str, Any]) -> None:
    """Refuse what a page need not choose, and players that are too large to be played by hand.

    Raises:
        UsageError: there is an argument of that kind.
    """
    if strange := [name for name in given if name not in TAKEN]:
        raise UsageError(f"{', '.join(strange)}: a game takes {', '.join(TAKEN)}.")
    values = {name: arguments[name] for name in LARGEST}
    sizes = {
        name: max(value, default=0) if isinstance(value, tuple | list) else value for name, value in values.items()
    }
    wrong = [f"{name} may be {most:g}; got {sizes[name]:g}." for name, most in LARGEST.items() if sizes[name] > most]
    wrong += [f"{name} may have {LAYERS} layers." for name in ("generator", "critic") if len(values[name]) > LAYERS]
    if wrong:
        raise UsageError(f"Here {' '.join(wrong)}")


def _short(numbers: Tensor) -> list[list[float]]:
    return [[round(value, 3) for value in row] for row in numbers.tolist()]


def _law(wish: Mapping[str, Any]) -> PointData:
    """The points of a game: a law by its name, or what was drawn.

    Raises:
        UsageError: there is no such law, or the drawing is none, or empty.
    """
    law, dark = str(wish.get("law")), wish.get("dark")
    if law in LAWS:
        return load_points(law)
    if law != "drawing":
        raise UsageError(f"The law is {', '.join(LAWS)} or drawing.")
    if not isinstance(dark, list) or len(dark) != SIDE**2 or not all(_is_level(level) for level in dark):
        raise UsageError(f"A drawing is {SIDE**2:,} levels from 0 to 255, row by row from the top.")
    if not any(dark):
        raise UsageError("Draw something first: there is no point to draw from an empty sheet.")
    return PointData("drawing", Drawing(torch.tensor(dark, dtype=torch.float32).view(SIDE, SIDE)))


def _is_level(level: object) -> bool:
    return isinstance(level, int) and not isinstance(level, bool) and 0 <= level <= 255


@dataclass
class Arena:
    """The games that are played, and one thread that plays them. None is ever written down."""

    games: dict[str, Game] = field(default_factory=dict)
    thread: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "arena"))

    async def begin(self, wish: Mapping[str, Any]) -> dict[str, Any]:
        """Begin a game; one that the page had before goes."""
        return await self._do(lambda: self._begin(wish))

    async def step(self, name: str, wish: Mapping[str, Any]) -> dict[str, Any]:
        """Play, and say what is seen.

        Raises:
            HTTPException: there is no such game any more (404).
        """
        if name not in self.games:
            raise HTTPException(404, "This game is over; begin a new one.")
        return await self._do(lambda: self._step(self.games[name], wish))

    def close(self) -> None:
        """End the thread; what it plays is not waited for."""
        self.thread.shutdown(wait=False, cancel_futures=True)

    def _begin(self, wish: Mapping[str, Any]) -> dict[str, Any]:
        torch.set_num_threads(1)  # the networks are too small for more
        game, name = Game.of(wish), secrets.token_urlsafe(9)
        self.games.pop(str(wish.get("instead")), None)
        while len(self.games) >= MOST:
            self.games.pop(next(iter(self.games)))
        self.games[name] = game
        return {"game": name, "real": game.real(), **game.frame()}

    def _step(self, game: Game, wish: Mapping[str, Any]) -> dict[str, Any]:
        game.step(wish)
        return game.frame()

    async def _do(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self.thread, work)
