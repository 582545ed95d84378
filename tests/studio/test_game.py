"""A game by hand is the engine's game: the same weights as a training, one player alone, and nothing on the disk."""

import asyncio
from dataclasses import replace

import numpy as np
import pytest
import torch
from starlette.exceptions import HTTPException

from reverie import config
from reverie.actions.of_points import scene
from reverie.data.points import Drawing, load_points
from reverie.engine.loop import Report, Training, fit
from reverie.engine.ranks import World
from reverie.engine.turn import Job
from reverie.errors import UsageError
from reverie.metrics.points import found_modes
from reverie.report.field import REACH
from reverie.studio import game as module
from reverie.studio.game import LAWS, MOST, POINTS, RECIPE, SIDE, Arena, Game
from reverie.training import build
from scenes import fingerprint

SMALL = {"generator": [8], "critic": [8], "latent": 2, "batch": 16, "seed": 3}


def weights(game: Game) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in game.job.model.state_dict().items()}


def begun(law="ring", **changes) -> Game:
    return Game.of({"law": law, "arguments": {**SMALL, **changes}})


@pytest.mark.parametrize("turns", [1, 3])
@pytest.mark.parametrize("cost", ["non-saturating", "wasserstein", "relativistic"])
def test_rounds_of_both_are_those_of_a_training_at_the_full_rate(cost, turns, tmp_path):
    game = begun(cost=cost, critic_turns=turns)
    for steps in (1, 4):
        game.step({"player": "both", "steps": steps})
    settings = config.resolve(RECIPE, {**SMALL, "cost": cost, "critic_turns": turns})
    data = load_points("ring")
    plan = replace(build(settings, data.spec), schedule=lambda progress: 1.0, ema=0.0)
    cpu = torch.device("cpu")
    training = Training.of(Job(plan, plan.view.stock(data, cpu), 5, 3, cpu, "fp32", 1, World()), tmp_path)
    assert fit(training, stop=(), report=Report()) == "finished"
    for name, tensor in training.job.model.state_dict().items():
        assert torch.equal(tensor, game.job.model.state_dict()[name]), name


@pytest.mark.parametrize("player", ["critic", "generator"])
def test_one_player_moves_and_the_other_does_not(player):
    game = begun()
    game.step({"player": "both", "steps": 2})
    before = weights(game)
    game.step({"player": player, "steps": 3})
    moved = {name for name, tensor in weights(game).items() if not torch.equal(tensor, before[name])}
    assert moved == {name for name in before if name.startswith(player)}
    assert game.moves == {"critic": 2, "generator": 2} | {player: 5}
    assert {"critic/loss", "generator/loss", "critic/ranked"} <= game.logs.keys()


def test_players_without_hidden_layers_play():
    game = begun(generator=[], critic=[])
    game.step({"player": "both", "steps": 2})
    assert game.moves == {"critic": 2, "generator": 2}


def test_ten_steps_are_ten_times_one():
    ten, ones = begun(), begun()
    ten.step({"player": "critic", "steps": 10})
    for _ in range(10):
        ones.step({"player": "critic", "steps": 1})
    for name, tensor in weights(ten).items():
        assert torch.equal(tensor, weights(ones)[name]), name


def test_a_critic_that_steps_alone_learns_to_tell_and_the_arrows_follow_it():
    game = begun(critic=[64], rate=1e-2, penalty="none")
    game.step({"player": "critic", "steps": 1})
    first = game.logs["critic/loss"]
    game.step({"player": "critic", "steps": 150})
    assert game.logs["critic/loss"] < 0.6 * first
    assert game.logs["critic/ranked"] > 0.9
    frame = game.frame()
    at, way = np.array(frame["arrows"])[:, :2], np.array(frame["arrows"])[:, 2:]
    assert np.linalg.norm(way, axis=1).max() <= REACH + 1e-3
    logit = lambda points: game.planar.judged(torch.tensor(points, dtype=torch.float32))  # noqa: E731
    assert (logit(at + 0.02 * way) > logit(at)).float().mean() > 0.95


def test_a_frame_is_what_the_picture_of_a_run_shows():
    game = begun()
    game.step({"player": "both", "steps": 3})
    frame, seen = game.frame(), scene(game.planar, POINTS)
    np.testing.assert_allclose(frame["generated"], seen.generated, atol=5.1e-4)
    np.testing.assert_allclose(game.real(), seen.real[:POINTS], atol=5.1e-4)
    level = np.array(frame["level"]).reshape(frame["side"], frame["side"])
    assert np.sign(level)[np.abs(level) > 1].tolist() == np.sign(seen.level.numpy())[np.abs(level) > 1].tolist()
    assert np.abs(level).max() == 100
    points = game.planar.generated(module.MEASURED, 0, "watch")
    modes = load_points("ring").modes
    found = found_modes(points, modes.centres, modes.sigma)
    assert (frame["figures"]["test_modes"], frame["figures"]["test_good"]) == (found.modes, found.good)
    assert frame["modes"] == 8


