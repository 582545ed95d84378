"""Dense layers, batch normalisation and Gaussian codes by the kernels beside the same sums in float64."""

import numpy as np
import pytest
import torch

from nearness import off
from reverie import native
from reverie.native import Activation, Behind, Normed, Running

pytestmark = pytest.mark.skipif(not native.available(), reason=f"no kernels of one's own: {native.missing()}")
ROUNDED = 2.0**-8  # the largest error of a number that is rounded to bf16
SIZES = ((128, 784, 400), (128, 20, 400), (7, 6, 1), (1, 2, 3), (33, 98, 131), (300, 64, 17), (16, 130, 64))
ACTIVATIONS = {
    "none": Activation(),
    "relu": Activation(0.0),
    "leaky": Activation(0.2),
    "tanh": Activation(squashes=True),
}


def layer(size, kind=torch.bfloat16):
    torch.manual_seed(0)
    examples, inputs, outputs = size
    x, weight = torch.randn(examples, inputs).to(kind), (torch.randn(outputs, inputs) / inputs**0.5).bfloat16()
    return x, weight, torch.randn(outputs).bfloat16()


def said(activation, sums):
    if activation.squashes:
        return sums.tanh()
    return torch.where(sums > 0, sums, activation.slope * sums)


@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float32])
@pytest.mark.parametrize("activation", ACTIVATIONS.values(), ids=ACTIVATIONS)
@pytest.mark.parametrize("size", SIZES)
def test_a_layer_is_the_product_in_float64(size, activation, kind):
    x, weight, bias = layer(size, kind)
    exact = said(activation, x.bfloat16().double() @ weight.double().T + bias.double())
    y = native.dense(x, weight, bias, activation)
    assert y.dtype == (torch.float32 if activation.squashes else torch.bfloat16)
    assert off(y, exact) < ROUNDED
    without = said(activation, x.bfloat16().double() @ weight.double().T)
    assert off(native.dense(x, weight, None, activation), without) < ROUNDED


@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float32])
@pytest.mark.parametrize("activation", ACTIVATIONS.values(), ids=ACTIVATIONS)
@pytest.mark.parametrize("size", SIZES)
def test_its_gradients_are_products_too(size, activation, kind):
    x, weight, bias = layer(size, kind)
    y = native.dense(x, weight, bias, activation)
    gradient = torch.randn(y.shape).to(kind)
    at = y.double()
    slopes = 1 - at.square() if activation.squashes else torch.where(at > 0, 1.0, activation.slope).double()
    passed = (gradient.double() * slopes).bfloat16().double()
    of_x, of_weight, of_bias = native.dense_back(Behind(gradient, y, activation), x, weight, of_x=True, of_weight=True)
    assert off(of_x, passed @ weight.double()) < ROUNDED
    assert off(of_weight, passed.T @ x.bfloat16().double()) < ROUNDED
    assert off(of_bias, passed.sum(0)) < 3 * ROUNDED


@pytest.mark.parametrize("size", SIZES)
def test_a_last_word_is_not_rounded(size):
    x, weight, bias = layer(size)
    exact = x.double() @ weight.double().T + bias.double()
    assert off(native.dense(x, weight, bias, Activation(), wide=True), exact) < 1e-6
    with pytest.raises(ValueError, match="is bf16"):
        native.dense(x, weight, bias, Activation(0.2), wide=True)


@pytest.mark.parametrize("asked", [(True, False), (False, True)])
def test_what_is_not_asked_for_is_not_made_and_the_rest_is_the_same(asked):
    x, weight, bias = layer((33, 98, 131))
    y = native.dense(x, weight, bias, Activation(0.2))
    behind = Behind(torch.randn(y.shape), y, Activation(0.2))
    whole = native.dense_back(behind, x, weight, of_x=True, of_weight=True)
    some = native.dense_back(behind, x, weight, of_x=asked[0], of_weight=asked[1])
    wanted = (asked[0], asked[1], asked[1])
    for found, each, asks in zip(some, whole, wanted, strict=True):
        assert (found is not None) == asks
        assert found is None or torch.equal(found, each)


def test_an_infinite_or_missing_number_is_seen():
    x, weight, bias = layer((5, 6, 4))
    x[2, 3] = float("nan")
    for activation in ACTIVATIONS.values():
        y = native.dense(x, weight, bias, activation)
        assert y[2].isnan().all()
        assert not y[[0, 1, 3, 4]].isnan().any()
    weight[1, 5] = float("inf")
    assert not native.dense(x, weight, bias, Activation())[:, 1].isfinite().any()


