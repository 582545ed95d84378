"""The studio in a browser: a model trained from the form to its end, then looked at from every side."""

import os
import re

import numpy as np
import pytest

pytest.importorskip("mlxtend", reason="the extra [demo] is not installed")
from scenes import png  # noqa: E402
from visits import HEAR, MINUTES, after, faults, late, photograph, ready, visitor  # noqa: E402

EPOCHS = os.environ.get("REVERIE_EPOCHS", "2")  # more of them make a better picture


@pytest.fixture(scope="module")
def digits(browser, studio):
    """A model of digits, trained from the form to its end."""
    said = []
    page = visitor(browser, studio, said)
    page.get_by_role("link", name="Train", exact=True).click()
    page.get_by_role("combobox", name="Recipe", exact=True).select_option("vae-fashion")
    page.get_by_text("Fashion-MNIST variational").wait_for()
    page.get_by_role("combobox", name="Data", exact=True).select_option("mnist-5k")
    page.get_by_label("Epochs", exact=True).fill(EPOCHS)
    page.get_by_label("Batch", exact=True).fill("64")
    page.get_by_label("Likelihood").select_option("bernoulli")
    page.get_by_text("Machine and exactness").click()
    page.get_by_label("Threads").fill("1")
    page.get_by_label("Name of the run").fill("digits")
    photograph(page, "the-form")
    page.get_by_role("button", name="Start training").click()
    page.wait_for_url("**/runs/digits")
    page.locator("curve-chart").first.wait_for(timeout=MINUTES)
    photograph(page, "while-it-trains")
    page.locator(".badge.finished").wait_for(timeout=MINUTES)
    photograph(page, "when-it-is-done")
    page.context.close()
    assert said == []
    return "digits"


PICTURE = "() => document.querySelector('code-panel > canvas').toDataURL()"
CODE = "() => Array.from(document.querySelector('latent-explorer').place.code)"


def middle(page, selector):
    page.locator(selector).scroll_into_view_if_needed()
    box = page.locator(selector).bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2, box


def test_a_training_from_the_form_ends_with_figures_curves_and_a_film(digits, enter):
    page = enter(f"/runs/{digits}")
    assert page.locator("curve-chart").count() >= 3
    assert page.get_by_role("row", name=re.compile("importance bound")).count() == 1
    film = page.get_by_label("Moment of the training")
    last = page.locator("film-strip img").get_attribute("src")
    film.focus()
    page.keyboard.press("Home")
    assert page.locator("film-strip img").get_attribute("src") != last
    chart = page.locator("curve-chart svg").first
    chart.focus()
    page.keyboard.press("ArrowLeft")
    assert page.locator("curve-chart output").first.text_content().startswith("step ")


def test_a_drag_on_the_map_changes_the_picture(digits, enter):
    page = enter(f"/explore/{digits}")
    x, y, box = middle(page, "latent-map canvas")
    before = page.evaluate(PICTURE)
    page.mouse.move(x, y)
    page.mouse.down()
    detail = after(page, "picture", lambda: page.mouse.move(x + box["width"] / 4, y - box["height"] / 4))
    page.mouse.up()
    assert page.evaluate(PICTURE) != before
    assert detail["milliseconds"] > 0
    right, up = page.evaluate(CODE)
    assert right > 1
    assert up > 1


def test_the_page_asks_for_the_newest_place_alone(digits, enter):
    page = enter(f"/explore/{digits}")
    page.wait_for_timeout(1500)
    asked = []
    page.on("request", lambda request: asked.append(request.url) if request.url.endswith("/decoder") else None)
    place = "document.querySelector('latent-explorer').place"
    page.evaluate(f"() => {{ for (let i = 1; i <= 100; i++) {place}.change({{ code: Float32Array.of(i / 50, 0) }}); }}")
    page.wait_for_timeout(1500)
    assert 1 <= len(asked) <= 3
    assert page.evaluate(CODE) == [2, 0]


def test_a_drawn_digit_is_reconstructed_placed_and_scored(digits, enter):
    page = enter(f"/explore/{digits}")
    x, y, box = middle(page, "drawing-panel canvas.paper")
    empty = page.evaluate("() => document.querySelector('drawing-panel').answer.toDataURL()")
    page.evaluate(HEAR, "score")
    page.evaluate("() => { window.scored = window.heard; }")
    page.mouse.move(x, y - box["height"] / 3)
    page.mouse.down()
    after(page, "reconstruction", lambda: page.mouse.move(x, y + box["height"] / 3))
    page.mouse.up()
    score = page.evaluate("() => window.scored")
    landed = "Array.from(document.querySelector('latent-map').landed)"
    page.wait_for_function(f"() => String(({CODE})()) === String({landed})")
    assert page.evaluate("() => document.querySelector('drawing-panel').answer.toDataURL()") != empty
    assert score["nats"][0] < 0
    assert "test images are likelier" in page.locator(".score").text_content()


