"""The pages of a text, read back with an HTML parser; colours against the formula of contrast."""

import json

import pytest

from markup import read
from reverie.report import page, reading
from reverie.report.reading import LONGEST, Cell, Mark, level, tints, write_copies, write_surprise
from reverie.report.theme import theme_of

FIGURES = [{"name": "bits_per_character", "value": 2.5, "unit": "bits per character", "protocol": {"text": "<x>"}}]


def surprise(tmp_path, cells):
    return read(write_surprise(tmp_path / "p.html", cells, title="T & T", lead="<lead>", figures=FIGURES))


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("name", ["light", "dark"])
def test_every_colour_can_be_read_on(name):
    found = tints(theme_of(name))
    for tint in found:
        high, low = sorted((luminance(tint.paper), luminance(tint.ink)), reverse=True)
        assert (high + 0.05) / (low + 0.05) >= 4.5, tint
    far = [abs(luminance(tint.paper) - luminance(found[0].paper)) for tint in found]
    assert far == sorted(far)
    assert len(set(far)) == len(far)


@pytest.mark.parametrize(
    ("bits", "wanted"), [(None, 0), (0, 0), (0.49, 0), (0.5, 1), (3.99, 4), (4, 5), (8, 7), (40, 7)]
)
def test_bits_have_their_colour(bits, wanted):
    assert level(bits) == wanted


def test_the_whole_text_is_there_in_its_colours(tmp_path):
    text = "<script>alert(1)</script>\n& so on\r\n"
    reader = surprise(tmp_path, [Cell(c, None if i == 0 else i % 10) for i, c in enumerate(text)])
    assert text.replace("\r\n", "\n") in "".join(reader.text).replace("\r\n", "\n")
    assert reader.all("script") == []
    assert {tag["class"].split()[0] for tag in reader.all("span")} == {f"b{i}" for i in range(2, 8)}


@pytest.mark.parametrize("bits", [0.0, 9.0])
def test_markup_in_a_text_is_text(bits, tmp_path):
    reader = surprise(tmp_path, [Cell(c, bits) for c in "<i>x</i> &amp;"])
    assert reader.all("i") == []
    assert "<i>x</i> &amp;" in "".join(reader.text)


def test_neighbours_of_one_colour_are_together_and_ends_of_lines_alone(tmp_path):
    cells = [Cell("a", 5), Cell("b", 5.5), Cell("\n", 5), Cell("\n", 5), Cell("c", 5), Cell("d", 0.1)]
    classes = [tag["class"] for tag in surprise(tmp_path, cells).all("span")]
    assert classes == ["b5", "b5 end", "b5 end", "b5"]


def test_the_most_surprising_places_come_first_with_their_lines(tmp_path):
    cells = [Cell(c, 1.0) for c in "one\ntwo\nthree"]
    cells[9] = Cell("h", 12.0)
    cells[2] = Cell("e", 11.0)
    text = "".join(surprise(tmp_path, cells).text)
    places = text[text.index("The most surprising places") :]
    assert places.index("12.0") < places.index("11.0")
    assert places.split("12.0")[1].startswith("3")
    assert "one↵two↵t" + "h" + "ree" in places


def test_a_long_text_is_cut_and_it_is_said(tmp_path):
    reader = surprise(tmp_path, [Cell("x" * 1000, 1.0)] * (LONGEST // 1000 + 3))
    assert "3,000 characters more are in the figures and not shown." in "".join(reader.text)


def test_text_that_no_file_can_hold_is_written_with_a_mark(tmp_path):
    assert "?" in "".join(surprise(tmp_path, [Cell("a\ud800b", 1.0)]).text)


REPORT = {
    "longest": {"start": 4, "source": 90, "length": 5},
    "usual_longest": 3.5,
    "shares": {"5": {"text": 0.25, "held_out": 0.125}},
    "spans": [{}],
    "marked_from": 4,
}


def test_copied_runs_are_marked_once(tmp_path):
    text, marks = "abc <b>xyz</b> def", [Mark(4, 5, 1200), Mark(7, 4, 77), Mark(15, 3, 5)]
    reader = read(write_copies(tmp_path / "c.html", text, marks, title="t", lead="l", report=REPORT))
    assert text in "".join(reader.text)
    assert [tag["title"].split(",")[0] for tag in reader.all("mark")] == [
        "5 characters",
        "4 characters",
        "3 characters",
    ]
    assert reader.all("b") == []
    shown = "".join(reader.text)
    assert "25.0 %" in shown
    assert "12.5 %" in shown


def test_parts_add_up_to_the_text():
    text = "0123456789"
    for marks in (
        [],
        [Mark(0, 10, 0)],
        [Mark(2, 3, 0), Mark(3, 4, 0)],
        [Mark(9, 1, 0)],
        [Mark(1, 8, 0), Mark(2, 3, 0)],
    ):
        assert "".join(part for part, _ in reading._parts(text, marks)) == text


def test_the_report_shows_the_course_of_a_seed_text(tmp_path):
    rows = [{"temperature": t, "seed": "to <b>", "text": f"& {t}"} for t in (0.0, 0.5)]
    lines = [{"step": e, "epoch": e, "nats": None if e == 1 else 1.5, "rows": rows} for e in range(1, 20)]
    (tmp_path / "course.jsonl").write_text("".join(json.dumps(line) + "\n" for line in [*lines, lines[-1]]) + '{"ep')
    reader = read(page.write_page(tmp_path))
    shown = "".join(reader.text)
    assert "What it says" in shown
    assert "to <b>" in shown
    assert len([tag for tag in reader.all("td") if tag.get("class") == "said"]) == 2 * 6
    assert shown.count("1.5000") == 5
    assert "at 0.5" in shown
