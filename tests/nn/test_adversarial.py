"""Fully connected players as their source prints them, and what the class does to players that are told it."""

import torch
from torch import nn

from reverie.nn.adversarial import ProjectionCritic, ToldGenerator, mlp_critic, mlp_generator


def test_the_textbooks_pair_has_the_layers_of_its_print():
    generator, critic = mlp_generator(100, (256, 512, 1024), (1, 28, 28)), mlp_critic((1, 28, 28), (512, 256))
    linear = [(layer.in_features, layer.out_features) for layer in generator if isinstance(layer, nn.Linear)]
    assert linear == [(100, 256), (256, 512), (512, 1024), (1024, 784)]
    kinds = [type(layer).__name__ for layer in generator]
    assert kinds == [*["Dense", "LeakyReLU", "BatchNorm1d"] * 3, "Dense", "Tanh", "Unflatten"]
    assert {layer.momentum for layer in generator if isinstance(layer, nn.BatchNorm1d)} == {0.2}
    assert [layer.out_features for layer in critic if isinstance(layer, nn.Linear)] == [512, 256, 1]
    slopes = {layer.negative_slope for net in (generator, critic) for layer in net if isinstance(layer, nn.LeakyReLU)}
    assert slopes == {0.2}
    assert critic(generator(torch.randn(3, 100))).shape == (3, 1)


def test_a_momentum_of_point_two_keeps_four_fifths_as_keras_counts():
    norm = mlp_generator(2, (3,), (1, 2, 2))[2]
    x = torch.randn(50, 3) + 5
    norm(x)
    torch.testing.assert_close(norm.running_mean, 0.2 * x.mean(0))


def test_a_told_generator_reads_the_vector_of_the_class_beside_the_code():
    generator = ToldGenerator(nn.Identity(), 3, 2)
    z, label = torch.randn(4, 5), torch.tensor([2, 0, 1, 2])
    torch.testing.assert_close(generator(z, label), torch.cat([z, generator.embedding.weight[label]], 1))


def test_the_projection_critic_is_its_equation():
    critic = ProjectionCritic(nn.Identity(), 5, 3)
    h, label = torch.randn(4, 5), torch.tensor([2, 0, 1, 2])
    v, w, b = critic.embedding.weight, critic.output.weight[0], critic.output.bias
    wanted = torch.stack([w @ h[i] + v[label[i]] @ h[i] + b[0] for i in range(4)])
    torch.testing.assert_close(critic(h, label)[:, 0], wanted)
