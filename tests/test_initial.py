"""Going on from another run: the same numbers for old symbols, near ones for new, and nothing that does not fit."""

import pytest
import torch

import reverie
from reverie import config
from reverie.engine.checkpoint import places, read
from reverie.errors import UsageError
from reverie.runs import open_run
from reverie.training import create, go, prepare
from test_text_runs import SMALL, WORDS, digest, trained

GROWN = "Où être, oder nicht ç to be, that is the question? Ob's 東 edler im Gemüt\n" * 12


def first(run):
    return read(places(run.folder / "checkpoints")[-1]).tensors


def test_the_same_vocabulary_starts_from_the_same_weights(tmp_path):
    run = trained(tmp_path)
    other = trained(tmp_path, "b", init=str(run.folder), steps=1)
    before = run.model.state_dict()
    for kind in ("model", "ema"):
        assert all(torch.equal(before[name], tensor) for name, tensor in first(other)[kind].items())


@pytest.mark.parametrize("init", ["a", "last"])
def test_the_first_run_is_found_by_its_name_among_the_runs(init, tmp_path, monkeypatch):
    """Also ``last``, which must not be the new run itself; wherever it is resumed from."""
    run = trained(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REVERIE_RUNS", str(tmp_path / "elsewhere"))
    other = trained(tmp_path, "b", init=init, steps=1)
    assert other.config["init"] == str(run.folder.resolve())
    before = run.model.state_dict()
    assert all(torch.equal(before[name], tensor) for name, tensor in first(other)["model"].items())


def test_a_vocabulary_grows_and_new_symbols_start_near_their_parents(tmp_path):
    run = trained(tmp_path)
    other = trained(tmp_path, "b", init=str(run.folder), text=GROWN, steps=1)
    old, new = run.spec.kept, other.spec.kept
    assert new.symbols[: len(old)] == old.symbols
    assert {"ê", "O", "東"} <= set(new.symbols) - set(old.symbols)
    rows, before = first(other)["model"]["embedding.weight"], run.model.state_dict()["embedding.weight"]
    assert torch.equal(rows[: len(old)], before)
    for symbol, parent in (("ê", "e"), ("O", "o"), ("ü", "u")):
        assert torch.equal(rows[new.symbols.index(symbol)], before[old.symbols.index(parent)])
    torch.testing.assert_close(rows[new.symbols.index("東")], before.mean(0))
    for name in ("weight", "bias"):
        assert len(first(other)["model"][name]) == len(new)


def test_it_resumes_bit_by_bit_also_when_the_first_run_is_gone(tmp_path):
    run = trained(tmp_path)
    whole = trained(tmp_path, "whole", init=str(run.folder), text=GROWN)
    settings = {"text": GROWN, "steps": 40, "init": str(run.folder), **SMALL}
    folder = create(prepare(config.resolve("text-char", settings)), "broken", tmp_path)
    from reverie.engine.loop import Report
    from reverie.errors import Interrupted
    from test_text_runs import signal_self

    with pytest.raises(Interrupted):
        go(folder, Report(on_step=lambda step, row: signal_self() if step == 7 else None))
    run.folder.rename(tmp_path / "gone")
    assert digest(go(folder, Report())) == digest(whole)


def test_it_learns_faster_than_from_nothing(tmp_path):
    run = trained(tmp_path, steps=300, units=(32,), dropout=0.0, rate=2e-2)
    for name, init in (("on", str(run.folder)), ("anew", None)):
        trained(
            tmp_path,
            name,
            init=init,
            steps=20,
            units=(32,),
            dropout=0.0,
            rate=2e-2,
            text=WORDS.replace("question", "matter"),
        )
    on, anew = (open_run(tmp_path / name).evaluate().figures[0].value for name in ("on", "anew"))
    assert on < anew - 0.5


def test_what_does_not_fit_is_refused(tmp_path):
    run = trained(tmp_path, steps=2)
    with pytest.raises(UsageError, match=r"do not fit this model \(weight, layers.0.weight_ih"):
        trained(tmp_path, "b", init=str(run.folder), units=(9,))
    with pytest.raises(UsageError, match="There is no run"):
        trained(tmp_path, "c", init=str(tmp_path / "none"))
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    images = reverie.train("vae-mlp", runs=tmp_path, data="shapes", size="8", steps=1, hidden=4, threads=1)
    with pytest.raises(UsageError, match="is a model of images"):
        trained(tmp_path, "d", init=str(images.folder))
    more = reverie.train("vae-mlp", runs=tmp_path, data="shapes", size="8", steps=1, hidden=4, threads=1,
                         init=str(images.folder))  # fmt: skip
    assert more.record["status"] == "finished"
