"""The page as text: what it holds, that it is whole, and that its policy allows that and nothing else."""

import base64
import gzip
import json
import re
from dataclasses import replace
from hashlib import sha256

import numpy as np
import pytest
import torch

import reverie as package
from reverie.data import prompts
from reverie.data.tokenizers import from_json
from reverie.errors import UsageError
from reverie.export.examples import examples
from reverie.export.facts import facts_of
from reverie.export.html import MODULES, WEB, joined, page
from reverie.export.onnx import Exported
from reverie.export.parts import Input, Part, parts_of
from reverie.export.speech import speech
from reverie.report import reading
from reverie.runs import open_run
from scenes import quietly, reverie

ABOUT = {"name": 'a </script> & "b"', "shape": [1, 2, 2]}


def scripts(text: str) -> dict[str, str]:
    return dict(re.findall(r'<script type="[^"]*" id="([^"]+)">(.*?)</script>', text, re.DOTALL))


def test_what_goes_in_comes_out():
    files = {"decoder.onnx": bytes(range(256)) * 9, "codes": b""}
    found = scripts(page(ABOUT, files))
    assert json.loads(found.pop("about")) == ABOUT
    assert {name: gzip.decompress(base64.b64decode(data)) for name, data in found.items()} == files


def test_the_policy_names_the_script_and_the_style_that_are_there_and_no_others():
    text = page(ABOUT, {})
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]+)"', text)
    assert policy.startswith("default-src 'none'; ")
    (style,) = re.findall(r"<style>(.*?)</style>", text, re.DOTALL)
    (script,) = re.findall(r'<script type="module">(.*?)</script>', text, re.DOTALL)
    for inside in (style, script):
        assert f"'sha256-{base64.b64encode(sha256(inside.encode()).digest()).decode()}'" in policy
    assert "unsafe-inline" not in policy
    assert "'unsafe-eval'" not in policy
    assert not re.search(r"\sstyle=|\son\w+=", text.replace(script, "").replace(style, ""))


def test_a_page_asks_for_nothing_from_elsewhere():
    text = page(ABOUT, {})
    assert not re.search(r"https?://|//cdn|@import|url\(|<link|\ssrc=", text)


def test_all_text_goes_in_as_text():
    ours = [(WEB / name).read_text(encoding="utf-8") for name in MODULES]
    assert not [
        word for text in ours for word in re.findall(r"innerHTML|outerHTML|insertAdjacent|document\.write|eval\(", text)
    ]


def test_modules_become_one_and_no_two_share_a_name():
    assert {path.name for path in WEB.glob("*.js")} == set(MODULES)
    texts = {name: (WEB / name).read_text(encoding="utf-8") for name in MODULES}
    names = [
        n
        for t in texts.values()
        for n in re.findall(r"^(?:export )?(?:async )?(?:function|class|const|let) (\w+)", t, re.M)
    ]
    assert len(names) == len(set(names))
    whole = joined(list(texts.values()))
    assert not re.search(r"^(import|export) ", whole, re.MULTILINE)
    for place, name in enumerate(MODULES):
        for other in re.findall(r'^import .* from "\./([^"]+)";', texts[name], re.MULTILINE):
            assert MODULES.index(other) < place, f"{name} needs {other} before it"


@pytest.mark.parametrize("name", ["vae", "told"])
def test_the_album_is_of_the_test_images(name, workshop):
    run = open_run(name)
    parts = parts_of(name, run.model, run.plan.view, run.spec)
    about, arrays = examples(run, facts_of(run), parts)
    test = run.data.test
    codes = torch.from_numpy(np.frombuffer(arrays["codes"], np.float32).copy()).view(-1, 2)
    label = (test.labels,) if name == "told" else ()
    with torch.no_grad():
        posterior = run.model.encode(run.plan.view.still(test.pixels), *label)
    torch.testing.assert_close(codes, posterior.mean)
    assert list(arrays["labels"]) == test.labels.tolist()
    assert about["points"] == len(test)
    variance = posterior.log_variance.exp()
    wanted = 0.5 * (posterior.mean.square() + variance - 1 - posterior.log_variance).mean(0)
    torch.testing.assert_close(torch.tensor(about["use"]), wanted, atol=1e-5, rtol=1e-4)
    assert about["order"] == wanted.argsort(descending=True).tolist()
    assert (about["unit"], about["mean"], about["deviation"]) == ("nats", [0.0, 0.0], [1.0, 1.0])
    assert len(arrays["examples"]) == len(arrays["examples.labels"]) * test.pixels[0].numel()
    assert about["conditional"] is (name == "told")
    assert about["inputs"]["decoder"] == ({"z": [2], "label": []} if name == "told" else {"z": [2]})


