"""The classic table: the same seed text, always from the same noise."""

import json

from reverie.text.course import TEMPERATURES, continuations, note_epoch
from reverie.text.generation import Wish, generate
from reverie.text.sampling import Choice
from tongues import Letters, Markov, table

TABLE, LETTERS = table(), Letters()


def test_a_row_for_each_temperature_is_what_generate_gives():
    rows = continuations(Markov(TABLE), LETTERS, "ab ", length=40)
    assert [row["temperature"] for row in rows] == list(TEMPERATURES) == [0, 0.25, 0.5, 0.75]
    for row in rows:
        wish = Wish(length=40, choice=Choice(row["temperature"]))
        pieces = generate(Markov(TABLE), LETTERS, LETTERS.encode("ab "), wish)
        assert row["text"] == "".join(piece.text for piece in pieces)
        assert row["seed"] == "ab "
        assert len(row["text"]) == 40
    assert len({row["text"] for row in rows}) == 4
    assert continuations(Markov(TABLE), LETTERS, "ab ", length=40) == rows


def test_an_epoch_is_a_line_beside_its_loss(tmp_path):
    rows = continuations(Markov(TABLE), LETTERS, "a\n", length=5)
    for epoch, loss in ((1, 2.5), (2, None)):
        note_epoch(tmp_path, epoch, 10 * epoch, loss, rows)
    lines = [json.loads(line) for line in (tmp_path / "course.jsonl").read_text().splitlines()]
    assert lines == [{"step": 10 * e, "epoch": e, "nats": n, "rows": rows} for e, n in ((1, 2.5), (2, None))]
