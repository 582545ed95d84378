"""The draw of a latent layer against its definition, and the kernel against the operations one by one."""

import pytest
import torch

from reverie import native
from reverie.nn.deviations import HIGHEST, LOWEST, draw, from_prior

needed = pytest.mark.skipif(not native.available(), reason=f"no kernels of one's own: {native.missing()}")
SIZES = [(3, 4, 7, 7), (2, 8, 4, 4), (5, 3, 1, 1), (1, 1, 2, 3), (2, 20, 3, 2)]


def given(size, rows=None):
    """A prior among other channels, a posterior, and numbers among those of other layers; some out of bounds."""
    torch.manual_seed(0)
    images, channels, height, width = size
    joint = 3 * torch.randn(rows or images, 2 * channels + 6, height, width).bfloat16()
    prior = joint.contiguous(memory_format=torch.channels_last)[:, : 2 * channels]
    posterior = 3 * torch.randn(images, 2 * channels, height, width).bfloat16()
    numbers = torch.randn(images, channels * height * width + 5)[:, 2:-3]
    e = numbers.view(images, height, width, channels).permute(0, 3, 1, 2)
    return prior, posterior.contiguous(memory_format=torch.channels_last), e


def test_deviations_are_of_the_prior():
    prior, posterior, e = (x.double() for x in given((3, 4, 7, 7)))
    drawn = draw(prior, posterior, e, training=False)
    (m, log_s), (m_q, log_s_q) = prior.chunk(2, 1), posterior.chunk(2, 1)
    s, s_q = (x.clamp(LOWEST, HIGHEST).exp() for x in (log_s, log_s_q))
    torch.testing.assert_close(drawn.z, m_q + s_q * e)  # a draw of the posterior
    torch.testing.assert_close(drawn.t, (drawn.z - m) / s)
    torch.testing.assert_close(drawn.mean, (m_q - m) / s)
    torch.testing.assert_close(drawn.log_deviation, (s_q / s).log())
    torch.testing.assert_close(from_prior(prior, drawn.t), drawn.z)
    each = torch.distributions.kl_divergence(torch.distributions.Normal(m_q, s_q), torch.distributions.Normal(m, s))
    torch.testing.assert_close(drawn.kl, each.sum((1, 2, 3)))


@needed
@pytest.mark.parametrize("size", SIZES)
def test_the_kernel_draws_the_same(size):
    numbers = given(size)
    exact = draw(*(x.double() for x in numbers), training=True)
    with torch.autocast("cpu", torch.bfloat16):
        found = draw(*numbers, training=True)
    assert found.z.dtype == torch.bfloat16
    torch.testing.assert_close(found.z.double(), exact.z, rtol=4e-3, atol=1e-6)
    size_of_terms = (1 + exact.mean.square() + (2 * exact.log_deviation).exp()).sum((1, 2, 3))
    assert ((found.kl - exact.kl).abs() < 2e-6 * size_of_terms).all()  # of what is added up, in float32
    with torch.no_grad():
        torch.testing.assert_close(found.whole.t.double(), exact.t, rtol=1e-5, atol=1e-5)


@needed
@pytest.mark.parametrize("told", ["z and kl", "z", "kl", "t"])
@pytest.mark.parametrize("size", SIZES)
def test_the_kernel_has_the_same_gradient(size, told):
    prior, posterior, e = given(size)
    weights = {"z": torch.randn(size).bfloat16(), "kl": torch.randn(size[0]), "t": torch.randn(size)}

    def gradients(like, short):
        ends = [x.detach().to(like).requires_grad_() for x in (prior, posterior)]
        with torch.autocast("cpu", torch.bfloat16, enabled=short):
            drawn = draw(ends[0], ends[1], e.float() if short else e.double(), training=True)
        made = {"z": drawn.z, "kl": drawn.kl, "t": drawn.whole.t}
        total = sum((made[name].to(torch.float64) * weights[name]).sum() for name in told.split(" and "))
        return torch.autograd.grad(total, ends)

    for found, exact in zip(gradients(torch.bfloat16, True), gradients(torch.float64, False), strict=True):
        assert found.shape == exact.shape
        torch.testing.assert_close(found.double(), exact, rtol=4e-3, atol=1e-4)  # bf16; what cancels does so in float32


@needed
def test_one_row_of_a_prior_is_for_all():
    prior, posterior, e = given((4, 4, 3, 3), rows=1)
    ends = [x.detach().requires_grad_() for x in (prior, posterior)]
    with torch.autocast("cpu", torch.bfloat16):
        found = draw(*ends, e, training=True)
    exact = draw(prior.double().expand(4, -1, -1, -1), posterior.double(), e.double(), training=True)
    torch.testing.assert_close(found.kl.double(), exact.kl, rtol=1e-5, atol=1e-5)
    (of_prior,) = torch.autograd.grad(found.z.float().sum(), ends[0], allow_unused=True)
    assert of_prior.shape == prior.shape


@needed
def test_numbers_in_another_order_are_refused():
    prior, posterior, e = given((2, 4, 3, 3))
    with pytest.raises(ValueError, match="channels last"):
        native.latent_draw(prior, posterior, e.contiguous(), (LOWEST, HIGHEST))
    with pytest.raises(ValueError, match="channels last"):
        native.latent_draw(prior.contiguous(), posterior, e, (LOWEST, HIGHEST))
