"""Recipes of adversarial networks: what their sources print, and what every one of them must keep."""

import typing

import pytest
import torch
from torch.nn.functional import softplus

from reverie import recipes
from reverie.data import ImageSpec
from reverie.data.points import PointSpec
from reverie.engine.noise import ItemNoise, StepNoise
from reverie.errors import DataError, UsageError
from reverie.models.gan import BATCH_NORM, GAN
from reverie.nn.growing import MinibatchDeviation
from reverie.protocols import Batch, Conditional
from reverie.recipes._parts import cost_of

SPEC = ImageSpec("pictures", (1, 28, 28), tuple("0123456789"))
GAMES = [
    "dcgan",
    "dcgan-sketch",
    "gan-conditional",
    "gan-hinge",
    "gan-mlp",
    "gan-mlp-small",
    "gan-progressive",
    "gan-stacked-mnist",
    "r3gan",
    "r3gan-cifar",
    "wgan-gp",
]


LINEAR = ("gan-progressive", "r3gan", "r3gan-cifar")  # their generators end without a tanh, as their papers have it
CONSTANT = ("gan-conditional", "gan-hinge", "r3gan-cifar", "wgan-gp")  # their cost may ignore a constant


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)


def planned(name, spec=SPEC, **arguments):
    recipe = recipes.find(name)
    return recipe.run(spec, **{**recipe.TINY, **arguments})


def count(network):
    return sum(parameter.numel() for parameter in network.parameters())


def test_every_recipe_of_a_game_is_looked_at():
    found = [
        name
        for name in recipes.names()
        if "models.gan" in (recipes.FOLDER / f"{name.replace('-', '_')}.py").read_text()
    ]
    assert found == sorted([*GAMES, "gan-toy"])  # of points, not of images: see below


@pytest.mark.parametrize("name", GAMES)
def test_all_of_both_players_learns_and_samples_are_images(name):
    plan = planned(name)
    model = plan.model
    noise, label = StepNoise((0,), 0, 16), torch.arange(16) % 10
    assert isinstance(model, GAN)
    assert plan.optimizers.keys() == {"critic", "generator"}
    x = plan.view((noise.uniform("x", (16, *SPEC.shape)) * 255).to(torch.uint8), noise)
    batch = Batch(x, label)
    for parameter in model.parameters():
        parameter.data += 0.03 * torch.randn_like(parameter)  # some start at zero, and so hold back their neighbours
    for player, network in model.players.items():
        value = model.loss(player, batch, noise).value
        assert value.shape == (16,)
        found = torch.autograd.grad(value.mean(), list(network.parameters()), allow_unused=True)
        dead = [n for (n, _), g in zip(network.named_parameters(), found, strict=True) if g is None or not g.any()]
        # A constant added to a Wasserstein critic changes no cost; one inside all margins, no hinge.
        # Nor one added to all of a pair. A grown player no longer uses the colours of its smaller levels.
        unused = {"7.bias", "output.bias"} if name in CONSTANT and player == "critic" else set()
        assert [n for n in dead if n not in unused and not n.startswith(("colours.0", "colours.1"))] == []
    told = {"label": label[:3]} if isinstance(model, Conditional) else {}
    images = model.sample(3, ItemNoise((0,), range(3)), **told)
    assert images.shape == (3, *SPEC.shape)
    assert images.abs().max() <= 1 or name in LINEAR


@pytest.mark.parametrize("name", GAMES)
def test_a_logit_is_of_its_image_alone_where_the_cost_needs_it(name):
    model = planned(name).model.eval()
    x, other = torch.rand(2, 4, *SPEC.shape).unbind()
    across = any(isinstance(module, BATCH_NORM | MinibatchDeviation) for module in model.critic.modules())
    assert across == (name in ("gan-progressive", "gan-stacked-mnist"))  # as their papers have it
    if across:
        return
    told = (torch.arange(4),) if isinstance(model, Conditional) else ()
    mixed = torch.cat([x[:1], other[1:]])
    torch.testing.assert_close(model.critic(x, *told)[0], model.critic(mixed, *told)[0], rtol=1e-4, atol=1e-5)


