"""Figures in words: rounding, grouping of protocols, and the width of a terminal."""

import pytest

from reverie.report import table

COMMON = {"data": "mnist-5k", "split": "test", "n": 1000}
FIGURES = [
    {
        "name": "elbo",
        "value": -101.2345,
        "unit": "nats per image",
        "standard_error": 0.3456,
        "protocol": {**COMMON, "k": 1},
    },
    {
        "name": "importance_bound",
        "value": -98.7,
        "unit": "nats per image",
        "standard_error": 0.32,
        "protocol": {**COMMON, "k": 5000},
    },
    {
        "name": "fid_10k",
        "value": 12.3456,
        "unit": "",
        "standard_error": None,
        "protocol": {**COMMON, "extractor": "inception-v3"},
        "note": "biased upwards at 10,000 samples",
    },
]


@pytest.mark.parametrize(
    ("value", "error", "written"),
    [
        (-101.2345, 0.3456, "\u2212101.23 ± 0.35"),
        (12345.6, 123.4, "12,346 ± 123"),
        (0.123456, 0.00098, "0.12346 ± 0.00098"),
        (0.98765, None, "0.9877"),
        (3.0, None, "3"),
        (123456.7, None, "123,457"),
        (1e-7, None, "1e\u221207"),
        (2.5, 0.0, "2.5"),
        (float("nan"), 0.1, "not finite"),
        (None, None, "not finite"),
    ],
)
def test_amounts_have_two_digits_of_their_error(value, error, written):
    assert table.amount({"value": value, "standard_error": error}) == written


def test_what_all_protocols_share_is_said_once():
    assert table.shared(FIGURES) == COMMON
    assert table.own(FIGURES[1], COMMON) == {"k": 5000}
    assert table.shared(FIGURES[:1]) == {}


def test_plain_fits_80_columns_and_says_everything():
    said = table.plain(FIGURES)
    assert max(map(len, said.splitlines())) <= 80
    assert said.splitlines()[0] == "elbo              \u2212101.23 ± 0.35  nats per image  [1]"
    assert "[2] k 5,000" in said
    assert said.splitlines()[2].endswith("[3] [4]")
    assert "[3] extractor inception-v3\n[4] biased upwards" in said
    assert "For all of these: data mnist-5k, split test, n 1,000" in said


def test_no_figures():
    assert table.plain([]) == ""


def test_figures_of_other_data_stand_apart_with_what_they_share():
    others = [
        {"name": name, "value": 1.0, "unit": "", "protocol": {"split": "train", "data_sha256": "ab", "seed": 0}}
        for name in ("FD", "KD")
    ]
    found = table.groups([*FIGURES, *others])
    assert [len(group.figures) for group in found] == [len(FIGURES), 2]
    assert [group.common for group in found] == [COMMON, others[0]["protocol"]]
    said = table.plain([*FIGURES, *others])
    assert "For all of these: data mnist-5k, split test, n 1,000\n\nFD" in said
    assert said.endswith("For all of these: split train, data sha256 ab, seed 0")
    assert said.splitlines()[0].rindex("[1]") == table.plain(FIGURES).splitlines()[0].rindex("[1]")


def test_figures_that_can_say_themselves():
    class Figure:
        def to_json(self):
            return FIGURES[0]

    assert table.plain([Figure()]) == table.plain(FIGURES[:1])
