"""The exported page in a browser, from its file, with the network off: every way of touching it.

Skipped, visibly, where there is no Chromium, no Playwright or no ONNX Runtime Web (``make web`` brings the latter).
"""

from base64 import b64encode
from io import BytesIO

import numpy as np
import pytest
import torch
from PIL import Image

pytest.importorskip("onnx", reason="the extra [export] is not installed")
from scipy.special import ndtr, ndtri  # noqa: E402

from reverie.export.html import RUNTIME, export_html  # noqa: E402
from reverie.latent import slerp  # noqa: E402
from reverie.runs import open_run  # noqa: E402
from reverie.web import fetch  # noqa: E402
from scenes import make_runs, png  # noqa: E402
from visits import CODE, PICTURE, PLACE, after, faults, middle  # noqa: E402

if not all((fetch.place("onnxruntime-web") / name).is_file() for name in RUNTIME.values()):
    pytest.skip("ONNX Runtime Web is not in the cache: make web", allow_module_level=True)


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """The pages of three runs."""
    home = tmp_path_factory.mktemp("pages")
    runs = make_runs(home, only=("vae", "told", "game"))
    return {name: export_html(open_run(name, runs))[0] for name in ("vae", "told", "game")}


@pytest.fixture
def opened(unfold, pages):
    """Opens a page by the name of its run."""

    def open_page(name="vae", hash="", **how):
        page = unfold(pages[name], hash, **how)
        if name != "game":
            page.wait_for_selector("latent-map[aria-busy=false]", state="attached", timeout=60_000)
        return page

    return open_page


ASK = """([what, values, labels]) =>
  document.querySelector("latent-explorer").backEnd[what](Float32Array.from(values), labels).then(Array.from)"""


@pytest.mark.parametrize("name", ["vae", "told", "game"])
def test_a_page_is_eight_megabytes_beside_its_weights(name, pages):
    weights = (pages[name].parents[1] / "model" / "model.safetensors").stat().st_size
    assert pages[name].stat().st_size - weights < 8e6


@pytest.mark.parametrize("name", ["vae", "told"])
def test_the_browser_decodes_and_encodes_as_python_does(name, opened, pages):
    run, page = open_run(pages[name].parent.parent), opened(name)
    source = torch.Generator().manual_seed(1)
    z, x = torch.randn(9, 2, generator=source), torch.rand(9, *run.spec.shape, generator=source)
    label = torch.arange(9) % 2
    told = (label,) if name == "told" else ()
    decoded = page.evaluate(ASK, ["decode", z.flatten().tolist(), label.tolist()])
    encoded = page.evaluate(ASK, ["encode", x.flatten().tolist(), label.tolist()])
    with torch.no_grad():
        image = run.plan.view.picture(run.model.decode(z, *told).mean)
        code = run.model.encode(run.plan.view.still(x * 255), *told).mean
    gaps = [np.abs(np.array(a) - b.flatten().numpy()).max() for a, b in ((decoded, image), (encoded, code))]
    print(f"{name}: pictures differ by {gaps[0]:.1e}, codes by {gaps[1]:.1e}")
    assert max(gaps) <= 1e-4


SHARED = """async ([count, codes, labels]) => {
  const { crew } = document.querySelector("latent-explorer").backEnd;
  while (crew.hands.length < count) crew.hands.push(crew.hands[0]);
  return Array.from(await crew.decode(Float32Array.from(codes), labels));
}"""


@pytest.mark.parametrize("name", ["vae", "told"])
def test_workers_decode_what_the_page_decodes(name, opened):
    page = opened(name)
    page.wait_for_selector("html[data-crew]", state="attached", timeout=120_000)
    assert page.evaluate("() => Number(document.documentElement.dataset.crew)") >= 1
    z = torch.randn(10, 2, generator=torch.Generator().manual_seed(1)).flatten().tolist()
    label = [i % 2 for i in range(10)]
    alone = page.evaluate(ASK, ["decode", z, label])
    for hands in (1, 3, 4, 12):  # shares that are even, that are not, and some for whom nothing is left
        np.testing.assert_array_equal(page.evaluate(SHARED, [hands, z, label]), alone)
    page.evaluate(
        "() => { document.querySelector('latent-explorer').backEnd.decode = () => { throw new Error('alone'); }; }"
    )
    after(page, "grid", lambda: page.evaluate(f"() => {PLACE}.change({{ x: [-2, 2] }})"))


