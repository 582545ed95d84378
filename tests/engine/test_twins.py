"""Twins change no number of a training, where each layer is used once; and they leave a model as it was."""

from dataclasses import replace
from functools import partial

import pytest
import torch
from torch import nn

from reverie.engine import loop
from reverie.engine.adam import Adam
from reverie.engine.loop import Report, fit
from reverie.engine.stop import Stop
from reverie.engine.twins import Twins
from reverie.nn.mlp import Dense, mlp
from toys import training_of, weights


def trained(folder, **changes):
    job = training_of("vae", folder, steps=8).job
    training = loop.Training.of(replace(job, precision="bf16", plan=replace(job.plan, **changes)), folder)
    fit(training, Stop(), Report())
    return training


def test_a_training_in_bf16_ends_in_the_same_weights_bit_for_bit(tmp_path, monkeypatch):
    paired = trained(tmp_path / "a").job
    monkeypatch.setattr(Dense, "twins", False)
    alone = trained(tmp_path / "b").job
    for job, kind in ((paired, torch.bfloat16), (alone, torch.float32)):
        assert {twin.dtype for twin in job.twins.of(list(job.model.parameters()))} == {kind}
        assert {weight.dtype for weight in job.model.parameters()} == {torch.float32}
    found, expected = weights(paired.model), weights(alone.model)
    assert all(torch.equal(found[name], expected[name]) for name in expected)


def test_layers_have_their_twins_inside_and_their_weights_outside():
    network = mlp([3, 4, 2])
    twins, first = Twins(network), network[0].weight
    twins.follow()
    with twins.in_place():
        assert network[0].weight.dtype == torch.bfloat16
        assert torch.equal(network[0].weight, first.bfloat16())
        assert twins.of([first])[0] is network[0].weight
    assert network[0].weight is first
    with pytest.raises(ZeroDivisionError), twins.in_place():
        1 / 0  # noqa: B018
    assert network[0].weight is first


def test_twins_follow_when_they_are_told():
    network = mlp([3, 2])
    twins, weight = Twins(network), network[0].weight
    for change in (lambda: weight.add_(1), lambda: network.load_state_dict(mlp([3, 2]).state_dict())):
        with torch.no_grad():
            change()
        assert not torch.equal(twins.of([weight])[0], weight.bfloat16())
        twins.follow()
        assert torch.equal(twins.of([weight])[0], weight.bfloat16())


def test_a_change_that_no_version_tells_is_told():
    network = mlp([3, 2])
    twins, weight = Twins(network), network[0].weight
    twins.follow()
    weight.data.add_(1)
    twins.forget([weight])
    twins.follow()
    assert torch.equal(twins.of([weight])[0], weight.bfloat16())


@pytest.mark.parametrize("optimizer", [Adam, torch.optim.Adam, torch.optim.SGD])
def test_twins_are_their_weights_after_every_round_and_after_going_back(optimizer, tmp_path):
    training = trained(tmp_path, optimizers={"vae": partial(optimizer, lr=0.1)})
    moved, start = training.learners["vae"].parameters, loop.snapshot(training)
    for again in range(2):
        for _ in range(3):
            loop._round(training)
            training.job.twins.follow()
            for twin, weight in zip(training.job.twins.of(moved), moved, strict=True):
                assert torch.equal(twin, weight.bfloat16())
        if not again:
            loop.restore(training, start)


def test_what_is_shared_or_says_nothing_has_none():
    shared, plain = Dense(3, 3), nn.Linear(3, 3)
    second = Dense(3, 3)
    second.weight = shared.weight
    network = nn.Sequential(shared, second, plain)
    twins = Twins(network)
    assert twins.of([shared.weight, plain.weight]) == [shared.weight, plain.weight]
    assert twins.of([shared.bias])[0].dtype == torch.bfloat16
    assert Twins(network, wanted=False).of([shared.bias])[0] is shared.bias


def test_a_layout_is_kept():
    network = Dense(4, 3)
    network.weight = nn.Parameter(torch.randn(4, 3).t())
    assert Twins(network).of([network.weight])[0].stride() == network.weight.stride()
