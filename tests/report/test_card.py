"""The model card: complete, in the Hub's layout, and free of markup that nobody wrote."""

import json
import re

import numpy as np
import pytest

from reverie.report import card, sheets


@pytest.fixture
def run(tmp_path):
    folder = tmp_path / "moon_1"
    folder.mkdir()
    x = np.zeros((1, 1, 8, 8), np.uint8)
    sheets.save(sheets.sheet(x, title="x"), folder / "samples" / "000010.png")
    protocol = {"data": "mnist-5k", "split": "test"}
    figures = [
        {
            "name": "elbo",
            "value": -101.2345,
            "unit": "nats",
            "standard_error": 0.3456,
            "protocol": {**protocol, "k": 5},
        },
        {"name": "a|b", "value": 2.0, "unit": "dB", "standard_error": None, "protocol": protocol},
    ]
    facts = {
        "status": "finished",
        "recipe": "vae-conv",
        "versions": {"torch": "2.13.0"},
        "seconds": 75,
        "steps": 1000,
        "seed": 0,
        "device": "2 cores",
        "parameters": 1234,
        "data": {"name": "mnist-5k", "split": "train", "shape": [1, 28, 28], "classes": ["0", "1"]},
    }
    (folder / "run.json").write_text(json.dumps(facts))
    (folder / "eval.json").write_text(json.dumps({"figures": figures}))
    return folder


def test_the_card_is_complete(run):
    path = card.write_card(run)
    assert path == run / "model" / "README.md"
    said = path.read_text(encoding="utf-8")
    front, body = re.fullmatch(r"---\n(.*?)\n---\n(.*)", said, re.DOTALL).groups()
    assert front.splitlines() == [
        "library_name: reverie",
        "tags:",
        '- "reverie"',
        '- "pytorch"',
        '- "generative-model"',
        '- "vae-conv"',
    ]
    assert [line for line in body.splitlines() if line.startswith("#")] == [
        "# moon\\_1",
        "## Data",
        "## Training",
        "## Figures",
        "## Limits",
        "## How to load it",
    ]
    for words in (
        "A vae-conv model trained on mnist-5k, with 1,234 parameters.",
        "| elbo | \u2212101.23 ± 0.35 | nats | k 5 |",
        "For all of these: data mnist-5k, split test.",
        "Its 2 classes are 0, 1.",
        "1,000 steps, 1 min 15 s, on 2 cores, seed 0, torch 2.13.0.",
        'model = reverie.load("path/to/this/folder")',
        "![Images of moon\\_1](picture.png)",
    ):
        assert words in body
    assert (run / "model" / "picture.png").read_bytes() == (run / "samples" / "000010.png").read_bytes()


def test_nothing_is_left_to_fill_in(run, tmp_path):
    (tmp_path / "empty").mkdir()
    for folder in (run, tmp_path / "empty"):
        said = card.write_card(folder).read_text(encoding="utf-8")
        assert not re.search(r"more information needed|todo|\{\{|\}\}|\{%|none|n/a", said, re.IGNORECASE)
        assert "\n\n\n" not in said
        assert said.endswith("```\n")
    assert "nothing is known of its quality" in said


def test_rows_of_the_table_have_four_cells(run):
    said = card.write_card(run).read_text(encoding="utf-8")
    rows = [line for line in said.splitlines() if line.startswith("|")]
    assert len(rows) == 4
    assert all(len(re.findall(r"(?<!\\)\|", row)) == 5 for row in rows)


def test_an_unfinished_run_says_so(run):
    facts = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps({**facts, "status": "diverged", "reason": "not <b>finite</b>"}))
    said = card.write_card(run).read_text(encoding="utf-8")
    assert "The training is not complete: diverged (not &lt;b&gt;finite&lt;/b&gt;)." in said


def test_which_weights_were_kept_is_said(run):
    facts = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps({**facts, "weights": "step 500 of 1,000, with the best first figure"}))
    assert "weights of step 500 of 1,000, with the best first figure" in card.write_card(run).read_text()