def test_the_textbooks_networks_have_as_many_weights_as_in_keras():
    """Its summaries print 533,505 for the critic and 1,493,520 for the generator, 3,584 of them running statistics."""
    model = recipes.find("gan-mlp").run(SPEC).model
    assert count(model.critic) == 533_505
    assert count(model.generator) == 1_493_520 - 3_584


def test_the_tutorials_networks_have_as_many_weights_as_its_exercise_checks():
    """CS231n checks its students' networks by these numbers, with codes of 4."""
    small = recipes.find("gan-mlp-small").run(SPEC, latent=4).model
    assert count(small.critic) == 267_009
    assert count(small.generator) == 1_858_320
    deep = recipes.find("dcgan").run(SPEC, latent=4).model
    assert count(deep.critic) == 1_102_721
    assert count(deep.generator) == 6_580_801


def test_the_mode_counters_networks_have_the_sizes_of_their_print():
    """Sides 28, 14, 7, 4, 2 and channels 64 to 512; PacGAN doubles what the critic's first layer sees."""
    model = recipes.find("gan-stacked-mnist").run(ImageSpec("stacked", (3, 28, 28)), packing=2).model
    convolutions = [m for m in model.critic if isinstance(m, torch.nn.Conv2d)]
    assert [(m.in_channels, m.out_channels) for m in convolutions] == [(6, 64), (64, 128), (128, 256), (256, 512)]
    assert model.critic[-1].in_features == 512 * 4
    doubled = [m for m in model.generator if isinstance(m, torch.nn.ConvTranspose2d)]
    assert [(m.in_channels, m.out_channels) for m in doubled] == [(512, 256), (256, 128), (128, 64), (64, 3)]
    assert model.generator[0].out_features == 512 * 4
    assert model.noise == "uniform"
    for layer in [*model.critic, *model.generator]:
        if isinstance(layer, torch.nn.Conv2d | torch.nn.ConvTranspose2d | torch.nn.Linear):
            assert float(layer.weight.detach().std()) == pytest.approx(0.02, rel=0.05)
            assert not layer.bias.any()
    with pytest.raises(UsageError, match="multiple of 2"):
        model.loss("critic", Batch(torch.zeros(5, 3, 28, 28)), StepNoise((0,), 0, 5))


@pytest.mark.parametrize(
    ("name", "start", "end", "until"), [("r3gan", 1.0, 0.1, 0.2), ("r3gan-cifar", 0.05, 0.01, 0.6)]
)
def test_penalties_fade_and_the_memory_of_squares_grows_over_the_first_part(name, start, end, until):
    plan = planned(name)
    gamma = plan.model.game.penalty.gamma
    assert [gamma(p) for p in (0.0, until / 2, until, 1.0)] == pytest.approx([start, (start + end) / 2, end, end])
    assert [plan.betas(p)[1] for p in (0.0, until / 2, until, 1.0)] == pytest.approx([0.9, 0.945, 0.99, 0.99])
    assert plan.betas(0.0)[0] == 0
    assert plan.model.game.penalty.fake


def test_the_relativistic_game_of_modes_is_an_argument():
    plan = planned("gan-stacked-mnist", game="relativistic", packing=2)
    assert plan.model.game.cost.paired
    assert plan.betas(1.0) == (0.0, pytest.approx(0.99))
    assert planned("gan-stacked-mnist").betas is None


@pytest.mark.parametrize("cost", ["minimax", "non-saturating", "maximum-likelihood"])
def test_the_textbooks_costs_and_turns_are_arguments(cost):
    model = planned("gan-mlp", cost=cost, critic_turns=3).model
    assert dict(model.turns) == {"critic": 3, "generator": 1}
    turn = model.loss("generator", Batch(torch.rand(16, *SPEC.shape)), StepNoise((0,), 0, 16))
    assert ("effective" in turn.logs) == (cost == "maximum-likelihood")


