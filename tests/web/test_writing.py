"""The exported page of a language model in a browser, from its file, with the network off, held against Python.

Skipped, visibly, where there is no Chromium, no Playwright or no ONNX Runtime Web (``make web`` brings the latter).
"""

import re
from dataclasses import asdict
from importlib.util import find_spec
from itertools import count

import numpy as np
import pytest
import torch

pytest.importorskip("onnx", reason="the extra [export] is not installed")

import reverie as package  # noqa: E402
from reverie.data.prompts import encode_prompt  # noqa: E402
from reverie.export.html import RUNTIME, export_html  # noqa: E402
from reverie.runs import open_run  # noqa: E402
from reverie.text.sampling import Choice, draw, log_odds  # noqa: E402
from reverie.web import fetch  # noqa: E402
from scenes import quietly  # noqa: E402
from visits import MINUTES, after, faults, photograph, stranger  # noqa: E402

if not all((fetch.place("onnxruntime-web") / name).is_file() for name in RUNTIME.values()):
    pytest.skip("ONNX Runtime Web is not in the cache: make web", allow_module_level=True)

TEXT = (
    "to be, or not to be, that is the question:\nwhether 'tis nobler in the mind to suffer\n"
    "the slings and arrows of outrageous fortune,\nor to take arms against a sea of troubles\n"
) * 15 + "of mind and sea that be arrows or to suffer, take the question nobler in troubles, fortune is against " * 3
SMALL = {"embedding": 8, "batch": 4, "window": 16, "dropout": 0.0, "rate": 2e-2}
MACHINE = {"threads": 1, "device": "cpu", "precision": "fp32"}
RUNS = {
    "letters": {"units": (16, 12), "epochs": 3},
    "bytes": {"units": (12,), "cell": "gru", "tokens": "bytes", "steps": 40},
    "words": {"units": (12,), "cell": "mingru", "tokens": "words", "steps": 40},
    "pairs": {"units": (12,), "tokens": "bpe", "vocabulary": 300, "steps": 40},
}
if find_spec("tokenizers") is None:
    del RUNS["pairs"]  # the extra [bpe] is not installed


VISITS = count()  # no two addresses are the same, so that each is gone to


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """The pages of three runs: characters, bytes and words, each of another cell."""
    home = tmp_path_factory.mktemp("writing")
    for name, how in RUNS.items():
        with quietly():
            package.train("text-char", name=name, runs=home, text=f"{TEXT}\N{EURO SIGN}", **{**SMALL, **MACHINE, **how})
    return {name: export_html(open_run(name, home))[0] for name in RUNS}


@pytest.fixture(scope="module")
def desks(pages, browser):
    """Opens the page of each run once; at the end none of them may have said or asked for anything."""
    said, found = [], {}

    def desk(name):
        if name not in found:
            found[name] = stranger(browser, pages[name].as_uri(), said)
        return found[name]

    yield desk
    for page in found.values():
        page.context.close()
    assert said == []


@pytest.fixture
def opened(desks, request):
    """Goes to an address of a page by the name of its run, and waits till the text is written."""
    used = []

    def go(name="letters", words=""):
        page = desks(name)
        used.append(page)
        page.wait_for_function(f"() => !{DESK}.doing.busy", timeout=MINUTES)  # what was written before has ended
        go_there = f"words => {{ location.hash = `${{words}}&visit={next(VISITS)}` }}"
        after(page, "written", lambda: page.evaluate(go_there, words))
        return page

    yield go
    for page in used[-1:]:
        photograph(page, re.sub(r"[^\w-]+", "-", request.node.name))


@pytest.fixture
def runs(pages):
    return {name: open_run(page.parent.parent) for name, page in pages.items()}


DESK = "document.querySelector('writing-desk')"
SYMBOL = "section [role=option]"
WRITE = f"""async ([prompt, settings]) => {{
  const {{ backEnd }} = {DESK}, found = {{}}, pieces = [], {{ signal }} = new AbortController();
  const heard = ({{ symbols, ...begun }}) => symbols ? pieces.push(...symbols) : Object.assign(found, begun);
  await backEnd.write(prompt, settings, heard, signal);
  return {{ ...found, pieces, text: pieces.map((piece) => piece.text).join("") }};
}}"""
LIKELY = f"([text, settings]) => {DESK}.backEnd.likely(text, settings)"
SCORE = f"text => {DESK}.backEnd.score(text, () => {{}})"
PLAIN = {"temperature": 1, "top_k": None, "top_p": 1, "min_p": 0, "seed": 0}


def written(page, prompt, most, **settings):
    return page.evaluate(WRITE, [prompt, {**PLAIN, **settings, "length": most}])


