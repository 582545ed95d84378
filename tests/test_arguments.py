"""Arguments: every wrong value is named in one message, and right ones come back as their type wants them."""

from typing import Annotated, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reverie.arguments import Count, Fraction, Positive, Range, Rate, Steps, Weight, check, keywords
from reverie.errors import UsageError


def settings(
    data: object,
    *,
    latent: Count = 2,
    rate: Rate = 1e-3,
    hidden: tuple[Count, ...] = (8, 4),
    pair: tuple[int, int] = (1, 2),
    kind: Literal["red", "green"] = "red",
    ema: Fraction | None = None,
    fast: bool = False,
) -> None: ...


def test_defaults_are_filled_in():
    found = check(settings, {}, "a test")
    assert found == {
        "latent": 2, "rate": 1e-3, "hidden": (8, 4), "pair": (1, 2), "kind": "red",
        "ema": None, "fast": False,
    }  # fmt: skip


def test_values_become_what_their_type_wants():
    found = check(settings, {"rate": 1, "hidden": [3], "ema": 0, "pair": [5, 6]}, "a test")
    assert [found[name] for name in ("rate", "hidden", "ema", "pair")] == [1.0, (3,), 0.0, (5, 6)]
    assert isinstance(found["rate"], float)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"latent": 0}, "--latent must be at least 1; got 0."),
        ({"latent": 2.5}, "--latent must be a whole number; got 2.5."),
        ({"latent": True}, "--latent must be a whole number; got True."),
        ({"latent": "two"}, "--latent must be a whole number; got 'two'."),
        ({"rate": 0}, "--rate must be above 0 and at most 1; got 0."),
        ({"rate": float("nan")}, "--rate must be above 0 and at most 1; got nan."),
        ({"rate": float("inf")}, "--rate must be above 0 and at most 1; got inf."),
        ({"hidden": 8}, "--hidden must be a list; got 8."),
        ({"hidden": [8, 0]}, "--hidden must be at least 1; got [8, 0]."),
        ({"pair": [1, 2, 3]}, "--pair must have 2 values; got [1, 2, 3]."),
        ({"kind": "gren"}, '--kind must be one of red, green. Did you mean "green"?'),
        ({"ema": 2}, "--ema must be at least 0 and at most 1; got 2."),
        ({"fast": 1}, "--fast must be true or false; got 1."),
        ({"latnt": 1}, 'a test has no argument "latnt". Did you mean "latent"?'),
    ],
)
def test_a_wrong_value_is_named(given, says):
    with pytest.raises(UsageError) as error:
        check(settings, given, "a test")
    assert says in str(error.value)


def test_all_problems_come_at_once():
    with pytest.raises(UsageError) as error:
        check(settings, {"latent": 0, "rate": 2, "nothing": 1}, "a test")
    assert len(str(error.value).splitlines()) == 3


def test_a_value_without_a_default_is_asked_for():
    def needy(*, size: Count) -> None: ...

    with pytest.raises(UsageError, match="--size is needed"):
        check(needy, {}, "a test")


def test_positional_parameters_are_no_arguments():
    assert "data" not in keywords(settings)


@given(st.floats(), st.floats(-100, 100), st.floats(-100, 100))
def test_a_range_holds_what_lies_in_it(value, low, high):
    assert (value in Range(low=low, high=high)) == (low <= value <= high)
    assert (value in Range(above=low)) == (value > low)


@pytest.mark.parametrize("kind", [Count, Steps, Rate, Positive, Weight, Fraction])
def test_every_type_refuses_what_is_no_number(kind):
    def one(*, value: Annotated[kind, "what is asked"]) -> None: ...

    for value in ("1", None, float("nan"), float("inf"), -1.0):
        with pytest.raises(UsageError, match="--value must be"):
            check(one, {"value": value}, "a test")
