"""Adam's step by the kernel beside Adam in float64; the norm beside NumPy; and what is refused."""

from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

from reverie import native
from reverie.engine.adam import Adam, QuickAdam
from reverie.engine.twins import Twins

pytestmark = pytest.mark.skipif(not native.available(), reason=f"no kernels of one's own: {native.missing()}")
SHAPES = ((5, 3), (7,), (2, 3, 3, 3), (90, 101), ())
KINDS = {"float32": torch.float32, "bf16": torch.bfloat16}


def weights_and_gradients(kind, steps):
    source = torch.Generator().manual_seed(0)
    weights = [torch.randn(shape, generator=source) for shape in SHAPES]
    weights[2] = weights[2].contiguous(memory_format=torch.channels_last)
    spread = [10.0 ** (-3 * place) for place in range(len(SHAPES))]
    gradients = [
        [(size * torch.randn(w.shape, generator=source)).to(kind) for size, w in zip(spread, weights, strict=True)]
        for _ in range(steps)
    ]
    for step in gradients:
        step[2] = step[2].contiguous(memory_format=torch.channels_last)
    return weights, gradients


def in_float64(weights, gradients, optimizer, scale):
    moved = [nn.Parameter(weight.double()) for weight in weights]
    stepper = optimizer(moved)
    for step in gradients:
        for p, gradient in zip(moved, step, strict=True):
            p.grad = gradient.double() * scale
        stepper.step()
    return moved


def quickly(weights, gradients, optimizer, scale=1.0):
    moved = [nn.Parameter(weight.clone()) for weight in weights]
    stepper = optimizer(moved)
    quick = QuickAdam.of(stepper, moved, Twins(nn.Module()))
    for step in gradients:
        quick.norm(step)
        quick.step(scale)
    return moved, stepper


@pytest.mark.parametrize("scale", [1.0, 0.3])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "settings",
    [
        {"lr": 0.1},
        {"lr": 0.01, "betas": (0.5, 0.9), "weight_decay": 0.1, "eps": 1e-3},
        {"lr": 0.01, "betas": (0.0, 0.99), "weight_decay": 0.1, "decoupled_weight_decay": True},
    ],
)
def test_a_step_is_that_of_adam(settings, kind, scale):
    weights, gradients = weights_and_gradients(KINDS[kind], 5)
    decoupled = settings.get("decoupled_weight_decay", False)
    kept = {name: value for name, value in settings.items() if name != "decoupled_weight_decay"}
    theirs = torch.optim.AdamW if decoupled else torch.optim.Adam
    expected = in_float64(weights, gradients, partial(theirs, **({"weight_decay": 0.0} | kept)), scale)
    found, _ = quickly(weights, gradients, partial(Adam, **settings), scale)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one.double(), other, rtol=2e-6, atol=2e-6)


def test_groups_have_settings_of_their_own_and_an_order_of_their_own():
    weights, gradients = weights_and_gradients(torch.float32, 4)

    def groups(kind, moved):
        fast = {"params": moved[3:], "lr": 0.1, "betas": (0.2, 0.9)}
        return kind([fast, {"params": moved[:3], "lr": 0.001}])

    expected = in_float64(weights, gradients, partial(groups, torch.optim.Adam), 1.0)
    found, _ = quickly(weights, gradients, partial(groups, Adam))
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one.double(), other, rtol=2e-6, atol=2e-6)


def test_it_goes_on_from_a_state_that_was_loaded():
    weights, gradients = weights_and_gradients(torch.float32, 6)
    whole, _ = quickly(weights, gradients, partial(Adam, lr=0.1))
    half, stepper = quickly(weights, gradients[:3], partial(Adam, lr=0.1))
    resumed = Adam(half, lr=0.1)
    quick = QuickAdam.of(resumed, half, Twins(nn.Module()))
    quick.norm(gradients[0])  # makes a state, which is replaced
    resumed.load_state_dict(stepper.state_dict())
    for step in gradients[3:]:
        quick.norm(step)
        quick.step()
    assert all(torch.equal(a, b) for a, b in zip(half, whole, strict=True))


@pytest.mark.parametrize("kind", KINDS)
def test_the_norm_is_of_all_gradients_and_the_same_on_any_number_of_threads(kind):
    weights, _ = weights_and_gradients(KINDS[kind], 0)
    moved, gradients = [nn.Parameter(weight) for weight in weights], [weight.to(KINDS[kind]) for weight in weights]
    quick, threads = QuickAdam.of(Adam(moved), moved, Twins(nn.Module())), torch.get_num_threads()
    expected = np.sqrt(sum(np.square(g.double().numpy()).sum() for g in gradients))
    found = []
    for number in (1, 2, 3, 7):
        torch.set_num_threads(number)
        found.append(quick.norm(gradients))
    torch.set_num_threads(threads)
    assert found[0] == pytest.approx(expected, rel=1e-6)
    assert len(set(found)) == 1
    gradients[1][3] = float("nan")
    assert np.isnan(quick.norm(gradients))
    gradients[1][3] = float("inf")
    assert quick.norm(gradients) == float("inf")


def test_what_does_not_lie_alike_is_refused():
    weight = nn.Parameter(torch.randn(4, 6))
    quick = QuickAdam.of(Adam([weight]), [weight], Twins(nn.Module()))
    for gradient, said in ((torch.randn(6, 4).T, "strides"), (torch.randn(4, 5), "4, 5"), (weight.double(), "float64")):
        with pytest.raises(ValueError, match=said):
            quick.norm([gradient])


def test_it_serves_this_adam_alone_and_weights_without_gaps():
    weight, wide, gaps = (nn.Parameter(x) for x in (torch.randn(4), torch.randn(4).double(), torch.randn(4, 6)[:, ::2]))
    twins = Twins(nn.Module())
    assert QuickAdam.of(Adam([weight]), [weight], twins)
    assert not QuickAdam.of(torch.optim.Adam([weight]), [weight], twins)
    assert not QuickAdam.of(Adam([wide]), [wide], twins)
    assert not QuickAdam.of(Adam([gaps]), [gaps], twins)
