"""Comparing: figures are ranked where protocols are equal and the difference is beyond chance alone."""

import json

import pytest
from PIL import Image

from reverie.compare import lines, sheet, side_by_side
from reverie.errors import ReverieError, UsageError
from reverie.metrics.figures import Figure
from reverie.runs import Run

PROTOCOL = {"data": "toys", "k": 10, "split": "test"}


def figure(name: str, value: float, error: float | None = 0.1, **protocol) -> Figure:
    return Figure(name, value, "nats", protocol={**PROTOCOL, **protocol}, standard_error=error)


def run(home, name: str, *figures: Figure) -> Run:
    folder = home / name
    folder.mkdir()
    (folder / "eval.json").write_text(json.dumps({"run": name, "figures": [each.to_json() for each in figures]}))
    return Run(folder)


def verdict(home, first: Figure, second: Figure) -> str:
    (row,) = side_by_side(run(home, "a", first), run(home, "b", second))
    return row["verdict"]


@pytest.mark.parametrize(
    ("name", "values", "words"),
    [
        ("elbo", (-90.0, -95.0), "a is better"),
        ("elbo", (-95.0, -90.0), "b is better"),
        ("squared_error", (3.0, 5.0), "a is better"),
        ("psnr", (3.0, 5.0), "b is better"),
        ("elbo", (-90.0, -90.25), "equal within two standard errors"),
        ("kl", (3.0, 9.0), "no ranking"),
        ("nats_per_symbol", (1.4, 1.7), "a is better"),
        ("bits_per_byte", (2.4, 2.1), "b is better"),
        ("perplexity", (5.0, 6.0), "a is better"),
        ("cold_bits_per_character", (2.4, 2.1), "b is better"),
        ("unigram_nats_per_symbol", (3.4, 3.1), "no ranking"),
    ],
)
def test_the_better_one_is_named_where_better_means_something(name, values, words, tmp_path):
    assert verdict(tmp_path, figure(name, values[0]), figure(name, values[1])) == words


@pytest.mark.parametrize("part", ["data", "k", "split"])
def test_other_protocols_are_named_and_never_ranked(part, tmp_path):
    words = verdict(tmp_path, figure("elbo", -90.0), figure("elbo", -200.0, **{part: 99}))
    assert words == f"not comparable: {part} differ"


def test_a_protocol_that_only_one_has_differs(tmp_path):
    assert "extra" in verdict(tmp_path, figure("elbo", -90.0), figure("elbo", -200.0, extra=1))


def test_lines_stand_below_the_names_of_the_runs_with_the_digits_of_an_evaluation(tmp_path):
    long = "a_name_of_a_figure_with_many_more_letters"
    first = run(tmp_path, "a", figure("elbo", -90.12345, 0.1234), figure(long, 45.4567, None))
    second = run(tmp_path, "the-second-of-the-runs", figure("elbo", -100.0, 1.06), figure(long, 1234.5, None))
    head, elbo, other = lines(side_by_side(first, second), ("a", "the-second-of-the-runs"))
    assert head.split() == ["a", "the-second-of-the-runs"]
    assert elbo.split("  ")[-1] == "nats; a is better"
    assert "\u221290.12 ± 0.12" in elbo
    assert "\u2212100.0 ± 1.1" in elbo
    assert other.startswith(f"{long}  ")
    assert len({line.index("nats; ") for line in (elbo, other)}) == 1
    assert elbo.index(" 1.1") + 4 == other.index("1,234") + 5 == len(head)


def test_equal_figures_without_an_error_are_equal(tmp_path):
    assert verdict(tmp_path, figure("perplexity", 5.0, None), figure("perplexity", 5.0, None)) == "equal"


def test_runs_without_figures_or_with_none_in_common_are_refused(tmp_path):
    first, second = run(tmp_path, "a", figure("elbo", 1.0)), run(tmp_path, "b", figure("psnr", 1.0))
    with pytest.raises(UsageError, match="no figure in common"):
        side_by_side(first, second)
    (second.folder / "eval.json").unlink()
    with pytest.raises(UsageError, match="b has no figures yet.*reverie evaluate"):
        side_by_side(first, second)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"figures": [{}]}', '{"figures": 3}'])
def test_broken_figures_are_an_error_with_a_way_out(text, tmp_path):
    first = run(tmp_path, "a", figure("elbo", 1.0))
    (first.folder / "eval.json").write_text(text)
    with pytest.raises(ReverieError, match="reverie evaluate"):
        side_by_side(first, first)


def test_the_sheets_lie_side_by_side(tmp_path):
    runs = [run(tmp_path, name) for name in "ab"]
    for each, colour, size in zip(runs, ("red", "blue"), ((20, 10), (30, 40)), strict=True):
        (each.folder / "pictures").mkdir()
        Image.new("RGB", size, colour).save(each.folder / "pictures" / "samples.png")
    (path,) = sheet(*runs)
    with Image.open(path) as whole:
        assert whole.size == (50, 40)
        assert [whole.getpixel(place) for place in ((5, 5), (45, 35))] == [(255, 0, 0), (0, 0, 255)]


def test_without_sheets_of_one_kind_there_is_no_picture(tmp_path):
    assert sheet(run(tmp_path, "a"), run(tmp_path, "b")) == []
