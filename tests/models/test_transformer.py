"""The causal transformer: what a position sees, in one pass, in parts and step by step."""

import math

import pytest
import torch

from reverie.engine.noise import StepNoise
from reverie.models.transformer import Layer, Transformer, near, rotated
from reverie.protocols import Batch, TextGenerator

V, REACH = 7, 5
TOKENS = torch.randint(0, V, (3, 14), generator=torch.Generator().manual_seed(0))


def model_of(layers=2, dropout=0.0):
    torch.manual_seed(0)
    model = Transformer(V, width=8, layers=layers, heads=2, reach=REACH, dropout=dropout)
    for parameter in model.parameters():
        parameter.data.normal_(std=0.5)
    return model


def noise(step=0, start=0):
    return StepNoise((0, "language", step), start, 3)


def test_steps_and_parts_give_the_logits_of_the_whole():
    model = model_of()
    assert isinstance(model, TextGenerator)
    with torch.no_grad():
        whole, after = model(TOKENS)
        for size in (1, 2, 5, 9):
            state, found = None, []
            for part in TOKENS.split(size, 1):
                logits, state = model(part, state)
                found.append(logits)
            torch.testing.assert_close(torch.cat(found, 1), whole, rtol=1e-4, atol=1e-5)
            for a, b in zip(after, state, strict=True):
                assert a.shape == (3, REACH - 1, 16)
                torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)
        state, found = None, []
        for token in TOKENS.T:
            logits, state = model.step(token, state)
            found.append(logits)
    torch.testing.assert_close(torch.stack(found, 1), whole, rtol=1e-4, atol=1e-5)


def test_what_comes_later_changes_nothing_before_and_what_is_too_far_neither():
    model, changed = model_of(), TOKENS.clone()
    changed[:, 9:] = (changed[:, 9:] + 1) % V
    with torch.no_grad():
        before, after = model(TOKENS)[0], model(changed)[0]
        assert torch.equal(before[:, :9], after[:, :9])
        assert not torch.equal(before[:, 9], after[:, 9])
        one, far = model_of(layers=1), TOKENS.clone()
        far[:, 0] = (far[:, 0] + 1) % V
        moved = (one(TOKENS)[0] != one(far)[0]).any(2).any(0)
    assert moved.tolist() == [True] * REACH + [False] * (14 - REACH)


def test_attention_is_its_equation():
    torch.manual_seed(0)
    layer, x = Layer(8, 2, REACH, 1), torch.randn(1, 6, 8)
    normal = layer.attention_norm(x)[0]
    query, key, value = layer.query_key_value(normal).split(8, 1)
    heads = []
    for h in (slice(0, 4), slice(4, 8)):
        rows = []
        for t in range(6):
            places = range(max(0, t - REACH + 1), t + 1)
            turned = torch.stack([rotated(key[None, None, s, h][None], s)[0, 0, 0] for s in places])
            asked = rotated(query[None, None, t, h][None], t)[0, 0, 0]
            weights = (turned @ asked / math.sqrt(4)).softmax(0)
            rows.append(weights @ value[list(places), h])
        heads.append(torch.stack(rows))
    wanted = layer.mixed(torch.cat(heads, 1))
    torch.testing.assert_close(layer.attend(x, None)[0][0], wanted, rtol=1e-4, atol=1e-5)


def test_rotations_know_distances_alone():
    a, b = torch.randn(1, 1, 1, 8), torch.randn(1, 1, 1, 8)
    near_by = (rotated(a, 3) * rotated(b, 1)).sum()
    torch.testing.assert_close((rotated(a, 13) * rotated(b, 11)).sum(), near_by, rtol=1e-4, atol=1e-5)
    assert not torch.isclose((rotated(a, 4) * rotated(b, 1)).sum(), near_by)
    torch.testing.assert_close(rotated(a, 7).norm(), a.norm())
    assert near(1, 4, 9, torch.device("cpu")).all()


def test_the_loss_goes_on_from_window_to_window_without_gradients():
    model = model_of()
    first = model.loss("language", Batch(TOKENS[:, :7]), noise())
    second = model.loss("language", Batch(TOKENS[:, 6:], state=first.state), noise())
    whole = model.loss("language", Batch(TOKENS), noise())
    torch.testing.assert_close(6 * first.value + 7 * second.value, 13 * whole.value, rtol=1e-4, atol=1e-4)
    assert not any(tensor.requires_grad for tensor in first.state)
    logits = model(TOKENS[:, :-1])[0].double().log_softmax(-1)
    by_hand = torch.stack([-logits[i, torch.arange(13), TOKENS[i, 1:]].mean() for i in range(3)])
    torch.testing.assert_close(whole.value.double(), by_hand, rtol=1e-4, atol=1e-5)


def test_an_untrained_model_knows_nothing():
    torch.manual_seed(0)
    model = Transformer(V, width=32, layers=2, heads=4, reach=REACH)
    assert abs(model.loss("language", Batch(TOKENS), noise()).value.mean() - math.log(V)) < 0.05


@pytest.mark.parametrize("dropout", [0.0, 0.4])
def test_dropout_depends_on_the_noise_alone(dropout):
    model, plain = model_of(dropout=dropout), model_of()

    def loss(step):
        return model.loss("language", Batch(TOKENS), noise(step)).value

    first = loss(0)
    torch.manual_seed(9)
    assert torch.equal(loss(0), first)
    assert torch.equal(loss(1), first) == (dropout == 0)
    assert torch.equal(model(TOKENS)[0], plain(TOKENS)[0])
    shares = [model.loss("language", Batch(TOKENS[i : i + 1]), noise(0, i)).value for i in range(3)]
    torch.testing.assert_close(torch.cat(shares), first, rtol=1e-4, atol=1e-4)
