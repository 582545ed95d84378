"""Dense layers as one function beside the same layers of torch, and what the function leaves to torch."""

import copy

import pytest
import torch
from torch import nn

from nearness import gradients_of, off
from reverie import native
from reverie.nn import dense
from reverie.nn.adversarial import mlp_critic, mlp_generator
from reverie.nn.chain import Chain
from reverie.nn.dense import Dense, WideTanh
from reverie.nn.mlp import Heads, mlp, mlp_decoder, mlp_encoder
from reverie.nn.processor import of_images_alone

needed = pytest.mark.skipif(not native.available(), reason=f"no kernels of one's own: {native.missing()}")
NETWORKS = {
    "encoder": (lambda: mlp_encoder((1, 6, 6), (48, 24), 6), (9, 1, 6, 6)),
    "decoder": (lambda: mlp_decoder(4, (24, 48), (1, 5, 5), output=WideTanh), (9, 4)),
    "generator": (lambda: mlp_generator(10, (24, 32, 48), (1, 5, 5)), (40, 10)),
    "critic": (lambda: mlp_critic((1, 6, 6), (40, 24)), (9, 1, 6, 6)),
    "odd": (lambda: mlp((7, 12, 5, 8), nn.LeakyReLU), (9, 7)),
    "other activations": (lambda: mlp((6, 12, 8, 4), nn.SiLU), (9, 6)),
    "no bias": (lambda: Chain(Dense(6, 8, bias=False), nn.ReLU(), Dense(8, 4, bias=False)), (9, 6)),
    "normalised, no bias": (lambda: Chain(Dense(6, 8, bias=False), nn.BatchNorm1d(8), nn.ReLU(), Dense(8, 4)), (9, 6)),
    "norm behind ReLU": (lambda: Chain(Dense(6, 8), nn.ReLU(), nn.BatchNorm1d(8), Dense(8, 4)), (9, 6)),
    "norm at the end": (lambda: Chain(Dense(6, 8), nn.ReLU(), nn.BatchNorm1d(8)), (9, 6)),
    "norm without weights": (lambda: Chain(Dense(6, 8), nn.BatchNorm1d(8, affine=False), Dense(8, 4)), (9, 6)),
    "norm without memory": (
        lambda: Chain(Dense(6, 8), nn.BatchNorm1d(8, track_running_stats=False), Dense(8, 4)),
        (9, 6),
    ),
}


def errors_of(make, size, seed, monkeypatch):
    """Of values and gradients, with the kernels and with torch's own."""
    torch.manual_seed(seed)
    network, x = make(), torch.randn(size, requires_grad=True)
    exact_network, torchs = copy.deepcopy(network).double(), copy.deepcopy(network)
    weight = torch.randn(copy.deepcopy(network)(x).shape, dtype=torch.float64)
    exact = gradients_of(exact_network, x.detach().double().requires_grad_(), weight, short=False)
    ours = gradients_of(network, x, weight.float(), short=True)
    with monkeypatch.context() as patch:
        patch.setattr(native, "available", lambda: False)
        theirs = gradients_of(torchs, x, weight.float(), short=True)
    for mine, other in zip(network.buffers(), torchs.buffers(), strict=True):
        torch.testing.assert_close(mine, other, rtol=0.01, atol=0.01)
    assert [mine.shape for mine in ours] == [truth.shape for truth in exact]
    return [[off(found, truth) for found, truth in zip(each, exact, strict=True)] for each in (ours, theirs)]


@needed
@pytest.mark.parametrize("name", NETWORKS)
def test_values_and_gradients_are_as_near_as_torch_s_own(name, monkeypatch):
    found = torch.tensor([errors_of(*NETWORKS[name], seed, monkeypatch) for seed in range(40)]).median(0)[0]
    assert (found[0] < 1.25 * found[1] + 1e-3).all()  # a sign that flips is far off, by either kernels


@needed
def test_a_generator_is_one_function_and_its_buffers_move_once(monkeypatch):
    made, product = [], dense._Stack.apply
    monkeypatch.setattr(dense._Stack, "apply", lambda *given: made.append(len(given[0].layers)) or product(*given))
    network = mlp_generator(10, (24, 32, 48), (1, 5, 5))
    with torch.autocast("cpu", torch.bfloat16):
        network(torch.randn(8, 10))
        with torch.no_grad():
            network(torch.randn(8, 10))
    assert made == [4]
    assert int(network[2].num_batches_tracked) == 2