def shown(page):
    """The text on the sheet, without its prompt."""
    return page.evaluate(f"() => {DESK}.sheet.symbols.map((symbol) => symbol.text).join('')")


@pytest.mark.parametrize("name", RUNS)
def test_the_browser_finds_a_text_as_surprising_as_python_does(name, opened, runs):
    found = opened(name).evaluate(SCORE, TEXT[:300] + "caf\u00e9")
    score = runs[name].score
    path = runs[name].folder / "scored.txt"
    path.write_text(TEXT[:300] + "caf\u00e9")
    wanted = score(path)
    bits = [symbol["bits"] for symbol in found["symbols"][1:]]
    gap = np.abs(np.exp2(-np.array(bits)) - np.exp2(-np.array(wanted.values["bits"]))).max()
    print(f"{name}: probabilities differ by {gap:.1e}")
    assert gap <= 1e-4
    figures = {figure.name: figure.value for figure in wanted.figures}
    assert {each["name"]: each["value"] for each in found["figures"]} == pytest.approx(figures, rel=1e-5)
    tokenizer = runs[name].voice.tokenizer
    unknown = list(tokenizer.encode(TEXT[:300] + "caf\u00e9")[1:]).count(tokenizer.unknown)
    assert found["note"] == (f"{unknown} symbols are not in the vocabulary, and scored as <unk>." if unknown else "")


@pytest.mark.parametrize("name", RUNS)
def test_the_likeliest_text_is_that_of_the_command(name, opened, runs):
    page = opened(name)
    for prompt in ("to be", "", "the sea of\n"):
        wanted = runs[name].generate(prompt, length=120, temperature=0).values
        found = written(page, prompt, 120, temperature=0)
        assert (found["prompt"], found["text"]) == (wanted["prompt"], wanted["texts"][0])


def mulberry(seed):
    """The page's uniform numbers, after Tommy Ettinger's mulberry32, in whole numbers."""
    state = seed
    while True:
        state = (state + 0x6D2B79F5) % 2**32
        t = (state ^ (state >> 15)) * (1 | state) % 2**32
        t ^= (t + (t ^ (t >> 7)) * (61 | t)) % 2**32
        yield ((t ^ (t >> 14)) + 0.5) / 2**32


CHOICES = (
    Choice(1.0), Choice(0.7, top_k=4), Choice(1.3, top_p=0.8), Choice(1.0, min_p=0.2), Choice(0.9, 9, 0.9, 0.05),
)  # fmt: skip


@pytest.mark.parametrize("how", CHOICES, ids=str)
@pytest.mark.parametrize("name", ["letters", "words"])
def test_symbols_are_drawn_as_python_draws_them(name, how, opened, runs):
    model, tokenizer = runs[name].model, runs[name].voice.tokenizer
    settings = {**asdict(how), "seed": 7}
    found = written(opened(name), "to be", 40, **settings)
    ids, state, uniform = tokenizer.encode("to be").tolist(), None, mulberry(7)
    with torch.no_grad():
        for token in ids:
            logits, state = model.step(torch.tensor([token]), state)
        for place, piece in enumerate(found["pieces"]):
            odds = log_odds(logits.index_fill(-1, torch.tensor([tokenizer.unknown]), -torch.inf), how)
            token = draw(odds, torch.tensor([next(uniform)], dtype=torch.float64))
            assert piece["symbol"] == tokenizer.symbols[int(token)], place
            assert piece["probability"] == pytest.approx(float(logits.double().softmax(-1)[0, token]), abs=1e-4)
            assert piece["chance"] == pytest.approx(float(odds.softmax(-1)[0, token]), abs=1e-4)
            logits, state = model.step(token, state)


PROMPTS = (
    "T\u00d4 be \N{SNOWMAN}", "\u201cto be\u201d \u2014 \ufb01\u00df\u00c9\u0130",
    "o\u0301\u0334\u0301 \u00bd\u2126 be",
    "\t\r\n", "\ud55c\u0ba4 \u1e9b\u0323", "TO BE, Or the\x1csea \u3000 Question",
    "".join(map(chr, range(0x2460, 0x2480))),
)  # fmt: skip


@pytest.mark.parametrize("name", RUNS)
def test_texts_become_the_numbers_that_python_has(name, opened, runs):
    page, tokenizer = opened(name), runs[name].voice.tokenizer
    for text in (*PROMPTS, TEXT[:500], "it's  the\n\n sea 123 troubles' we'll!?\u00a0\x85 \U0001f600"):
        found = page.evaluate(f"text => Array.from({DESK}.backEnd.vocabulary.encode(text))", text)
        assert found == tokenizer.encode(text).tolist(), text


