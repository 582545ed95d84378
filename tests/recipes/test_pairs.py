"""Byte pairs from a command to a text: the vocabulary lies beside the weights, and every script comes back."""

import json

import pytest

import reverie
from reverie.data.corpus import VOCABULARY, read_vocabulary
from reverie.errors import DataError
from reverie.runs import Run

pytest.importorskip("tokenizers")

TEXT = "Wer reitet so spät 東京 👩‍👩‍👧 ไทย e\u0301 é durch Nacht und Wind?\r\n" * 60
STRANGE = "\ufeffзима 𝔘 🏴\u200d☠\ufe0f \u2028\t'\"\\ ß東"
SMALL = {"embedding": 4, "units": (8,), "batch": 4, "window": 8, "threads": 1, "device": "cpu", "precision": "fp32"}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pairs")
    settings = {"text": TEXT, "tokens": "bpe", "vocabulary": 300, "steps": 3, **SMALL}
    return reverie.train("text-char", name="pairs", runs=folder, **settings)


def test_the_vocabulary_of_the_training_part_lies_beside_the_weights(run):
    stored = json.loads((run.folder / "model" / VOCABULARY).read_text(encoding="utf-8"))
    assert stored["kind"] == "bpe"
    assert 256 < len(read_vocabulary(run.folder / "model")) <= 300
    assert run.record["data"]["vocabulary"] == len(run.voice.tokenizer)
    assert run.record["data"]["unknown"] == {"train": 0, "valid": 0}


def test_a_run_opened_anew_has_the_same_symbols(run):
    again = Run(run.folder)
    for text in (TEXT, STRANGE):
        ids = again.voice.tokenizer.encode(text)
        assert ids.tolist() == run.voice.tokenizer.encode(text).tolist()
        assert again.voice.tokenizer.decode(ids) == text
    assert reverie.load(run.folder / "model").state_dict().keys() == run.model.state_dict().keys()


def test_it_goes_on_with_a_prompt_of_any_script_and_what_is_shown_is_what_was_drawn(run):
    speech = run.generate(STRANGE, length=50, seed=3, count=2)
    assert speech.values["prompt"] == STRANGE
    assert not speech.values["note"]  # nothing is unknown
    assert all(speech.values["texts"])
    streamed = run.stream(STRANGE, length=50, seed=3, count=2).texts()
    assert streamed == speech.values["texts"]


def test_bits_per_character_are_of_the_characters_and_not_of_the_pairs(run):
    figures = {figure.name: figure for figure in run.evaluate().figures}
    valid = run.written.data.parts["valid"].decode()
    ids = run.voice.tokenizer.encode(valid)
    assert len(ids) < len(valid)
    first = len(run.voice.tokenizer.decode(ids[:1]))
    bits = figures["nats_per_symbol"].value * (len(ids) - 1) / 0.6931471805599453
    assert figures["bits_per_character"].value == pytest.approx(bits / (len(valid) - first), rel=1e-9)


def test_a_text_of_any_script_is_compressed_and_comes_back(run, tmp_path):
    path = tmp_path / "strange.txt"
    path.write_bytes((STRANGE.removeprefix("\ufeff") + TEXT[:200]).encode())
    packed = run.compress(path, out=tmp_path / "packed").files[0]
    back = run.decompress(packed, out=tmp_path / "back.txt").files[0]
    assert back.read_bytes() == path.read_bytes()


def test_each_symbol_of_a_text_has_its_surprise(run, tmp_path):
    path = tmp_path / "mine.txt"
    path.write_text(TEXT[:300], encoding="utf-8")
    page = run.score(path, out=tmp_path / "mine.html").files[0].read_text(encoding="utf-8")
    assert "東京" in page


@pytest.mark.parametrize("model", ["{", "[]", '{"model": {"type": "BPE"}}', 7, None])
def test_a_damaged_vocabulary_is_one_message(model, run, tmp_path):
    (tmp_path / VOCABULARY).write_text(json.dumps({"kind": "bpe", "model": model}))
    with pytest.raises(DataError, match="vocabulary.json cannot be read: the vocabulary"):
        read_vocabulary(tmp_path)
