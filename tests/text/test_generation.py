"""Generated text against the source's own probabilities, and what is forbidden against looking it up by hand."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare
from torch import nn

from reverie.data.tokenizers import Characters
from reverie.errors import Diverged, UsageError
from reverie.text.copies import Copies
from reverie.text.generation import BLOCK, Repeats, Wish, generate
from reverie.text.sampling import Choice
from tongues import ALPHABET, Letters, Markov, spoken, table

LETTERS, TABLE = Letters(), table()
GREEDY = Choice(temperature=0)


def tokens_of(wish: Wish, count: int = 1, prompt=(0, 1), model=None) -> list[list[int]]:
    found = [[] for _ in range(count)]
    for piece in generate(model or Markov(TABLE), LETTERS, prompt, wish, count=count):
        if piece.symbol:
            found[piece.sample].append(LETTERS.symbols.index(piece.symbol))
    return found


def test_symbols_follow_each_other_as_often_as_the_source_says():
    """Chi-square over all triples with the same two symbols before."""
    samples = tokens_of(Wish(length=400, seed=3), count=40)
    counts = np.zeros(TABLE.shape)
    for sample in samples:
        np.add.at(counts, (sample[:-2], sample[1:-1], sample[2:]), 1)
    seen = counts.sum(-1) > 300
    assert seen.sum() > 10
    values = [
        chisquare(row[p > 0.005], p[p > 0.005] / p[p > 0.005].sum() * row[p > 0.005].sum()).pvalue
        for row, p in zip(counts[seen], TABLE[seen], strict=True)
        if (p > 0.005).sum() > 1
    ]
    assert min(values) > 0.001 / len(values)


def test_each_piece_tells_the_models_probability_and_that_of_the_draw():
    wish = Wish(length=50, choice=Choice(temperature=0.5, top_k=2))
    before = [0, 1]
    for piece in generate(Markov(TABLE), LETTERS, before, wish):
        token, chances = LETTERS.symbols.index(piece.symbol), TABLE[before[-2], before[-1]]
        assert piece.probability == pytest.approx(chances[token], rel=1e-5)
        assert token in np.argsort(-chances)[:2]
        best = np.sort(chances)[-2:] ** 2  # to the power of 1 / T
        assert piece.chance == pytest.approx(chances[token] ** 2 / best.sum(), rel=1e-5)
        before.append(token)


def test_greedy_is_the_same_with_every_seed():
    assert tokens_of(Wish(choice=GREEDY, seed=1)) == tokens_of(Wish(choice=GREEDY, seed=2))
    (sample,) = tokens_of(Wish(length=20, choice=GREEDY))
    two = [0, 1]
    for token in sample:
        assert token == TABLE[two[0], two[1]].argmax()
        two = [two[1], token]


def test_a_sample_depends_neither_on_how_many_there_are_nor_on_how_long_they_get():
    one, many = tokens_of(Wish(length=300)), tokens_of(Wish(length=BLOCK + 100), count=5)
    assert many[0][:300] == one[0]
    assert len({tuple(sample) for sample in many}) == 5
    assert tokens_of(Wish(length=300, seed=1)) != one
    assert tokens_of(Wish(length=300)) == one


def test_the_state_is_carried_and_not_computed_again():
    model = Markov(TABLE)
    tokens_of(Wish(length=30), count=4, prompt=(0, 1, 2), model=model)
    assert model.asked == 4 * (3 + 29)  # once a symbol of the prompt and of the text, in one batch


def test_nothing_is_computed_before_it_is_asked_for():
    pieces = generate(Markov(TABLE), LETTERS, [0], Wish(length=10**9))
    assert next(pieces).place == 0
    assert next(pieces).place == 1


@given(st.lists(st.integers(0, 2), max_size=14), st.integers(1, 4))
def test_what_would_repeat_is_what_is_there_already(tokens, n):
    there = {tuple(tokens[i : i + n]) for i in range(len(tokens) - n + 1)}
    wanted = {t for t in range(3) if len(tokens) >= n - 1 and tuple([*tokens[len(tokens) - n + 1 :], t]) in there}
    assert Repeats(n, tokens).forbidden() == wanted


def test_no_sequence_comes_twice_where_none_may():
    (sample,) = tokens_of(Wish(length=150, no_repeat=4))
    sequence = [0, 1, *sample]
    grams = [tuple(sequence[i : i + 4]) for i in range(len(sequence) - 3)]
    assert len(set(grams)) == len(grams)
    (free,) = tokens_of(Wish(length=150))
    assert len({tuple(free[i : i + 4]) for i in range(147)}) < 147


def test_a_sample_ends_where_all_is_forbidden():
    (sample,) = tokens_of(Wish(length=100, no_repeat=1), prompt=[0])
    assert sorted(sample) == [1, 2, 3, 4, 5]


def test_a_sample_ends_where_only_the_unknown_is_left_and_shows_what_was_held_back():
    tokenizer, model = Characters(["a", "b"]), Markov(np.full((3, 3, 3), 1 / 3))
    pieces = list(generate(model, tokenizer, [1], Wish(length=9, no_repeat=1, stop=("bz",))))
    assert [(piece.symbol, piece.text) for piece in pieces] == [("b", ""), ("", "b")]


@pytest.mark.parametrize("most", [1, 4, 9])
def test_no_longer_sequence_of_the_training_text_is_copied(most):
    train = spoken(TABLE, 3000)
    samples = tokens_of(Wish(length=200, copies=Copies(np.array(train)), max_copy=most), count=3)
    known = LETTERS.decode(train)
    for sample in samples:
        text = LETTERS.decode([0, 1, *sample])
        ends = range(2, len(text))
        assert not [end for end in ends if end >= most and text[end - most : end + 1] in known]
    assert most == 1 or all(len(sample) == 200 for sample in samples)
    free = LETTERS.decode(tokens_of(Wish(length=200), count=1)[0])
    assert any(free[i : i + most + 1] in known for i in range(200 - most))


def test_a_stop_string_ends_one_sample_and_not_the_others():
    wish = Wish(length=60, stop=("\n",))
    pieces = list(generate(Markov(TABLE), LETTERS, [0, 1], wish, count=4))
    texts = ["".join(piece.text for piece in pieces if piece.sample == i) for i in range(4)]
    free = [LETTERS.decode(sample) for sample in tokens_of(Wish(length=60), count=4)]
    assert texts == [text.split("\n")[0] for text in free]
    assert len({len(text) for text in texts}) > 1


def test_text_that_was_held_back_is_there_at_the_end():
    (piece, *_, last) = generate(Markov(TABLE), LETTERS, [0, 1], Wish(length=9, choice=GREEDY, stop=("z" * 5,)))
    assert piece.text
    (free,) = tokens_of(Wish(length=9, choice=GREEDY))
    ending = LETTERS.decode(free)[-3:]
    held = list(generate(Markov(TABLE), LETTERS, [0, 1], Wish(length=9, choice=GREEDY, stop=(ending + "zzz",))))
    assert "".join(p.text for p in held) == LETTERS.decode(free)
    assert last.text
    assert "" in [p.text for p in held]


def test_the_symbol_for_the_unknown_is_never_drawn():
    size = len(ALPHABET) + 1
    tokenizer, model = Characters(list(ALPHABET)), Markov(np.full((size,) * 3, 1 / size))
    pieces = list(generate(model, tokenizer, [1], Wish(length=300)))
    assert "<unk>" not in {piece.symbol for piece in pieces}
    assert "\ufffd" not in "".join(piece.text for piece in pieces)


class Forgetful(nn.Module):
    """Drops out at random unless it is told to rest."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))

    def step(self, token, state):
        assert not self.training
        logits = nn.functional.one_hot((token + 1) % 3, 3) * self.scale
        assert not logits.requires_grad
        return logits, None


