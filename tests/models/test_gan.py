"""The game: what each player pays, what moves in whose turn, and what a sample depends on."""

import copy
from dataclasses import replace
from functools import partial

import pytest
import torch
from torch import nn

from reverie import protocols
from reverie.data.batches import ImageStock, Resident
from reverie.data.images import Split
from reverie.data.views import symmetric
from reverie.engine.checkpoint import newest
from reverie.engine.loop import Report, Training, fit, restore
from reverie.engine.noise import ItemNoise, StepNoise
from reverie.engine.plan import Plan, half_life
from reverie.engine.ranks import World
from reverie.engine.stop import Stop
from reverie.engine.turn import Job
from reverie.errors import UsageError
from reverie.models.gan import GAN, Game
from reverie.nn.adversarial import ProjectionCritic, ToldGenerator
from reverie.nn.growing import GrowingCritic, GrowingGenerator, MinibatchDeviation, form
from reverie.nn.spectral import normalised
from reverie.objectives import adversarial
from reverie.objectives.penalties import GradientPenalty, ZeroCentred
from reverie.protocols import Batch
from toys import figures

SHAPE, LATENT, CLASSES = (1, 4, 4), 3, ("a", "b", "c")
NOISE = StepNoise((0, "turn"), 0, 6)


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)


def generator(inputs=LATENT):
    return nn.Sequential(nn.Linear(inputs, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 16), nn.Unflatten(1, SHAPE))


def critic(channels=1, *extra):
    return nn.Sequential(nn.Flatten(), nn.Linear(16 * channels, 8), *extra, nn.LeakyReLU(0.2), nn.Linear(8, 1))


def tiny(game=None, judge=None, **options):
    return GAN(generator(), judge or critic(), game or Game(adversarial.non_saturating()), latent=LATENT, **options)


def told(game=None):
    features = nn.Sequential(nn.Flatten(), nn.Linear(16, 8), nn.ReLU())
    players = ToldGenerator(generator(LATENT + 2), 3, 2), ProjectionCritic(features, 8, 3)
    return GAN(*players, game or Game(adversarial.hinge()), latent=LATENT, classes=CLASSES)


def images(n=6):
    return torch.rand(n, *SHAPE, generator=torch.Generator().manual_seed(n)) * 2 - 1


def test_it_has_the_protocols_it_says_it_has():
    assert isinstance(tiny(), protocols.Trainable)
    assert isinstance(tiny(), protocols.Sampler)
    assert not isinstance(tiny(), protocols.Conditional | protocols.Autoencoder | protocols.Density)
    assert isinstance(told(), protocols.Conditional)
    assert list(tiny().players) == ["critic", "generator"]
    assert dict(tiny(Game(adversarial.hinge(), critic_turns=4)).turns) == {"critic": 4, "generator": 1}


@pytest.mark.parametrize("cost", [adversarial.non_saturating(0.1), adversarial.hinge(), adversarial.relativistic()])
def test_both_turns_cost_what_their_definition_says(cost):
    model, x = tiny(Game(cost)), images()
    z = NOISE.normal("z", (6, LATENT))
    fake = model.generator(z)
    r, f = model.critic(x)[:, 0], model.critic(fake)[:, 0]
    turn = model.loss("critic", Batch(x), NOISE)
    torch.testing.assert_close(turn.value, cost.critic(r, f))
    torch.testing.assert_close(figures(turn), {"real": r, "fake": f, "ranked": adversarial.ranked(r, f)})
    turn = model.loss("generator", Batch(x), NOISE)
    torch.testing.assert_close(turn.value, cost.generator(f, r))
    torch.testing.assert_close(turn.logs["fake"], f)


