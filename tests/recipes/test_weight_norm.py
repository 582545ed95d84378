"""Weights that are normalised by argument: set once by the first batch, and then weights like any others."""

import signal

import numpy as np
import pytest
import torch

import reverie
from reverie import recipes
from reverie.data import ImageSpec
from reverie.engine.loop import Report
from reverie.engine.noise import StepNoise
from reverie.errors import Interrupted
from reverie.nn.mlp import Heads
from reverie.protocols import Batch

RECIPES = {"vae-iaf-mnist": (1, 12, 12), "vae-iaf-cifar": (3, 8, 8)}


def planned(name, **arguments):
    torch.manual_seed(0)
    recipe = recipes.find(name)
    return recipe.run(ImageSpec("pictures", RECIPES[name], ()), **{**recipe.TINY, "weight_norm": True, **arguments})


def first_batch(plan, name):
    noise = StepNoise((0,), 0, 64)
    pixels = (noise.uniform("pixels", (64, *RECIPES[name])) * 255).to(torch.uint8)
    return Batch(plan.view(pixels, noise)), noise


@pytest.mark.parametrize("name", RECIPES)
def test_posterior_observation_and_flow_start_quiet_and_hidden_units_with_variance_1(name):
    plan = planned(name, flow=2)
    batch, noise = first_batch(plan, name)
    plan.begin(batch, noise)
    model = plan.model
    with torch.no_grad():
        said = model.encoder(batch.x)
        ends = list(model.encoder[-1]) if isinstance(model.encoder[-1], Heads) else [model.encoder[-1]]
        hidden = torch.cat([model.encoder[:-1](batch.x) @ end.weight.T + end.bias for end in ends], 1)
        z, log_q = model.encode(batch.x).draw(noise)
        observed = model.decoder(z[:, 0])
    torch.testing.assert_close(said, hidden)
    torch.testing.assert_close(said.std(0, correction=0), torch.full((said.shape[1],), 0.1), rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(said.mean(0), torch.zeros(said.shape[1]), rtol=0, atol=1e-6)
    assert float(observed.std()) == pytest.approx(0.1, rel=0.02)
    assert log_q.isfinite().all()


@pytest.mark.parametrize("name", RECIPES)
def test_every_weight_learns(name):
    plan = planned(name, flow=2)
    batch, noise = first_batch(plan, name)
    plan.begin(batch, noise)
    plan.model.loss("vae", batch, noise).value.mean().backward()
    for where, parameter in plan.model.named_parameters():
        assert parameter.grad is not None, where
        assert parameter.grad.isfinite().all(), where
        assert parameter.grad.abs().sum() > 0, where


@pytest.mark.parametrize("name", RECIPES)
def test_without_it_there_is_no_beginning(name):
    assert planned(name, weight_norm=False).begin is None
    assert not [key for key in planned(name, weight_norm=False).model.state_dict() if "parametrizations" in key]


@pytest.fixture
def trained(tmp_path):
    """From a name and further settings to a run of six steps on pixels."""
    path = tmp_path / "pixels.npy"
    np.save(path, np.random.default_rng(0).integers(0, 256, (80, 12, 12), dtype=np.uint8))
    usual = {**recipes.find("vae-iaf-mnist").TINY, "weight_norm": True, "data": str(path), "steps": 6, "threads": 1}

    def train(name, report=None, **more):
        return reverie.train("vae-iaf-mnist", name=name, runs=tmp_path, report=report, **{**usual, **more})

    return train


def test_a_run_that_was_stopped_ends_in_the_same_weights(trained, tmp_path):
    whole = trained("whole").model.state_dict()

    def stop(step, row):
        if step == 3:
            signal.raise_signal(signal.SIGTERM)

    with pytest.raises(Interrupted):
        trained("broken", Report(on_step=stop))
    resumed = reverie.resume(tmp_path / "broken").model.state_dict()
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)


def test_weights_of_another_run_are_not_set_anew(trained, tmp_path, monkeypatch):
    first = trained("first")
    wanted = first.model.state_dict()
    monkeypatch.setenv("REVERIE_RUNS", str(tmp_path))
    second = trained("second", init="first", rate=1e-12, steps=1).model.state_dict()
    for name, tensor in wanted.items():
        torch.testing.assert_close(second[name], tensor, msg=name)