def test_a_drag_on_the_map_changes_the_picture(opened):
    page = opened()
    x, y, box = middle(page, "latent-map canvas")
    before = page.evaluate(PICTURE)
    page.mouse.move(x, y)
    page.mouse.down()
    detail = after(page, "picture", lambda: page.mouse.move(x + box["width"] / 4, y - box["height"] / 4))
    page.mouse.up()
    assert page.evaluate(PICTURE) != before
    assert detail["milliseconds"] > 0
    right, up = page.evaluate(CODE)
    assert 1.2 < right < 1.8
    assert 1.2 < up < 1.8
    page.mouse.move(x, y)
    assert page.evaluate(CODE) == [right, up]  # the pointer was lifted


RAW = """([x, y]) => {
  const canvas = document.querySelector("latent-map canvas");
  canvas.addEventListener("pointermove", (event) => event.stopImmediatePropagation(), { capture: true });
  canvas.dispatchEvent(new PointerEvent("pointerrawupdate", { pointerId: 1, clientX: x, clientY: y }));
}"""


def test_a_picture_does_not_wait_for_the_frame_that_shows_it(opened):
    page = opened()
    x, y, box = middle(page, "latent-map canvas")
    page.mouse.move(x, y)
    page.mouse.down()
    after(page, "picture", lambda: page.evaluate(RAW, [x + box["width"] / 4, y - box["height"] / 4]))
    assert all(1.2 < at < 1.8 for at in page.evaluate(CODE))
    page.mouse.up()
    page.evaluate(RAW, [x, y])
    assert all(1.2 < at < 1.8 for at in page.evaluate(CODE))  # the pointer was lifted


def test_a_finger_drags_as_a_mouse_does(opened):
    page = opened(has_touch=True)
    x, y, _ = middle(page, "latent-map canvas")
    after(page, "picture", lambda: page.touchscreen.tap(x + 90, y))
    assert page.evaluate(CODE)[0] > 0.5


TOUCH = """(type) => {
  const canvas = document.querySelector("latent-map canvas"), box = canvas.getBoundingClientRect();
  const at = { clientX: box.left + box.width / 2, clientY: box.top + box.height / 2 };
  canvas.setPointerCapture = () => {};
  canvas.dispatchEvent(new PointerEvent(type, { ...at, pointerId: 7, pointerType: "touch", bubbles: true }));
}"""


def test_under_a_finger_the_map_shows_the_picture_too(opened):
    page = opened()
    drawn = "() => document.querySelector('latent-map canvas').toDataURL()"
    after(page, "picture", lambda: page.evaluate(TOUCH, "pointerdown"))
    touched = page.evaluate(drawn)
    page.evaluate(TOUCH, "pointerup")
    assert page.evaluate(drawn) != touched


def test_arrow_keys_walk_and_plus_zooms(opened):
    page = opened()
    page.locator("latent-map canvas").focus()
    for key in ("ArrowRight", "ArrowRight", "Shift+ArrowUp"):
        page.keyboard.press(key)
    np.testing.assert_allclose(sorted(page.evaluate(CODE)), [0.24, 0.6], atol=1e-5)
    after(page, "grid", lambda: page.keyboard.press("+"))
    low, high = page.evaluate(f"() => {PLACE}.x")
    assert high - low == pytest.approx(4.8)
    after(page, "grid", lambda: page.keyboard.press("0"))
    assert page.evaluate(f"() => {PLACE}.x") == [-3, 3]


SQUARE = """([column, row]) => {
  const [, height, width] = document.querySelector("latent-explorer").about.shape;
  const { canvas, middles } = document.querySelector("latent-map").sheet, n = middles[0].length;
  const copy = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
  copy.drawImage(canvas, -column * width, -row * height);
  const red = Array.from(copy.getImageData(0, 0, width, height).data).filter((_, i) => i % 4 === 0);
  return { size: [canvas.width, canvas.height], z: [middles[0][column], middles[1][n - 1 - row]], red };
}"""


