"""The recurrent language model: a source of known entropy, what it may see, and what is dropped."""

import copy
import math

import numpy as np
import pytest
import torch
from torch.nn import functional

from reverie.engine.noise import StepNoise
from reverie.models.language import LanguageModel, Restraint
from reverie.nn.recurrent import stack
from reverie.protocols import Batch, TextGenerator

V = 6
CELLS = ("lstm", "gru", "rnn-tanh", "rnn-relu", "mingru")
TOKENS = torch.randint(0, V, (3, 12), generator=torch.Generator().manual_seed(0))


def model_of(cell="lstm", units=(8, 5), tie=False, last_only=False, **restraint):
    torch.manual_seed(0)
    layers = stack(cell, 4, units)
    return LanguageModel(V, 4, layers, tie=tie, restraint=Restraint(**restraint), last_only=last_only)


def noise(step=0, rows=3):
    return StepNoise((0, "language", step), 0, rows)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("tie", [False, True])
def test_steps_give_the_logits_of_the_whole(cell, tie):
    model = model_of(cell, tie=tie)
    assert isinstance(model, TextGenerator)
    with torch.no_grad():
        whole, after = model(TOKENS)
        state, found = None, []
        for token in TOKENS.T:
            logits, state = model.step(token, state)
            found.append(logits)
    torch.testing.assert_close(torch.stack(found, 1), whole, rtol=1e-5, atol=1e-6)
    for a, b in zip(after, state, strict=True):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize("cell", CELLS)
def test_what_comes_later_changes_nothing_before(cell):
    model = model_of(cell)
    changed = TOKENS.clone()
    changed[:, 7:] = (changed[:, 7:] + 1) % V
    with torch.no_grad():
        before, after = model(TOKENS)[0], model(changed)[0]
    assert torch.equal(before[:, :7], after[:, :7])
    assert not torch.equal(before[:, 7], after[:, 7])


def test_the_loss_is_the_mean_over_positions_of_the_surprise():
    model = model_of()
    loss = model.loss("language", Batch(TOKENS), noise())
    logits = model(TOKENS[:, :-1])[0].double().log_softmax(-1)
    wanted = [-logits[i, torch.arange(11), TOKENS[i, 1:]].mean() for i in range(3)]
    torch.testing.assert_close(loss.value.double(), torch.stack(wanted), rtol=1e-5, atol=1e-6)
    last = model_of(last_only=True).loss("language", Batch(TOKENS), noise()).value
    torch.testing.assert_close(last.double(), -logits[torch.arange(3), -1, TOKENS[:, -1]], rtol=1e-5, atol=1e-6)


def test_an_untrained_model_knows_nothing():
    loss = model_of().loss("language", Batch(TOKENS), noise()).value
    assert abs(loss.mean() - math.log(V)) < 0.05


def test_the_state_goes_on_and_no_gradient_comes_back():
    model = model_of()
    first = model.loss("language", Batch(TOKENS[:, :7]), noise())
    second = model.loss("language", Batch(TOKENS[:, 6:], state=first.state), noise())
    whole = model.loss("language", Batch(TOKENS), noise())
    torch.testing.assert_close(6 * first.value + 5 * second.value, 11 * whole.value)
    for a, b in zip(second.state, whole.state, strict=True):
        torch.testing.assert_close(a, b)
    assert not any(tensor.requires_grad for tensor in first.state)
    state = tuple(tensor.requires_grad_() for tensor in first.state)
    (g, *_) = torch.autograd.grad(model.loss("language", Batch(TOKENS[:, 6:], state=state), noise()).value.sum(), state)
    assert g.abs().sum() > 0  # the state is used
    cold = model.loss("language", Batch(TOKENS[:, 6:]), noise())
    assert not torch.equal(cold.value, second.value)


def test_some_rows_forget_their_state_before_a_window_and_others_keep_it():
    model = model_of(state=0.5)
    rows = torch.randint(0, V, (64, 6), generator=torch.Generator().manual_seed(1))
    state = tuple(torch.randn(64, n) for n in (8, 8, 5, 5))
    mixed, again = (model.loss("language", Batch(rows, state=state), noise(s, 64)).value for s in (0, 0))
    cold, carried = (model_of().loss("language", Batch(rows, state=s), noise(0, 64)).value for s in (None, state))
    forgot, kept = torch.isclose(mixed, cold), torch.isclose(mixed, carried)
    assert torch.equal(mixed, again)
    assert (forgot ^ kept).all()
    assert 16 < forgot.sum() < 48
    assert not torch.equal(model.loss("language", Batch(rows, state=state), noise(1, 64)).value, mixed)


def test_tied_logits_have_one_matrix_also_in_copies():
    model = model_of(tie=True)
    names = dict(model.named_parameters())
    assert "weight" not in names
    assert names["project.weight"].shape == (4, 5)
    twin = copy.deepcopy(model)
    twin.embedding.weight.data.zero_()
    assert torch.equal(twin(TOKENS)[0], twin.bias.expand(3, 12, V))
    assert "project.weight" not in dict(model_of(tie=True, units=(4,)).named_parameters())


DROPS = ("words", "inputs", "layers", "outputs", "recurrent")