def test_a_model_rests_while_it_speaks_and_only_then():
    model = Forgetful().train()
    pieces = generate(model, Letters("abc"), [0], Wish(length=4, choice=GREEDY))
    assert next(pieces).symbol == "b"
    pieces.close()
    assert model.training
    assert torch.is_grad_enabled()
    assert [p.symbol for p in generate(model, Letters("abc"), [0], Wish(length=3, choice=GREEDY))] == ["b", "c", "a"]


def test_a_damaged_model_says_nothing():
    with pytest.raises(Diverged, match="no numbers"):
        tokens_of(Wish(length=3), model=Markov(np.full(TABLE.shape, np.nan)))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"length": 0}, "--length must be at least 1; got 0"),
        ({"no_repeat": -1, "seed": -2}, "(?s)--no-repeat-ngram must be at least 0.*--seed must be at least 0"),
        ({"max_copy": -1}, "--max-copy must be at least 0"),
        ({"max_copy": 5}, "needs the training text"),
    ],
)
def test_wishes_that_cannot_be_are_refused(given, words):
    with pytest.raises(UsageError, match=words):
        Wish(**given)


def test_an_empty_prompt_and_no_samples_are_refused():
    with pytest.raises(UsageError, match="prompt is empty"):
        next(generate(Markov(TABLE), LETTERS, [], Wish()))
    with pytest.raises(UsageError, match="--count must be at least 1; got 0"):
        next(generate(Markov(TABLE), LETTERS, [0], Wish(), count=0))