DIRECTION = "() => Array.from(document.querySelector('attribute-panel').direction)"


def test_an_attribute_moves_the_picture_along_its_direction(digits, enter):
    page = enter(f"/explore/{digits}")
    page.get_by_role("combobox", name="Having").select_option("7")
    page.wait_for_function("() => !document.querySelector('attribute-panel input').disabled")
    start = page.evaluate(CODE)
    way = page.evaluate(DIRECTION)
    slider = page.get_by_label("Strength of the attribute")
    slider.focus()
    after(page, "picture", lambda: page.keyboard.press("End"))
    np.testing.assert_allclose(page.evaluate(CODE), np.array(start) + 2 * np.array(way), atol=1e-5)
    after(page, "picture", lambda: page.keyboard.press("Home"))
    np.testing.assert_allclose(page.evaluate(CODE), np.array(start) - 2 * np.array(way), atol=1e-5)


def test_an_answer_that_comes_late_does_not_replace_the_attribute_that_was_asked_for_last(digits, enter):
    page = enter(f"/explore/{digits}")
    having = page.get_by_role("combobox", name="Having")
    free = "() => !document.querySelector('attribute-panel input').disabled"
    having.select_option("7")
    page.wait_for_timeout(1000)
    page.wait_for_function(free)
    way = page.evaluate(DIRECTION)
    late(page, '"with":3')
    having.select_option("3")
    having.select_option("7")
    page.wait_for_timeout(1500)
    page.wait_for_function(free)
    assert page.evaluate(DIRECTION) == way


def test_a_sheet_that_was_cleared_stays_empty_and_who_walked_on_is_not_called_back(digits, enter):
    page = enter(f"/explore/{digits}")
    late(page, "/encoder")
    x, y, _ = middle(page, "drawing-panel canvas.paper")
    page.mouse.click(x, y)
    page.get_by_role("button", name="Clear").click()
    page.wait_for_timeout(1500)
    assert page.evaluate("() => document.querySelector('latent-map').landed") is None
    assert page.locator("drawing-panel .note[aria-live]").text_content().strip() == ""
    page.evaluate(HEAR, "score")
    x, y, _ = middle(page, "drawing-panel canvas.paper")
    page.mouse.click(x, y)
    page.locator("latent-map canvas").focus()
    page.keyboard.press("ArrowRight")
    there = page.evaluate(CODE)
    page.evaluate("() => window.heard")
    assert page.evaluate(CODE) == there
    assert page.locator(".score").text_content().strip()
    page.get_by_role("button", name="Clear").click()
    assert page.locator(".score").text_content().strip() == ""


def test_a_glide_ends_where_a_person_goes_elsewhere(digits, enter):
    page = enter(f"/explore/{digits}")
    change = "document.querySelector('latent-explorer').place.change({ code: Float32Array.of(0.5, 0.25), since: 0 })"
    surprise = "document.querySelector('code-panel').surprise()"
    page.evaluate(f"() => new Promise((done) => {{ {surprise}; setTimeout(() => {{ {change}; done(); }}, 100); }})")
    page.wait_for_timeout(1000)
    assert page.evaluate(CODE) == [0.5, 0.25]


def test_places_that_are_marked_are_a_group(digits, enter):
    page = enter(f"/explore/{digits}#z=1,1")
    page.get_by_role("button", name="This place has it").click()
    page.evaluate("() => document.querySelector('latent-explorer').place.change({ code: Float32Array.of(-1, 0) })")
    page.get_by_role("button", name="This place lacks it").click()
    page.get_by_text("From 1 codes with it and 1 without.").wait_for()
    assert page.evaluate("() => document.querySelector('attribute-panel').direction") == [2, 1]


