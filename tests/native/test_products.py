"""The products of convolutions in C against torch's in float64, on the same rounded numbers."""

import pytest
import torch
from torch.nn import functional

from nearness import off
from reverie import native
from reverie.native import Before, Read, Shape, Write

pytestmark = pytest.mark.skipif(not native.available(), reason=f"no kernels of one's own: {native.missing()}")
LAST = torch.channels_last
ACTIVATIONS = {Before.SILU: functional.silu, Before.ELU: functional.elu}
LAYERS = {  # images, G, H, W, S, kernel, stride, padding, pixels on the lower right that only the big side has
    "ordinary": (3, 8, 6, 5, 12, 3, 1, 1, 0),
    "of pixels": (4, 1, 9, 7, 20, 3, 1, 1, 0),
    "of colours, strided": (2, 3, 16, 16, 18, 5, 2, 2, 1),
    "to pixels": (2, 40, 7, 6, 1, 3, 1, 1, 0),
    "to colours": (2, 33, 5, 18, 3, 5, 1, 2, 0),
    "to pixels, strided": (2, 20, 8, 8, 2, 4, 2, 1, 0),
    "one by one": (5, 24, 3, 4, 70, 1, 1, 0, 0),
    "one by one, strided": (2, 6, 5, 5, 9, 1, 2, 0, 0),
    "odd channels": (2, 7, 5, 5, 5, 3, 1, 1, 0),
    "halving": (3, 16, 14, 14, 33, 3, 2, 1, 1),
    "no padding": (1, 17, 6, 4, 18, 4, 1, 0, 0),
    "wide": (2, 64, 6, 4, 64, 3, 1, 1, 0),
    "wide and odd": (9, 71, 5, 3, 83, 3, 1, 1, 0),
    "wide and single": (1, 64, 1, 1, 65, 3, 1, 1, 0),
    "many outputs": (2, 10, 4, 4, 150, 3, 1, 1, 0),
}