@pytest.mark.parametrize("penalty", [GradientPenalty(3.0), ZeroCentred(lambda p: 1 + p)])
def test_the_critic_pays_its_penalty_too(penalty):
    plain, x = tiny(Game(adversarial.hinge())), images()
    fined = tiny(Game(adversarial.hinge(), penalty))
    fined.load_state_dict(plain.state_dict())
    without, turn = (model.loss("critic", Batch(x, progress=0.5), NOISE) for model in (plain, fined))
    slopes = {name: value for name, value in turn.logs.items() if name.startswith("gradient")}
    assert set(turn.logs) == {*without.logs, "penalty", *slopes}
    torch.testing.assert_close(turn.value - without.value, turn.logs["penalty"])
    assert (turn.logs["penalty"] > 0).all()
    assert len(slopes) == (1 if isinstance(penalty, GradientPenalty) else 2)


def test_maximum_likelihood_says_how_many_samples_count():
    turn = tiny(Game(adversarial.maximum_likelihood())).loss("generator", Batch(images()), NOISE)
    assert 1 / 6 <= float(turn.logs["effective"]) <= 1


def spectral_and_batch():
    return normalised(critic(1, nn.BatchNorm1d(8)))


@pytest.mark.parametrize("player", ["critic", "generator"])
def test_a_turn_moves_the_buffers_of_its_player_and_no_others(player):
    model = tiny(judge=spectral_and_batch())
    before = {name: buffer.clone() for name, buffer in model.named_buffers()}
    model.loss(player, Batch(images()), NOISE).value.mean().backward()
    moved = {name for name, buffer in model.named_buffers() if not torch.equal(before[name], buffer)}
    settled = "critic.4."  # a single output has one singular value, whose vectors are found at once
    assert moved == {name for name in before if name.startswith(player) and not name.startswith(settled)}


@pytest.mark.parametrize("cost", [adversarial.hinge(), adversarial.relativistic()])
@pytest.mark.parametrize("penalty", [None, ZeroCentred(lambda p: 1.0)])
def test_no_slope_reaches_the_generator_in_the_critics_turn(cost, penalty):
    model = tiny(Game(cost, penalty))
    value = model.loss("critic", Batch(images()), NOISE).value.mean()
    found = torch.autograd.grad(value, list(model.generator.parameters()), allow_unused=True)
    assert all(gradient is None for gradient in found)


@pytest.mark.parametrize("judge", [critic(), normalised(critic())])
def test_no_slope_reaches_the_critic_in_the_generators_turn(judge):
    model = tiny(judge=judge)
    turn = model.loss("generator", Batch(images()), NOISE).value.sum()
    given = [*model.critic.parameters(), *model.generator.parameters()]
    found = torch.autograd.grad(turn, given, allow_unused=True)
    count = len(list(model.critic.parameters()))
    assert [g is None for g in found] == [True] * count + [False] * (len(given) - count)


def plan_of(model, **changes):
    adam = partial(torch.optim.Adam, lr=1e-2, fused=True)
    settings = {"batch": 8, "epochs": 1, "ema": half_life(40, 8)} | changes
    return Plan(model, symmetric(), {name: adam for name in model.players}, **settings)