@pytest.mark.parametrize("what", DROPS)
def test_what_is_dropped_depends_on_the_noise_alone_and_on_nothing_in_evaluation(what):
    model = model_of(**{what: 0.5})
    plain = model_of()

    def loss(step):
        return model.loss("language", Batch(TOKENS), noise(step)).value

    torch.manual_seed(1)
    first = loss(0)
    torch.manual_seed(2)
    assert torch.equal(loss(0), first)
    assert not torch.equal(loss(1), first)
    assert not torch.equal(plain.loss("language", Batch(TOKENS), noise()).value, first)
    for _ in range(2):  # training, evaluation, training again
        assert torch.equal(model.eval()(TOKENS)[0], plain(TOKENS)[0])
        assert torch.equal(model.train()(TOKENS)[0], plain(TOKENS)[0])
        assert torch.equal(loss(0), first)


def test_dropped_recurrent_weights_change_nothing_before_the_second_step():
    whole, dropped = model_of(units=(8,)), model_of(units=(8,), recurrent=0.5)
    output = [m._outputs(TOKENS, None, noise())[1] for m in (whole, dropped)]
    assert torch.equal(output[0][:, 0], output[1][:, 0])
    assert not torch.equal(output[0][:, 1], output[1][:, 1])
    dropped.loss("language", Batch(TOKENS), noise()).value.sum().backward()
    grad = dropped.layers[0].weight_hh.grad
    assert 0.3 < (grad == 0).float().mean() < 0.7
    assert sum("weight_hh" in name for name in dropped.state_dict()) == 1


@pytest.mark.parametrize("locked", [True, False])
def test_locked_units_are_the_same_at_every_step_and_all_differ_between_rows(locked):
    model = model_of(units=(200,), outputs=0.5, locked=locked)
    x, raw, _ = model._outputs(TOKENS, None, noise())
    kept = (x != 0) | (raw == 0)
    assert bool((kept == kept[:, :1]).all()) == locked
    assert kept.float().mean() == pytest.approx(0.5, abs=0.06)
    assert not torch.equal(kept[0], kept[1])
    torch.testing.assert_close(x[kept], 2 * raw[kept])


def test_ranks_drop_the_same_words_and_weights_and_their_own_rows():
    model = model_of(words=0.3, recurrent=0.3, outputs=0.3)
    whole = model.loss("language", Batch(TOKENS), noise()).value
    shares = [model.loss("language", Batch(TOKENS[i : i + 1]), StepNoise((0, "language", 0), i, 3)) for i in range(3)]
    torch.testing.assert_close(torch.cat([share.value for share in shares]), whole)


def test_penalties_are_their_equations():
    model = model_of(activity=2.0, slowness=3.0, outputs=0.4)
    found = model.loss("language", Batch(TOKENS), noise())
    output, raw, _ = model._outputs(TOKENS[:, :-1], None, noise())
    logits = model._logits(output)
    nats = functional.cross_entropy(logits.flatten(0, 1), TOKENS[:, 1:].flatten(), reduction="none").view(3, -1).mean(1)
    slow = [(raw[:, t + 1] - raw[:, t]).square().mean(1) for t in range(10)]
    wanted = nats + 2 * output.square().mean((1, 2)) + 3 * torch.stack(slow).mean(0)
    torch.testing.assert_close(found.value, wanted)
    torch.testing.assert_close(found.logs["nats"], nats)


def markov(seed=0):
    """Order 2: a table P(c | a, b), its entropy rate in nats from the stationary distribution, and the variance."""
    table = np.random.default_rng(seed).dirichlet(np.full(V, 0.3), (V, V)) * 0.98 + 0.02 / V
    chain = np.zeros((V * V, V * V))
    for a in range(V):
        for b in range(V):
            chain[a * V + b, b * V : b * V + V] = table[a, b]
    values, vectors = np.linalg.eig(chain.T)
    weights = np.real(vectors[:, np.argmax(np.real(values))])
    weights = (weights / weights.sum()).reshape(V, V, 1)
    rate = -(weights * table * np.log(table)).sum()
    return table, rate, (weights * table * np.log(table) ** 2).sum() - rate**2


def spoken(table, count, seed):
    draw, found = np.random.default_rng(seed).random(count), [0, 0]
    steps = table.cumsum(-1)
    for u in draw:
        found.append(min(int(np.searchsorted(steps[found[-2], found[-1]], u)), V - 1))
    return np.array(found[2:])


def test_a_source_of_known_entropy_is_learnt_and_not_better_than_it_is():
    from reverie.data.streams import ColumnStock

    table, entropy, variance = markov()
    stock = ColumnStock(spoken(table, 200_000, 1).astype(np.uint8), 32, "cpu")
    torch.manual_seed(0)
    model = LanguageModel(V, 16, stack("lstm", 16, (48,)))
    optimizer, state, steps = torch.optim.Adam(model.parameters(), lr=1e-2), None, 450
    for turn in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = 1e-2 * (1 - turn / steps)
        batch = stock.take(turn, 32, range(32), 0, noise())
        loss = model.loss("language", batch._replace(state=state if stock.continues(turn, 32) else None), noise())
        state = loss.state
        optimizer.zero_grad()
        loss.value.mean().backward()
        optimizer.step()
    fresh = torch.from_numpy(spoken(table, 100_001, 2))[None]
    with torch.no_grad():
        logits = model(fresh[:, :-1])[0][0]
    found = float(functional.cross_entropy(logits, fresh[0, 1:]))
    sigma = (variance / 100_000) ** 0.5
    print(f"entropy {entropy:.4f}, loss {found:.4f}, sigma {sigma:.4f}")
    assert entropy - 3 * sigma < found < entropy + 0.02
