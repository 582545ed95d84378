"""What was copied, against texts whose copies are known."""

import json

import numpy as np
import pytest

from reverie.errors import DataError
from reverie.text.copies import Copies, Span
from reverie.text.memorisation import memorisation, usual_longest


def noise(count: int, seed: int) -> str:
    return "".join(np.random.default_rng(seed).choice(list("abcdefgh"), count))


TRAIN, HELD = noise(20_000, 0), noise(5_000, 1)
KNOWN = Copies.of_text(TRAIN)


def test_a_copied_passage_is_found_where_it_is():
    text = noise(300, 2) + "|" + TRAIN[500:560] + "|" + noise(300, 3) + "|" + TRAIN[9000:9031] + "|"
    memory = memorisation(text, KNOWN, HELD)
    assert memory.longest == Span(301, 500, 60)
    assert memory.spans == [Span(301, 500, 60), Span(663, 9000, 31)]
    assert memory.least == 20
    assert memory.shares[30][0] == pytest.approx((31 + 2) / (len(text) - 29))
    assert memory.shares[30][1] == 0


def test_a_passage_of_thousands_of_characters_is_one_run():
    memory = memorisation("|" + TRAIN[700:4700] + "|" + noise(50, 2), KNOWN, HELD)
    assert memory.longest == Span(1, 700, 4000)
    assert memory.spans == [Span(1, 700, 4000)]


def test_a_text_of_the_same_kind_copies_as_much_as_the_held_out_one():
    memory = memorisation(noise(5_000, 7), KNOWN, HELD)
    for mine, others in memory.shares.values():
        assert mine == pytest.approx(others, abs=0.02)
    assert memory.shares[5][0] > 0.3
    assert memory.spans == []
    assert abs(memory.longest.length - memory.usual) <= 2


def test_the_training_text_itself_is_all_copied():
    memory = memorisation(TRAIN[1000:1900], KNOWN, HELD)
    assert memory.longest == Span(0, 1000, 900)
    assert {mine for mine, _ in memory.shares.values()} == {1.0}


def test_runs_of_held_out_pieces_end_with_their_piece():
    lengths = np.array([3, 2, 1, 6, 5, 4, 3, 2, 1])
    assert usual_longest(lengths, 3) == 3
    assert usual_longest(lengths, 4) == (3 + 4) / 2
    assert usual_longest(lengths, 9) == 6
    assert usual_longest(lengths, 100) == 6


def test_it_can_be_written_down():
    written = json.loads(json.dumps(memorisation(TRAIN[:80], KNOWN, HELD).to_json(), allow_nan=False))
    assert written["longest"] == {"start": 0, "source": 0, "length": 80}
    assert written["shares"]["50"] == {"text": 1.0, "held_out": 0.0}


@pytest.mark.parametrize("given", [("", KNOWN, HELD), ("a", KNOWN, ""), ("a", Copies.of_text(""), HELD)])
def test_nothing_is_no_text(given):
    with pytest.raises(DataError, match="one is empty"):
        memorisation(*given)
