"""The loop serves three kinds of models alike: turns, guard, averages, resume in mid-run, budgets."""

import copy
import json
import math
from dataclasses import replace

import pytest
import torch

from reverie.engine import loop, turn
from reverie.engine.checkpoint import newest, place_of, read
from reverie.engine.loop import SKIPS, Report, begin, fit, restore, rounds_in, save, settle
from reverie.engine.noise import StepNoise
from reverie.engine.plan import cosine, half_life, linear
from reverie.engine.ranks import World
from reverie.engine.stop import Stop
from reverie.engine.turn import Job, Mean
from reverie.errors import Diverged
from toys import pictures, training_of, weights

KINDS = ("vae", "game", "recurrent")


def same(a, b) -> bool:
    return all(torch.equal(a[name], b[name]) for name in a) and a.keys() == b.keys()


@pytest.mark.parametrize("kind", KINDS)
def test_training_is_the_same_twice_and_changes_every_parameter(kind, tmp_path):
    first, second = (training_of(kind, tmp_path / name) for name in "ab")
    before = weights(first.job.model)
    for training in (first, second):
        assert fit(training, Stop(), Report()) == "finished"
    after = weights(first.job.model)
    assert same(after, weights(second.job.model))
    still = {name for name in after if torch.equal(before[name], after[name])}
    assert still <= {"critic.2.bias"}  # a constant added to a Wasserstein critic changes no cost


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("stop_at", [1, 5, 11])
def test_a_stopped_run_goes_on_to_the_same_weights(kind, stop_at, tmp_path):
    whole = training_of(kind, tmp_path / "whole")
    fit(whole, Stop(), Report())
    stop = Stop()

    def ask(step, row):
        stop.signal = int(step >= stop_at)

    broken = training_of(kind, tmp_path / "broken")
    assert fit(broken, stop, Report(on_step=ask)) == "stopped"
    resumed = training_of(kind, tmp_path / "broken")
    checkpoint, words = newest(resumed.folder)
    assert checkpoint is not None
    assert checkpoint.step == stop_at
    assert not words
    restore(resumed, checkpoint)
    fit(resumed, Stop(), Report())
    assert same(weights(resumed.job.model), weights(whole.job.model))
    assert same(weights(resumed.result), weights(whole.result))


def test_the_carried_state_is_part_of_the_run(tmp_path):
    whole = training_of("recurrent", tmp_path / "a", steps=8)
    fit(whole, Stop(), Report())
    forgetful = training_of("recurrent", tmp_path / "b", steps=8)
    forgetful.job = replace(forgetful.job, steps=4)
    fit(forgetful, Stop(), Report())
    forgetful.job = replace(forgetful.job, steps=8)
    forgetful.carried = {}
    fit(forgetful, Stop(), Report())
    assert not same(weights(whole.job.model), weights(forgetful.job.model))


def test_a_player_moves_only_in_its_own_turns_and_draws_fresh_noise(tmp_path):
    training = training_of("game", tmp_path, steps=3, ema=0.0)
    fit(training, Stop(), Report())
    asked = training.job.model.asked
    assert [player for player, _ in asked] == (["critic"] * 3 + ["generator"]) * 3
    assert len({noise for _, noise in asked}) == len(asked)


def test_no_gradient_reaches_the_other_player(tmp_path):
    training = training_of("game", tmp_path, steps=1)
    critic = copy.deepcopy(training.learners["critic"].parameters)
    rates = training.learners["critic"].rates
    training.learners["critic"].rates = [0.0 for _ in rates]
    fit(training, Stop(), Report())
    assert all(torch.equal(a, b) for a, b in zip(critic, training.learners["critic"].parameters, strict=True))


