"""The report page, read back with an HTML parser."""

import base64
import io
import json
import re

import numpy as np
import pytest
from PIL import Image

from markup import read
from reverie.errors import DataError
from reverie.report import page, sheets


def draw(title, n=4):
    x = np.random.default_rng(0).integers(0, 256, (n, 1, 8, 8), dtype=np.uint8)
    return lambda theme: sheets.sheet(x, title=title, theme=theme)


@pytest.fixture
def run(tmp_path):
    folder = tmp_path / "moon"
    (folder / "samples").mkdir(parents=True)
    for step in range(0, 300, 10):
        sheets.save(draw("s")("light"), folder / "samples" / f"{step:06d}.png", Title=f"step {step}")
    sheets.both(folder / "pictures" / "manifold.png", draw("<b>m</b>"), Title='the "plane" <script>')
    protocol = {"data": "mnist-5k", "split": "test"}
    figures = [
        {
            "name": "elbo",
            "value": -101.2345,
            "unit": "nats",
            "standard_error": 0.3456,
            "protocol": {**protocol, "k": 5000},
        },
        {
            "name": "psnr",
            "value": 21.0,
            "unit": "dB",
            "standard_error": None,
            "protocol": protocol,
            "note": "in [0, 1]",
        },
    ]
    facts = {
        "status": "finished",
        "recipe": "vae-conv",
        "created": "2026-01-02T03:04:05+00:00",
        "device": "2 cores",
        "threads": 2,
        "versions": {"reverie": "0.1.0", "torch": "2.13.0"},
        "seconds": 75.2,
        "steps": 1000,
        "parameters": 123456,
        "seed": 0,
        "data": {
            "name": "mnist-5k",
            "split": "train",
            "fingerprint": "abc123",
            "shape": [1, 28, 28],
            "classes": ["0", "1"],
        },
        "reason": "",
    }
    (folder / "run.json").write_text(json.dumps(facts))
    (folder / "config.toml").write_text(
        'recipe = "vae-conv"\ndata = "mnist-5k"\n[arguments]\nlatent = 8\nfree_bits = 0.5\n'
    )
    (folder / "eval.json").write_text(json.dumps({"figures": figures}))
    rows = [{"step": s, "seconds": s / 10, "epoch": 0, "loss": 100 / (s + 1)} for s in range(50)]
    rows.append({"step": 50, "test": True, "test_loss": 3.0})
    (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def test_the_page_holds_everything_and_needs_nothing(run):
    path = page.write_page(run)
    assert path == run / "report.html"
    source, reader = path.read_text(encoding="utf-8"), read(path)
    assert not re.search(r"https?://|//[a-z]+\.|@import|url\(", source)
    assert reader.all("script") == []
    assert reader.all("link") == []
    assert reader.all("html") == [{"lang": "en"}]
    words = " ".join(" ".join(reader.text).split())
    for said in (
        "moon",
        "A vae-conv model trained on mnist-5k, with 123,456 parameters.",
        "\u2212101.23 ± 0.35",
        "nats",
        "k 5,000",
        "For all of these: data mnist-5k, split test.",
        "in [0, 1]",
        "free bits",
        "0.5",
        "reverie train --config config.toml",
        "1 min 15 s",
        "abc123",
        "torch 2.13.0",
        "2 cores",
        "1 × 28 × 28",
    ):
        assert said in words


def test_pictures_are_the_files_with_words_and_sizes(run):
    reader = read(page.write_page(run))
    pictures = reader.all("img")
    assert len(pictures) == 1 + page.STRIP + 1 + 1  # the last sample, the film, the curves, the manifold
    for attributes in pictures:
        assert attributes["alt"].strip()
        head, _, content = attributes["src"].partition(",")
        assert head == "data:image/png;base64"
        with Image.open(io.BytesIO(base64.b64decode(content))) as image:
            assert image.size == (int(attributes["width"]), int(attributes["height"]))
    assert base64.b64decode(pictures[0]["src"].partition(",")[2]) == (run / "samples" / "000290.png").read_bytes()
    dark = [source["srcset"].partition(",")[2] for source in reader.all("source")]
    assert (run / "pictures" / "manifold.dark.png").read_bytes() in [base64.b64decode(d) for d in dark]
    assert len(dark) == 2
    assert {s["media"] for s in reader.all("source")} == {"screen and (prefers-color-scheme: dark)"}


def test_headings_are_in_order_and_sections_are_named(run):
    reader = read(page.write_page(run))
    levels = [int(tag[1]) for tag, _ in reader.tags if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(later <= earlier + 1 for earlier, later in zip(levels, levels[1:], strict=False))
    identities = [a["id"] for _, a in reader.tags if "id" in a]
    assert len(identities) == len(set(identities))
    assert all(a["aria-labelledby"] in identities for _, a in reader.tags if "aria-labelledby" in a)
    assert {a["scope"] for a in reader.all("th")} == {"col", "row", "rowgroup"}


def test_names_are_words_and_never_markup(run):
    evil = '<script>alert("x")</script>'
    facts = json.loads((run / "run.json").read_text())
    facts["recipe"], facts["reason"], facts["data"]["name"], facts["data"]["classes"] = (
        evil,
        evil,
        evil,
        [evil],
    )
    (run / "run.json").write_text(json.dumps(facts))
    (run / "eval.json").write_text(
        json.dumps({"figures": [{"name": evil, "value": 1, "unit": evil, "note": evil, "protocol": {evil: evil}}]})
    )
    renamed = run.rename(run.parent / "<script>'\"&")
    reader = read(page.write_page(renamed))
    assert reader.all("script") == []
    assert "<script>'\"&" in reader.text
    assert evil in " ".join(reader.text)


def test_an_empty_folder_still_gives_a_page(tmp_path):
    reader = read(page.write_page(tmp_path))
    assert reader.all("img") == []
    assert [tag for tag, _ in reader.tags if tag == "h2"] == []


def test_the_film_has_first_and_last(run):
    reader = read(page.write_page(run))
    steps = [words for words in reader.text if re.fullmatch(r"step \d+", words)]
    assert (steps[0], steps[-1], len(steps)) == ("step 0", "step 290", page.STRIP)


def test_writing_twice_gives_the_same_bytes(run):
    assert page.write_page(run).read_bytes() == page.write_page(run).read_bytes()


def test_a_broken_picture_is_named(run):
    (run / "pictures" / "broken.png").write_bytes(b"no picture")
    with pytest.raises(DataError, match=r'broken.png" is not a picture. Draw it again, or delete it'):
        page.write_page(run)


def test_how_a_game_goes_and_which_weights_were_kept_stand_on_the_page(tmp_path):
    folder = tmp_path / "game"
    folder.mkdir()
    kept = "step 20 of 60, with the best first figure on held-out images, 30"
    (folder / "run.json").write_text(json.dumps({"status": "finished", "steps": 60, "weights": kept}))
    rows = [
        row
        for epoch, distance in enumerate([90, 30, 31, 32, 31, 30.5], 1)
        for row in (
            {"step": 10 * epoch, "critic/loss": 1.0, "generator/loss": 1.0, "critic/ranked": 0.995},
            {"step": 10 * epoch, "test": True, "test_fd": distance},
        )
    ]
    (folder / "metrics.jsonl").write_text("\n".join(map(json.dumps, rows)))
    text = " ".join(" ".join(read(page.write_page(folder)).text).split())
    assert "Critic too strong : the distance has stayed at 30 or above for 2 measurements" in text
    assert "set a penalty on its gradient." in text
    assert kept in text


def test_a_picture_larger_than_pil_opens_is_shown(run):
    sheets.save(Image.new("1", (20_000, 20_000)), run / "pictures" / "large.png", Title="Large")
    shown = page._inline(run / "pictures" / "large.png", "", "")
    assert (shown.width, shown.height, shown.alt) == (20_000, 20_000, "Large")
    page.write_page(run)
