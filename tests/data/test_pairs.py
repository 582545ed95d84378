"""Byte pairs: any text comes back; without the package there is one message."""

import json
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reverie.data.tokenizers import build, from_json
from reverie.errors import DataError, UsageError


def test_without_the_package_a_person_is_told_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(UsageError, match=r"pip install 'reverie\[bpe\]', or take --tokens characters"):
        build("bpe", ["abc"])


@pytest.fixture(scope="module")
def trained():
    pytest.importorskip("tokenizers")
    return build("bpe", ["the cat sat on the mat. " * 50], 300)


def test_frequent_runs_are_one_symbol(trained):
    assert 256 < len(trained) <= 300
    assert len(trained.encode("the cat")) <= 3
    assert "the" in "".join(trained.symbols)


@settings(max_examples=50)
@given(text=st.text())
def test_any_text_comes_back(trained, text):
    assert trained.decode(trained.encode(text)) == text
    again = from_json(json.loads(json.dumps(trained.to_json())))
    assert again.encode(text).tolist() == trained.encode(text).tolist()


def test_a_damaged_vocabulary_is_refused(trained):
    with pytest.raises(DataError, match="cannot be read"):
        from_json({"kind": "bpe", "model": "{"})
