"""Samplers against worked numbers, identities and frequencies."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare

from reverie.errors import UsageError
from reverie.text.sampling import OUT, Choice, draw, log_odds, min_p, tempered, top_k, top_p

P = torch.tensor([[0.1, 0.7, 0.2]], dtype=torch.float64)
logit_rows = st.lists(st.floats(-50, 50), min_size=1, max_size=12).map(lambda row: torch.tensor([row]))


@pytest.mark.parametrize(
    ("temperature", "wanted"),
    [(0.25, [0.0004, 0.9930, 0.0066]), (0.75, [0.0591, 0.7919, 0.1490]), (1.0, [0.1, 0.7, 0.2])],
)
def test_temperature_gives_the_numbers_of_the_book(temperature, wanted):
    found = tempered(P.log(), temperature).softmax(-1)[0]
    assert [round(float(p), 4) for p in found] == pytest.approx(wanted, abs=1e-12)


@pytest.mark.parametrize("temperature", [5e-324, 1e-9, 1e-3, 1.0, 100.0, 1e300])
def test_every_positive_temperature_gives_probabilities(temperature):
    chances = tempered(torch.tensor([[-900.0, 3.0, 2.999, OUT]]), temperature).softmax(-1)
    assert float(chances.sum()) == pytest.approx(1)
    assert float(chances[0, 3]) == 0
    assert temperature > 1e-9 or chances.tolist() == [[0, 1, 0, 0]]  # 2.999 is a million times the temperature away
    assert chances[0, 1] == chances.max()


def test_a_low_temperature_is_greedy_and_a_high_one_flat():
    assert torch.equal(tempered(P.log(), 1e-9).softmax(-1), tempered(P.log(), 0).softmax(-1))
    torch.testing.assert_close(tempered(P.log(), 1e12).softmax(-1)[0], torch.full((3,), 1 / 3, dtype=torch.float64))


def test_greedy_takes_the_first_of_equals():
    assert tempered(torch.tensor([[1.0, 2.0, 2.0]]), 0).softmax(-1).tolist() == [[0.0, 1.0, 0.0]]


@given(logit_rows, st.floats(0.01, 100), st.floats(0.01, 100))
def test_temperature_keeps_the_order(logits, one, other):
    """Where one choice is likelier at one temperature, it is not less likely at another."""
    a, b = tempered(logits, one)[0], tempered(logits, other)[0]
    likelier = a.unsqueeze(1) > a.unsqueeze(0)
    assert bool((b.unsqueeze(1) >= b.unsqueeze(0))[likelier].all())


@given(logit_rows)
def test_identities_change_nothing(logits):
    plain = logits.double()
    assert torch.equal(top_k(plain, logits.shape[1]), plain)
    assert torch.equal(top_p(plain, 1.0), plain)
    assert torch.equal(min_p(plain, 0.0), plain)
    below = plain - plain.amax()
    assert torch.equal(log_odds(logits, Choice(top_k=len(logits[0]), top_p=1.0, min_p=0.0)), below)


@given(logit_rows, st.integers(1, 12), st.floats(1e-6, 1), st.floats(0, 1), st.sampled_from([0.0, 1e-9, 1.0, 7.0]))
def test_something_always_stays_and_the_likeliest_does(logits, k, p, share, temperature):
    odds = log_odds(logits, Choice(temperature, k, p, share))
    assert float(odds.softmax(-1).sum()) == pytest.approx(1)
    assert float(odds[0, logits.argmax()]) == 0


def stays(odds) -> list[int]:
    return torch.nonzero(odds[0] > OUT).flatten().tolist()


def test_top_k_keeps_the_k_largest_and_of_equals_the_first():
    assert stays(top_k(torch.tensor([[1.0, 5.0, 5.0, 3.0]]), 1)) == [1]
    assert stays(top_k(torch.tensor([[1.0, 5.0, 5.0, 3.0]]), 3)) == [1, 2, 3]


@pytest.mark.parametrize(("p", "kept"), [(0.01, [1]), (0.69, [1]), (0.71, [1, 2]), (0.89, [1, 2]), (0.91, [0, 1, 2])])
def test_top_p_keeps_the_fewest_that_reach_it(p, kept):
    assert stays(top_p(P.log(), p)) == kept


@pytest.mark.parametrize(("p", "kept"), [(0.1, [0, 1, 2]), (0.2, [1, 2]), (0.3, [1]), (1.0, [1])])
def test_min_p_keeps_what_has_a_share_of_the_largest(p, kept):
    assert stays(min_p(P.log(), p)) == kept


def test_the_order_is_temperature_first():
    """At 0.25 the likeliest has 0.993 and is enough for top-p 0.85; of the plain probabilities it takes two."""
    assert stays(log_odds(P.log(), Choice(temperature=0.25, top_p=0.85))) == [1]
    assert stays(log_odds(P.log(), Choice(top_p=0.85))) == [1, 2]
    # Of the two that top-k leaves, the likeliest has 0.78, which is enough for 0.75; of all three it has 0.7.
    assert stays(log_odds(P.log(), Choice(top_k=2, top_p=0.75))) == [1]


def test_draws_have_the_frequencies_of_the_probabilities():
    chances = torch.tensor([0.5, 0.3, 0.0, 0.15, 0.05], dtype=torch.float64)
    uniform = torch.rand(40_000, generator=torch.Generator().manual_seed(0))
    drawn = draw(chances.log().expand(40_000, 5), uniform)
    counts = torch.bincount(drawn, minlength=5)
    assert counts[2] == 0
    kept = [0, 1, 3, 4]
    assert chisquare(counts[kept].numpy(), 40_000 * chances[kept].numpy()).pvalue > 0.001


@pytest.mark.parametrize("how", [Choice(0.5), Choice(2.0, top_k=3), Choice(top_p=0.8), Choice(min_p=0.3)], ids=repr)
def test_draws_have_the_frequencies_of_the_choice(how):
    logits = torch.tensor([1.0, 0.2, -1.0, 0.9, 0.0])
    wanted = (logits.double() / how.temperature).softmax(-1)
    kept = {3: [0, 1, 3], None: [0, 1, 2, 3, 4]}[how.top_k]
    kept = [0, 3, 1] if how.top_p < 1 else kept  # 0.36, 0.33, 0.16: 0.69 is below 0.8, and 0.85 is not
    kept = [0, 1, 3, 4] if how.min_p else kept  # e^-1 and e^-2 of the largest: 0.37 stays, 0.14 goes
    uniform = torch.rand(30_000, generator=torch.Generator().manual_seed(1))
    drawn = torch.bincount(draw(log_odds(logits.expand(30_000, 5), how), uniform), minlength=5)
    assert int(drawn.sum()) == int(drawn[kept].sum())
    assert chisquare(drawn[kept].numpy(), 30_000 * (wanted[kept] / wanted[kept].sum()).numpy()).pvalue > 0.001


@pytest.mark.parametrize("uniform", [0.0, 0.5, 1 - 2**-24])
def test_what_is_out_is_never_drawn(uniform):
    odds = torch.tensor([[OUT, 0.0, OUT, OUT], [OUT, OUT, OUT, 0.0], [0.0, OUT, OUT, OUT]])
    assert draw(odds, torch.full((3,), uniform)).tolist() == [1, 3, 0]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"temperature": -0.1}, "--temperature must be 0"),
        ({"temperature": math.nan}, "--temperature must be 0"),
        ({"temperature": math.inf}, "--temperature must be 0"),
        ({"top_k": 0}, "--top-k must be at least 1; got 0"),
        ({"top_p": 0.0}, "--top-p must be above 0 and at most 1"),
        ({"top_p": 1.01}, "--top-p must be above 0 and at most 1"),
        ({"min_p": -0.1}, "--min-p must be from 0"),
        ({"min_p": 1.1, "top_k": -1}, "(?s)--top-k.*--min-p"),
    ],
)
def test_what_is_out_of_range_is_refused_all_at_once(given, words):
    with pytest.raises(UsageError, match=words):
        Choice(**given)