def test_the_photograph_of_the_readme(digits, enter):
    """The explorer as the README shows it: a digit drawn, the cursor where it landed."""
    page = enter(f"/explore/{digits}", viewport={"width": 1280, "height": 1090})
    x, y, box = middle(page, "drawing-panel canvas.paper")
    side = box["width"]
    page.evaluate(HEAR, "score")
    page.mouse.move(x - side / 5, y - side / 4)
    page.mouse.down()
    for right, down in ((0.2, -0.25), (0.12, -0.05), (0.02, 0.12), (-0.04, 0.3)):
        page.mouse.move(x + right * side, y + down * side, steps=6)
    page.mouse.up()
    page.evaluate("() => window.heard")
    page.evaluate("() => scrollTo(0, 0)")
    page.wait_for_timeout(1000)
    photograph(page, "studio", full_page=False, type="jpeg", quality=75)
    assert page.locator(".score").text_content().strip()


def test_stop_resume_compare_and_delete_by_the_buttons(digits, enter):
    page = enter("/train?recipe=vae-mlp")
    page.get_by_role("combobox", name="Data", exact=True).select_option("mnist-5k")
    page.get_by_label("Epochs", exact=True).fill("5000")
    page.get_by_label("Hidden", exact=True).fill("8")
    page.get_by_label("Name of the run").fill("long")
    page.get_by_role("button", name="Start training").click()
    page.wait_for_url("**/runs/long")
    page.locator("curve-chart").first.wait_for(timeout=MINUTES)
    page.get_by_text("Delete this run").click()
    page.get_by_label("Type long to delete it").click()
    page.keyboard.type("long", delay=500)  # slowly, while the page tells of every new step
    page.get_by_role("button", name="Delete for good").click()
    page.get_by_text("stop it first").wait_for()
    enter.said.clear()  # in which the browser tells of that refusal
    x, y, _ = middle(page, ".title button")
    page.mouse.move(x, y)
    page.mouse.down()
    page.wait_for_timeout(1500)
    page.mouse.up()
    page.locator(".badge.stopped").wait_for(timeout=MINUTES)
    page.get_by_role("button", name="Resume").click()
    page.locator(".badge.training").wait_for(timeout=MINUTES)
    page.reload()  # it goes on without the page
    ready(page)
    page.get_by_role("button", name="Stop and save").click()
    page.locator(".badge.stopped").wait_for(timeout=MINUTES)
    page.get_by_text("Delete this run").click()
    gone = page.get_by_role("button", name="Delete for good")
    assert gone.is_disabled()
    page.get_by_label("Type long to delete it").fill("long")
    gone.click()
    page.wait_for_url(re.compile(r"/$"))
    page.get_by_role("heading", name="Runs").wait_for()
    assert page.locator(".cards li").count() == 1


def test_a_value_out_of_its_range_is_one_message_beside_the_button(enter):
    page = enter("/train?recipe=vae-mlp")
    page.evaluate("() => { document.querySelector('form').noValidate = true; }")
    page.get_by_label("Batch", exact=True).fill("0")
    page.get_by_label("Minutes").fill("1")
    page.get_by_label("Epochs", exact=True).fill("1")
    page.get_by_role("button", name="Start training").click()
    page.get_by_text("are both a budget").wait_for()
    page.get_by_label("Epochs", exact=True).fill("")
    page.get_by_role("button", name="Start training").click()
    page.get_by_text("--batch must be at least 1").wait_for()
    assert all("status of 400" in words for words in enter.said)  # which is what the browser says of a refusal
    enter.said.clear()


FAILS_ONCE = """async () => {
  const { Latest } = await import("/web/elements.js"), done = [];
  const latest = new Latest(async (wish) => {
    await new Promise((next) => setTimeout(next, 20));
    if (wish === "fails") throw new Error(wish);
    done.push(wish);
  });
  const first = latest.ask("fails");
  latest.ask("dropped");
  latest.ask("newest");
  await first;
  const last = await latest.ask("fails").catch((error) => error.message);
  return [...done, last];
}"""


def test_a_failure_does_not_stop_what_was_asked_after_it(enter):
    assert enter().evaluate(FAILS_ONCE) == ["newest", "fails"]


def test_the_form_is_that_of_the_recipe_that_was_chosen_last(enter):
    page = enter("/train?recipe=vae-mlp")
    late(page, "/api/recipes/vae-fashion")
    recipe = page.get_by_role("combobox", name="Recipe", exact=True)
    recipe.select_option("vae-fashion")
    recipe.select_option("vae-conv")
    page.wait_for_timeout(1500)
    page.wait_for_function("() => document.querySelector('train-page').form.name === 'vae-conv'")
    assert "recipe=vae-conv" in page.url