def test_the_average_follows_its_closed_form(tmp_path):
    training = training_of("vae", tmp_path, steps=5, ema=0.5)
    kept = []
    original = training.job.model.state_dict()["encoder.1.weight"].clone()
    fit(
        training,
        Stop(),
        Report(on_step=lambda step, row: kept.append(weights(training.job.model)["encoder.1.weight"])),
    )
    expected = original
    for step, now in enumerate(kept, 1):
        decay = min(0.5, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * now
    torch.testing.assert_close(weights(training.result)["encoder.1.weight"], expected)


@pytest.mark.parametrize("batch", [8, 16])
def test_an_average_with_a_half_life_forgets_half_of_its_past_over_so_many_images(batch, tmp_path):
    """After a jump of the weights the average is half-way after 400 images, whatever the batch; at first, sooner."""
    decay = half_life(400, batch)
    late, left = 10_000 // batch, 1.0
    for step in range(late, late + 400 // batch):
        left *= decay(step)
    assert left == pytest.approx(0.5)
    assert decay(1) == pytest.approx(2.0**-20)
    assert decay(1000 // batch) ** (1000 * 0.05 / batch) == pytest.approx(0.5, rel=0.02)
    training = training_of("vae", tmp_path, steps=4, batch=batch, ema=half_life(400, batch))
    name, seen = "encoder.1.weight", []
    wanted = training.job.model.state_dict()[name].clone()
    fit(training, Stop(), Report(on_step=lambda step, row: seen.append(weights(training.job.model)[name])))
    for step, now in enumerate(seen, 1):
        wanted = torch.lerp(now, wanted, 2.0 ** (-1 / (0.05 * step)))
    torch.testing.assert_close(weights(training.result)[name], wanted)


def test_the_memory_of_the_moments_is_a_function_of_progress(tmp_path):
    """Adam by hand, in float64, with decays that change at each step."""

    def betas(progress):
        return 0.1 + 0.5 * progress, 0.9 + 0.09 * progress

    training = training_of("vae", tmp_path, steps=5, betas=betas, ema=0.0, clip=0.0)
    learner, seen = training.learners["vae"], []
    usual = learner.update
    learner.update = lambda given, *more: (seen.append([g.clone() for g in given]), usual(given, *more))
    weight = learner.parameters[0].detach().double().clone()
    fit(training, Stop(), Report())
    first = second = torch.zeros_like(weight)
    for step, gradients in enumerate(seen):
        (b1, b2), g = betas(step / 5), gradients[0].double()
        first, second = b1 * first + (1 - b1) * g, b2 * second + (1 - b2) * g * g
        corrected = first / (1 - b1 ** (step + 1)), second / (1 - b2 ** (step + 1))
        weight = weight - 1e-2 * corrected[0] / (corrected[1].sqrt() + 1e-8)
    torch.testing.assert_close(learner.parameters[0].detach().double(), weight, rtol=1e-5, atol=1e-6)


def poison(training, steps):
    """Make the loss not a number at some steps."""
    usual, clock = training.job.model.loss, {"calls": 0}

    def loss(player, batch, noise):
        value = usual(player, batch, noise)
        clock["calls"] += 1
        return value._replace(value=value.value * float("nan")) if clock["calls"] - 1 in steps else value

    training.job.model.loss = loss


def test_an_update_that_is_not_finite_is_skipped(tmp_path):
    said = []
    training = training_of("vae", tmp_path, ema=0.0)
    poison(training, {4})
    assert fit(training, Stop(), Report(say=said.append)) == "finished"
    assert all(tensor.isfinite().all() for tensor in weights(training.job.model).values())
    assert any("not finite" in words for words in said)
    assert training.state.rollbacks == 0


def test_a_batch_that_is_skipped_leaves_running_means_as_they_were(tmp_path):
    training = training_of("normed", tmp_path, steps=6, ema=0.5)
    usual, seen = training.job.model.loss, []

    def loss(player, batch, noise):
        seen.append(weights(training.job.model.norm))
        return usual(player, batch._replace(x=batch.x * float("inf")) if len(seen) == 4 else batch, noise)

    training.job.model.loss = loss
    assert fit(training, Stop(), Report()) == "finished"
    assert training.state.rollbacks == 0
    assert same(seen[4], seen[3])
    assert not same(seen[4], seen[5])
    for model in (training.job.model, training.result):
        assert all(tensor.isfinite().all() for tensor in weights(model).values())


def test_several_in_a_row_go_back_and_halve_the_rate(tmp_path):
    training = training_of("vae", tmp_path)
    poison(training, set(range(5, 5 + SKIPS)))
    assert fit(training, Stop(), Report(), save_every=2) == "finished"
    assert training.state.rollbacks == 1
    assert training.state.rate == 0.5
    assert training.state.step == 12


def test_training_gives_up_with_the_last_good_checkpoint(tmp_path):
    training = training_of("vae", tmp_path)
    poison(training, set(range(6, 10_000)))
    with pytest.raises(Diverged, match="lower --rate"):
        fit(training, Stop(), Report(), save_every=2)
    checkpoint, _ = newest(training.folder)
    assert all(tensor.isfinite().all() for tensor in checkpoint.tensors["model"].values())


def test_clipping_bounds_the_step(tmp_path):
    def norm_of_first_update(clip):
        plan_changes = {"clip": clip, "ema": 0.0}
        training = training_of("vae", tmp_path / str(clip), steps=1, **plan_changes)
        for learner in training.learners.values():
            learner.optimizer = torch.optim.SGD(learner.parameters, lr=1.0)
            learner.rates = [1.0]
        before = weights(training.job.model)
        fit(training, Stop(), Report())
        after = weights(training.job.model)
        return torch.sqrt(sum((after[n] - before[n]).square().sum() for n in before))

    assert norm_of_first_update(0.0) > 0.5
    assert norm_of_first_update(0.01) == pytest.approx(0.01, rel=1e-3)


def test_metrics_are_written_as_lines(tmp_path):
    training = training_of("game", tmp_path, steps=8)
    fit(training, Stop(), Report())
    rows = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == list(range(1, 9))
    assert {"critic/loss", "critic/penalty", "generator/loss", "epoch", "seconds"} <= rows[0].keys()


def test_a_budget_in_time_leaves_the_weights_alone(tmp_path):
    training = training_of("vae", tmp_path)
    before = weights(training.job.model)
    assert rounds_in(training, 1.0) >= 1
    assert same(before, weights(training.job.model))
    assert training.state.step == 0


def test_the_best_checkpoint_is_never_rotated_out(tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "EPOCH_SECONDS", -1.0)
    training = training_of("vae", tmp_path, steps=40)
    figures = iter([3.0, 1.0, 2.0] + [2.5] * 20)
    fit(training, Stop(), Report(on_look=lambda epoch, model: {"test_loss": next(figures)}))
    names = sorted(path.name for path in training.folder.iterdir())
    assert names == ["step-00000008", "step-00000036", "step-00000040"]
    assert training.state.best_value == 1.0


def test_schedules_are_functions_of_progress():
    rate = cosine(warmup=0.1, end=0.2)
    assert rate(0.0) < 0.05
    assert rate(0.1) == pytest.approx(1.0)
    assert rate(0.55) == pytest.approx(0.6)
    assert rate(1.0) == pytest.approx(0.2)


def test_a_straight_line_rises_and_falls():
    rate = linear(warmup=0.2, end=0.1)
    assert rate(0.0) < 0.05
    assert [rate(p) for p in (0.2, 0.6, 1.0)] == pytest.approx([1.0, 0.55, 0.1])


def test_the_rate_falls_after_an_epoch_that_brought_nothing(tmp_path):
    training = training_of("vae", tmp_path, steps=24, anneal=0.25)  # 4 steps an epoch
    figures, rates = iter([3.0, 2.0, 2.0, 2.5, 1.0, 1.5]), []

    def measure(epoch, model):
        rates.append(training.state.rate)
        return {"test_loss": next(figures)}

    fit(training, Stop(), Report(on_look=measure))
    assert [*rates, training.state.rate] == [1, 1, 1, 1 / 4, 1 / 16, 1 / 16, 1 / 64]
    unmeasured = training_of("vae", tmp_path / "b", steps=24, anneal=0.25)
    fit(unmeasured, Stop(), Report())
    assert unmeasured.state.rate == 1


def test_a_rate_that_fell_is_part_of_the_run(tmp_path):
    def run(folder, stop_at=None):
        training, stop = training_of("vae", folder, steps=24, anneal=0.25), Stop()
        if stop_at:
            checkpoint, _ = newest(training.folder)
            if checkpoint:
                restore(training, checkpoint)

        def ask(step, row):
            stop.signal = int(step == stop_at)

        fit(training, stop, Report(on_step=ask, on_look=lambda epoch, model: {"test_loss": abs(epoch - 2.0)}))
        return weights(training.job.model)

    whole = run(tmp_path / "whole")
    run(tmp_path / "broken", 18)
    assert same(run(tmp_path / "broken", 99), whole)


def test_a_carried_state_of_many_tensors_comes_back_in_its_order():
    carried = {"a": tuple(torch.tensor([float(i)]) for i in range(12)), "b": torch.ones(3), "c": (torch.zeros(2),)}
    back = loop._unflatten(loop._flatten(carried), torch.device("cpu"))
    assert [float(tensor) for tensor in back["a"]] == list(range(12))
    assert torch.equal(back["b"], carried["b"])
    assert isinstance(back["c"], tuple)


def test_steps_of_an_epoch_count_the_turn_that_needs_most_data(tmp_path):
    training = training_of("game", tmp_path, split=pictures(96))
    assert isinstance(training.job, Job)
    assert training.job.epoch_steps == 96 // 16 // 3


def test_saving_keeps_nothing_that_is_not_whole(tmp_path):
    training = training_of("vae", tmp_path)
    save(training)
    (training.folder / "step-00000000" / "MANIFEST.json").unlink()
    checkpoint, words = newest(training.folder)
    assert checkpoint is None
    assert "not a whole checkpoint" in words[0]


@pytest.mark.parametrize("kind", ["vae", "game"])
def test_the_best_weights_are_the_result_where_a_plan_says_so(kind, tmp_path):
    """Every epoch that is better is kept, however short; the averaged weights of that step are the result."""
    seen = {}

    def measure(epoch, model):
        seen[epoch] = weights(model)
        return {"test_fd": {1: math.nan, 2: 1.0, 5: math.nan}.get(epoch, 4.0 + epoch)}

    training = training_of(kind, tmp_path, steps=40, keep="best")
    fit(training, Stop(), Report(on_look=measure))
    last = weights(training.result)
    model, words = settle(training)
    look_steps = training.job.look_steps  # an epoch, or two of the game's 40
    assert same(weights(model), seen[2])
    assert not same(weights(model), last)
    assert words == f"step {2 * look_steps} of 40, with the best first figure on held-out images, 1"


def test_the_best_is_the_best_after_an_interruption_too(tmp_path):
    figures = [5.0, 2.0, 3.0, 4.0, 1.5, 6.0, 7.0, 8.0, 9.0, 9.0]

    def train(folder, stop_at=None):
        training, stop = training_of("vae", folder, steps=40, keep="best"), Stop()

        def measure(epoch, model):
            stop.signal = 2 * (epoch == stop_at)
            return {"test_fd": figures[epoch - 1]}

        if (checkpoint := newest(training.folder)[0]) is not None:
            restore(training, checkpoint)
        fit(training, stop, Report(on_look=measure))
        return training

    whole = settle(train(tmp_path / "whole"))
    train(tmp_path / "parts", stop_at=3)
    parts = settle(train(tmp_path / "parts"))
    assert whole[1] == parts[1] == "step 20 of 40, with the best first figure on held-out images, 1.5"
    assert same(weights(whole[0]), weights(parts[0]))


def test_without_a_best_the_last_weights_are_the_result(tmp_path):
    training = training_of("vae", tmp_path, steps=9, keep="best")
    fit(training, Stop(), Report())
    assert settle(training) == (training.result, "step 9, the last")
    training.state.best_step = 4
    model, words = settle(training)
    assert model is training.result
    assert words.startswith("step 9, the last, for the best cannot be read: ")


def shifting(model, seen):
    """A beginning that moves every weight by what the first batch holds."""

    def begin(batch, noise):
        seen.append((batch.x.clone(), noise.normal("z", (len(batch.x), 2))))
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(batch.x.mean())

    return begin


def begun(folder, **changes):
    training, seen = training_of("vae", folder, **changes), []
    plan = replace(training.job.plan, begin=shifting(training.job.model, seen))
    training.job = replace(training.job, plan=plan)
    return training, seen


def test_the_first_batch_is_seen_whole_once_and_by_the_average_too(tmp_path):
    training, seen = begun(tmp_path)
    before = weights(training.job.model)
    begin(training)
    ((x, _),) = seen
    job = training.job
    noise = StepNoise((0, "vae", 0, 0), 0, 16)
    assert torch.equal(x, job.stock.take(0, 16, range(16), 0, noise).x)
    assert torch.equal(seen[0][1], noise.normal("z", (16, 2)))
    for model in (job.model, training.average):
        for name, tensor in weights(model).items():
            torch.testing.assert_close(tensor, before[name] + x.mean())


@pytest.mark.parametrize("rank", [0, 1])
def test_every_rank_begins_with_the_same_batch(rank, tmp_path):
    training, seen = begun(tmp_path)
    training.job = replace(training.job, world=World(rank, 2))
    begin(training)
    assert len(seen[0][0]) == 16


def test_a_beginning_is_in_the_first_checkpoint(tmp_path):
    training, _ = begun(tmp_path, steps=1)
    begin(training)
    wanted = weights(training.job.model)
    fit(training, Stop(), Report())
    first = read(place_of(training.folder, 0))
    assert same(first.tensors["model"], wanted)
    assert same(first.tensors["ema"], wanted)


@pytest.mark.parametrize(
    ("steps", "changes", "looks"),
    [
        (31, {}, [4, 8, 12, 16, 20, 24, 28]),  # four steps are an epoch
        (31, {"keep": "best"}, [4, 8, 12, 16, 20, 24, 28, 31]),  # tenths of the run, and its end
        (20, {"keep": "best"}, [2, 4, 6, 8, 10, 12, 14, 16, 18, 20]),
        (3, {"keep": "best"}, [2, 3]),
        (48, {"keep": "best"}, [4 * n for n in range(1, 13)]),  # twelve epochs
        (330, {"keep": "best"}, [*range(16, 330, 16), 330]),  # 82 epochs: after every fourth one
        (31, {"keep": "best", "anneal": 0.5}, [4, 8, 12, 16, 20, 24, 28]),
    ],
)
def test_a_run_is_looked_at_after_each_epoch_or_often_enough_to_choose(steps, changes, looks, tmp_path, monkeypatch):
    monkeypatch.setattr(turn, "LEAST", 2)
    job = training_of("vae", tmp_path, steps=steps, **changes).job
    assert [step for step in range(1, steps + 1) if job.looks_after(step)] == looks


def test_a_run_of_part_of_an_epoch_is_looked_at_once_in_a_while_and_at_its_end(tmp_path):
    """Not more often than every hundred batches; three of them are a round of the game."""
    found = {}
    for steps in (5, 99, 240, 900, 5000):
        split = pictures(16 * 6000)
        job = training_of("vae", tmp_path, steps=steps, split=split, keep="best").job
        assert job.epoch_steps == 6000
        found[steps] = [step for step in range(1, steps + 1) if job.looks_after(step)]
    assert found[5] == [5]
    assert found[99] == [99]
    assert found[240] == [100, 200, 240]
    assert found[900] == list(range(100, 901, 100))
    assert found[5000] == list(range(500, 5001, 500))
    game = training_of("game", tmp_path, steps=100, split=pictures(16 * 6000), keep="best").job
    assert [step for step in range(1, 101) if game.looks_after(step)] == [34, 68, 100]


def test_the_best_of_less_than_an_epoch_is_kept_and_looks_are_numbered(tmp_path, monkeypatch):
    monkeypatch.setattr(turn, "LEAST", 6)  # batches, of which a round of this game has three
    values, seen, told = {1: 5.0, 2: 1.0, 3: 4.0}, {}, []
    training = training_of("game", tmp_path, steps=5, split=pictures(960), keep="best")
    assert training.job.epoch_steps == 20

    def measure(look, model):
        seen[look] = weights(model)
        return {"test_fd": values[look]}

    fit(training, Stop(), Report(on_look=measure, on_measured=lambda epoch, figures: told.append(epoch)))
    model, words = settle(training)
    assert told == [0.1, 0.2, 0.25]
    assert words == "step 4 of 5, with the best first figure on held-out images, 1"
    assert same(weights(model), seen[2])


def test_the_norm_of_each_player_s_gradient_is_in_the_rows_of_a_game(tmp_path):
    training, norms = training_of("game", tmp_path, steps=3, clip=0.0), {}
    for name, learner in training.learners.items():
        usual = learner.update

        def update(gradients, *more, name=name, usual=usual):
            norms.setdefault(name, []).append(math.sqrt(sum(float(g.double().square().sum()) for g in gradients)))
            usual(gradients, *more)

        learner.update = update
    fit(training, Stop(), Report())
    rows = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [row["generator/norm"] for row in rows] == pytest.approx(norms["generator"], rel=1e-5)
    assert [row["critic/norm"] for row in rows] == pytest.approx(norms["critic"][2::3], rel=1e-5)  # of the last turn
    alone = training_of("vae", tmp_path / "b", steps=1)
    fit(alone, Stop(), Report())
    assert "norm" not in (tmp_path / "b" / "metrics.jsonl").read_text()


def test_what_is_logged_is_a_mean_that_is_taken_when_it_is_asked_for():
    rows, made = torch.arange(6.0), []
    assert float(Mean(rows, 6, 6)) == 2.5
    shares = Mean(rows[:2], 2, 6), Mean(rows[2:], 4, 6)
    assert sum(float(share) for share in shares) == pytest.approx(2.5)
    lazy = Mean(lambda: made.append(1) or torch.tensor(3.0), 3, 6)
    assert not made
    assert float(lazy) == 1.5
