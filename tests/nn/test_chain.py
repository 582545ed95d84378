"""Convolutions with the activations around them against the same layers of torch, one after the other."""

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional

from nearness import gradients_of, off
from reverie import native
from reverie.native import Before, products
from reverie.nn import chain
from reverie.nn.chain import Chain, convolved
from reverie.nn.conv import TransposedConv, conv_vae_decoder, conv_vae_encoder
from reverie.nn.ladder import ResidualBlock
from reverie.nn.processor import of_images_alone
from reverie.nn.residual import Down, Up

needed = pytest.mark.skipif(not native.available(), reason=f"no kernels of one's own: {native.missing()}")
NETWORKS = {
    "encoder": (lambda: conv_vae_encoder((1, 12, 12), 4), (5, 1, 12, 12)),
    "decoder": (lambda: conv_vae_decoder(3, (3, 8, 8)), (5, 3)),
    "leaky": (lambda: Chain(nn.Conv2d(6, 8, 4, 2, 1), nn.LeakyReLU(0.2), nn.Conv2d(8, 6, 3)), (4, 6, 10, 10)),
    "silu": (lambda: Chain(nn.SiLU(), nn.Conv2d(6, 8, 3, 2, 1), ResidualBlock(8, 0.5)), (4, 6, 9, 9)),
    "elu": (lambda: Chain(nn.ELU(), nn.Conv2d(6, 8, 3, 2, 1), nn.ELU(0.5), nn.Conv2d(8, 4, 1)), (4, 6, 9, 9)),
    "halve": (lambda: Chain(nn.Conv2d(3, 16, 1), Down(16, 24), Down(24, 32)), (6, 3, 13, 13)),
    "double": (lambda: Chain(nn.Conv2d(4, 8, 1), Up(8, 6, (6, 6)), Up(6, 4, (11, 11))), (4, 4, 3, 3)),
    "transposed": (lambda: Chain(TransposedConv(9, 5, 5, 2, 2, 1), nn.ReLU(), nn.Dropout(0.0)), (4, 9, 6, 6)),
    "grouped": (lambda: Chain(nn.Conv2d(6, 8, 3, groups=2), nn.ReLU(), nn.Conv2d(8, 4, (3, 1))), (2, 6, 7, 7)),
    "large kernel": (lambda: Chain(nn.Conv2d(4, 8, 9), nn.ReLU(), nn.Conv2d(8, 4, 8)), (2, 4, 18, 18)),
    "much padding": (
        lambda: Chain(nn.Conv2d(4, 8, 1, padding=2), nn.ReLU(), nn.Conv2d(8, 4, 3, padding=4)),
        (2, 4, 3, 3),
    ),
    "no bias": (lambda: Chain(nn.Conv2d(6, 8, 3, bias=False), nn.ReLU()), (2, 6, 7, 7)),
}


def errors(network, x, monkeypatch):
    """Of values and gradients, with the kernels and with torch's own."""
    network, exact_network = network.to(memory_format=torch.channels_last), copy.deepcopy(network).double()
    weight = torch.randn(network(x).shape, dtype=torch.float64)
    exact = gradients_of(exact_network, x.detach().double().requires_grad_(), weight, short=False)
    ours = gradients_of(network, x, weight.float(), short=True)
    monkeypatch.setattr(native, "available", lambda: False)
    theirs = gradients_of(network, x, weight.float(), short=True)
    for mine, torchs, truth in zip(ours, theirs, exact, strict=True):
        assert mine.dtype == torchs.dtype
        assert mine.shape == torchs.shape
        yield off(mine, truth), off(torchs, truth)


@needed
@pytest.mark.parametrize("name", NETWORKS)
def test_values_and_gradients_are_as_near_as_torch_s_own(name, monkeypatch):
    monkeypatch.setattr(products, "WIDE", 1000)
    torch.manual_seed(0)
    make, size = NETWORKS[name]
    network, x = make(), torch.randn(size, requires_grad=True)
    assert all(mine < 1.1 * torchs + 1e-3 for mine, torchs in errors(network, x, monkeypatch))


@needed
def test_wide_convolutions_are_half_as_near(monkeypatch):
    torch.manual_seed(0)
    network, x = Chain(nn.Conv2d(64, 64, 1), ResidualBlock(64, 1.0), ResidualBlock(64, 1.0)), torch.randn(8, 64, 7, 6)
    found = list(errors(network, x.requires_grad_(), monkeypatch))
    assert all(mine < 2.2 * torchs for mine, torchs in found)
    assert any(mine > 1.1 * torchs for mine, torchs in found)


@needed
def test_each_convolution_of_the_vae_is_one_product(monkeypatch):
    made, product = [], chain._Product.apply
    monkeypatch.setattr(chain._Product, "apply", lambda *given: made.append(given[-1].slope) or product(*given))
    with torch.autocast("cpu", torch.bfloat16):
        conv_vae_encoder((1, 8, 8), 4)(torch.rand(2, 1, 8, 8))
        conv_vae_decoder(2, (1, 8, 8))(torch.rand(2, 2))
    assert made == [0, 0, 0, 0, 0, 1]


@needed
def test_a_layer_that_somebody_looks_at_is_torchs(monkeypatch):
    seen, network = [], Chain(nn.ELU(), nn.Conv2d(4, 8, 3))
    network[1].register_forward_hook(lambda *given: seen.append(given))
    with torch.autocast("cpu", torch.bfloat16):
        network(torch.randn(2, 4, 7, 7))
    assert seen


