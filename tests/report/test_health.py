"""Verdicts: each state from rows that show it and nothing else, with the quantities that it names."""

import math

import pytest

from reverie.report.health import verdict


def rows(fd, *, ranked=0.8, critic=1.0, generator=0.7, **watched):
    """A run of as many epochs as there are distances, ten training rows each; values may be functions of the step."""
    made, steps = [], 10 * len(fd)
    for step in range(1, steps + 1):
        now = {"critic/loss": critic, "generator/loss": generator, "critic/ranked": ranked}
        made.append({"step": step, **{k: v(step / steps) if callable(v) else v for k, v in now.items()}})
        if step % 10 == 0:
            epoch = step // 10 - 1
            figures = {f"test_{name}": values[epoch] for name, values in watched.items()}
            made.append({"step": step, "test": True, "test_fd": fd[epoch], **figures})
    return made


FALLING = [100, 60, 40, 30, 24, 20, 17, 15]
LEVEL = [100, 60, 40, 30, 30.5, 30.2, 30.1, 30.3, 30.4, 30.2]
STATES = {
    "learning": rows(FALLING, recall=[0.1, 0.2, 0.3, 0.4, 0.4, 0.5, 0.5, 0.6], memory=[1.0] * 8),
    "critic too strong": rows(LEVEL, ranked=lambda t: 0.7 + 0.295 * min(1, 2 * t)),
    "critic too weak": rows(LEVEL, ranked=0.51),
    "plateau": rows(LEVEL, ranked=0.75),
    "oscillating": rows([100, 60, 40, 90, 35, 95, 30, 88, 33, 97]),
    "collapsing": rows([50, 30, 20, 18, 40, 80], recall=[0.2, 0.5, 0.6, 0.6, 0.3, 0.1], classes=[5, 9, 9.8, 9.8, 6, 3]),
    "memorising": rows(FALLING, memory=[1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.45, 0.4]),
    "diverging": rows(FALLING, critic=lambda t: 1.0 if t < 0.7 else math.exp(20 * t)),
}
NAMED = {
    "learning": "the distance went from 20 to 15 in the last 2 measurements",
    "critic too strong": "99.5% of real images above fake",
    "critic too weak": "51.0% of real images above fake ones, where chance is 50 %",
    "plateau": "stayed at 30 or above for 3 measurements",
    "oscillating": "30, 88, 33, 97",
    "collapsing": "recall fell from 0.6 to 0.1 while the distance grew",
    "memorising": "0.40 times as far",
    "diverging": "critic/loss went from about 1 to",
}


@pytest.mark.parametrize("state", STATES)
def test_each_state_is_told_from_what_it_names(state):
    found = verdict(STATES[state])
    assert found.name == state, str(found)
    assert NAMED[state] in found.why
    assert bool(found.advice) == (state != "learning")
    assert str(found).startswith(f"{state}: {found.why}.")


@pytest.mark.parametrize("name", ["critic/loss", "generator/loss"])
def test_what_is_not_finite_diverges_before_anything_is_measured(name):
    last = {"step": 3, "critic/loss": 1.0, "generator/loss": 1.0, name: math.nan}
    found = verdict([{"step": 2, "critic/loss": 1.0, "generator/loss": 1.0}, last])
    assert (found.name, found.why) == ("diverging", f"{name} is not finite")


def test_a_few_good_pictures_again_and_again_are_a_collapse_from_the_start():
    found = verdict(rows(LEVEL, precision=[0.8] * 10, recall=[0.01] * 10))
    assert found.name == "collapsing"
    assert "precision is 0.80 and recall 0.01" in found.why


def test_what_never_was_cannot_be_lost():
    assert verdict(rows([50, 30, 20, 19, 40, 80], recall=[0.001, 0.003, 0, 0, 0, 0])).name != "collapsing"


def test_lost_classes_are_a_collapse_where_recall_is_not_known():
    assert "classes fell from 9.8 to 3" in verdict(rows([50, 30, 20, 60], classes=[9, 9.8, 9.8, 3])).why


def test_a_ranking_of_nearly_all_is_no_illness_while_the_distance_falls():
    assert verdict(rows(FALLING, ranked=0.999)).name == "learning"
    assert verdict(rows(FALLING, ranked=0.5)).name == "learning"


def test_large_losses_from_the_start_do_not_diverge():
    assert verdict(rows(FALLING, critic=-900.0, generator=lambda t: 400 + 200 * t)).name == "learning"


def test_without_a_game_or_enough_epochs_there_is_no_verdict():
    assert verdict([]) is None
    assert verdict([{"step": 1, "loss": 3.0}, {"step": 1, "test": True, "test_loss": 2.0}]) is None
    assert verdict(rows([9, 8, 7])) is None
    assert verdict(rows([9, 8, 7, 6])).name == "learning"


@pytest.mark.parametrize("name", ["test_memory", "test_recall", "test_fd"])
def test_rows_that_are_not_a_number_say_nothing(name):
    """Memory was once written so where every held-out image occurs in training."""
    before = rows(FALLING, recall=[0.1, 0.2, 0.3, 0.4, 0.4, 0.5, 0.5, 0.6], memory=[1.0] * 8)
    last = max(row["step"] for row in before)
    assert verdict([*before, {"step": last, "test": True, "test_fd": 15, name: math.nan}]).name == "learning"
    without = [{key: value for key, value in row.items() if key != name} for row in before]
    assert name == "test_fd" or verdict(without).name == "learning"
