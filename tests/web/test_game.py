"""Games in a browser: one of points, played by hand on laws and drawings, and that of a run of pictures."""

import json

import numpy as np
import pytest

from scenes import QUICK, pictures, quietly, reverie
from visits import after, faults

CANVAS = "() => document.querySelector('game-plane canvas').toDataURL()"
REAL = "() => document.querySelector('game-plane').frame.real"


@pytest.fixture(scope="module")
def duel(folder, tmp_path_factory):
    """A run of a game of pictures; its course is made up, so that there is a verdict."""
    data = pictures(tmp_path_factory.mktemp("duel") / "flat")
    small = ("--latent", "4", "--generator", "16", "--critic", "16", *QUICK)
    with quietly():
        assert reverie("train", "gan-mlp", "--data", str(data), "--runs", str(folder), "--name", "duel", *small) == 0
    said = {"critic/ranked": 0.8, "critic/fake": -0.1, "generator/fake": 0.1}
    played = [
        {"step": 5 * i, "epoch": i / 6, "seconds": i / 10, "critic/loss": 1.3 - 0.01 * i, "generator/loss": 0.7, **said}
        for i in range(1, 60)
    ]
    measured = [{"step": 30 * i, "epoch": i, "test": True, "test_fd": 90.0 / i} for i in range(1, 9)]
    lines = (json.dumps(row) + "\n" for row in played + played[-20:] + measured)  # as after an interruption
    (folder / "duel" / "metrics.jsonl").write_text("".join(lines))
    return "duel"


def press(page, name):
    return after(page, "frame", page.get_by_role("button", name=name, exact=True).click)


def test_critic_and_generator_are_stepped_by_hand(enter):
    page = enter("/game")
    begun = page.evaluate(CANVAS)
    assert press(page, "Critic: 10 steps")["moves"] == {"critic": 10, "generator": 0}
    judged = page.evaluate(CANVAS)
    assert judged != begun
    assert press(page, "Generator: 1 step")["moves"] == {"critic": 10, "generator": 1}
    assert press(page, "Both: 10 steps")["moves"] == {"critic": 20, "generator": 11}
    assert page.evaluate(CANVAS) != judged
    assert "Critic's rounds 20" in page.locator("game-plane canvas").get_attribute("aria-label")
    page.locator("duel-chart svg polyline.player-0").wait_for(state="attached")


def test_a_game_plays_until_it_is_paused(enter):
    page = enter("/game")
    after(page, "frame", page.get_by_role("button", name="Play", exact=True).click)
    page.wait_for_function("() => document.querySelector('game-plane').frame.moves.generator >= 20")
    page.get_by_role("button", name="Pause").click()
    page.evaluate("() => document.querySelector('toy-game').last")  # the rounds that were under way
    stood = page.evaluate("() => document.querySelector('game-plane').frame.moves.generator")
    page.wait_for_timeout(700)
    assert page.evaluate("() => document.querySelector('game-plane').frame.moves.generator") == stood


COUNT = """async () => {
  const game = document.querySelector("toy-game");
  let now = 0, most = 0;
  game.step = async () => {
    most = Math.max(most, (now += 1));
    await new Promise((next) => setTimeout(next, 100));
    now -= 1;
  };
  for (let press = 0; press < 5; press++) game.play.click();
  await new Promise((next) => setTimeout(next, 400)); // till the steps of those that were paused have ended
  most = now;
  await new Promise((next) => setTimeout(next, 400));
  return [game.play.textContent, most];
}"""


def test_however_often_it_is_pressed_one_game_plays(enter):
    page = enter("/game")
    assert page.evaluate(COUNT) == ["Pause", 1]


def test_another_law_or_rule_begins_a_new_game(enter):
    page = enter("/game")
    press(page, "Both: 1 step")
    fresh = after(page, "frame", page.get_by_text("grid", exact=True).click)
    assert fresh["moves"] == {"critic": 0, "generator": 0}
    assert page.get_by_text("of 25").count() == 1
    chosen = page.get_by_role("combobox", name="Cost", exact=True)
    assert after(page, "frame", lambda: chosen.select_option("wasserstein"))["moves"]["critic"] == 0
    assert press(page, "Both: 1 step")["moves"]["critic"] == 1


