"""Recurrent layers against torch's own, with the same weights; what is dropped, and where gradients go."""

import pytest
import torch
from torch import nn

from reverie.nn.recurrent import MinGRU, Recurrent, dropped, fresh, stack, tied

TORCH = {
    "lstm": nn.LSTM,
    "gru": nn.GRU,
    "rnn-tanh": nn.RNN,
    "rnn-relu": lambda *sizes, **how: nn.RNN(*sizes, nonlinearity="relu", **how),
}
X = torch.randn(3, 7, 4, generator=torch.Generator().manual_seed(0))


def ours(cell, seed=0):
    torch.manual_seed(seed)
    return stack(cell, 4, (5,))[0]


@pytest.mark.parametrize("cell", TORCH)
def test_it_is_the_layer_of_torch_bit_by_bit(cell):
    one, theirs = ours(cell), TORCH[cell](4, 5, batch_first=True)
    for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
        getattr(one, name).data.normal_()
        getattr(theirs, f"{name}_l0").data.copy_(getattr(one, name).data)
    state = tuple(torch.randn(3, 5) for _ in range(one.tensors))
    output, after = one(X, state)
    wanted, left = theirs(X, tuple(s[None] for s in state) if cell == "lstm" else state[0][None])
    assert torch.equal(output, wanted)
    for a, b in zip(after, left if cell == "lstm" else (left,), strict=True):
        assert torch.equal(a, b[0])


def test_mingru_is_its_equation():
    one = ours("mingru")
    assert isinstance(one, MinGRU)
    weight, bias = one.both.weight.double(), one.both.bias.double()
    h = wanted = torch.randn(3, 5).double()
    output, (left,) = one(X, (h.float(),))
    for t in range(7):
        mixed = X[:, t].double() @ weight.T + bias
        z = torch.sigmoid(mixed[:, :5])
        wanted = (1 - z) * wanted + z * mixed[:, 5:]
        torch.testing.assert_close(output[:, t].double(), wanted, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(left.double(), wanted, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("cell", [*TORCH, "mingru"])
def test_reading_in_two_parts_is_reading_at_once(cell):
    one = ours(cell)
    start = fresh([one], 3, X)
    assert all(not tensor.any() for tensor in start)
    whole, after = one(X, start)
    first, between = one(X[:, :3], start)
    second, end = one(X[:, 3:], between)
    torch.testing.assert_close(torch.cat([first, second], 1), whole)
    for a, b in zip(after, end, strict=True):
        torch.testing.assert_close(a, b)


def test_recurrent_matrices_start_orthogonal_and_the_forget_gate_open():
    one = ours("lstm")
    for gate in one.weight_hh.split(5):
        torch.testing.assert_close(gate @ gate.T, torch.eye(5), atol=1e-5, rtol=0)
    assert one.bias_ih.split(5)[1].eq(1).all()
    assert one.bias_ih.sum() == 5
    assert ours("gru").bias_ih.sum() == 0


def test_dropped_weights_are_those_of_a_layer_without_them_and_the_raw_weight_learns():
    one, drawn = ours("lstm"), torch.rand(20, 5)
    keep = dropped(torch.ones(20, 5), drawn, 0.5)
    assert set(keep.unique().tolist()) == {0.0, 2.0}
    output, _ = one(X, fresh([one], 3, X), keep)
    other = ours("lstm", seed=1)
    other.load_state_dict(one.state_dict() | {"weight_hh": one.weight_hh.data * keep})
    assert torch.equal(output, other(X, fresh([other], 3, X))[0])
    output.sum().backward()
    assert (one.weight_hh.grad[keep == 0] == 0).all()
    assert (one.weight_hh.grad[keep > 0] != 0).all()
    assert [name for name in one.state_dict() if "hh" in name] == ["weight_hh", "bias_hh"]


def test_dropping_keeps_the_mean():
    x = torch.ones(1, 400_000)
    kept = dropped(x, torch.rand(x.shape, generator=torch.Generator().manual_seed(1)), 0.25)
    assert set(kept.unique().tolist()) == {0.0, torch.tensor(1 / 0.75).item()}
    error = (0.25 / 0.75 / x.numel()) ** 0.5
    assert abs(kept.mean() - 1) < 4 * error


def test_layers_are_stacked_by_their_sizes():
    layers = stack("gru", 3, (5, 2))
    assert [(one.weight_ih.shape[1], one.units) for one in layers if isinstance(one, Recurrent)] == [(3, 5), (5, 2)]
    assert [tuple(s.shape) for s in fresh(stack("lstm", 3, (5, 2)), 4, X)] == [(4, 5), (4, 5), (4, 2), (4, 2)]


def test_tied_logits_are_products_with_each_embedding():
    x, embedding, bias = torch.randn(2, 3), torch.randn(6, 3), torch.randn(6)
    torch.testing.assert_close(tied(x, embedding, bias)[1, 4], (x[1] * embedding[4]).sum() + bias[4])
