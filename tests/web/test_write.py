"""Writing in a browser: a model of a text that was pasted, let speak, led elsewhere, and surprised."""

import re

import pytest

from reverie.runs import open_run
from scenes import WORDS
from visits import MINUTES, after, faults, photograph, ready, visitor

SYMBOLS = "() => document.querySelector('writing-desk').sheet.symbols.map(({ text }) => text)"
SYMBOL = "section [role=option]"
STOP = """() => {
  [...document.querySelectorAll('button')].find((each) => each.textContent === 'Stop').click();
  return true;
}"""
CHOSEN = "() => document.querySelector('writing-desk').sheet.at"


@pytest.fixture(scope="module")
def words(browser, studio):
    """A language model of a text that was pasted into the form, trained to its end."""
    said = []
    page = visitor(browser, studio, said)
    page.goto(studio.split("/#")[0] + "/train?recipe=text-char")
    ready(page)
    page.get_by_role("combobox", name="Data", exact=True).select_option("Paste a text …")
    page.get_by_label("The text", exact=True).fill(WORDS)
    for label, value in {"Epochs": "16", "Batch": "8", "Window": "16", "Units": "48", "Embedding": "16"}.items():
        page.get_by_label(label, exact=True).fill(value)
    page.get_by_label("Rate", exact=True).fill("0.02")
    page.get_by_text("Machine and exactness").click()
    page.get_by_label("Threads").fill("1")
    page.get_by_label("Name of the run").fill("words")
    photograph(page, "a-pasted-text")
    page.get_by_role("button", name="Start training").click()
    page.wait_for_url("**/runs/words")
    page.get_by_role("heading", name="What it says").wait_for(timeout=MINUTES)
    page.locator(".badge.finished").wait_for(timeout=MINUTES)
    page.context.close()
    assert said == []
    return "words"


def test_a_pasted_text_is_kept_as_it_was_and_the_run_says_what_it_wrote(words, folder, enter):
    (kept,) = (folder / "uploads").glob("pasted-*/pasted.txt")
    assert kept.read_text() == WORDS
    assert open_run(folder / words).config["data"] == str(kept.resolve())
    page = enter(f"/runs/{words}")
    rows = page.locator(".course tbody tr")
    assert rows.count() == 6
    assert "At 0.75" in page.locator(".course thead").text_content()
    page.get_by_role("link", name="Write", exact=True).last.click()
    page.wait_for_url(f"**/write/{words}*")


def test_texts_and_pictures_are_told_apart(words, enter):
    page = enter("/train?recipe=text-char")
    data = page.get_by_role("combobox", name="Data", exact=True)
    assert "pasted-" in data.text_content()
    assert "mnist" not in data.text_content()
    assert page.get_by_label("Size", exact=True).count() == 0
    page.get_by_role("combobox", name="Recipe", exact=True).select_option("vae-conv")
    page.get_by_label("Size", exact=True).wait_for()
    assert "pasted-" not in data.text_content()
    page.get_by_role("combobox", name="Recipe", exact=True).select_option("gan-toy")
    page.get_by_label("Critic turns").wait_for()
    assert "spiral" in data.text_content()


def write(page, words="Write"):
    return after(page, "written", lambda: page.get_by_role("button", name=words).first.click())["text"]


def test_it_writes_what_the_command_writes_and_offers_it_as_a_file(words, folder, enter):
    page = enter(f"/write/{words}#length=80&temperature=0.9&top_k=5&seed=7")
    page.get_by_label("Prompt").fill("to be")
    text = write(page)
    (wanted,) = open_run(folder / words).generate("to be", length=80, temperature=0.9, top_k=5, seed=7).values["texts"]
    assert text == "to be" + wanted
    assert page.get_by_text("80 symbols; the model itself gave them").count() == 1
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Save text").click()
    assert waiting.value.suggested_filename == "words.txt"
    assert waiting.value.path().read_text() == text


def test_every_symbol_says_its_probability_and_colours_can_be_left_out(words, enter):
    page = enter(f"/write/{words}#length=60")
    write(page)
    labels = page.locator(SYMBOL).evaluate_all("all => all.map((each) => each.getAttribute('aria-label'))")
    assert len(labels) == 60
    assert all(re.search(r": (below )?[\d.]+ %, .* bits, drawn at ", label) for label in labels)
    ground = f"() => getComputedStyle(document.querySelector('{SYMBOL}:not(.b0)')).backgroundColor"
    coloured = page.evaluate(ground)
    page.get_by_label("Coloured").uncheck()
    assert page.evaluate(ground) != coloured
    assert page.locator("section > .scale").is_hidden()


def test_a_text_can_be_stopped(words, enter):
    page = enter(f"/write/{words}#length=5000&temperature=1")
    page.get_by_role("button", name="Write").first.click()
    page.wait_for_function(f"() => ({SYMBOLS})().length > 20 && ({STOP})()", polling=20)
    count = len(page.evaluate(SYMBOLS))
    page.wait_for_timeout(500)
    assert len(page.evaluate(SYMBOLS)) == count < 5000
    assert page.get_by_role("button", name="Write").first.is_enabled()