def refuse(route, asked):
    asked.append(route.request.post_data_json)
    route.fulfill(status=400, json={"error": "Not now"})


def test_a_second_click_and_a_form_that_is_not_there_yet_start_nothing(enter):
    page = enter("/train?recipe=vae-mlp")
    asked = []
    page.route("**/api/train", lambda route: refuse(route, asked))
    late(page, "/api/train")
    late(page, "/api/recipes/vae-fashion")
    page.get_by_role("combobox", name="Recipe", exact=True).select_option("vae-fashion")
    start = page.get_by_role("button", name="Start training")
    start.click()
    page.get_by_text("not here yet").wait_for()
    page.get_by_text("Fashion-MNIST variational").wait_for()
    assert asked == []
    page.get_by_role("combobox", name="Data", exact=True).select_option("Bring files …")
    page.get_by_label("Name of the set").fill("no name!")
    page.get_by_role("combobox", name="Data", exact=True).select_option("mnist-5k")
    page.get_by_text("Machine and exactness").click()
    threads = page.get_by_label("Threads")
    threads.fill("-1")
    page.get_by_text("Machine and exactness").click()
    start.click()
    assert threads.is_visible()  # so that the browser can say what is wrong with it
    threads.fill("1")
    start.dblclick()
    page.get_by_text("Not now").wait_for()
    assert [wish["recipe"] for wish in asked] == ["vae-fashion"]
    enter.said.clear()


def test_pictures_are_brought_and_chosen(enter, tmp_path):
    for i in range(12):
        (tmp_path / f"{i}.png").write_bytes(png(seed=i))
    page = enter("/train")
    page.get_by_role("combobox", name="Data", exact=True).select_option("Bring files …")
    page.get_by_label("Name of the set").fill("noise")
    page.get_by_label("Files", exact=True).set_input_files(sorted(tmp_path.glob("*.png")))
    page.get_by_role("button", name="Upload").click()
    page.get_by_text("12 of 12 files brought").wait_for()
    assert page.get_by_role("combobox", name="Data", exact=True).input_value() == "uploads/noise"


def test_what_the_studio_did_not_answer_is_forgotten_when_it_answers(digits, enter):
    page = enter(f"/runs/{digits}")
    page.route(f"**/api/runs/{digits}", lambda route: route.abort())
    page.get_by_text("The studio does not answer").wait_for()
    page.unroute_all(behavior="wait")
    page.get_by_text("The studio does not answer").wait_for(state="detached")
    enter.said.clear()


NUMBERS = """async (values) => {
  const { figure } = await import("/web/studio/words.js");
  return values.map(figure);
}"""


def test_small_numbers_keep_the_digits_that_matter(enter):
    found = enter().evaluate(NUMBERS, [0, 0.00002, -0.0123456, 0.5, 1.23456, 1234.5, 1e-9])
    assert found == ["0", "0.00002", "\u22120.01235", "0.5", "1.235", "1,235", "1.00e\u22129"]


def test_an_address_that_is_no_text_is_one_message(enter, studio):
    page = enter()
    page.goto(studio.split("/#")[0] + "/runs/%E0%A4%A")
    ready(page)
    assert page.locator("main").text_content().strip()


def test_without_the_token_there_is_one_message(browser, studio):
    context = browser.new_context()
    page = context.new_page()
    page.goto(studio.split("#")[0])
    page.get_by_role("alert").wait_for()
    assert "address that the terminal shows" in page.get_by_role("alert").text_content()
    context.close()


def test_two_browsers_at_once(digits, enter):
    first, second = enter(f"/explore/{digits}"), enter(f"/explore/{digits}")
    for page, key in ((first, "ArrowRight"), (second, "ArrowLeft")):
        page.locator("latent-map canvas").focus()
        after(page, "picture", lambda page=page, key=key: page.keyboard.press(key))
    assert sum(first.evaluate(CODE)) == -sum(second.evaluate(CODE)) != 0


@pytest.mark.parametrize(
    "path", ["/", "/train", "/runs/digits", "/explore/digits", "/compare?first=digits&second=digits"]
)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(path, scheme, digits, enter):
    page = enter(path, color_scheme=scheme, bypass_csp=True)
    assert faults(page) == ""


@pytest.mark.parametrize("path", ["/", "/train", "/runs/digits", "/explore/digits"])
def test_at_twice_the_size_nothing_is_cut_off(path, digits, enter):
    page = enter(path, viewport={"width": 640, "height": 450})
    assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