def test_points_come_where_a_person_drew(enter):
    page = enter("/game")
    page.get_by_text("drawn by you", exact=True).click()
    box = page.locator("law-pad canvas").bounding_box()
    page.mouse.move(box["x"] + 0.1 * box["width"], box["y"] + 0.2 * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + 0.9 * box["width"], box["y"] + 0.2 * box["height"], steps=8)
    page.mouse.up()
    press(page, "Play on this drawing")
    real = np.array(page.evaluate(REAL))
    np.testing.assert_allclose(real[:, 1], 0.6, atol=0.08)  # a fifth from the top of a square from -1 to 1
    assert real[:, 0].min() < -0.7
    assert real[:, 0].max() > 0.7
    assert press(page, "Both: 10 steps")["moves"]["generator"] == 10


def test_a_drawing_by_keys_and_an_empty_sheet(enter):
    page = enter("/game")
    page.get_by_text("drawn by you", exact=True).click()
    page.get_by_role("button", name="Play on this drawing").click()
    page.get_by_text("Draw something first").wait_for()
    page.locator("law-pad canvas").focus()
    for key in (" ", "ArrowRight", "ArrowRight", "ArrowDown", " "):
        page.keyboard.press(key)
    press(page, "Play on this drawing")
    assert np.abs(np.array(page.evaluate(REAL))).max() < 0.25
    assert all("status of 400" in words for words in enter.said)  # which is what the browser says of a refusal
    enter.said.clear()


def test_layers_are_left_out_and_the_picture_is_kept(enter):
    page = enter("/game")
    press(page, "Both: 10 steps")
    seen = {page.evaluate(CANVAS)}
    for layer in ("critic's field", "real points", "generated points", "arrows"):
        page.get_by_label(layer).uncheck()
        seen.add(page.evaluate(CANVAS))
    assert len(seen) == 5
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Save PNG").click()
    assert waiting.value.suggested_filename == "game-ring.png"


def test_a_game_of_pictures_shows_both_players_the_verdict_and_new_samples(duel, enter):
    page = enter(f"/runs/{duel}")
    page.locator("runs-page").get_by_role("link", name="Game", exact=True).click()
    page.wait_for_url(f"**/game/{duel}*")
    page.get_by_text("Learning", exact=True).wait_for()
    assert page.locator("duel-chart svg polyline").count() == 4
    points = page.locator("duel-chart svg polyline").first.get_attribute("points").split()
    across = [float(point.split(",")[0]) for point in points]
    assert across == sorted(set(across))  # a round that was played again counts once
    sheet = "() => [...document.querySelectorAll('.samples canvas')].map((each) => each.toDataURL()).join()"
    page.locator(".samples canvas").first.wait_for()
    before = page.evaluate(sheet)
    after(page, "picture", page.get_by_role("button", name="Another seed").click)
    fresh = page.evaluate(sheet)
    assert fresh != before
    page.get_by_label("Truncation").focus()
    after(page, "picture", lambda: page.keyboard.press("Home"))
    assert page.evaluate(sheet) != fresh


@pytest.mark.parametrize("path", ["/game", "/game/duel"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_in_a_game(path, scheme, duel, enter):
    page = enter(path, color_scheme=scheme, bypass_csp=True)
    if path == "/game":
        for _ in range(3):
            press(page, "Both: 10 steps")
        page.get_by_text("drawn by you", exact=True).click()
    assert faults(page) == ""  # after the colours of what was pressed have settled


@pytest.mark.parametrize("path", ["/game", "/game/duel"])
def test_at_twice_the_size_nothing_of_a_game_is_cut_off(path, duel, enter):
    page = enter(path, viewport={"width": 640, "height": 450})
    assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