def test_a_symbol_is_where_the_text_can_go_elsewhere(words, enter):
    page = enter(f"/write/{words}#length=40&temperature=0.5")
    page.get_by_label("Prompt").fill("to be")
    write(page)
    before = page.evaluate(SYMBOLS)
    after(page, "pondered", lambda: page.locator(SYMBOL).nth(10).click())
    assert page.get_by_text("In place of").count() == 1
    assert page.locator(".next .same").count() == 1
    choice = page.locator(".next button:not(.same):not(:disabled)").first
    picked = choice.locator("b").text_content()
    after(page, "pondered", choice.click)
    now = page.evaluate(SYMBOLS)
    assert now[:10] == before[:10]
    assert len(now) == 11
    assert now[10] != before[10]
    assert picked == {" ": "space", "\n": "line end"}.get(now[10], now[10])
    assert page.get_by_text("At the end of the text").count() == 1
    text = write(page, "Go on from here")
    assert text.startswith("to be" + "".join(now))
    assert len(page.evaluate(SYMBOLS)) == 51
    assert page.locator(".picked").count() == 1
    assert page.get_by_label("Seed").input_value() == "1"


def test_back_undoes_a_branch_since_the_address_keeps_prompt_and_settings(words, enter):
    page = enter(f"/write/{words}#prompt=to+be&length=30")
    text = write(page)
    after(page, "pondered", lambda: page.locator(SYMBOL).nth(5).click())
    after(page, "pondered", page.locator(".next button:not(.same):not(:disabled)").first.click)
    led = page.get_by_label("Prompt").input_value()
    assert (led[:10], led[10] != text[10]) == (text[:10], True)
    assert after(page, "written", page.go_back)["text"] == text
    page.evaluate("() => { location.hash = 'main'; }")  # as the link to the page does
    assert page.get_by_label("Prompt").input_value() == "to be"


def test_another_text_is_that_of_the_next_seed(words, folder, enter):
    page = enter(f"/write/{words}#length=30&temperature=1&seed=4")
    text = write(page, "Another")
    assert page.get_by_label("Seed").input_value() == "5"
    assert [text] == open_run(folder / words).generate("", length=30, temperature=1.0, seed=5).values["texts"]


def test_keys_walk_through_the_text_and_pick(words, enter):
    page = enter(f"/write/{words}#length=150&temperature=0.5")
    write(page)
    page.get_by_role("listbox").focus()
    page.keyboard.press("Home")
    assert page.evaluate(CHOSEN) == 0
    page.keyboard.press("ArrowRight")
    assert page.evaluate(CHOSEN) == 1
    page.keyboard.press("ArrowDown")
    below = page.evaluate(CHOSEN)
    assert below > 5
    page.keyboard.press("ArrowUp")
    assert page.evaluate(CHOSEN) < below
    page.keyboard.press("End")
    assert page.evaluate(CHOSEN) == 149
    after(page, "pondered", lambda: page.keyboard.press("Enter"))
    assert page.get_by_text("In place of").count() == 1
    assert page.locator(".readout").first.text_content()


def test_a_text_of_ones_own_is_coloured_beside_its_baselines(words, folder, enter, tmp_path):
    page = enter(f"/write/{words}")
    text = "to be, or not to dream"
    after(page, "scored", lambda: page.get_by_label("A text of your own").fill(text))
    labels = page.locator("surprise-panel [role=option]").evaluate_all("all => all.map((each) => each.title)")
    (tmp_path / "text.txt").write_text(text)
    bits = open_run(folder / words).score(tmp_path / "text.txt", out=tmp_path / "page.html").values["bits"]
    assert "not scored" in labels[0]
    said = [float(re.search(r"([\d.,]+) bits", label)[1].replace(",", "")) for label in labels[1:]]
    assert said == pytest.approx(bits, abs=0.0051)
    page.get_by_role("button", name="Set beside counting and xz").click()
    page.get_by_role("row", name=re.compile("xz bits per character")).wait_for()
    assert page.locator("surprise-panel tbody tr").count() == 7


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_on_a_page_that_is_written(scheme, words, enter):
    page = enter(f"/write/{words}#length=300&temperature=1", color_scheme=scheme, bypass_csp=True)
    page.get_by_label("Prompt").fill("to be, ")
    write(page)
    after(page, "scored", page.get_by_role("button", name="Take what was written").click)
    after(page, "pondered", lambda: page.locator(SYMBOL).nth(40).click())
    assert faults(page) == ""


@pytest.mark.parametrize("path", ["/write/words#length=100", "/runs/words", "/train?recipe=text-char"])
def test_at_twice_the_size_nothing_of_a_text_is_cut_off(path, words, enter):
    page = enter(path, viewport={"width": 640, "height": 450})
    if path.startswith("/write"):
        write(page)
    assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