def test_least_squares_is_an_argument_of_the_tutorials_pair():
    x, noise = torch.rand(16, *SPEC.shape), StepNoise((0,), 0, 16)
    for name in ("gan-mlp-small", "dcgan"):
        model = planned(name, cost="least-squares").model.eval()
        turn = model.loss("generator", Batch(x), noise)
        fake = model.critic(model.generator(2 * noise.uniform("z", (16, 4)) - 1))[:, 0]
        torch.testing.assert_close(turn.value, (fake - 1).square() / 2)


def test_the_preset_of_the_hinge_game():
    plan = recipes.find("gan-hinge").run(SPEC)
    rates = {
        name: make(plan.model.players[name].parameters()).param_groups[0] for name, make in plan.optimizers.items()
    }
    assert {name: (group["lr"], group["betas"]) for name, group in rates.items()} == {
        "critic": (4e-3, (0.0, 0.9)),
        "generator": (2e-3, (0.0, 0.9)),
    }
    assert plan.schedule(1.0) == pytest.approx(0.1)
    assert plan.ema(100) == pytest.approx(0.5 ** (64 / 320))  # a twentieth of 6,400 images
    assert plan.ema(10**6) == pytest.approx(0.5 ** (64 / 5000))


@pytest.mark.parametrize("cost", typing.get_args(typing.get_type_hints(recipes.find("gan-toy").run)["cost"]))
@pytest.mark.parametrize("penalty", ["zero-centred", "gradient", "none"])
def test_the_game_of_points_has_every_cost_and_penalty(cost, penalty):
    model = planned("gan-toy", PointSpec("ring"), cost=cost, penalty=penalty, weight=0.3, critic_turns=2).model
    assert dict(model.turns) == {"critic": 2, "generator": 1}
    real, noise = torch.randn(64, 2), StepNoise((0,), 0, 64)
    fake = model.sample(64, noise)
    of_real, of_fake = (model.critic(x).squeeze(1) for x in (real, fake))
    wanted = {
        "minimax": -softplus(of_fake),
        "non-saturating": softplus(-of_fake),
        "maximum-likelihood": -(of_fake.exp().mean().log()).expand(64),
        "least-squares": (of_fake - 1).square() / 2,
        "wasserstein": -of_fake,
        "hinge": -of_fake,
        "relativistic": softplus(of_real - of_fake),
    }
    torch.testing.assert_close(model.loss("generator", Batch(real), noise).value, wanted[cost])
    logs = model.loss("critic", Batch(real), noise).logs
    assert ("gradient_fake" in logs, "gradient" in logs) == (penalty == "zero-centred", penalty == "gradient")
    if penalty == "zero-centred":
        paid = 0.3 / 2 * (slopes(model, real).square() + slopes(model, fake).square())
        torch.testing.assert_close(logs["penalty"], paid)


def slopes(model, x):
    x = x.detach().requires_grad_()
    (slope,) = torch.autograd.grad(model.critic(x).sum(), x)
    return slope.norm(dim=1)


def test_labels_and_smoothing_are_asked_for_where_they_mean_something():
    with pytest.raises(DataError, match=r"no labels.*train gan-hinge"):
        planned("gan-conditional", ImageSpec("plain", (1, 28, 28)))
    with pytest.raises(UsageError, match="below 0.5"):
        planned("gan-mlp", smoothing=0.5)
    with pytest.raises(UsageError, match="goes with minimax"):
        cost_of("least-squares", 0.1)


@pytest.mark.parametrize("name", ["gan-hinge", "wgan-gp", "gan-conditional"])
def test_augmentation_is_an_argument(name):
    assert planned(name).model.game.augment is None
    model = planned(name, augment="translation-cutout").model
    x, noise = torch.ones(16, *SPEC.shape), StepNoise((0,), 0, 16)
    seen = model.game.augment(x, noise, "real")
    assert ((seen == 0) | (seen == 1)).all()
    assert 0.1 < float((seen == 0).float().mean()) < 0.6
