"""Penalties on slopes against closed forms of linear and quadratic critics, and finite differences of the weights."""

import pytest
import torch
from torch import nn

from reverie.engine.noise import StepNoise
from reverie.objectives.penalties import GradientPenalty, Judged, ZeroCentred, slopes

SHAPES = [(3,), (1, 5, 4), (2, 3, 3)]
NOISE = StepNoise((0,), 0, 6)


def images(shape, n=6, seed=0):
    source = torch.Generator().manual_seed(seed)
    return torch.randn(2, n, *shape, generator=source, dtype=torch.float64).unbind()


def judged(critic, shape, n=6):
    real, fake = (x.clone().requires_grad_() for x in images(shape, n))
    return Judged(real, fake, critic(real), critic(fake))


def linear(w):
    return lambda x: (x * w).flatten(1).sum(1)


def weights_of_norm(shape, norm):
    w = torch.randn(shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    return (norm * w / w.norm()).requires_grad_()


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("norm", "paid"), [(1.0, 0.0), (3.0, 40.0), (0.5, 2.5)])
def test_a_linear_critic_pays_for_its_norm_exactly(shape, norm, paid):
    critic = linear(w := weights_of_norm(shape, norm))
    value, logs = GradientPenalty(10.0)(judged(critic, shape), critic, NOISE, 0.0)
    torch.testing.assert_close(value.detach(), torch.full((6,), paid, dtype=torch.float64), atol=1e-10, rtol=1e-12)
    torch.testing.assert_close(logs["gradient"], torch.full((6,), norm, dtype=torch.float64))
    (gradient,) = torch.autograd.grad(value.mean(), w)
    torch.testing.assert_close(gradient, 20 * (norm - 1) * w.detach() / norm)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("fake", "sides"), [(True, 2), (False, 1)])
def test_zero_centred_penalties_of_a_linear_critic(shape, fake, sides):
    gamma = 0.3
    critic = linear(w := weights_of_norm(shape, 3.0))
    value, logs = ZeroCentred(lambda progress: gamma, fake)(judged(critic, shape), critic, NOISE, 0.0)
    torch.testing.assert_close(value.detach(), torch.full((6,), sides * gamma / 2 * 9, dtype=torch.float64))
    assert logs.keys() == ({"gradient_real", "gradient_fake"} if fake else {"gradient_real"})
    (gradient,) = torch.autograd.grad(value.mean(), w)
    torch.testing.assert_close(gradient, sides * gamma * w.detach())


def test_each_example_has_a_slope_of_its_own_at_its_own_place():
    """The critic a |x|^2 / 2 has the slope a |x|, whatever else is in the batch."""
    real, fake = images((2, 3, 4))
    u = NOISE.uniform("mix", (6, 1, 1, 1))
    _, logs = GradientPenalty()(Judged(real, fake, real, fake), quadratic, NOISE, 0.0)
    torch.testing.assert_close(logs["gradient"], 2 * (u * real + (1 - u) * fake).flatten(1).norm(dim=1))
    pair = judged(quadratic, (2, 3, 4))
    _, logs = ZeroCentred(lambda progress: 1.0)(pair, quadratic, NOISE, 0.0)
    torch.testing.assert_close(logs["gradient_real"], 2 * real.flatten(1).norm(dim=1))
    torch.testing.assert_close(logs["gradient_fake"], 2 * fake.flatten(1).norm(dim=1))


def quadratic(x):
    return x.square().flatten(1).sum(1)


def test_gamma_is_a_function_of_progress():
    found = [
        ZeroCentred(lambda p: 1 - p)(judged(quadratic, (3,)), quadratic, NOISE, p)[0].sum().item() for p in (0.0, 0.75)
    ]
    assert found[1] == pytest.approx(found[0] / 4)


def test_a_critic_without_slope_has_finite_gradients():
    critic = linear(w := torch.zeros(3, dtype=torch.float64, requires_grad=True))
    value, _ = GradientPenalty()(judged(critic, (3,)), critic, NOISE, 0.0)
    (gradient,) = torch.autograd.grad(value.sum(), w)
    assert gradient.isfinite().all()
    value, _ = ZeroCentred(lambda progress: 1.0)(judged(critic, (3,)), critic, NOISE, 0.0)
    assert torch.equal(torch.autograd.grad(value.sum(), w)[0], torch.zeros(3, dtype=torch.float64))


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(6, 5), nn.Softplus(), nn.Linear(5, 1), nn.Flatten(0)).double()


@pytest.mark.parametrize("penalty", [GradientPenalty(), ZeroCentred(lambda p: 0.7), ZeroCentred(lambda p: 2.0, False)])
def test_penalties_reach_the_weights_as_finite_differences_say(penalty):
    critic = network()
    names, values = zip(*critic.named_parameters(), strict=True)

    def of(*weights):
        def judge(x):
            return torch.func.functional_call(critic, dict(zip(names, weights, strict=True)), x)

        return penalty(judged(judge, (1, 2, 3)), judge, NOISE, 0.0)[0].sum()

    assert torch.autograd.gradcheck(of, values)


def test_slopes_in_bf16_are_float32_and_almost_those_of_float64():
    torch.manual_seed(0)
    critic = nn.Sequential(
        nn.Conv2d(1, 8, 4, 2, 1), nn.LeakyReLU(0.2), nn.Conv2d(8, 16, 4, 2, 1), nn.Flatten(), nn.Linear(784, 1)
    )
    x = torch.randn(32, 1, 28, 28)
    a = x.clone().requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        (half,) = slopes(critic(a).float().flatten(), a)
    critic = critic.double().to(memory_format=torch.channels_last)
    b = x.double().requires_grad_()
    (exact,) = slopes(critic(b).flatten(), b)
    assert half.dtype == torch.float32
    assert ((half - exact) / exact).abs().max().item() < 1e-2  # measured: 4e-3 at most


def fined(critic, x, y, precision=None):
    """The weights' gradient of both zero-centred penalties, as one vector in float64."""
    real, fake = x.clone().requires_grad_(), y.clone().requires_grad_()
    with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
        pair = Judged(real, fake, *(critic(at).to(at.dtype).flatten() for at in (real, fake)))
        value = ZeroCentred(lambda progress: 1.0)(pair, critic, NOISE, 0.0)[0].mean()
    found = torch.autograd.grad(value, list(critic.parameters()), allow_unused=True)
    return torch.cat([gradient.double().flatten() for gradient in found if gradient is not None])


@pytest.mark.parametrize(("precision", "error"), [("fp32", 1e-5), ("bf16", 5e-2)])
def test_convolutions_in_any_layout_are_differentiated_twice(precision, error):
    """Channels last and activations in place, as recipes have them, against float64; measured: 3e-7 and 9e-3."""
    torch.manual_seed(0)
    layers = [nn.Conv2d(1, 8, 4, 2, 1), nn.Conv2d(8, 16, 4, 2, 1), nn.Conv2d(16, 16, 3, padding=1, groups=2)]
    activations = [nn.LeakyReLU(0.2, inplace=True) for _ in layers]
    body = [part for pair in zip(layers, activations, strict=True) for part in pair]
    critic = nn.Sequential(*body, nn.AvgPool2d(7), nn.Flatten(), nn.Linear(16, 1))
    x, y = torch.randn(2, 16, 1, 28, 28).unbind()
    found = fined(critic.to(memory_format=torch.channels_last), x, y, precision)
    exact = fined(critic.double().to(memory_format=torch.contiguous_format), x.double(), y.double())
    assert float((found - exact).norm() / exact.norm()) < error
    assert float(exact.norm()) > 0