def test_points_of_a_drawing_lie_where_it_is_dark():
    dark = np.zeros((SIDE, SIDE), int)
    dark[:8, -8:] = 255  # the upper right corner
    game = Game.of({"law": "drawing", "dark": dark.flatten().tolist(), "arguments": SMALL})
    assert isinstance(game.planar.data.law, Drawing)
    points = np.array(game.real())
    assert points.min() >= 0.75 - 1e-3
    assert points.max() <= 1
    assert game.frame()["modes"] is None


WRONG = {
    "no law": ({"law": "none"}, "The law is"),
    "a list": ({"law": ["ring"]}, "The law is"),
    "no drawing": ({"law": "drawing"}, "A drawing is"),
    "too small": ({"law": "drawing", "dark": [1] * 5}, "A drawing is"),
    "no levels": ({"law": "drawing", "dark": [0.5] * SIDE**2}, "A drawing is"),
    "too dark": ({"law": "drawing", "dark": [256] * SIDE**2}, "A drawing is"),
    "white": ({"law": "drawing", "dark": [0] * SIDE**2}, "Draw something"),
    "no cost": ({"law": "ring", "arguments": {"cost": "none"}}, "cost"),
    "no names": ({"law": "ring", "arguments": 5}, "arguments"),
    "strange": ({"law": "ring", "arguments": {"evil": 5}}, "evil"),
}


@pytest.mark.parametrize(("wish", "words"), WRONG.values(), ids=WRONG)
def test_what_is_no_game_is_one_message(wish, words):
    with pytest.raises(UsageError, match=words):
        Game.of(wish)


@pytest.mark.parametrize("wish", [{}, {"player": "evil", "steps": 1}, {"player": "both", "steps": 0},
                                  {"player": "both", "steps": 1001}, {"player": "both", "steps": True}])  # fmt: skip
def test_what_is_no_step_is_one_message(wish):
    with pytest.raises(UsageError, match="player is|Steps are"):
        begun().step(wish)


def test_a_game_that_diverges_says_so():
    game = begun()
    with torch.no_grad():
        next(game.job.model.parameters()).fill_(float("nan"))
    with pytest.raises(UsageError, match="not finite"):
        game.step({"player": "both", "steps": 1})


def test_steps_end_when_their_time_is_over(monkeypatch):
    monkeypatch.setattr(module, "LONGEST", -1.0)
    game = begun()
    game.step({"player": "both", "steps": 1000})
    assert game.rounds == 1


def test_a_page_has_one_game_and_the_studio_few():
    arena = Arena()

    async def play():
        first = (await arena.begin({"law": "ring", "arguments": SMALL}))["game"]
        second = (await arena.begin({"law": "grid", "arguments": SMALL, "instead": first}))["game"]
        assert list(arena.games) == [second]
        for _ in range(MOST):
            await arena.begin({"law": "ring", "arguments": SMALL})
        assert len(arena.games) == MOST
        with pytest.raises(HTTPException):
            await arena.step(second, {"player": "both", "steps": 1})

    asyncio.run(play())
    arena.close()


def test_a_game_at_the_server_is_played_and_leaves_nothing_on_the_disk(client, runs):
    before = fingerprint(runs)
    for law in LAWS:
        found = client.post("/api/games", json={"law": law, "arguments": SMALL}).json()
        assert len(found["real"]) == len(found["generated"]) == POINTS
        after = client.post(f"/api/games/{found['game']}/step", json={"player": "both", "steps": 2}).json()
        assert after["moves"] == {"critic": 2, "generator": 2}
        assert after["generated"] != found["generated"]
    assert fingerprint(runs) == before


def test_the_verdict_is_that_of_the_report(client, runs):
    import json

    rows = [{"step": i, "critic/loss": 0.5, "generator/loss": 0.5, "critic/ranked": 0.7} for i in range(1, 40)]
    rows += [{"step": 10 * i, "epoch": i, "test": True, "test_fd": 100.0 / i} for i in range(1, 9)]
    (runs / "game" / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert client.get("/api/runs/game/verdict").json()["name"] == "learning"
    assert client.get("/api/runs/vae/verdict").json() == {}
    assert client.get("/api/runs/none/verdict").status_code == 404