def training_of(model, folder, steps=9, **changes):
    shape = (1, 8, 8) if isinstance(model.generator, GrowingGenerator) else SHAPE
    pixels = torch.randint(0, 256, (32, *shape), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    images = ImageStock(Resident(Split(pixels, torch.arange(32) % 3), "cpu"), symmetric())
    job = Job(plan_of(model, **changes), images, steps, 0, torch.device("cpu"), "fp32", 1, World())
    return Training.of(job, folder / "checkpoints")


def state(training):
    tensors = training.job.model.state_dict() | {f"average {k}": v for k, v in training.result.state_dict().items()}
    return {name: tensor.clone() for name, tensor in tensors.items()}


def fresh(kind):
    torch.manual_seed(0)
    if kind == "growing":
        players = GrowingGenerator(LATENT, (1, 8, 8), 4, 8), GrowingCritic((1, 8, 8), 4, 8)
        return GAN(*players, Game(adversarial.wasserstein(1e-3), GradientPenalty()), latent=LATENT)
    if kind == "told":
        return told()
    return tiny(Game(adversarial.hinge(), critic_turns=3), spectral_and_batch())


@pytest.mark.parametrize("kind", ["told", "spectral", "growing"])
@pytest.mark.parametrize("stop_at", [1, 4, 7])  # a growing game is in mid-fade after 4 of 9 steps
def test_a_stopped_game_goes_on_to_the_same_weights_buffers_and_average(kind, stop_at, tmp_path):
    whole = training_of(fresh(kind), tmp_path / "whole")
    fit(whole, Stop(), Report())
    stop = Stop()
    ask = Report(on_step=lambda step, row: setattr(stop, "signal", int(step >= stop_at)))
    fit(training_of(fresh(kind), tmp_path / "broken"), stop, ask)
    resumed = training_of(fresh(kind), tmp_path / "broken")
    checkpoint, _ = newest(resumed.folder)
    assert checkpoint.step == stop_at
    restore(resumed, checkpoint)
    fit(resumed, Stop(), Report())
    wanted, found = state(whole), state(resumed)
    assert wanted.keys() == found.keys()
    assert [name for name in wanted if not torch.equal(wanted[name], found[name])] == []


@pytest.mark.parametrize("stop_at", [2, 5])
def test_a_stopped_game_whose_channels_come_last_goes_on_to_the_same_weights(stop_at, tmp_path):
    """Fused Adam walks through memory: gradients and restored moments must lie as the weights do."""

    def laid():
        return fresh("growing").to(memory_format=torch.channels_last)

    whole, plain = (
        training_of(make(), tmp_path / name) for name, make in (("a", laid), ("b", lambda: fresh("growing")))
    )
    fit(whole, Stop(), Report())
    fit(plain, Stop(), Report())
    stop = Stop()
    fit(
        training_of(laid(), tmp_path / "c"),
        stop,
        Report(on_step=lambda step, row: setattr(stop, "signal", int(step >= stop_at))),
    )
    resumed = training_of(laid(), tmp_path / "c")
    restore(resumed, newest(resumed.folder)[0])
    fit(resumed, Stop(), Report())
    wanted, found, other = state(whole), state(resumed), state(plain)
    assert [name for name in wanted if not torch.equal(wanted[name], found[name])] == []
    for name in wanted:
        torch.testing.assert_close(wanted[name], other[name], rtol=1e-2, atol=1e-3)


def test_players_grow_with_the_budget_and_the_average_draws_what_is_grown(tmp_path):
    training, forms = training_of(fresh("growing"), tmp_path), []
    model = training.job.model

    def look(step, row):
        forms.append(form(model.critic.progress.item(), 2))
        assert torch.equal(model.generator.progress, model.critic.progress)
        assert torch.equal(training.result.generator.progress, model.generator.progress)

    fit(training, Stop(), Report(on_step=look))
    assert forms == [pytest.approx(form(step / 9, 2), abs=1e-6) for step in range(9)]
    assert forms[4] == (1, pytest.approx(1 / 3, abs=1e-6))


def counted(model):
    calls, usual = [], model.loss

    def loss(player, batch, noise):
        calls.append((player, batch.x.numpy().tobytes(), noise.normal("z", (8, LATENT)).numpy().tobytes()))
        return usual(player, batch, noise)

    model.loss = loss
    return calls


def test_the_critic_has_k_turns_a_round_across_epochs_and_a_resume_with_fresh_images_and_noise(tmp_path):
    first = training_of(model := fresh("spectral"), tmp_path)
    calls, stop = counted(model), Stop()
    fit(first, stop, Report(on_step=lambda step, row: setattr(stop, "signal", int(step >= 4))))
    second = training_of(model := fresh("spectral"), tmp_path)
    restore(second, newest(second.folder)[0])
    calls += (more := counted(model))
    fit(second, Stop(), Report())
    calls += more
    assert first.job.epoch_steps == 1
    assert [player for player, _, _ in calls] == (["critic"] * 3 + ["generator"]) * 9
    assert len({z for _, _, z in calls}) == len(calls)
    for turn in range(0, len(calls), 4):
        assert len({x for _, x, _ in calls[turn : turn + 3]}) == 3


def test_weights_move_in_their_players_turns_alone(tmp_path):
    training = training_of(tiny(), tmp_path, steps=1, ema=0.0)
    kept = copy.deepcopy(training.job.model.state_dict())
    training.learners["generator"].rates = [0.0]
    fit(training, Stop(), Report())
    moved = {name for name, now in training.job.model.named_parameters() if not torch.equal(kept[name], now)}
    assert moved == {name for name, _ in training.job.model.named_parameters() if name.startswith("critic")}


def test_the_average_copies_buffers_and_has_its_closed_form(tmp_path):
    training = training_of(fresh("spectral"), tmp_path, steps=6)
    name, seen = "generator.0.weight", []
    wanted = training.job.model.state_dict()[name].clone()
    fit(training, Stop(), Report(on_step=lambda step, row: seen.append(state(training)[name])))
    for step, now in enumerate(seen, 1):
        decay = 0.5 ** (8 / min(40, 0.05 * 8 * step))
        wanted = decay * wanted + (1 - decay) * now
    torch.testing.assert_close(state(training)[f"average {name}"], wanted)
    average, model = (dict(m.named_buffers()) for m in (training.result, training.job.model))
    assert all(torch.equal(average[name], model[name]) for name in model)


def test_sampling_moves_no_buffer_and_no_sample_sees_another():
    model = tiny()
    model.train()
    before = {name: buffer.clone() for name, buffer in model.named_buffers()}
    together = model.sample(5, ItemNoise((0,), range(5)))
    assert model.training
    assert model.generator.training
    assert all(torch.equal(before[name], buffer) for name, buffer in model.named_buffers())
    alone = [model.sample(1, ItemNoise((0,), [i]))[0] for i in range(5)]
    torch.testing.assert_close(together, torch.stack(alone))
    torch.testing.assert_close(together, model.eval().sample(5, ItemNoise((0,), range(5))))


@pytest.mark.parametrize(("noise", "variance"), [("normal", 1.0), ("uniform", 1 / 3)])
def test_codes_have_the_law_that_was_asked_for(noise, variance):
    model = GAN(nn.Identity(), critic(), Game(adversarial.hinge()), latent=2, noise=noise)
    model.generator.register_parameter("scale", nn.Parameter(torch.ones(())))
    z = model.sample(20_000, StepNoise((0,), 0, 20_000))
    assert float(z.mean()) == pytest.approx(0, abs=0.03)
    assert float(z.var()) == pytest.approx(variance, rel=0.03)
    assert (float(z.detach().abs().max()) <= 1) == (noise == "uniform")
    torch.testing.assert_close(model.sample(9, StepNoise((0,), 0, 20_000), temperature=0.5), z[:9] / 2)
    with pytest.raises(UsageError, match="at least 0"):
        model.sample(2, StepNoise((0,), 0, 2), temperature=-1.0)


def test_the_label_matters_to_both_players():
    model, noise = told(), ItemNoise((0,), [0, 0, 0])
    first, second, third = model.sample(3, noise, label=torch.tensor([0, 1, 0]))
    torch.testing.assert_close(first, third)
    assert (first - second).abs().max() > 1e-3
    x = images(1).expand(3, -1, -1, -1)
    logits = model.critic(x, torch.arange(3)).flatten()
    assert len(set(logits.tolist())) == 3
    turns = [model.loss(p, Batch(images(), torch.full((6,), c)), NOISE).value for p in model.players for c in (0, 1)]
    assert not torch.allclose(turns[0], turns[1])
    assert not torch.allclose(turns[2], turns[3])


def test_labels_that_are_missing_or_wrong_are_refused():
    model, noise = told(), ItemNoise((0,), [0, 0])
    with pytest.raises(UsageError, match="Classes are: a, b, c"):
        model.sample(2, noise)
    for wrong in (torch.tensor([0]), torch.tensor([0, 3]), torch.tensor([-1, 0])):
        with pytest.raises(UsageError, match="2 numbers from 0 to 2"):
            model.sample(2, noise, label=wrong)
    with pytest.raises(UsageError, match="needs a class"):
        model.loss("critic", Batch(images()), NOISE)
    with pytest.raises(UsageError, match="without labels"):
        tiny().sample(2, noise, label=torch.tensor([0, 1]))
    assert tiny().loss("critic", Batch(images(), torch.zeros(6, dtype=torch.int64)), NOISE).value.shape == (6,)


@pytest.mark.parametrize(
    "game",
    [
        Game(adversarial.wasserstein(), GradientPenalty()),
        Game(adversarial.hinge(), ZeroCentred(lambda p: 1.0)),
        Game(adversarial.relativistic()),
    ],
)
def test_a_critic_that_normalises_over_the_batch_is_refused_with_the_reason(game):
    with pytest.raises(UsageError, match=r"normalises over its batch.*Use a critic without"):
        tiny(game, critic(1, nn.BatchNorm1d(8)))
    assert tiny(replace(game, cost=adversarial.hinge(), penalty=None), critic(1, nn.BatchNorm1d(8)))


@pytest.mark.parametrize("across", [nn.BatchNorm1d(8), nn.Sequential(nn.Unflatten(1, (8, 1, 1)), MinibatchDeviation())])
def test_where_images_see_each_other_real_and_fake_do_not_share_a_pass(across):
    judge = critic(1, across)
    if isinstance(across, nn.Sequential):
        judge = nn.Sequential(*judge[:3], nn.Flatten(), nn.Linear(9, 1))
    model, x = tiny(judge=judge), images()
    model.critic.train()
    turn = model.loss("critic", Batch(x), NOISE)
    torch.testing.assert_close(turn.logs["real"], model.critic(x)[:, 0])


def test_packs_are_judged_together_and_each_image_carries_the_cost_of_its_pack():
    model, x = tiny(Game(adversarial.hinge(), GradientPenalty(), packing=2), critic(2)), images()
    turn = model.loss("critic", Batch(x), NOISE)
    packs = torch.cat([x[0::2], x[1::2]], 1)
    torch.testing.assert_close(turn.logs["real"], model.critic(packs).mean())
    assert turn.value.shape == (6,)
    torch.testing.assert_close(turn.value[0::2], turn.value[1::2])
    assert model.loss("generator", Batch(x), NOISE).value.shape == (6,)
    with pytest.raises(UsageError, match="multiple of 2"):
        model.loss("critic", Batch(images(5)), NOISE)
    with pytest.raises(UsageError, match="no single class"):
        tiny(Game(adversarial.hinge(), packing=2), critic(2), classes=CLASSES)


def test_real_and_fake_are_augmented_alike_and_the_slope_goes_through():
    seen = []

    def halved(x, noise, name):
        seen.append(name)
        return x / 2

    model, x = tiny(Game(adversarial.hinge(), augment=halved)), images()
    turn = model.loss("critic", Batch(x), NOISE)
    torch.testing.assert_close(turn.logs["real"], model.critic(x / 2)[:, 0])
    turn = model.loss("generator", Batch(x), NOISE)
    generated = model.generator(NOISE.normal("z", (6, 3)))
    torch.testing.assert_close(turn.logs["fake"], model.critic(generated / 2)[:, 0])
    assert seen == ["real", "fake", "fake"]
    turn.value.mean().backward()
    assert model.generator[0].weight.grad.abs().sum() > 0
