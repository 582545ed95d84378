"""Muon against singular values, against torch's own for matrices, and against Adam for the rest."""

import copy

import pytest
import torch
from torch import nn

from reverie.engine.muon import A, B, C, Muon, is_matrix, orthogonalised

source = torch.Generator().manual_seed(0)


def randn(*shape):
    return torch.randn(shape, generator=source)


def lifted(values):
    for _ in range(5):
        values = A * values + B * values**3 + C * values**5
    return values


def test_it_lifts_the_singular_values_and_turns_nothing():
    stacks = [randn(n, *sides).double() for n, sides in [(3, (8, 20)), (2, (20, 8)), (1, (12, 12)), (2, (8, 30))]]
    for matrices, found in zip(stacks, orthogonalised(stacks), strict=True):
        u, s, v = torch.linalg.svd(matrices, full_matrices=False)
        expected = u @ torch.diag_embed(lifted(s / s.norm(dim=1, keepdim=True))) @ v
        assert torch.allclose(found, expected, atol=1e-6)
        if matrices.shape[1] != matrices.shape[2]:  # the smallest value of a square is too small to be lifted so far
            values = torch.linalg.svdvals(found)
            assert 0.65 < values.min() < values.max() < 1.2


def fit(make, parameters, gradients):
    optimizer = make(parameters)
    for step in gradients:
        for parameter, gradient in zip(parameters, step, strict=True):
            parameter.grad = gradient.clone()
        optimizer.step()
    return optimizer


def both(shapes, steps=5):
    start = [randn(*shape) for shape in shapes]
    gradients = [[randn(*shape) for shape in shapes] for _ in range(steps)]
    return [[nn.Parameter(p.clone()) for p in start] for _ in range(2)], gradients


@pytest.mark.parametrize("shape", [(16, 40), (40, 16)])
def test_a_matrix_moves_as_with_torch(shape):
    (ours, theirs), gradients = both([shape])
    before = ours[0].detach().clone()
    fit(lambda p: Muon(p, rate=0.1), ours, gradients)
    # torch iterates in bfloat16, which keeps 3 digits.
    fit(lambda p: torch.optim.Muon(p, lr=0.1, weight_decay=0.0, adjust_lr_fn="original"), theirs, gradients)
    moved = (ours[0] - before).norm()
    assert (ours[0] - theirs[0]).norm() < 0.02 * moved


def test_a_kernel_is_the_matrix_of_its_rows_and_kernels_of_one_shape_do_not_mix():
    (kernels, matrices), gradients = both([(8, 3, 3, 3), (8, 3, 3, 3), (10, 4, 2, 2)])
    flat = [[g.flatten(1) for g in step] for step in gradients]
    fit(Muon, kernels, gradients)
    rows = [nn.Parameter(p.detach().flatten(1)) for p in matrices]
    for row, steps in zip(rows, zip(*flat, strict=True), strict=True):
        fit(Muon, [row], [[gradient] for gradient in steps])
    for kernel, row in zip(kernels, rows, strict=True):
        assert torch.allclose(kernel.flatten(1), row, atol=1e-6)


def test_the_layout_of_a_kernel_changes_nothing():
    (plain, last), gradients = both([(8, 5, 3, 3), (8, 5, 3, 3), (16, 8, 1, 2)])
    for kernel in last:
        kernel.data = kernel.data.contiguous(memory_format=torch.channels_last)
    fit(Muon, plain, gradients)
    fit(Muon, last, [[g.contiguous(memory_format=torch.channels_last) for g in step] for step in gradients])
    assert all(torch.allclose(a, b, atol=1e-6) for a, b in zip(plain, last, strict=True))


def test_all_else_moves_as_with_adam():
    (ours, theirs), gradients = both([(5,), (4, 30), (1, 64), (3, 9, 9)])
    assert not any(map(is_matrix, ours))
    fit(lambda p: Muon(p, others=0.01), ours, gradients)
    fit(lambda p: torch.optim.Adam(p, lr=0.01), theirs, gradients)
    assert all(torch.allclose(a, b, atol=1e-6) for a, b in zip(ours, theirs, strict=True))


def test_what_has_no_gradient_stays():
    still, moved = nn.Parameter(randn(8, 8)), nn.Parameter(randn(8, 8))
    before = still.detach().clone()
    moved.grad = randn(8, 8)
    Muon([still, moved]).step()
    assert torch.equal(still, before)


def test_it_goes_on_from_a_saved_state():
    (ours, _), gradients = both([(8, 8), (5,)])
    optimizer = fit(Muon, ours, gradients[:3])
    again = [nn.Parameter(p.detach().clone()) for p in ours]
    second = Muon(again)
    second.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    for parameters, which in ((ours, optimizer), (again, second)):
        for parameter, gradient in zip(parameters, gradients[3], strict=True):
            parameter.grad = gradient.clone()
        which.step()
    assert all(torch.equal(a, b) for a, b in zip(ours, again, strict=True))