@pytest.mark.parametrize("switch", ["evaluation", "float32", "no kernels"])
def test_else_layers_are_torch_s(switch, monkeypatch):
    network, x = Chain(nn.Conv2d(4, 8, 3), nn.ReLU(), nn.Conv2d(8, 4, 3)), torch.randn(2, 4, 7, 7)
    monkeypatch.setattr(native, "gather", lambda *_: pytest.fail("a kernel was used"))
    if switch == "evaluation":
        network.eval()
    if switch == "no kernels":
        monkeypatch.setattr(native, "available", lambda: False)
    with torch.autocast("cpu", torch.bfloat16, enabled=switch != "float32"):
        assert torch.equal(network(x), nn.Sequential(*network)(x))


def test_a_chain_has_the_names_of_a_sequential():
    layers = nn.Conv2d(2, 3, 3), nn.ReLU(), nn.Conv2d(3, 2, 3)
    assert list(Chain(*layers).state_dict()) == list(nn.Sequential(*layers).state_dict())


@needed
@pytest.mark.parametrize("before", Before)
@pytest.mark.parametrize("layer", [nn.Conv2d(4, 6, 3, padding=1), nn.ConvTranspose2d(4, 6, 3, 2, 1, 1)])
def test_it_can_be_differentiated_twice(layer, before):
    torch.manual_seed(0)
    x = torch.randn(3, 4, 6, 6, requires_grad=True)

    def second(kernels, like):
        one, given = copy.deepcopy(layer).to(like), x.detach().to(like).requires_grad_()
        with torch.autocast("cpu", torch.bfloat16, enabled=kernels):
            y = convolved(one, given, before, slope=1.0 if before else 0.2)
        (first,) = torch.autograd.grad(y.to(like).square().sum(), given, create_graph=True)
        return torch.autograd.grad(first.square().sum(), one.weight)[0]

    assert off(second(True, torch.float32), second(False, torch.float64)) < 0.03


@needed
@pytest.mark.parametrize(("size", "products"), [((11, 11), 4), ((11, 10), 3)])
def test_the_slope_of_a_critic_is_made_by_products_and_differentiated(size, products, monkeypatch):
    torch.manual_seed(0)
    layers = (
        nn.Conv2d(5, 8, 4, 2, 1),
        nn.LeakyReLU(0.2),
        nn.Conv2d(8, 6, 3),
        nn.Conv2d(6, 8, 3, 1, 1),
        nn.LeakyReLU(0.2),
    )
    critic, x = Chain(*layers, nn.ConvTranspose2d(8, 5, 3, 2, 1)), torch.randn(3, 5, *size)
    product, made = native.spread, []
    monkeypatch.setattr(native, "spread", lambda *given, **more: made.append(given) or product(*given, **more))

    def paid(kernels, like):
        one, given = copy.deepcopy(critic).to(like), x.to(like).requires_grad_()
        with torch.autocast("cpu", torch.bfloat16, enabled=kernels), of_images_alone():
            (slope,) = torch.autograd.grad(one(given).to(like).sum(), given, create_graph=True)
        weights = [p for p in one.parameters() if p.dim() > 1]
        return torch.cat([g.flatten() for g in torch.autograd.grad(slope.square().sum(), weights)])

    assert off(paid(True, torch.float32), paid(False, torch.float64)) < 0.03
    assert len(made) == products


@needed
def test_what_is_added_has_its_gradient():
    layer, x, more = nn.Conv2d(4, 6, 1), torch.randn(2, 4, 3, 3), torch.randn(2, 6, 3, 3, requires_grad=True)
    with torch.autocast("cpu", torch.bfloat16):
        y = convolved(layer, x, more=more)
    (found,) = torch.autograd.grad((3 * y).sum(), more)
    assert torch.equal(found, torch.full_like(more, 3))
    assert off(y, functional.conv2d(x, layer.weight, layer.bias) + more) < 5e-3


@needed
def test_one_row_is_added_to_all():
    layer, x, more = nn.Conv2d(4, 6, 1), torch.randn(3, 4, 3, 3), torch.randn(1, 6, 3, 3, requires_grad=True)
    with torch.autocast("cpu", torch.bfloat16):
        y = convolved(layer, x, more=more)
    (found,) = torch.autograd.grad(y.float().sum(), more)
    assert torch.equal(found, torch.full_like(more, 3))
    assert off(y, functional.conv2d(x, layer.weight, layer.bias) + more) < 5e-3


def test_nothing_is_added_behind_an_activation():
    with pytest.raises(ValueError, match="no activation"):
        convolved(nn.Conv2d(1, 1, 1), torch.zeros(1, 1, 1, 1), slope=0.0, more=torch.zeros(1, 1, 1, 1))


@needed
def test_a_set_of_weights_alone_is_trained():
    layer, x = nn.Conv2d(4, 6, 3), torch.randn(2, 4, 5, 5)
    layer.weight.requires_grad_(False)
    with torch.autocast("cpu", torch.bfloat16):
        y = convolved(layer, x)
    (of_bias,) = torch.autograd.grad(y.float().sum(), layer.bias)
    assert torch.equal(of_bias, torch.full((6,), 18.0))
