"""Bounds against NumPy in the same precision, and against what Jensen's inequality says."""

import math

import numpy as np
import pytest
import torch

from reverie.objectives.elbo import LogMeanExp, elbo, free_bits, importance_bound


def weights(*shape, scale=1.0):
    return scale * torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def test_elbo_is_likelihood_less_weighted_divergence():
    likelihood, kl = weights(4), weights(4).abs()
    assert torch.equal(elbo(likelihood, kl), likelihood - kl)
    torch.testing.assert_close(elbo(likelihood, kl, 4.0), likelihood - 4 * kl)


@pytest.mark.parametrize("shapes", [((4,), (3,)), ((4,), (4, 1)), ((4, 2), (4, 2)), ((), ())])
def test_elbo_refuses_other_shapes(shapes):
    with pytest.raises(ValueError, match=r"one shape \(B,\)"):
        elbo(torch.zeros(shapes[0]), torch.zeros(shapes[1]))


def test_importance_bound_is_the_log_of_the_mean_weight():
    log_w = weights(3, 50)
    np.testing.assert_allclose(importance_bound(log_w), np.log(np.exp(log_w.numpy()).mean(1)), rtol=1e-12)
    torch.testing.assert_close(importance_bound(log_w - 1e4), importance_bound(log_w) - 1e4)
    assert torch.equal(importance_bound(log_w[:, :1]), log_w[:, 0])


@pytest.mark.parametrize("shape", [(3,), (3, 0), (3, 2, 2)])
def test_importance_bound_refuses_other_shapes(shape):
    with pytest.raises(ValueError, match="K at least 1"):
        importance_bound(torch.zeros(shape))
    with pytest.raises(ValueError, match="K at least 1"):
        LogMeanExp().add(torch.zeros(shape))


def test_importance_bound_rises_with_k_on_average():
    log_w = weights(4000, 64, scale=2.0)
    bounds = [float(importance_bound(log_w[:, :k]).mean()) for k in (1, 2, 4, 8, 16, 32, 64)]
    assert bounds == sorted(bounds)
    assert bounds[-1] - bounds[0] > 1  # a standard deviation of 2 nats leaves a gap of 2 at K = 1


def test_importance_bound_has_the_gradient_of_normalised_weights():
    log_w = weights(3, 5).requires_grad_()
    importance_bound(log_w).sum().backward()
    torch.testing.assert_close(log_w.grad, log_w.detach().softmax(1))


@pytest.mark.parametrize("chunk", [1, 3, 7, 100])
def test_chunks_add_up_to_the_whole(chunk):
    log_w = weights(4, 100, scale=30.0) - 500
    total = LogMeanExp()
    for part in log_w.split(chunk, 1):
        total.add(part)
    w = np.exp(log_w.numpy() - log_w.numpy().max(1, keepdims=True))
    assert total.count == 100
    torch.testing.assert_close(total.bound(), importance_bound(log_w), rtol=0, atol=1e-9)
    np.testing.assert_allclose(total.effective_sample_size(), w.sum(1) ** 2 / (w**2).sum(1), rtol=1e-9)


def test_it_divides_by_the_draws_that_came():
    total = LogMeanExp()
    for _ in range(3):
        total.add(torch.zeros(2, 100))
    assert total.bound().tolist() == pytest.approx([0.0, 0.0], abs=1e-12)
    torch.testing.assert_close(total.effective_sample_size(), torch.full((2,), 300.0, dtype=torch.float64))


def test_effective_sample_size_of_one_heavy_weight_is_one():
    total = LogMeanExp()
    total.add(torch.tensor([[0.0, 0.0, 50.0]]))
    assert float(total.effective_sample_size()) == pytest.approx(1)


def test_nothing_hides_a_nan():
    total = LogMeanExp()
    total.add(torch.zeros(2, 3))
    total.add(torch.tensor([[0.0], [math.nan]]))
    assert total.bound().isnan().tolist() == [False, True]


def test_no_draws_have_no_mean():
    with pytest.raises(ValueError, match="no log-weights"):
        LogMeanExp().bound()


def test_free_bits_put_a_floor_under_the_mean_of_each_part():
    kl = torch.tensor([[0.1, 2.0, 0.6], [0.3, 0.0, 0.4]], requires_grad=True)
    paid = free_bits(kl, 0.5)
    assert paid.mean().item() == pytest.approx(0.5 + 1.0 + 0.5)
    (gradient,) = torch.autograd.grad(paid.mean(), kl)
    torch.testing.assert_close(gradient, torch.tensor([[0.0, 0.5, 0.0], [0.0, 0.5, 0.0]]))
    torch.testing.assert_close(free_bits(kl, 0.0), kl.sum(1))