@pytest.mark.parametrize("spacing", ["linear", "probability"])
def test_every_square_of_the_grid_is_the_decoded_middle(spacing, opened, pages):
    page, run = opened(), open_run(pages["vae"].parent.parent)
    change = f"s => {PLACE}.change({{ spacing: s, ...{PLACE}.bounds(s), points: 20 }})"
    assert after(page, "grid", lambda: page.evaluate(change, spacing))["n"] == 20
    axes = page.evaluate(f"() => {PLACE}.axes")
    for column, row in ((0, 0), (19, 0), (7, 12), (19, 19)):
        found = page.evaluate(SQUARE, [column, row])
        fractions = (column + 0.5) / 20, (19 - row + 0.5) / 20
        wanted = [-3 + 6 * f if spacing == "linear" else ndtri(0.05 + 0.9 * f) for f in fractions]
        np.testing.assert_allclose(found["z"], wanted, atol=1e-5)
        z = torch.zeros(1, 2)
        z[0, axes[0]], z[0, axes[1]] = found["z"]
        with torch.no_grad():
            image = run.plan.view.pixels(run.model.decode(z).mean)[0, 0]
        assert found["size"] == [20 * image.shape[1], 20 * image.shape[0]]
        assert np.abs(np.array(found["red"]) - image.flatten().numpy()).max() <= 1


def test_zooming_with_the_wheel_decodes_the_grid_anew(opened):
    page = opened()
    x, y, _ = middle(page, "latent-map canvas")
    page.mouse.move(x, y)
    after(page, "grid", lambda: page.mouse.wheel(0, -100))
    low, high = page.evaluate("() => document.querySelector('latent-map').sheet.middles[0]")[::19]
    assert high - low < 5


def test_a_slider_a_surprise_and_a_reset(opened):
    page = opened(reduced_motion="reduce")
    slider = page.locator("code-panel input[type=range]").first
    dimension = int(page.locator("code-panel .sliders label span").first.text_content()[1:])
    slider.focus()
    after(page, "picture", lambda: page.keyboard.press("End"))
    assert page.evaluate(CODE)[dimension] == pytest.approx(3.5)
    after(page, "picture", lambda: page.get_by_role("button", name="Surprise me").click())
    somewhere = page.evaluate(CODE)
    assert somewhere != [0, 0]
    after(page, "picture", lambda: page.get_by_role("button", name="Reset").click())
    assert page.evaluate(CODE) == [0, 0]


def test_the_path_walks_a_great_circle(opened):
    page = opened()
    ends = page.evaluate("() => document.querySelector('path-panel').ends.map((code) => Array.from(code))")
    scrub = page.get_by_label("Along the path")
    after(page, "picture", lambda: scrub.evaluate("(s) => { s.value = 0.5; s.dispatchEvent(new Event('input')); }"))
    a, b = (torch.tensor(end, dtype=torch.float64) for end in ends)
    np.testing.assert_allclose(page.evaluate(CODE), slerp(a, b, 0.5), atol=1e-5)
    page.get_by_text("Straight").click()
    after(page, "picture", lambda: scrub.evaluate("(s) => { s.value = 0.25; s.dispatchEvent(new Event('input')); }"))
    np.testing.assert_allclose(page.evaluate(CODE), 0.75 * a + 0.25 * b, atol=1e-5)


def test_a_drawing_gets_a_reconstruction_and_a_place(opened):
    page = opened()
    x, y, box = middle(page, "drawing-panel canvas.paper")
    empty = page.evaluate("() => document.querySelector('drawing-panel').answer.toDataURL()")
    page.mouse.move(x, y - box["height"] / 3)
    page.mouse.down()
    detail = after(page, "reconstruction", lambda: page.mouse.move(x, y + box["height"] / 3))
    page.mouse.up()
    assert page.evaluate("() => document.querySelector('drawing-panel').answer.toDataURL()") != empty
    landed = page.evaluate("() => Array.from(document.querySelector('latent-map').landed)")
    assert page.evaluate(CODE) == landed
    assert 0 < detail["error"] < 1
    page.get_by_role("button", name="Clear").click()
    assert page.evaluate("() => document.querySelector('latent-map').landed") is None