@needed
def test_heads_say_what_one_layer_of_all_of_them_says():
    one, x = Chain(Dense(12, 10)), torch.randn(7, 12)
    heads = Heads([Dense(12, 6), Dense(12, 4)])
    for head, weight, bias in zip(heads, one[0].weight.split((6, 4)), one[0].bias.split((6, 4)), strict=True):
        head.load_state_dict({"weight": weight, "bias": bias})
    with torch.autocast("cpu", torch.bfloat16):
        assert heads(x).dtype == torch.float32
        assert torch.equal(heads(x), one(x))


@needed
def test_weights_that_are_constants_get_no_gradient():
    network, x = mlp_critic((1, 6, 6), (40, 24)), torch.randn(9, 1, 6, 6, requires_grad=True)
    network.requires_grad_(False)
    network[1].bias.requires_grad_(True)
    with torch.autocast("cpu", torch.bfloat16):
        y = network(x)
    y.sum().backward()
    assert [p.grad is not None for p in network.parameters()] == [False, True, False, False, False, False]
    assert x.grad is not None


@needed
def test_of_images_alone_no_gradient_of_weights_is_made(monkeypatch):
    asked, product = [], native.dense_back
    monkeypatch.setattr(native, "dense_back", lambda *a, **k: asked.append(k["of_weight"]) or product(*a, **k))
    network, x = mlp_critic((1, 6, 6), (40, 24)), torch.randn(9, 1, 6, 6, requires_grad=True)
    with torch.autocast("cpu", torch.bfloat16):
        y = network(x)
    with of_images_alone():
        torch.autograd.grad(y.sum(), x)
    assert asked == [False] * 3


def second_derivative(network, x, short, like=torch.float32):
    one, given = copy.deepcopy(network).to(like), x.to(like).requires_grad_()
    with torch.autocast("cpu", torch.bfloat16, enabled=short):
        y = one(given)
    (first,) = torch.autograd.grad(y.to(like).square().sum(), given, create_graph=True)
    return torch.autograd.grad(first.square().sum(), next(one.parameters()))[0]


@needed
@pytest.mark.parametrize("name", ["encoder", "decoder", "generator", "critic"])
def test_it_can_be_differentiated_twice(name, monkeypatch):
    make, size = NETWORKS[name]
    found = []
    for seed in range(6):
        torch.manual_seed(seed)
        network, x = make(), torch.randn(size)
        exact = second_derivative(network, x, short=False, like=torch.float64)
        ours = off(second_derivative(network, x, short=True), exact)
        with monkeypatch.context() as patch:
            patch.setattr(native, "available", lambda: False)
            found.append((ours, off(second_derivative(network, x, short=True), exact)))
    ours, theirs = torch.tensor(found).mean(0)
    assert ours < 1.2 * theirs + 1e-3
    assert theirs < 0.2


@needed
@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_layer_that_somebody_looks_at_is_torchs(place):
    seen, network = [], mlp((6, 8, 4))
    network[place].register_forward_hook(lambda *given: seen.append(given))
    with torch.autocast("cpu", torch.bfloat16):
        network(torch.randn(5, 6))
    assert seen


@pytest.mark.parametrize("switch", ["evaluation", "float32", "no kernels", "rows of rows", "one row"])
def test_else_layers_are_torch_s(switch, monkeypatch):
    network, x = mlp((6, 8, 4), nn.LeakyReLU), torch.randn(5, 6)
    monkeypatch.setattr(native, "dense", lambda *_: pytest.fail("a kernel was used"))
    if switch == "evaluation":
        network.eval()
    if switch == "no kernels":
        monkeypatch.setattr(native, "available", lambda: False)
    x = {"rows of rows": x[None], "one row": x[:1]}.get(switch, x)
    with torch.autocast("cpu", torch.bfloat16, enabled=switch != "float32"):
        assert torch.equal(network(x), nn.Sequential(*network)(x))


def test_the_tanh_of_half_numbers_is_taken_of_whole_ones():
    x = torch.linspace(-9, 9, 1001)
    assert torch.allclose(WideTanh()(x.double()), x.double().tanh(), atol=1e-12)
    assert torch.equal(WideTanh()(x.bfloat16()), WideTanh()(x.bfloat16().float()))