def test_the_album_of_a_game_has_no_codes(workshop):
    run = open_run("game")
    about, arrays = examples(run, facts_of(run), parts_of("game", run.model, run.plan.view, run.spec))
    assert about["inputs"] == {"generator": {"z": [2]}}
    assert about["kinds"] == {"z": "normal"}
    assert arrays == {}


@pytest.fixture
def no_runtime(monkeypatch):
    """Nothing to run the page with, and nothing that is exported: what is looked at is the command."""

    def graphs(run, folder):
        folder.mkdir()
        (folder / "decoder.onnx").write_bytes(b"graph")
        return [Exported(folder / "decoder.onnx", 1e-7, 5)]

    monkeypatch.setattr("reverie.export.html.export_onnx", graphs)
    monkeypatch.setattr("reverie.export.html.fetch.content", lambda package, name: name.encode())


def test_the_command_writes_one_file(workshop, no_runtime, capfd):
    assert reverie("export", "vae", "--to", "html") == 0
    out = capfd.readouterr().out
    file = workshop / "runs" / "vae" / "export" / "vae.html"
    assert out.startswith(f"{file}  0.")
    assert "decoder.onnx  0.0 MB, differs by 1.0e-07 at most" in out
    assert {"about", "decoder.onnx", "runtime.js", "codes", "labels", "examples"} <= scripts(file.read_text()).keys()


def test_another_ending_is_refused(workshop, capfd):
    assert reverie("export", "vae", "--to", "html", "--out", "page.txt") == 2
    assert "give a name that ends in .html" in capfd.readouterr().err


def test_without_the_runtime_it_says_what_to_install(workshop, capfd, monkeypatch, tmp_path):
    monkeypatch.setenv("REVERIE_CACHE", str(tmp_path / "empty"))
    monkeypatch.setenv("REVERIE_OFFLINE", "0")
    monkeypatch.setenv("PATH", "/nowhere")
    assert reverie("export", "vae", "--to", "html") == 3
    assert "install Node.js" in capfd.readouterr().err
    assert not (workshop / "runs" / "vae" / "export").exists()


@pytest.fixture(scope="module")
def verse(tmp_path_factory):
    """A model of two steps that writes."""
    words = "the wind and the rain, for the rain it raineth every day\n" * 30
    with quietly():
        how = {"units": (6, 4), "embedding": 3, "batch": 2, "window": 8, "steps": 2, "threads": 1, "device": "cpu"}
        return package.train("text-char", name="verse", runs=tmp_path_factory.mktemp("verse"), text=words, **how)


def test_a_page_of_text_is_told_the_vocabulary_and_the_state(verse):
    (step,) = parts_of("verse", verse.model, verse.plan.view, verse.spec)
    about = speech(verse, facts_of(verse), step)
    assert from_json(about["vocabulary"]).symbols == verse.voice.tokenizer.symbols
    assert about["symbols"] == len(verse.voice.tokenizer)
    sizes = {"state_0": [1, 6], "state_1": [1, 6], "state_2": [1, 4], "state_3": [1, 4]}
    assert about["inputs"] == {"step": {"token": [1], **sizes}}
    assert json.loads(scripts(page(about, {}))["about"]) == about


def test_the_batch_stands_where_the_model_has_it(verse):
    (step,) = parts_of("verse", verse.model, verse.plan.view, verse.spec)
    moved = replace(step, inputs={"token": Input("number", count=9), "state_0": Input("normal", (2, 8), 1)})
    assert speech(verse, {}, moved)["inputs"]["step"] == {"token": [1], "state_0": [2, 1, 8]}


def test_a_model_without_a_vocabulary_is_one_message(workshop):
    with pytest.raises(UsageError, match="vae has no page: it predicts symbols, and has no vocabulary"):
        speech(open_run("vae"), {}, Part("step", torch.nn.Identity(), {}, ()))


def test_the_page_and_the_report_colour_by_the_same_bits():
    (edges,) = re.findall(r"const EDGES = (\[.*?\]);", (WEB / "symbols.js").read_text(encoding="utf-8"))
    assert tuple(json.loads(edges)) == reading.EDGES
    shares = re.findall(r"^\.b\d .* var\(--accent\) (\d+)%", (WEB / "style.css").read_text(encoding="utf-8"), re.M)
    assert [0, *(int(share) / 100 for share in shares)] == list(reading.TINTS)


def test_replacements_of_a_prompt_are_those_of_the_command_line():
    text = (WEB / "vocabulary.js").read_text(encoding="utf-8")
    (plain,) = re.findall(r"const PLAIN = (\{.*?\});", text, re.DOTALL)
    assert json.loads(plain) == prompts._PLAIN