def test_a_drawing_from_the_keyboard(opened):
    page = opened()
    page.locator("drawing-panel canvas.paper").focus()
    after(page, "reconstruction", lambda: page.keyboard.press("Space"))
    after(page, "reconstruction", lambda: page.keyboard.press("ArrowDown"))


GIVE = """async ([how, base64, type]) => {
  const bytes = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0)), data = new DataTransfer();
  data.items.add(new File([bytes], "mine", { type }));
  const event = how === "drop" ? new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true })
    : new ClipboardEvent("paste", { clipboardData: data, bubbles: true });
  document.body.dispatchEvent(event);
}"""


@pytest.mark.parametrize("how", ["drop", "paste"])
def test_a_picture_that_is_dropped_or_pasted_is_encoded_as_python_does(how, opened, pages):
    page, run = opened(), open_run(pages["vae"].parent.parent)
    picture = png((8, 8), seed=3)
    after(page, "reconstruction", lambda: page.evaluate(GIVE, [how, b64encode(picture).decode(), "image/png"]))
    pixels = torch.from_numpy(np.array(Image.open(BytesIO(picture)))).view(1, 1, 8, 8)
    drawn = np.array(page.evaluate("() => Array.from(document.querySelector('latent-map').landed)"))
    with torch.no_grad():
        code = run.model.encode(run.plan.view.still(pixels)).mean[0].numpy()
    # The picture goes through a canvas of 280 pixels and back, which blurs it a little.
    assert np.abs(drawn - code).max() < 0.15 * max(1, np.abs(code).max())


def test_what_is_no_picture_is_said(opened):
    page = opened()
    page.evaluate(GIVE, ["drop", b64encode(b"words").decode(), "text/plain"])
    page.get_by_text("That file is no picture that this browser reads.").wait_for()


@pytest.mark.parametrize(
    ("words", "name", "size"),
    [("Save PNG", "vae.png", (560, 560)), ("Save map", "vae-map.png", (160, 160)),
     ("Save strip", "vae-path.png", (1008, 112))],
)  # fmt: skip
def test_pictures_are_saved(words, name, size, opened, tmp_path):
    page = opened()
    with page.expect_download() as saved:
        page.get_by_role("button", name=words).click()
    assert saved.value.suggested_filename == name
    saved.value.save_as(tmp_path / name)
    with Image.open(tmp_path / name) as picture:
        assert (picture.format, picture.size) == ("PNG", size)


def test_the_path_is_saved_as_a_film(opened, pages, tmp_path):
    page, run = opened(), open_run(pages["vae"].parent.parent)
    ends = page.evaluate("() => document.querySelector('path-panel').ends.map((code) => Array.from(code))")
    with page.expect_download() as saved:
        page.get_by_role("button", name="Save film").click()
    assert saved.value.suggested_filename == "vae-path.gif"
    saved.value.save_as(tmp_path / "path.gif")
    a, b = (torch.tensor(end, dtype=torch.float64) for end in ends)
    z = torch.stack([slerp(a, b, i / 31) for i in range(32)]).float()
    with torch.no_grad():
        wanted = run.plan.view.pixels(run.model.decode(z).mean)[:, 0]
    with Image.open(tmp_path / "path.gif") as film:
        assert (film.n_frames, film.size) == (62, (168, 168))
        for frame, other in ((0, 0), (9, 53), (31, 31)):
            found = [np.array(film.convert("L")) for place in (frame, other) if film.seek(place) is None]
            np.testing.assert_array_equal(*found)
            middles = found[0][10::21, 10::21].astype(int)  # of the pixels, which are 21 wide
            assert np.abs(middles - wanted[frame].numpy()).max() <= 24  # the canvas blends neighbours