@pytest.mark.parametrize("name", RUNS)
def test_what_is_unknown_becomes_what_the_command_takes(name, opened, runs):
    page, tokenizer = opened(name), runs[name].voice.tokenizer
    for prompt in PROMPTS:
        ids, note = encode_prompt(tokenizer, prompt)
        found = written(page, prompt, 1)
        assert found["prompt"] == tokenizer.decode(ids), prompt
        assert found["note"].removesuffix(".").lower() == note.removesuffix(".").lower(), prompt


def test_the_most_probable_symbols_are_named(opened, runs):
    found = opened().evaluate(LIKELY, ["the s", {**PLAIN, "top_k": 3}])
    tokenizer = runs["letters"].voice.tokenizer
    with torch.no_grad():
        chances = runs["letters"].model(torch.from_numpy(tokenizer.encode("the s").astype("int64"))[None])[0][0, -1]
    wanted = chances.double().softmax(-1)
    order = [i for i in wanted.argsort(descending=True).tolist() if i != tokenizer.unknown][:24]
    assert [each["symbol"] for each in found] == [tokenizer.symbols[i] for i in order]
    np.testing.assert_allclose([each["probability"] for each in found], wanted[order], atol=1e-4)
    assert [each["chance"] > 0 for each in found] == [True] * 3 + [False] * 21


def test_what_is_listed_in_the_place_of_a_symbol_has_the_chances_that_it_was_drawn_with(opened):
    """Also where there is no prompt: the end of a line stands before the text, and is read, though not shown."""
    page = opened(words="length=30&temperature=0.6&top_k=4")
    text, bits, chance = page.evaluate(
        f"() => (({{ text, bits, chance }}) => [text, bits, chance])({DESK}.sheet.symbols[7])"
    )
    detail = after(page, "pondered", page.locator(SYMBOL).nth(7).click)
    (same,) = [each for each in detail["likely"] if each["text"] == text]
    assert (same["probability"], same["chance"]) == pytest.approx((2**-bits, chance), abs=1e-6)
    assert page.locator(".next .same b").count() == 1


def test_a_page_writes_when_it_opens_and_its_address_keeps_all_of_it(opened):
    page = opened(words="prompt=to+be&temperature=0.5&seed=3&length=90&top_k=5")
    first = shown(page)
    assert len(first) == 90
    assert page.locator(".text .given").first.text_content() == "to be"
    page.wait_for_function("() => !location.hash.includes('visit')")  # it has written its own address
    words = page.evaluate("() => location.hash")
    assert shown(opened(words=words)) == first
    after(page, "written", lambda: page.get_by_role("button", name="Another").click())
    assert shown(page) != first
    page.wait_for_function("() => location.hash.includes('seed=4')")


NONSENSE = "#temperature=hot&length=-3&seed=1e99", "#top_p=0&top_k=x", "#%%%", "#length=&min_p=NaN"


def test_an_address_that_makes_no_sense_is_a_page_still(opened):
    page = opened()
    for words in NONSENSE:
        page.evaluate(f"words => {DESK}.read(words)", words)
        settings = page.evaluate(f"() => {DESK}.settings.values")
        assert 0 <= settings["temperature"] <= 2
        assert 1 <= settings["length"] <= 20_000
        assert 0.05 <= settings["top_p"] <= 1


def test_a_dial_writes_the_text_anew(opened):
    page = opened(words="length=50")
    first = shown(page)
    dial = page.get_by_label("Temperature")
    dial.focus()
    after(page, "written", lambda: page.keyboard.press("Home"))
    likeliest = shown(page)
    assert likeliest != first
    assert likeliest == written(page, "", 50, temperature=0)["text"]


def test_a_press_on_a_symbol_shows_what_else_was_likely_and_one_of_them_goes_on(opened):
    page = opened(words="prompt=to+be&length=60")
    text = shown(page)
    symbol = page.locator(SYMBOL).nth(10)
    detail = after(page, "pondered", symbol.click)
    assert detail["before"] == "to be" + text[:10]
    followers = page.locator(".next button")
    taken = detail["likely"][1]["text"]
    after(page, "written", followers.nth(1).click)
    assert page.get_by_label("Prompt").input_value() == "to be" + text[:10] + taken
    assert shown(page).startswith(text[:10] + taken)
    assert len(shown(page)) == 11 + 60
    assert page.locator(".picked").text_content() == taken
    after(page, "written", page.go_back)
    assert page.get_by_label("Prompt").input_value() == "to be"
    assert shown(page) == text


