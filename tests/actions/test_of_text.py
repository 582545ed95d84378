"""What is done with a trained language model, from the command to the file, on a small run."""

import io
import json
import math
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import reverie as package
from reverie.actions.of_text import speak, wish_of
from reverie.data.tokenizers import Characters
from reverie.errors import DataError, ReverieError, UsageError
from reverie.runs import Run, open_run
from scenes import make_runs, quietly, reverie

TEXT = (
    "to be, or not to be, that is the question:\nwhether 'tis nobler in the mind to suffer\n"
    "the slings and arrows of outrageous fortune,\nor to take arms against a sea of troubles\n"
) * 15 + "of mind and sea that be arrows or to suffer, take the question nobler in troubles, fortune is against " * 3
SMALL = {"embedding": 8, "units": (16,), "batch": 4, "window": 16, "dropout": 0.0, "rate": 2e-2}
MACHINE = {"threads": 1, "device": "cpu", "precision": "fp32"}


@pytest.fixture(scope="module")
def workshop(tmp_path_factory):
    home = tmp_path_factory.mktemp("speech")
    package.train("text-char", name="hamlet", runs=home / "runs", text=TEXT, epochs=3, **SMALL, **MACHINE)
    raw = {"tokens": "bytes", **SMALL, **MACHINE}
    package.train("text-char", name="raw", runs=home / "runs", text=TEXT, steps=3, **raw)
    (home / "speech.txt").write_text(TEXT[:400])
    return home


@pytest.fixture
def here(workshop, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(workshop / "runs", tmp_path / "runs")
    shutil.copy(workshop / "speech.txt", tmp_path)
    return tmp_path


def said(capfd, *words: str, code: int = 0) -> str:
    found = reverie(*words)
    out, err = capfd.readouterr()
    assert found == code, err
    return out if code == 0 else err


# Generation


def test_a_text_is_gone_on_with(here, capfd):
    text = said(capfd, "generate", "hamlet", "--prompt", "to be", "--length", "30")
    assert text.startswith("to be")
    assert len(text) == 5 + 30 + 1
    assert said(capfd, "generate", "hamlet", "--prompt", "to be", "--length", "30") == text
    assert said(capfd, "generate", "hamlet", "--prompt", "to be", "--length", "30", "--seed", "1") != text


def test_the_command_and_python_say_the_same(here, capfd):
    answer = json.loads(said(capfd, "generate", "hamlet", "--prompt", "or", "--count", "3", "--json"))
    result = open_run("hamlet").generate("or", count=3)
    assert result.values == answer
    assert len(set(answer["texts"])) == 3
    assert {len(text) for text in answer["texts"]} == {200}
    shown = said(capfd, "generate", "hamlet", "--prompt", "or", "--count", "3")
    assert shown == "".join(f"-- {i} of 3 --\nor{text}\n" for i, text in enumerate(answer["texts"], 1))


def test_it_streams(here):
    speech = open_run("hamlet").stream("to", length=10**9)
    assert next(iter(speech)).text
    assert next(iter(speech)).place == 1


def test_each_symbol_tells_its_probability(here, capfd):
    flags = ("--prompt", "to", "--length", "25", "--temperature", "0.5", "--top-k", "3")
    lines = [json.loads(line) for line in said(capfd, "generate", "hamlet", *flags, "--probabilities").splitlines()]
    run = open_run("hamlet")
    ids = torch.from_numpy(run.voice.tokenizer.encode("to" + "".join(line["text"] for line in lines)).astype("int64"))
    chances = run.model(ids[None])[0][0].double().softmax(-1)
    for place, line in enumerate(lines):
        now, token = chances[1 + place], ids[2 + place]
        assert line["place"] == place
        assert line["probability"] == pytest.approx(float(now[token]), rel=1e-4)
        best = now.index_fill(0, torch.tensor([0]), 0.0).topk(3).values.square()
        assert line["chance"] == pytest.approx(float(now[token] ** 2 / best.sum()), rel=1e-3)


def test_a_prompt_comes_from_a_file_or_from_standard_input(here, capfd, monkeypatch):
    (here / "prompt.txt").write_text("to be,\n")
    wanted = said(capfd, "generate", "hamlet", "--prompt", r"to be,\n", "--length", "9")
    assert said(capfd, "generate", "hamlet", "--prompt-file", "prompt.txt", "--length", "9") == wanted
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"to be,\n")))
    assert said(capfd, "generate", "hamlet", "--prompt-file", "-", "--length", "9") == wanted
    assert " to" in said(capfd, "generate", "hamlet", "--prompt", "- to", "--length", "9")