def test_a_test_image_lands_on_its_own_point(opened):
    page = opened()
    after(page, "reconstruction", lambda: page.get_by_role("button", name="Test image 1,").click())
    codes = np.array(page.evaluate("() => Array.from(document.querySelector('latent-map').codes)")).reshape(-1, 2)
    np.testing.assert_allclose(page.evaluate(CODE), codes[0], atol=1e-4)


def test_the_address_keeps_the_place(opened):
    page = opened(hash="#z=0.5,-1&x=-2,2&y=-1,1&n=7&by=linear&show=points")
    assert page.evaluate(CODE) == [0.5, -1]
    before = page.evaluate("() => location.hash")
    page.locator("latent-map canvas").focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_function("before => location.hash !== before", arg=before)
    words = page.evaluate("() => location.hash")
    assert "n=7" in words
    assert "show=points" in words
    again = opened(hash=words)
    np.testing.assert_allclose(again.evaluate(CODE), page.evaluate(CODE), atol=1e-3)


NONSENSE = "#z=1", "#z=a,b&x=3,-3", "#axes=7,9&n=1e9&by=magic", "#%%%", "#class=99&z=Infinity,1", "#n=-1&x=1,1"


def test_an_address_that_makes_no_sense_is_the_beginning(opened):
    page = opened()
    state = f"() => ['axes', 'x', 'y', 'points', 'spacing', 'label'].map((name) => {PLACE}[name])"
    beginning = page.evaluate(state)
    for words in NONSENSE:
        page.evaluate(f"words => {{ {PLACE}.reset(); {PLACE}.read(words); }}", words)
        assert (page.evaluate(state), page.evaluate(CODE)) == (beginning, [0, 0]), words


def test_another_class_is_another_picture_of_the_same_code(opened):
    page = opened("told")
    before = page.evaluate(PICTURE)
    after(page, "picture", lambda: page.locator("code-panel").get_by_text("light").click())
    assert page.evaluate(PICTURE) != before
    assert page.evaluate(CODE) == [0, 0]


def test_the_class_that_is_chosen_elsewhere_is_the_one_that_is_marked(opened):
    page = opened("told")
    page.evaluate(f"() => {PLACE}.change({{ label: 1 }})")
    assert page.locator("code-panel .choice input:checked").get_attribute("value") == "1"


def test_a_model_without_codes_shows_a_sheet_from_seeds(opened):
    page = opened("game")
    sheet = "() => document.querySelector('sample-sheet').shown.map((c) => c.toDataURL()).join()"
    page.wait_for_selector(".samples canvas")
    first = page.evaluate(sheet)
    after(page, "picture", lambda: page.get_by_role("button", name="Another seed").click())
    second = page.evaluate(sheet)
    assert second != first
    seed = page.get_by_label("Seed", exact=True)
    after(page, "picture", lambda: (seed.fill("0"), seed.press("Tab")))
    assert page.evaluate(sheet) == first
    walk = page.get_by_label("Walk to the next seed")
    after(page, "picture", lambda: walk.evaluate("(s) => { s.value = 1; s.dispatchEvent(new Event('input')); }"))
    assert page.evaluate(sheet) == second


def test_its_quantiles_are_those_of_the_normal(opened):
    page = opened()
    p = np.concatenate([np.linspace(1e-4, 1 - 1e-4, 999), [1e-6, 0.02425, 0.97575]])
    page.evaluate(f"() => {PLACE}.change({{ spacing: 'probability', x: [0, 1] }})")
    found = page.evaluate(f"p => p.map((each) => {PLACE}.coordinate(0, each))", p.tolist())
    np.testing.assert_allclose(found, ndtri(p), atol=2e-4)
    z = np.linspace(-5, 5, 101)
    np.testing.assert_allclose(
        page.evaluate(f"z => z.map((each) => {PLACE}.fraction(0, each))", z.tolist()), ndtr(z), atol=2e-7
    )


@pytest.mark.parametrize("name", ["vae", "told", "game"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(name, scheme, opened):
    assert faults(opened(name, color_scheme=scheme, bypass_csp=True)) == ""


def test_at_twice_the_size_nothing_is_cut_off(opened):
    page = opened(viewport={"width": 640, "height": 450})
    assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
    assert page.locator("latent-map canvas").bounding_box()["width"] > 500