def test_all_sums_are_the_same_on_any_number_of_threads():
    x, weight, bias = layer((100, 98, 131))
    weights = torch.rand(131), torch.rand(131)
    found = []
    before = torch.get_num_threads()
    try:
        for threads in (1, 2, 3, 7):
            torch.set_num_threads(threads)
            torch.manual_seed(1)
            y = native.dense(x, weight, bias, Activation(0.2))
            made = native.dense_back(
                Behind(torch.randn(y.shape), y, Activation(0.2)), x, weight, of_x=True, of_weight=True
            )
            of = Normed(y, *weights, 1e-5, torch.empty(2, 131))
            distances = native.distances(x.float(), x.float().roll(1, 0))
            found.append([y, *made, native.batch_norm(of), *native.batch_norm_back(of, y), distances])
    finally:
        torch.set_num_threads(before)
    assert all(torch.equal(a, b) for other in found[1:] for a, b in zip(found[0], other, strict=True))


@pytest.mark.parametrize(("examples", "features"), [(128, 256), (2, 1), (57, 37), (300, 1024)])
def test_a_batch_is_normalised_as_in_float64(examples, features):
    torch.manual_seed(0)
    x = (3 * torch.randn(examples, features) + 5 * torch.randn(features)).bfloat16()
    scale, shift, running = torch.randn(features), torch.randn(features), (torch.randn(features), torch.rand(features))
    exact_x, exact_scale, exact_shift = (t.double().requires_grad_() for t in (x, scale, shift))
    exact_running = [t.double().clone() for t in running]
    exact = torch.nn.functional.batch_norm(
        exact_x, *exact_running, exact_scale, exact_shift, training=True, momentum=0.2, eps=1e-3
    )
    of, batches = Normed(x, scale, shift, 1e-3, torch.empty(2, features)), torch.tensor(7)
    assert off(native.batch_norm(of, Running(*running, batches, 0.2)), exact) < ROUNDED
    assert int(batches) == 8
    for found, wanted in zip(running, exact_running, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=2e-5, atol=2e-5)
    gradient = torch.randn(examples, features).bfloat16()
    wanted = torch.autograd.grad(exact, (exact_x, exact_scale, exact_shift), gradient.double())
    of_x, of_scale, of_shift = native.batch_norm_back(of, gradient)
    root = exact_scale.detach().abs() / (exact_x.detach().var(0, unbiased=False) + 1e-3).sqrt()
    worst = ROUNDED * wanted[0].abs() + 1e-5 * root * gradient.abs().max()
    assert ((of_x.double() - wanted[0]).abs() <= worst).all()
    assert off(of_scale, wanted[1]) < 1e-4
    assert off(of_shift, wanted[2]) < 1e-5


def test_statistics_that_are_not_kept_are_left_alone():
    x = torch.randn(8, 4).bfloat16()
    of = Normed(x, torch.ones(4), torch.zeros(4), 1e-5, torch.empty(2, 4))
    moving = Running(torch.zeros(4), torch.ones(4), torch.tensor(0), 0.5)
    assert torch.equal(native.batch_norm(of), native.batch_norm(of, moving))
    assert not torch.equal(moving.mean, torch.zeros(4))


@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("size", [(3, 2), (64, 20), (70, 500), (5, 33)])
def test_a_code_is_drawn_with_its_divergence_as_in_float64(size, kind):
    torch.manual_seed(0)
    both = torch.cat([torch.randn(size), 3 * torch.randn(size)], 1).to(kind)
    both[0, size[1] :] = torch.logspace(-7, -1, size[1]) * (-1) ** torch.arange(size[1])  # deviations near 1
    e = torch.randn(size)
    exact_both = both.double().requires_grad_()
    mean, log_variance = exact_both.chunk(2, 1)
    exact_z = mean + (log_variance / 2).exp() * e.double()
    exact_kl = (mean.square() + log_variance.expm1() - log_variance) / 2
    z, kl = native.code_draw(both, e)
    np.testing.assert_allclose(z, exact_z.detach(), rtol=2e-6, atol=2e-6)
    np.testing.assert_allclose(kl, exact_kl.detach(), rtol=2e-6, atol=2e-7)
    of_z, of_kl = torch.randn(size), torch.randn(size)
    (wanted,) = torch.autograd.grad([exact_z, exact_kl], exact_both, [of_z.double(), of_kl.double()])
    found = native.code_back(both, e, of_z, of_kl)
    assert found.dtype == kind
    rounded = ROUNDED if kind == torch.bfloat16 else 0
    np.testing.assert_allclose(found.float(), wanted, rtol=rounded + 1e-5, atol=1e-6)


@pytest.mark.parametrize("shape", [(1, 1), (5, 33), (16, 3, 8, 9)])
def test_squared_distances_are_those_of_float64(shape):
    torch.manual_seed(0)
    x, mean, gradient = torch.randn(shape), torch.randn(shape), torch.randn(shape[0])
    exact = (x.double() - mean.double()).square().flatten(1).sum(1)
    np.testing.assert_allclose(native.distances(x, mean), exact, rtol=1e-6)
    wanted = 2 * (mean - x).double() * gradient.double().view(-1, *[1] * (len(shape) - 1))
    np.testing.assert_allclose(native.distances_back(x, mean, gradient), wanted, rtol=1e-6)
