"""Numbers as one reads them."""

import pytest

from reverie.digits import short


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (0.0, "0"),
        (0.012345, "0.0123"),
        (7.0, "7"),
        (-45.678, "-45.7"),
        (999.4, "999"),
        (999.7, "1,000"),
        (1183.4, "1,183"),
        (-123456789.0, "-123,456,789"),
        (float("inf"), "inf"),
        (float("nan"), "nan"),
    ],
)
def test_three_digits_and_no_exponent_of_a_large_number(value, written):
    assert short(value) == written
