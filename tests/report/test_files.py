"""Reading a run folder: what is missing is empty, what is broken is named."""

import json

import numpy as np
import pytest

from reverie.errors import DataError
from reverie.report import files, sheets


def test_an_empty_folder_is_an_empty_record(tmp_path):
    record = files.read(tmp_path)
    assert (record.name, record.recipe, record.figures, record.rows) == (tmp_path.name, "", (), ())


def test_tables_are_laid_flat_and_half_a_line_is_passed_over(tmp_path):
    (tmp_path / "config.toml").write_text('recipe = "vae-conv"\nsteps = 3\n[arguments]\nlatent = 8\n')
    (tmp_path / "metrics.jsonl").write_text('{"step": 1, "loss": 2.0}\n\n{"step": 2, "lo')
    (tmp_path / "eval.json").write_text(json.dumps({"figures": [{"name": "elbo", "value": 1.0}]}))
    record = files.read(tmp_path)
    assert record.config == {"recipe": "vae-conv", "steps": 3, "latent": 8}
    assert record.recipe == "vae-conv"
    assert record.rows == ({"step": 1, "loss": 2.0},)
    assert record.figures == ({"name": "elbo", "value": 1.0},)


def test_a_step_that_was_trained_again_counts_once_as_it_was_in_the_end(tmp_path):
    steps = [(50, 3.0), (100, 2.0), (150, 9.0), (100, 2.5), (150, 1.0), (200, 0.5)]  # rolled back from 150 to 50
    rows = [{"step": step, "loss": loss} for step, loss in steps] + [{"step": 150, "test": True, "test_elbo": 1.0}]
    told = [*map(json.dumps, rows), "3", '{"step": "x"}', "\0\0"]
    (tmp_path / "metrics.jsonl").write_bytes("\n".join(told).encode() + b"\n\xff\xfe\n")
    losses = [(row["step"], row["loss"]) for row in files.read(tmp_path).rows if "loss" in row]
    assert losses == [(50, 3.0), (100, 2.5), (150, 1.0), (200, 0.5)]
    assert [row for row in files.read(tmp_path).rows if "test" in row] == [rows[-1]]


def test_pictures_are_in_order_without_their_dark_twins(tmp_path):
    for step in (10, 2):
        draw = np.zeros((1, 1, 4, 4), np.uint8)
        sheets.both(tmp_path / "samples" / f"{step:06d}.png", lambda t, x=draw: sheets.sheet(x, title="", theme=t))
    assert [p.name for p in files.read(tmp_path).samples] == ["000002.png", "000010.png"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("run.json", "{", r'run.json" is not JSON .*Restore it, or delete it'),
        ("run.json", "[]", r"should hold a JSON object"),
        ("config.toml", "recipe =", r'config.toml" is not TOML'),
    ],
)
def test_broken_files_are_named(tmp_path, name, content, message):
    (tmp_path / name).write_text(content)
    with pytest.raises(DataError, match=message):
        files.read(tmp_path)


def test_no_folder(tmp_path):
    with pytest.raises(DataError, match=r'no run folder ".*nowhere"'):
        files.read(tmp_path / "nowhere")


def test_html_is_escaped_and_a_missing_value_is_an_error(tmp_path):
    from jinja2 import UndefinedError

    with pytest.raises(UndefinedError):
        files.render("page.html.j2", record=None)