def test_unknown_characters_are_said_once_and_never_a_crash(here, capfd):
    assert reverie("generate", "hamlet", "--prompt", "TÔ be \N{SNOWMAN}", "--length", "5") == 0
    out, err = capfd.readouterr()
    assert out.startswith("to be ")
    assert err.count("the model does not know") == 1
    assert "\N{SNOWMAN}" in err


def test_without_a_prompt_a_line_begins(here):
    run = open_run("hamlet")
    assert run.generate(length=20).values["texts"] == run.generate("\n", length=20).values["texts"]
    voice = run.voice
    bare = type(voice)(voice.name, voice.folder, voice.model, Characters(["a", *voice.tokenizer.symbols[2:]][:5]))
    assert speak(bare, "", wish_of(length=1)).prompt == ""


def test_copies_are_limited(here):
    run = open_run("hamlet")
    (free,) = run.generate("to be", length=80, temperature=0).values["texts"]
    (limited,) = run.generate("to be", length=80, temperature=0, max_copy=3).values["texts"]
    train = run.written.data.parts["train"].decode()
    assert any(free[i : i + 4] in train for i in range(77))
    text = "to be" + limited
    assert not [end for end in range(5, len(text)) if text[end - 3 : end + 1] in train]


def test_only_limiting_copies_needs_the_text_again(workshop, tmp_path):
    text = tmp_path / "text.txt"
    text.write_text(TEXT)
    run = package.train("text-char", name="far", runs=tmp_path, data=str(text), steps=2, **SMALL, **MACHINE)
    text.unlink()
    alone = Run(run.folder)
    assert len(alone.generate(length=7).values["texts"][0]) == 7
    assert alone.score(workshop / "speech.txt").figures
    with pytest.raises(DataError, match="there is no file"):
        Run(run.folder).generate(length=7, max_copy=5)


# Scores


def test_a_text_is_coloured_and_its_figures_are_those_of_the_evaluation(here, capfd):
    run = open_run("hamlet")
    (here / "held.txt").write_bytes(run.written.data.parts["valid"].read())
    answer = json.loads(said(capfd, "score", "hamlet", "held.txt", "--json"))
    figures = {figure["name"]: figure["value"] for figure in answer["figures"]}
    found = {figure.name: figure.value for figure in run.evaluate().figures}
    for name in ("nats_per_symbol", "bits_per_character", "bits_per_byte", "perplexity"):
        assert figures[name] == pytest.approx(found[name], rel=1e-9)
    assert sum(answer["bits"]) / len(answer["bits"]) == pytest.approx(figures["bits_per_character"])
    worst = answer["most_surprising"][0]
    assert answer["bits"][worst["place"] - 1] == max(answer["bits"])
    assert run.written.data.parts["valid"].decode()[worst["place"]] == worst["text"]
    (page,) = answer["files"]
    assert "How held.txt surprises hamlet" in Path(page).read_text()


def test_a_score_lists_the_most_surprising_symbols(here, capfd):
    lines = said(capfd, "score", "hamlet", "speech.txt", "--out", "page.html").splitlines()
    assert lines[0] == "page.html"
    bits = [float(line.split()[2]) for line in lines[1:]]
    assert len(bits) == 10
    assert bits == sorted(bits, reverse=True)


def test_without_a_text_the_held_out_one_is_scored(here, capfd):
    answer = json.loads(said(capfd, "score", "hamlet", "--window", "8", "--json"))
    assert {f["protocol"]["context"] for f in answer["figures"]} == {"cold windows of 8"}
    assert len(answer["bits"]) == len(open_run("hamlet").written.data.ids["valid"]) - 1


def test_what_is_unknown_is_said_and_shown_as_it_is(here):
    (here / "odd.txt").write_text("to be \N{SNOWMAN}\N{SNOWMAN} <b>")
    result = open_run("hamlet").score(here / "odd.txt")
    assert result.figures[0].protocol["unknown"].startswith("4 symbols scored as <unk>")
    page = result.files[0].read_text(encoding="utf-8")
    assert "\N{SNOWMAN}" in page
    assert "<b>" not in page.split('class="text"')[1].split("</div>")[0]


