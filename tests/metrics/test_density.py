"""Exact log-likelihoods: against a closed form, and refused where they are none."""

import math

import pytest
import torch
from torch import nn

from reverie.errors import DataError, Diverged, Interrupted, UsageError
from reverie.metrics.density import evaluate_density
from reverie.metrics.figures import comparable
from reverie.protocols import LogProb

SHAPE = (1, 3, 4)
PROTOCOL = {"data": "noise", "split": "test"}


class Coins(nn.Module):
    """Independent bits, one with probability p each."""

    def __init__(self, p=0.25, support="binary"):
        super().__init__()
        self.p, self.support = p, support

    def log_prob(self, x, noise, *, k=1):
        ones = x.sum((1, 2, 3))
        return LogProb(ones * math.log(self.p) + (x[0].numel() - ones) * math.log(1 - self.p), "exact")


class Uniform(nn.Module):
    """All 256 levels alike."""

    support = "256 levels"

    def log_prob(self, x, noise, *, k=1):
        return LogProb(torch.full((len(x),), -x[0].numel() * math.log(256)), "exact")


def bits(n):
    return (torch.rand(n, *SHAPE, generator=torch.Generator().manual_seed(0)) < 0.5).float()


def test_the_figure_is_the_mean_log_likelihood_with_its_error():
    x = bits(50)
    (figure,) = evaluate_density(Coins(), x, protocol=PROTOCOL, batch=7)
    each = Coins().log_prob(x.double(), None).value
    assert figure.name == "log_likelihood"
    assert figure.value == pytest.approx(float(each.mean()), rel=1e-6)
    assert figure.standard_error == pytest.approx(float(each.std()) / 50**0.5, rel=1e-5)
    assert (figure.unit, figure.note) == ("nats per image", "exact")
    assert figure.protocol == {**PROTOCOL, "values": "binary", "n": 50}


def test_the_batch_changes_nothing():
    x = bits(20)
    one, other = (evaluate_density(Coins(), x, protocol=PROTOCOL, batch=batch)[0] for batch in (3, 20))
    assert one.value == pytest.approx(other.value, abs=1e-9)
    assert comparable(one, other) == []


def test_equal_levels_need_eight_bits():
    x = torch.randint(0, 256, (6, *SHAPE)) / 127.5 - 1
    figures = {f.name: f for f in evaluate_density(Uniform(), x, protocol=PROTOCOL)}
    assert figures["bits_per_dimension"].value == pytest.approx(8, rel=1e-6)
    assert figures["bits_per_dimension"].note == "exact"
    assert figures["log_likelihood"].value == pytest.approx(-12 * math.log(256), rel=1e-6)


def test_a_density_of_real_numbers_says_its_range():
    (figure,) = evaluate_density(Coins(support="continuous"), bits(4), protocol={**PROTOCOL, "range": "all"})
    assert figure.unit == "nats per image, density of values in all"


def test_pixels_that_have_no_probability_are_refused():
    with pytest.raises(DataError, match="Binarise them"):
        evaluate_density(Coins(), 0.5 * bits(3), protocol=PROTOCOL)
    with pytest.raises(DataError, match="no images"):
        evaluate_density(Coins(), bits(0), protocol=PROTOCOL)


def test_what_is_not_exact_is_refused():
    class Bounded(Coins):
        def log_prob(self, x, noise, *, k=1):
            return LogProb(super().log_prob(x, noise).value, "bound")

    with pytest.raises(UsageError, match="bound of its likelihood only"):
        evaluate_density(Bounded(), bits(3), protocol=PROTOCOL)
    with pytest.raises(UsageError, match="no likelihood"):
        evaluate_density(nn.Identity(), bits(3), protocol=PROTOCOL)


def test_what_is_not_finite_is_told():
    with pytest.raises(Diverged, match="5 of 5 images is not finite, image 0 first"):
        evaluate_density(Coins(p=math.nan), bits(5), protocol=PROTOCOL)


def test_it_stops_when_asked():
    answers = iter([False, True])
    with pytest.raises(Interrupted, match="after 2 of 5 images"):
        evaluate_density(Coins(), bits(5), protocol=PROTOCOL, batch=2, should_stop=lambda: next(answers))