def test_the_keys_walk_the_text_and_branch_from_it(opened):
    page = opened(words="prompt=to+be&length=300")
    text = shown(page)
    page.get_by_role("listbox").focus()
    for key in ("ArrowRight", "ArrowRight", "ArrowRight", "ArrowLeft"):
        page.keyboard.press(key)
    assert page.evaluate(f"() => {DESK}.sheet.at") == 1
    page.keyboard.press("ArrowDown")
    below = page.evaluate(f"() => {DESK}.sheet.at")
    assert below > 1
    page.keyboard.press("ArrowUp")
    assert page.evaluate(f"() => {DESK}.sheet.at") == 1
    page.keyboard.press("End")
    assert page.evaluate(f"() => {DESK}.sheet.at") == 299
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    assert after(page, "pondered", lambda: page.keyboard.press("Enter"))["before"] == "to be" + text[0]
    after(page, "written", lambda: page.get_by_role("button", name="Go on from here").click())
    assert page.get_by_label("Prompt").input_value() == "to be" + text[0]


def test_every_symbol_tells_its_chance_in_words(opened):
    page = opened()
    symbol = page.locator(SYMBOL).nth(3)
    symbol.hover()
    told = page.locator(".readout").first.text_content()
    assert re.search(r": (below )?[\d.]+ %, [\d.]+ bits, drawn at ", told)
    assert symbol.get_attribute("aria-label") == told


def test_a_long_text_can_be_stopped(opened):
    page = opened()
    page.get_by_label("Length").fill("20000")
    page.get_by_label("Length").press("Tab")
    stop = page.get_by_role("button", name="Stop")
    page.wait_for_function(f"() => {DESK}.sheet.symbols.length > 700")  # more than it had when it opened
    after(page, "written", stop.click)
    assert 700 < len(shown(page)) < 20_000
    assert stop.is_disabled()


def test_what_was_written_is_saved(opened, tmp_path):
    page = opened(words="prompt=to+be&length=40")
    with page.expect_download() as saved:
        page.get_by_role("button", name="Save text").click()
    assert saved.value.suggested_filename == "letters.txt"
    saved.value.save_as(tmp_path / "letters.txt")
    assert (tmp_path / "letters.txt").read_text() == "to be" + shown(page)


def test_without_colours_the_text_is_plain(opened):
    page = opened(words="colours=no")
    grounds = """() => new Set(Array.from(document.querySelectorAll("section [role=option]"),
      (span) => getComputedStyle(span).backgroundColor)).size"""
    assert page.evaluate(grounds) == 1
    page.get_by_role("checkbox", name="Coloured").set_checked(True)
    assert page.evaluate(grounds) > 3


def test_a_pasted_text_is_a_heat_map(opened):
    page = opened()
    detail = after(page, "scored", lambda: page.get_by_label("A text of your own").fill("to be xylophones"))
    figures = page.locator("surprise-panel tbody")
    assert figures.get_by_role("row", name="bits per character").count() == 1
    costly = max(detail["symbols"][1:], key=lambda symbol: symbol["bits"])
    classes = page.locator("surprise-panel [role=option]").evaluate_all("all => all.map((each) => each.className)")
    assert len(classes) == 16
    assert classes[0] == "b0"
    assert classes[detail["symbols"].index(costly)] == "b7"
    detail = after(page, "scored", lambda: page.get_by_role("button", name="Take what was written").click())
    assert len(detail["symbols"]) == 600


def test_a_character_of_several_bytes_is_one_symbol_that_costs_what_they_cost(opened):
    page = opened("bytes")
    detail = after(page, "scored", lambda: page.get_by_label("A text of your own").fill("to \N{EURO SIGN} be"))
    told = page.locator("surprise-panel [role=option]").evaluate_all("all => all.map((each) => each.title)")
    assert len(told) == len("to \N{EURO SIGN} be")
    assert f"{sum(symbol['bits'] for symbol in detail['symbols'][3:6]):.2f} bits" in told[3]


def test_text_goes_in_as_text(opened):
    page = opened(words="prompt=%3Cimg+src%3Dx+onerror%3Dalert(1)%3E&length=5")
    assert page.locator(".text img").count() == 0


def test_axe_finds_nothing_in_light_and_dark_and_nothing_is_cut_off_at_twice_the_size(unfold, pages):
    page = unfold(pages["letters"], bypass_csp=True)
    after(page, "scored", lambda: page.get_by_role("button", name="Take what was written").click())
    after(page, "pondered", page.locator(SYMBOL).nth(9).click)
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        photograph(page, f"writing-{scheme}")
        assert faults(page) == ""
    page.set_viewport_size({"width": 640, "height": 450})
    assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