class Case:
    """Two sides of a layer, its weights and what torch makes of them."""

    def __init__(self, name):
        torch.manual_seed(0)
        images, big, height, width, small, kernel, stride, padding, self.rest = LAYERS[name]
        rows, columns = ((side + 2 * padding - kernel) // stride + 1 for side in (height, width))
        self.shape = Shape((images, big, height, width), (images, small, rows, columns), kernel, stride, padding)
        self.big, self.small = (numbers(size) for size in (self.shape.big, self.shape.small))
        self.weight = torch.randn(small, big, kernel, kernel).to(memory_format=LAST)
        self.exact = self.weight if self.wide else self.weight.bfloat16()  # what is rounded to bf16 in sums of its own
        self.where = {"stride": stride, "padding": padding}

    @property
    def wide(self):
        return bool(self.shape.way)

    def conv(self, big):
        return functional.conv2d(big.double(), self.exact.double(), **self.where)

    def transposed(self, small):
        sides = zip(self.shape.big[2:], self.shape.small[2:], strict=True)
        kernel, stride, padding = self.shape[2:]
        rest = [side - ((few - 1) * stride - 2 * padding + kernel) for side, few in sides]
        return functional.conv_transpose2d(small.double(), self.exact.double(), output_padding=rest, **self.where)

    def gradient(self, big, small):
        """Of the weights, where ``small`` is the gradient of what the convolution of ``big`` makes."""
        weight = self.exact.double().requires_grad_()
        made = functional.conv2d(big.double(), weight, **self.where)
        return torch.autograd.grad(made, weight, small.double())[0]


def numbers(size):
    return torch.randn(size).bfloat16().to(memory_format=LAST)


ROUNDED = 2.5e-3  # of what is rounded to bf16 once, at the end: at most 2^-8 each, 1.7e-3 together
WIDE = 7e-3  # of Winograd's products, whose factors are rounded


@pytest.fixture(params=LAYERS)
def case(request):
    return Case(request.param)


def test_a_convolution_is_torch_s(case):
    found = native.gather(case.shape, Read(case.big), case.weight)
    assert found.dtype == torch.bfloat16
    assert found.is_contiguous(memory_format=LAST)
    assert off(found, case.conv(case.big)) < (WIDE if case.wide else ROUNDED)


def test_a_transposed_convolution_is_torch_s(case):
    found = native.spread(case.shape, Read(case.small), case.weight)
    assert off(found, case.transposed(case.small)) < (WIDE if case.wide else ROUNDED)


def test_the_gradient_of_the_weights_is_torch_s(case):
    found, nothing = native.weigh(case.shape, Read(case.big), Read(case.small))
    assert nothing is None
    assert found.shape == case.weight.shape
    assert found.dtype == torch.float32
    assert off(found, case.gradient(case.big, case.small)) < (WIDE if case.wide else 1e-5)


def test_the_gradient_of_a_bias_is_the_sum_over_pixels(case):
    exact = case.small.double().sum((0, 2, 3))
    _, beside = native.weigh(case.shape, Read(case.big), Read(case.small), biased=True)
    for found in (native.add_up(Read(case.small)), beside):
        torch.testing.assert_close(found.double(), exact, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("slope", [0.0, 0.2])
def test_a_bias_and_a_leaky_relu_come_behind(case, slope):
    bias = torch.randn(case.shape.small[1])
    found = native.gather(case.shape, Read(case.big), case.weight, Write(bias, slope))
    exact = functional.leaky_relu(case.conv(case.big) + bias.double().view(-1, 1, 1), slope)
    assert off(found, exact) < (WIDE if case.wide else ROUNDED)
    bias = torch.randn(case.shape.big[1])
    found = native.spread(case.shape, Read(case.small), case.weight, Write(bias, slope))
    exact = functional.leaky_relu(case.transposed(case.small) + bias.double().view(-1, 1, 1), slope)
    assert off(found, exact) < (WIDE if case.wide else ROUNDED)


@pytest.mark.parametrize("slope", [0.0, 0.25])
def test_a_gradient_passes_the_activation_that_said_the_gate(case, slope):
    gate = functional.leaky_relu(numbers(case.shape.small), slope).to(memory_format=LAST)
    read, passed = Read(case.small, gate=gate, slope=slope), torch.where(gate > 0, case.small, slope * case.small)
    limit = WIDE if case.wide else ROUNDED
    assert off(native.spread(case.shape, read, case.weight), case.transposed(passed)) < limit
    assert off(native.weigh(case.shape, Read(case.big), read)[0], case.gradient(case.big, passed)) < limit
    torch.testing.assert_close(native.add_up(read).double(), passed.double().sum((0, 2, 3)), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("before", ACTIVATIONS)
def test_an_activation_comes_before_and_its_slope_back(case, before):
    limit = 1e-2 if case.wide else 4e-3  # what is activated is rounded, too
    read, activated = Read(case.big, before), ACTIVATIONS[before](case.big.double())
    assert off(native.gather(case.shape, read, case.weight), case.conv(activated)) < limit
    assert off(native.weigh(case.shape, read, Read(case.small))[0], case.gradient(activated, case.small)) < limit
    inner = case.big.double().requires_grad_()
    (slope,) = torch.autograd.grad(ACTIVATIONS[before](inner).sum(), inner)
    found = native.spread(case.shape, Read(case.small), case.weight, Write(inner=case.big, before=before))
    assert off(found, case.transposed(case.small) * slope) < limit


def test_what_is_beside_a_layer_is_added(case):
    more = numbers(case.shape.small)
    found = native.gather(case.shape, Read(case.big), case.weight, Write(more=more))
    assert off(found, case.conv(case.big) + more.double()) < (WIDE if case.wide else ROUNDED)


@pytest.mark.parametrize("before", ACTIVATIONS)
def test_extreme_and_small_numbers_pass_an_activation(before):
    shape = Shape((1, 2, 1, 4), (1, 2, 1, 4), 1)
    extremes = torch.tensor([-1e30, -100.0, -0.016, -1e-4, 0.0, -0.01, 100.0, 1e30])
    x = extremes.view(1, 1, 4, 2).permute(0, 3, 1, 2).bfloat16()
    found = native.gather(shape, Read(x, before), torch.eye(2).view(2, 2, 1, 1))
    torch.testing.assert_close(found.double(), ACTIVATIONS[before](x.double()), rtol=4e-3, atol=1e-7)


def test_sums_are_the_same_on_any_number_of_threads(case):
    def made():
        read = Read(case.small, gate=case.small, slope=0.1)
        return (
            native.gather(case.shape, Read(case.big), case.weight),
            native.spread(case.shape, read, case.weight),
            *native.weigh(case.shape, Read(case.big), read, biased=True),
            native.add_up(read),
        )

    threads, found = torch.get_num_threads(), []
    try:
        for count in (1, 2, 3, 7):
            torch.set_num_threads(count)
            found.append(made())
    finally:
        torch.set_num_threads(threads)
    for others in found[1:]:
        assert all(torch.equal(a, b) for a, b in zip(found[0], others, strict=True))


def test_nothing_beyond_the_numbers_is_heard_of(case):
    def before_poison(x):
        whole = torch.full((x.numel() + 256,), torch.nan, dtype=x.dtype)
        whole[: x.numel()] = x.permute(0, 2, 3, 1).reshape(-1)
        images, channels, height, width = x.shape
        return whole[: x.numel()].view(images, height, width, channels).permute(0, 3, 1, 2)

    big, small, weight = (before_poison(x) for x in (case.big, case.small, case.weight))
    assert native.gather(case.shape, Read(big), weight).isfinite().all()
    assert native.spread(case.shape, Read(small), weight).isfinite().all()
    assert native.weigh(case.shape, Read(big), Read(small))[0].isfinite().all()
    assert native.add_up(Read(small)).isfinite().all()


def test_what_is_not_finite_stays_so(case):
    case.big[0, 0, 0, 0] = torch.nan
    assert native.gather(case.shape, Read(case.big), case.weight, Write(slope=0.0)).isnan().any()
    assert native.weigh(case.shape, Read(case.big), Read(case.small))[0].isnan().any()