def test_bytes_of_a_character_are_shown_together(here):
    (here / "odd.txt").write_text("é€😀 to be")
    result = open_run("raw").score(here / "odd.txt")
    assert len(result.values["bits"]) == 2 + 3 + 4 + 6 - 1
    assert {each["text"] for each in result.values["most_surprising"]} >= {"", "€", "😀"}


# Compression


def test_a_text_is_compressed_restored_and_as_long_as_its_score(here, capfd):
    answer = json.loads(said(capfd, "compress", "hamlet", "speech.txt", "--json"))
    (packed,) = answer["files"]
    bits = sum(json.loads(said(capfd, "score", "hamlet", "speech.txt", "--json"))["bits"])
    size = (bits + math.log2(len(open_run("hamlet").voice.tokenizer))) / 8
    assert abs(answer["coded_bytes"] - size) <= 0.001 * size + 2
    assert answer["compressed_bytes"] == Path(packed).stat().st_size < 400
    said(capfd, "decompress", "hamlet", packed, "--out", "again.txt")
    assert (here / "again.txt").read_bytes() == (here / "speech.txt").read_bytes()


def test_bytes_compress_any_text(here, capfd):
    content = "\ufeffÉ€😀\r\nto be".encode()
    (here / "odd.txt").write_bytes(content)
    words = said(capfd, "compress", "raw", "odd.txt", "--out", "odd.packed")
    assert words.splitlines()[0] == "odd.packed"
    said(capfd, "decompress", "raw", "odd.packed", "--out", "odd.again")
    assert (here / "odd.again").read_bytes() == content


def test_another_process_restores_it(here, capfd):
    said(capfd, "compress", "hamlet", "speech.txt")
    words = ["decompress", "hamlet", "speech.txt.reverie", "--out", "again.txt", "--runs", "runs"]
    subprocess.run([sys.executable, "-m", "reverie", *words], check=True, capture_output=True)
    assert (here / "again.txt").read_text() == TEXT[:400]


# Copies


def test_copies_of_the_training_text_are_marked(here, capfd):
    train = open_run("hamlet").written.data.parts["train"].decode()
    (here / "stolen.txt").write_text("qqqqq " + train[200:300] + " qqqqq")
    answer = json.loads(said(capfd, "copies", "hamlet", "stolen.txt", "--json"))
    assert answer["longest"]["length"] >= 100
    assert answer["longest"]["start"] in (5, 6)
    (page,) = answer["files"]
    assert "<mark" in Path(page).read_text()


def test_how_to_speak_is_refused_where_a_text_is_given(here, capfd):
    said_no = said(capfd, "copies", "hamlet", "speech.txt", "--length", "9", "--temperature", "0.5", code=2)
    assert "speech.txt is a text already: leave out --length, --temperature." in said_no


@pytest.mark.parametrize("flag", ["--k", "--samples"])
def test_what_an_evaluation_of_text_would_ignore_is_refused(flag, here, capfd):
    assert f"hamlet is a model of text: leave out {flag}." in said(capfd, "evaluate", "hamlet", flag, "9", code=2)


def test_without_a_text_the_model_speaks(here, capfd):
    words = said(capfd, "copies", "hamlet", "--length", "300", "--out", "mine.html")
    assert words.splitlines()[0] == "mine.html"
    assert "longest copied run: " in words
    assert "at temperature 1" in (here / "mine.html").read_text()


# The end of an epoch, and of a run


