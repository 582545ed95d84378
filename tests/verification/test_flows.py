"""Right flows pass, and each wrong one fails by the check that is about its mistake."""

import math

import pytest
import torch
from torch import nn

from reverie.verification.flows import jacobians, log_determinant_error, moved, unheard_share, zero_share

D, H = 3, 2


def numbers(*shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(3), dtype=torch.float64)


START, CONTEXT = numbers(2, 4, D), numbers(2, 1, H)


class Gated(nn.Module):
    """Inverse autoregressive steps (Kingma et al. 2016): ``z = g y + (1 - g) m``, the order reversed before each."""

    def __init__(self, steps=2, *, sign=1.0, reverse=True, listen=H, start=0.5):
        super().__init__()
        self.weights = nn.ParameterList(start * numbers(2, D, D) for _ in range(steps))
        self.heard = nn.ParameterList(start * numbers(2, D, H) for _ in range(steps))
        self.sign, self.reverse, self.listen = sign, reverse, listen

    def forward(self, z, context):
        log_determinant = torch.zeros(z.shape[:2], dtype=z.dtype)
        context = torch.where(torch.arange(H) < self.listen, context, 0.0)
        for weight, heard in zip(self.weights, self.heard, strict=True):
            z = z.flip(-1) if self.reverse else z
            m, s = (torch.tanh(z @ w.tril(-1).T + context @ h.T) for w, h in zip(weight, heard, strict=True))
            log_gate = nn.functional.logsigmoid(s + 1)
            z = log_gate.exp() * z + (1 - log_gate.exp()) * m
            log_determinant = log_determinant + self.sign * log_gate.sum(-1)
        return z, log_determinant


def test_the_jacobian_is_that_of_finite_differences():
    flow, step = Gated().requires_grad_(False), 1e-6
    found = jacobians(flow, START, CONTEXT).view(2, 4, D, D)
    for j in range(D):
        shift = step * torch.eye(D, dtype=torch.float64)[j]
        difference = (flow(START + shift, CONTEXT)[0] - flow(START - shift, CONTEXT)[0]) / (2 * step)
        torch.testing.assert_close(found[..., j], difference, rtol=0, atol=1e-8)


@pytest.mark.parametrize("steps", [1, 2, 4])
def test_a_right_flow_passes(steps):
    flow = Gated(steps)
    assert log_determinant_error(flow, START, CONTEXT) < 1e-12
    assert unheard_share(flow, START, CONTEXT) == 0
    assert zero_share(flow, START, CONTEXT) == (0 if steps > 1 else pytest.approx(1 / 3))


def test_a_log_determinant_of_the_other_sign_is_seen():
    assert log_determinant_error(Gated(sign=-1.0), START, CONTEXT) > 0.1


def test_steps_in_one_order_leave_a_triangle_of_zeros():
    assert zero_share(Gated(reverse=False), START, CONTEXT) == pytest.approx(1 / 3)
    assert log_determinant_error(Gated(reverse=False), START, CONTEXT) < 1e-12  # which this cannot see


@pytest.mark.parametrize(("listen", "unheard"), [(0, 1.0), (1, 0.5), (2, 0.0)])
def test_a_context_that_is_cut_is_seen(listen, unheard):
    assert unheard_share(Gated(listen=listen), START, CONTEXT) == unheard


def test_a_flow_that_mixes_its_draws_is_seen():
    def mixing(z, context):
        return 2 * z - z.mean(1, keepdim=True), torch.full(z.shape[:2], D * math.log(2.0), dtype=z.dtype)

    assert log_determinant_error(mixing, START, CONTEXT) > 0.1


def test_other_shapes_are_told():
    with pytest.raises(ValueError, match=r"log-determinants \(2, 4\); got \(2, 4, 3\) and \(2,\)"):
        log_determinant_error(lambda z, h: (z, z.sum((1, 2))), START, CONTEXT)


def test_a_fresh_flow_is_moved_from_the_identity_and_the_original_is_not():
    fresh = Gated(start=0.0)
    assert zero_share(fresh, START, CONTEXT) > 0.5
    assert unheard_share(fresh, START, CONTEXT) == 1
    twin = moved(fresh)
    assert zero_share(twin, START, CONTEXT) == 0
    assert unheard_share(twin, START, CONTEXT) == 0
    assert all((parameter == 0).all() for parameter in fresh.parameters())
    assert log_determinant_error(twin, START, CONTEXT) < 1e-12


def test_moving_does_not_hide_an_order_that_is_kept_or_a_context_that_is_cut():
    assert zero_share(moved(Gated(reverse=False)), START, CONTEXT) > 0.3
    assert unheard_share(moved(Gated(listen=1)), START, CONTEXT) == 0.5


def test_a_flow_that_is_no_module_is_taken_as_it_is():
    def flow(z, context):
        return z, z.new_zeros(z.shape[:2])

    assert moved(flow) is flow
