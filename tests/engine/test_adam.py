"""This project's Adam takes torch's steps, bit for bit."""

import copy

import pytest
import torch
from torch import nn

from reverie.engine.adam import Adam

SHAPES = ((3, 4), (5,), (2, 1, 3, 3))


def parameters(kind=torch.float32):
    torch.manual_seed(0)
    return [nn.Parameter(torch.randn(shape, dtype=kind)) for shape in SHAPES]


def walk(optimizer, moved, seed, steps=6, without=()):
    """Steps with gradients of a seed; some parameters have none in every other step."""
    source = torch.Generator().manual_seed(seed)
    for step in range(steps):
        for place, p in enumerate(moved):
            gradient = torch.randn(p.shape, generator=source, dtype=p.dtype)
            p.grad = None if place in without and step % 2 else gradient
        optimizer.step()


@pytest.mark.parametrize("kind", [torch.float32, torch.float64])
@pytest.mark.parametrize(
    ("theirs", "settings"),
    [
        (torch.optim.Adam, {"lr": 0.1}),
        (torch.optim.Adam, {"lr": 0.01, "betas": (0.5, 0.9), "weight_decay": 0.1, "eps": 1e-3}),
        (torch.optim.AdamW, {"lr": 0.01, "betas": (0.9, 0.99), "weight_decay": 0.1}),
    ],
)
def test_steps_are_torchs(theirs, settings, kind):
    mine, others = parameters(kind), parameters(kind)
    decoupled = theirs is torch.optim.AdamW
    walk(Adam(mine, decoupled_weight_decay=decoupled, **settings), mine, seed=1, without=(1,))
    walk(theirs(others, fused=True, **settings), others, seed=1, without=(1,))
    assert all(torch.equal(a, b) for a, b in zip(mine, others, strict=True))


def test_groups_have_rates_and_memories_of_their_own():
    mine, others = parameters(), parameters()
    groups = [
        [{"params": p[:1], "lr": 0.1, "betas": (0.0, 0.9)}, {"params": p[1:], "lr": 0.001}] for p in (mine, others)
    ]
    walk(Adam(groups[0]), mine, seed=2)
    walk(torch.optim.Adam(groups[1], fused=True), others, seed=2)
    assert all(torch.equal(a, b) for a, b in zip(mine, others, strict=True))


def test_its_state_is_torchs_and_goes_on_from_a_copy():
    mine, others = parameters(), parameters()
    first, second = Adam(mine, lr=0.1), torch.optim.Adam(others, lr=0.1, fused=True)
    walk(first, mine, seed=3)
    walk(second, others, seed=3)
    again = parameters()
    for p, q in zip(again, mine, strict=True):
        p.data.copy_(q.data)
    resumed = Adam(again, lr=0.1)
    resumed.load_state_dict(copy.deepcopy(second.state_dict()))
    walk(first, mine, seed=4)
    walk(resumed, again, seed=4)
    assert all(torch.equal(a, b) for a, b in zip(mine, again, strict=True))


def test_a_closure_is_asked_for_the_loss():
    weight = nn.Parameter(torch.ones(2))
    optimizer = Adam([weight], lr=0.1)

    def loss():
        optimizer.zero_grad()
        value = weight.square().sum()
        value.backward()
        return value

    values = [optimizer.step(loss).item() for _ in range(3)]
    assert values[0] == 2.0
    assert values == sorted(values, reverse=True)