def test_the_course_of_a_seed_text_is_in_the_report(here):
    folder = here / "runs" / "hamlet"
    lines = [json.loads(line) for line in (folder / "course.jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in lines] == [1, 2, 3]
    watched = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert [line["nats"] for line in lines] == [row["test_loss"] for row in watched if row.get("test")]
    run = open_run("hamlet")
    assert lines[-1]["rows"][0]["seed"] == run.written.data.parts["valid"].decode()[:60]
    (greedy,) = run.generate(lines[-1]["rows"][0]["seed"], temperature=0, length=120).values["texts"]
    assert lines[-1]["rows"][0]["text"] == greedy
    assert "What it says" in (folder / "report.html").read_text()


def test_an_evaluation_stands_beside_its_baselines(here):
    figures = {figure.name: figure for figure in open_run("hamlet").evaluate().figures}
    wanted = ["nats_per_symbol", "bits_per_character", "bits_per_byte", "perplexity"]
    wanted += [f"cold_{name}" for name in wanted]
    wanted += [f"{gram}_{name}" for gram in ("unigram", "5-gram") for name in wanted[:2]]
    assert list(figures) == [*wanted, "xz_bits_per_character"]
    assert figures["cold_perplexity"].protocol["context"] == "cold windows of 256"
    assert figures["nats_per_symbol"].value < figures["unigram_nats_per_symbol"].value


# Mistakes

MISTAKES = {
    "length": (("generate", "hamlet", "--length", "0"), 2, "--length must be at least 1; got 0"),
    "temperature": (("generate", "hamlet", "--temperature", "-1"), 2, "--temperature must be 0"),
    "top-p": (("generate", "hamlet", "--top-p", "1.5"), 2, "--top-p must be above 0 and at most 1"),
    "count": (("generate", "hamlet", "--count", "0"), 2, "--count must be at least 1"),
    "copy": (("generate", "hamlet", "--max-copy", "-1"), 2, "--max-copy must be at least 0"),
    "two prompts": (("generate", "hamlet", "--prompt", "a", "--prompt-file", "b"), 2, "both a prompt"),
    "no prompt": (("generate", "hamlet", "--prompt-file", "none.txt"), 3, "none.txt cannot be read"),
    "no text": (("score", "hamlet", "none.txt"), 3, "there is no file, folder or text none.txt"),
    "empty": (("score", "hamlet", "empty.txt"), 3, "is empty"),
    "binary": (("score", "hamlet", "zeros.bin"), 3, "zero byte"),
    "labels": (("score", "hamlet", "--label", "3", "--k", "2"), 2, "model of text: leave out --label, --k"),
    "window": (("score", "hamlet", "--window", "-1"), 2, "--window must be at least 0"),
    "page": (("score", "hamlet", "--out", "page.png"), 2, "ends in .html"),
    "there": (("compress", "hamlet", "speech.txt", "--out", "speech.txt/x"), 2, "cannot be written"),
    "lost": (("compress", "hamlet", "odd.txt"), 3, "cannot be restored exactly"),
    "latin": (("compress", "hamlet", "latin.txt"), 3, "is not UTF-8"),
    "packed": (("decompress", "hamlet", "speech.txt"), 3, "no text that reverie compress wrote"),
    "sample": (("sample", "hamlet"), 2, "It can: generate, score, copies, compress, evaluate"),
}


@pytest.mark.parametrize(("words", "code", "message"), MISTAKES.values(), ids=MISTAKES)
def test_mistakes_are_one_message(words, code, message, here, capfd):
    (here / "empty.txt").write_text("  \n")
    (here / "zeros.bin").write_bytes(b"\0\0")
    (here / "odd.txt").write_text("\N{SNOWMAN}")
    (here / "latin.txt").write_bytes("é".encode("latin-1"))
    err = said(capfd, *words, code=code)
    assert message in err
    assert err.startswith("reverie: ")
    assert "Traceback" not in err


def test_another_model_is_refused(here, capfd):
    said(capfd, "compress", "hamlet", "speech.txt")
    assert "another model" in said(capfd, "decompress", "raw", "speech.txt.reverie", "--out", "x", code=2)


def test_what_is_there_is_not_written_over(here, capfd):
    said(capfd, "compress", "hamlet", "speech.txt")
    assert "is there already" in said(capfd, "compress", "hamlet", "speech.txt", code=2)
    assert "is there already" in said(capfd, "decompress", "hamlet", "speech.txt.reverie", code=2)


def test_a_run_that_is_not_finished_does_not_compress(here):
    (here / "runs" / "hamlet" / "model" / "model.safetensors").unlink()
    with pytest.raises(ReverieError, match="only a finished run compresses"):
        open_run("hamlet").compress(here / "speech.txt")


@pytest.fixture(scope="module")
def pictured(tmp_path_factory):
    with quietly():
        return make_runs(tmp_path_factory.mktemp("pictured"))


@pytest.mark.parametrize("action", ["generate", "copies", "compress", "decompress"])
def test_models_of_images_do_not_speak(action, pictured, here):
    words = () if action in ("generate", "copies") else (here / "speech.txt",)
    with pytest.raises(UsageError, match="model of images and has no text"):
        getattr(open_run("vae", pictured), action)(*words)


def test_models_of_images_have_no_windows(pictured):
    with pytest.raises(UsageError, match="model of images: leave out --window"):
        open_run("vae", pictured).score(window=3)
