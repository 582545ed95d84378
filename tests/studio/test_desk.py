"""The desk computes what the model computes, scores what the command scores, and has one model at a time."""

import asyncio

import numpy as np
import pytest
import torch

from reverie.actions.scores import log_likelihoods
from reverie.errors import UsageError
from reverie.export.parts import parts_of
from reverie.latent import attribute_accuracy
from reverie.runs import open_run
from reverie.studio import desk as module
from reverie.studio.desk import DRAWS, Desk, explored
from reverie.trained import codes_of, spread


@pytest.fixture
def desk():
    made = Desk(explored)
    yield made
    made.close()


@pytest.fixture
def ask(desk, runs):
    """Compute with the model of a run."""
    return lambda name, work: asyncio.run(desk.do(open_run(runs / name), work))


def floats(body: bytes) -> torch.Tensor:
    return torch.from_numpy(np.frombuffer(body, np.float32).copy())


@pytest.mark.parametrize("name", ["vae", "told"])
def test_it_decodes_and_encodes_as_the_model_does(name, ask, runs):
    run, source = open_run(runs / name), torch.Generator().manual_seed(0)
    z, x = torch.randn(5, 2, generator=source), torch.rand(5, *run.spec.shape, generator=source)
    label = torch.arange(5) % 2
    told, more = ((label,), label.numpy().astype(np.int32).tobytes()) if name == "told" else ((), b"")
    levels = ask(name, lambda opened: opened.compute("decoder", z.numpy().tobytes() + more))
    codes = ask(name, lambda opened: opened.compute("encoder", x.numpy().tobytes() + more))
    wanted = run.plan.view.pixels(run.model.decode(z, *told).mean)
    assert levels == wanted.numpy().tobytes()
    mean = run.model.encode(run.plan.view.still(x * 255), *told).mean
    torch.testing.assert_close(floats(codes).view(5, 2), mean)


@pytest.mark.parametrize("near", [1, -1])
@pytest.mark.parametrize("name", ["vae", "told", "game"])
def test_many_pictures_are_within_a_level_or_else_exact(name, near, ask, runs, monkeypatch):
    monkeypatch.setattr(module, "NEAR", near)
    monkeypatch.setattr(module.machine, "has_fast_bf16", lambda device: True)
    run, n = open_run(runs / name), 250  # three shares
    (part,) = [p for p in parts_of(name, run.model, run.plan.view, run.spec) if p.outputs == ("image",)]
    given = part.examples(n)
    body = b"".join(
        each.to(torch.int32 if each.dtype == torch.int64 else each.dtype).numpy().tobytes() for each in given
    )
    found = ask(name, lambda opened: opened.compute(part.name, body))
    levels = np.frombuffer(found, np.uint8).reshape(n, *run.spec.shape).astype(int)
    with torch.no_grad():
        wanted = (part.module(*given)[0] * 255).round().numpy().astype(int)
    gap = np.abs(levels - wanted).max()
    assert gap <= 1
    assert (gap == 0) == (near < 0)


def test_a_game_draws_from_the_noise_that_is_sent(ask, runs):
    z = torch.randn(3, 2, generator=torch.Generator().manual_seed(0))
    found = ask("game", lambda opened: opened.compute("generator", z.numpy().tobytes()))
    wanted = (open_run(runs / "game").model.generator(z).sigmoid() * 255).round().to(torch.uint8)
    assert found == wanted.numpy().tobytes()


def test_a_score_is_that_of_the_command_with_its_rank_among_test_images(ask, runs):
    run = open_run(runs / "vae")
    pixels = run.data.test.pixels[:2]
    body = (pixels.float() / 255).numpy().tobytes()
    found = ask("vae", lambda opened: opened.score(body))
    wanted = log_likelihoods(run.trained, run.trained.observe(pixels), None, k=DRAWS, seed=0)
    np.testing.assert_allclose(found["nats"], wanted, atol=1e-3)
    beside = run.trained.observe(spread(run.data.test, module.OTHERS).pixels)
    others = log_likelihoods(run.trained, beside, None, k=DRAWS, seed=0)
    assert found["below"] == [round(float((others > value).float().mean()), 4) for value in wanted]
    assert found["of"] == len(others)


def test_a_direction_is_the_difference_of_the_means_of_the_codes(ask, runs):
    run = open_run(runs / "vae")
    codes, labels = codes_of(run.trained, run.data.test.pixels, "look"), run.data.test.labels
    found = ask("vae", lambda opened: opened.direction(0, None))
    with_it, without = codes[labels == 0], codes[labels != 0]
    np.testing.assert_allclose(found["direction"], with_it.mean(0) - without.mean(0), atol=1e-6)
    assert (found["with"], found["without"]) == (len(with_it), len(without))
    assert found["accuracy"] == pytest.approx(attribute_accuracy(with_it, without))


def test_a_direction_between_places_that_a_person_marked(ask):
    found = ask("vae", lambda opened: opened.direction([[1.0, 2.0]], [[0.0, 0.5], [0.0, 1.5]]))
    assert found == {"direction": [1.0, 1.0], "accuracy": None, "with": 1, "without": 2}


def test_one_model_is_in_memory_and_opens_anew_with_newer_weights(desk, ask, runs):
    ask("vae", lambda opened: None)
    first = desk.opened
    ask("vae", lambda opened: None)
    assert desk.opened is first
    weights = runs / "vae" / "model" / "model.safetensors"
    weights.touch()
    ask("vae", lambda opened: None)
    assert desk.opened is not first
    ask("game", lambda opened: None)
    assert desk.opened.run.name == "game"


def test_a_model_that_failed_to_open_leaves_the_desk_free(desk, ask, runs):
    (runs / "told" / "model" / "model.safetensors").write_bytes(b"x")
    with pytest.raises(Exception, match="damaged"):
        ask("told", lambda opened: None)
    assert ask("vae", lambda opened: opened.about["latent"]) == 2


def test_a_run_without_weights_says_when_to_come_back(ask, runs):
    import shutil

    shutil.rmtree(runs / "vae" / "model")
    shutil.rmtree(runs / "vae" / "checkpoints")
    with pytest.raises(UsageError, match="first checkpoint"):
        ask("vae", lambda opened: None)


def test_a_run_under_way_is_explored_from_its_checkpoint(ask, runs):
    import shutil

    shutil.rmtree(runs / "vae" / "model")
    assert ask("vae", lambda opened: opened.about["name"]) == "vae"
