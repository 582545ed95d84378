"""A model of points: what it draws, what its critic says, and where its generator is pulled, against closed forms."""

import pytest
import torch
from torch import nn

from reverie.data.points import load_points
from reverie.engine.noise import ItemNoise
from reverie.errors import UsageError
from reverie.models.gan import GAN, Game
from reverie.planar import Planar
from reverie.recipes._parts import cost_of

SLOPE = torch.tensor([0.6, -0.8])
CLOSED = {  # the slope of each generator's cost in the logit f, by the logits of the fakes and of their real partners
    "minimax": lambda f, r: -torch.sigmoid(f),
    "non-saturating": lambda f, r: torch.sigmoid(f) - 1,
    "maximum-likelihood": lambda f, r: -len(f) * torch.softmax(f, 0),
    "least-squares": lambda f, r: f - 1,
    "wasserstein": lambda f, r: -torch.ones_like(f),
    "hinge": lambda f, r: -torch.ones_like(f),
    "relativistic": lambda f, r: -torch.sigmoid(r - f),
}


def planar(tmp_path, cost="hinge"):
    """Codes become points as they are, and the critic's logit is ``<SLOPE, x> + 0.1``."""
    critic = nn.Linear(2, 1)
    critic.weight.data, critic.bias.data = SLOPE[None].clone(), torch.tensor([0.1])
    generator = nn.Linear(2, 2, bias=False)
    generator.weight.data = torch.eye(2)
    model = GAN(generator, critic, Game(cost_of(cost)), latent=2).eval().requires_grad_(False)
    return Planar("it", tmp_path, model, load_points("ring"))


@pytest.mark.parametrize("cost", CLOSED)
def test_points_are_pulled_along_minus_the_slope_of_the_generators_cost(cost, tmp_path):
    subject = planar(tmp_path, cost)
    at, pull = subject.pulled(20, 7, "sample")
    f, r = subject.judged(at), subject.judged(subject.real(20, 7, "sample"))
    torch.testing.assert_close(at, ItemNoise((7, "sample"), range(20)).normal("z", (20, 2)))
    torch.testing.assert_close(pull, -CLOSED[cost](f, r)[:, None] * SLOPE)


def test_looking_changes_nothing_of_the_model(tmp_path):
    subject = planar(tmp_path)
    before = {name: tensor.clone() for name, tensor in subject.model.state_dict().items()}
    subject.pulled(5, 0)
    assert not subject.model.generator._forward_hooks
    assert all(torch.equal(before[name], tensor) for name, tensor in subject.model.state_dict().items())


def test_the_critic_is_asked_for_each_point(tmp_path):
    x = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]])
    torch.testing.assert_close(planar(tmp_path).judged(x), torch.tensor([0.7, -0.7, 0.1]))


def test_a_point_is_the_same_whatever_their_number_and_real_ones_are_not_those_of_other_keys(tmp_path):
    subject = planar(tmp_path)
    assert torch.equal(subject.generated(9, 0, "sample")[:4], subject.generated(4, 0, "sample"))
    assert torch.equal(subject.real(9, "a")[:4], subject.real(4, "a"))
    assert not torch.equal(subject.real(4, "a"), subject.real(4, "b"))
    half = subject.generated(4, 0, "sample", temperature=0.5)
    torch.testing.assert_close(half, subject.generated(4, 0, "sample") / 2)


def test_a_model_without_a_game_has_neither_field_nor_arrows(tmp_path):
    subject = Planar("plain", tmp_path, nn.Linear(2, 2), load_points("ring"))
    assert subject.judged(torch.zeros(1, 2)) is None
    assert subject.pulled(3) is None
    with pytest.raises(UsageError, match="plain cannot sample: its Linear"):
        subject.generated(3)
