"""Every command on a small trained run: what it prints and writes, and that ``--json`` tells the same."""

import json
import os
import pty
import re
import select
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from docstring_parser import parse

import reverie as package
from networks import stand_in
from reverie import arguments, config, recipes
from reverie.actions import samples
from reverie.cli.commands import app
from reverie.cli.data import app as data_app
from reverie.cli.help import commands
from reverie.cli.train import own
from reverie.engine.noise import ItemNoise
from reverie.kinds import kind_of
from reverie.metrics import inception
from reverie.report import sheets
from reverie.runs import list_runs
from scenes import QUICK, make_runs, pictures, reverie, zipped

CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\x1b]")


@pytest.fixture(scope="module")
def workshop(tmp_path_factory):
    home = tmp_path_factory.mktemp("workshop")
    make_runs(home)
    return home


@pytest.fixture
def here(workshop, tmp_path, monkeypatch):
    """A folder of one's own with a copy of the runs."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(workshop / "runs", tmp_path / "runs")
    return tmp_path


def said(capfd, *words: str, code: int = 0) -> str:
    found = reverie(*words)
    out, err = capfd.readouterr()
    assert found == code, err
    return out


ACTIONS = {
    "sample": ("sample", "vae", "-n", "4"),
    "reconstruct": ("reconstruct", "vae", "-n", "2"),
    "interpolate": ("interpolate", "vae", "0", "1", "--steps", "3"),
    "manifold": ("manifold", "vae", "--points", "3", "2"),
    "traverse": ("traverse", "vae", "0", "--steps", "3"),
    "edit": ("edit", "vae", "dark", "light", "-n", "2", "--strength", "0", "1"),
    "score": ("score", "vae", "--k", "3"),
}


@pytest.mark.parametrize("words", ACTIONS.values(), ids=ACTIONS)
def test_an_action_names_the_picture_it_wrote(words, here, capfd):
    first = Path(said(capfd, *words).splitlines()[0])
    assert first.suffix == ".png"
    assert first.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("words", ACTIONS.values(), ids=ACTIONS)
def test_an_action_in_json_names_all_its_files(words, here, capfd):
    answer = json.loads(said(capfd, *words, "--json"))
    assert answer["files"]
    assert all(Path(file).stat().st_size for file in answer["files"])


@pytest.mark.parametrize("words", ACTIONS.values(), ids=ACTIONS)
def test_an_action_writes_where_out_says(words, here, capfd):
    said(capfd, *words, "--out", "new/mine.png")
    assert (here / "new" / "mine.png").is_file()


def test_an_action_takes_a_persons_own_image(here, workshop, capfd):
    image = str(workshop / "flat" / "003.png")
    drawn = said(capfd, "reconstruct", "vae", image)
    assert "mean squared error per pixel" in drawn
    assert drawn.splitlines()[0].endswith("pictures/own-reconstructions.png")  # the test images' sheet stays
    assert said(capfd, "interpolate", "narrow", image, "0", "--out", "way.png") == "way.png\nway.gif\n"


def test_an_edit_says_how_well_the_direction_tells_apart(here, capfd):
    assert "of held-out examples on the right side" in said(capfd, *ACTIONS["edit"])
    assert 0 <= json.loads(said(capfd, *ACTIONS["edit"], "--json"))["accuracy"] <= 1


def test_score_lists_the_strangest_first(here, capfd):
    lines = [line for line in said(capfd, *ACTIONS["score"]).splitlines() if line.startswith("image")]
    bounds = [float(line.split()[2]) for line in lines]
    assert len(bounds) > 1
    assert bounds == sorted(bounds)


@pytest.mark.parametrize("likelihood", ["bernoulli", "mixture"])
def test_an_exact_density_is_trained_measured_and_ranked(likelihood, here, workshop, capfd):
    small = ("--features", "4", "--layers", "2", "--components", "2", "--likelihood", likelihood)
    words = ("train", "pixelcnn", "--data", str(workshop / "flat"), "--name", "exact", *small)
    said(capfd, *words, *QUICK[2:], "--epochs", "1")
    log = [json.loads(line) for line in (here / "runs" / "exact" / "metrics.jsonl").read_text().splitlines()]
    (watched,) = (row["test_loss"] for row in log if "test_loss" in row)
    said(capfd, "evaluate", "exact")
    figures = {f["name"]: f for f in json.loads((here / "runs" / "exact" / "eval.json").read_text())["figures"]}
    assert figures["log_likelihood"]["note"] == "exact"
    assert figures["log_likelihood"]["value"] == pytest.approx(-watched, rel=1e-4)
    assert ("bits_per_dimension" in figures) == (likelihood == "mixture")
    scores = json.loads(said(capfd, "score", "exact", "--json"))
    assert min(scores["bound"]) == scores["bound"][scores["order"][0]]
    mean = sum(scores["bound"]) / len(scores["bound"])
    assert mean == pytest.approx(figures["log_likelihood"]["value"], rel=1e-4)
    assert (here / "runs" / "exact" / "pictures" / "score.png").is_file()
    said(capfd, "sample", "exact", "-n", "4", "--temperature", "0.5")


def test_samples_depend_on_the_seed_alone(here, capfd):
    for name, seed in (("a", "1"), ("b", "1"), ("c", "2")):
        said(capfd, "sample", "vae", "-n", "4", "--seed", seed, "--out", f"{name}.png")
    a, b, c = ((here / f"{name}.png").read_bytes() for name in "abc")
    assert a == b != c


def picture(capfd, name: str, *words: str) -> bytes:
    said(capfd, *words, "--out", f"{name}.png")
    return Path(f"{name}.png").read_bytes()


def test_a_class_is_asked_for_by_its_name_or_its_number(here, capfd):
    by_name = picture(capfd, "name", "sample", "told", "--label", "light", "-n", "4")
    assert by_name == picture(capfd, "number", "sample", "told", "--label", "1", "-n", "4")
    assert by_name != picture(capfd, "other", "sample", "told", "--label", "dark", "-n", "4")


def test_without_a_label_every_class_has_a_row_with_the_same_codes(here):
    run = package.open_run("told")
    both = run.sample(9).images
    assert both.shape == (8, 1, 8, 8)
    for row, label in enumerate(("dark", "light")):
        assert both[4 * row : 4 * row + 4].equal(run.sample(4, label=label).images)
        assert both[4 * row : 4 * row + 4].equal(run.sample(4, label=row).images)
    assert len(run.sample(1).images) == 1


def test_a_persons_own_image_is_given_its_class(here, workshop, capfd):
    image = str(workshop / "flat" / "003.png")
    assert "mean squared error" in said(capfd, "reconstruct", "told", image, "--label", "dark")
    assert "nats" in said(capfd, "score", "told", image, "--label", "dark", "--k", "2")


def test_test_images_have_the_class_that_the_data_says(here):
    run = package.open_run("told")
    test, model = run.data.test, run.model
    noise = ItemNoise((0, "score"), range(len(test)), (0, 3, 3))
    x = run.plan.view.still(test.pixels)
    bounds = model.log_prob(x, noise, k=3, label=test.labels).value
    assert len(test.labels.unique()) == 2
    assert run.score(k=3).values["bound"] == pytest.approx(bounds.tolist(), abs=1e-4)
    restored = model.decode(model.encode(x, test.labels).mean, test.labels).mean
    assert run.reconstruct().images.equal(run.plan.view.pixels(restored))


def test_a_figure_of_a_model_that_is_told_the_class_says_so(here, capfd):
    figures = {f["name"]: f["protocol"] for f in json.loads(said(capfd, "evaluate", "told", "--json"))["figures"]}
    drawn = {name for name, protocol in figures.items() if "samples" in protocol}
    assert all(figures[name]["samples"].endswith("classes as often as in training") for name in drawn)
    assert "FD[random,64d]" in drawn
    assert {name for name, protocol in figures.items() if "given" not in protocol} - drawn == {
        "pca_squared_error", "pca_squared_error_per_pixel", "pca_psnr",
    }  # fmt: skip
    assert figures["importance_bound"]["given"] == "the label"
    assert "knn_accuracy" not in figures
    lines = said(capfd, "compare", "vae", "told").splitlines()
    assert all("not comparable" in line for line in lines if line.startswith(("elbo", "squared_error ")))


def test_evaluate_writes_and_prints_every_figure(here, capfd):
    (here / "runs" / "vae" / "eval.json").unlink()
    words = said(capfd, "evaluate", "vae", "--k", "4")
    figures = json.loads((here / "runs" / "vae" / "eval.json").read_text())["figures"]
    assert len(figures) > 5
    assert all(figure["name"] in words for figure in figures)
    answer = json.loads(said(capfd, "evaluate", "vae", "--k", "4", "--json"))
    assert answer["figures"] == figures
    assert all(Path(file).is_file() for file in answer["files"])


def test_evaluate_draws_look_alikes_of_a_game_and_measures_the_fid_with_a_network_that_is_brought(
    here, capfd, monkeypatch
):
    pytest.importorskip("onnx", reason="the extra export is not installed")
    monkeypatch.setattr(inception, "WIDTH", 64)  # roots of 2,048 features take a minute
    (here / "runs" / "game" / "eval.json").unlink()
    network = str(stand_in(here / "stand-in.onnx", width=64))
    answer = json.loads(said(capfd, "evaluate", "game", "--samples", "20", "--inception", network, "--json"))
    (fid,) = [figure for figure in answer["figures"] if figure["name"] == "FID"]
    assert fid["value"] > 0
    assert (fid["protocol"]["n"], fid["protocol"]["samples"]) == (20, "draws")
    assert [Path(file).name for file in answer["files"]] == ["eval.json", "lookalikes.png", "lookalikes.dark.png"]
    assert "their nearest training images" in (here / "runs" / "game" / "report.html").read_text()
    without = json.loads(said(capfd, "evaluate", "game", "--samples", "20", "--json"))
    assert "FID" not in {figure["name"] for figure in without["figures"]}
    for words in (("plain",), ("game", "--samples", "0")):
        assert reverie("evaluate", *words, "--inception", network) == 2
        assert "--inception measures samples of images" in capfd.readouterr().err


@pytest.mark.parametrize(("run", "flag"), [("plain", "--k"), ("plain", "--samples"), ("game", "--k")])
def test_what_an_evaluation_would_ignore_is_refused(run, flag, here, capfd):
    assert reverie("evaluate", run, flag, "4") == 2
    assert re.search(f"{run} has no use for {flag}: leave out {flag}", capfd.readouterr().err)


@pytest.mark.parametrize("command", ["evaluate", "score"])
def test_help_says_which_images_are_taken(command, capfd):
    assert "evenly spaced" in " ".join(said(capfd, command, "--help").split())


@pytest.mark.parametrize(
    ("n", "words"),
    [
        (1, "1 draw of class dark"),
        (2, "every class with the same draw from the prior"),
        (9, "every class with the same 4 draws from the prior"),
    ],
)
def test_the_caption_of_samples_of_classes_is_true(n, words, here):
    assert samples.wanted(package.open_run("told").trained, n, None).words == words


def test_one_sample_is_one_draw(here):
    assert samples.wanted(package.open_run("told").trained, 1, "dark").words == "1 draw of class dark"
    assert samples.wanted(package.open_run("vae").trained, 1, None).words == "1 draw from the prior"


def test_the_head_of_a_traversal_has_true_minus_signs_and_no_negative_zero(here, capfd, monkeypatch):
    heads, sheet = [], sheets.sheet
    monkeypatch.setattr(
        sheets, "sheet", lambda *a, columns, **k: heads.append(columns) or sheet(*a, columns=columns, **k)
    )
    said(capfd, "traverse", "vae", "0", "--steps", "4", "--span", "0.1")
    assert heads[0] == ["\u22120.1", "+0.0", "+0.0", "+0.1"]


def test_reconstructions_name_their_run(here, capfd, monkeypatch):
    said_below, pairs = [], sheets.pairs
    monkeypatch.setattr(sheets, "pairs", lambda *a, unit, **k: said_below.append(unit) or pairs(*a, unit=unit, **k))
    said(capfd, "reconstruct", "vae", "--n", "2")
    assert said_below[0] == "vae, squared error per pixel of [0, 1]"


def test_compare_ranks_equal_protocols_alone(here, capfd):
    for run in ("plain", "narrow"):
        said(capfd, "evaluate", run)
    shutil.copytree("runs/narrow", "runs/twin")
    rows = json.loads(said(capfd, "compare", "narrow", "twin", "--json"))["rows"]
    assert {row["name"]: row["differ"] for row in rows if row["differ"]} == {}
    words = said(capfd, "compare", "plain", "narrow")
    assert "not comparable: view differ" in words
    assert "is better" not in next(line for line in words.splitlines() if line.startswith("squared_error "))
    answer = json.loads(said(capfd, "compare", "plain", "narrow", "--json"))
    assert all(Path(file).is_file() for file in answer["files"])
    assert len(answer["files"]) == 1


def test_runs_are_listed_and_a_broken_record_spoils_none(here, capfd):
    (here / "runs" / "plain" / "run.json").write_text("{")
    lines = said(capfd, "runs").splitlines()
    assert [line.split()[:2] for line in lines] == [
        ["vae", "finished"], ["plain", "unreadable"], ["narrow", "finished"], ["game", "finished"],
        ["told", "finished"],
    ]  # fmt: skip
    assert [record["name"] for record in json.loads(said(capfd, "runs", "--json"))] == [
        "vae",
        "plain",
        "narrow",
        "game",
        "told",
    ]


def test_where_there_are_no_runs_the_way_to_the_first_is_said(tmp_path, capfd):
    assert "reverie train vae-conv" in said(capfd, "runs", "--runs", str(tmp_path / "none"))


def test_recipes_and_data_sets_are_listed(capfd):
    assert [line.split()[0] for line in said(capfd, "recipes").splitlines()] == recipes.names()
    assert list(json.loads(said(capfd, "recipes", "--json"))) == recipes.names()
    assert "built in" in next(line for line in said(capfd, "data", "list").splitlines() if line.startswith("shapes"))
    assert json.loads(said(capfd, "data", "list", "--json"))["shapes"] == "built in"


def test_data_check_lists_each_broken_file_and_draws_the_good_ones(here, capfd):
    pictures(here / "mine", 5)
    (here / "mine" / "bad.png").write_bytes(b"no picture")
    (here / "mine" / "void.jpg").write_bytes(b"")
    assert reverie("data", "check", "mine") == 3
    out, err = capfd.readouterr()
    assert "mine: 5 images" in out
    assert re.search(r"^problem +bad\.png: is no image of a known format", out, re.M)
    assert re.search(r"^problem +void\.jpg: is empty", out, re.M)
    assert err == "reverie: 2 files of mine cannot be used; repair or remove them.\n"
    assert (here / "contact-sheet.png").read_bytes().startswith(b"\x89PNG")


def test_one_broken_file_is_one(here, capfd):
    pictures(here / "mine", 5)
    (here / "mine" / "bad.png").write_bytes(b"no picture")
    assert reverie("data", "check", "mine") == 3
    assert capfd.readouterr().err == "reverie: 1 file of mine cannot be used; repair or remove it.\n"


def test_long_names_leave_the_columns_below_each_other(capfd):
    lines = said(capfd, "recipes").splitlines()
    assert len({len(line) - len(line.split(maxsplit=1)[1]) for line in lines}) == 1


@pytest.mark.parametrize(
    "command", ["reconstruct", "interpolate", "traverse", "data fetch", "compress", "decompress", "copies", "score"]
)
def test_every_line_of_a_help_page_says_something(command, capfd, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    listed = [line.strip("│ ") for line in said(capfd, *command.split(), "--help").splitlines() if line.startswith("│")]
    said_of = [re.sub(r"^[*]? *(-\S+ )*[A-Z.]+ *|\[[^]]*\]", "", line).strip() for line in listed]
    assert listed
    assert all(len(words) > 5 for words in said_of), listed


def test_data_check_of_sound_data_in_json(here, capfd):
    zipped(here / "good.zip", {file.name: file.read_bytes() for file in pictures(here / "mine", 3).iterdir()})
    answer = json.loads(said(capfd, "data", "check", "good.zip", "--out", "good.png", "--json"))
    assert (answer["images"], answer["problems"], answer["duplicates"]) == (3, [], 0)
    assert Path(answer["sheet"]).is_file()


def test_doctor_tells_of_this_machine(capfd):
    answer = json.loads(said(capfd, "doctor", "--json"))
    assert answer["reverie"] == package.__version__
    assert {"torch", "device", "threads", "data here"} <= set(answer)
    assert "torch" in said(capfd, "doctor")


def test_a_dry_run_prints_settings_that_config_takes_again(here, capfd):
    words = (
        "train",
        "vae-conv",
        "--data",
        "shapes",
        "--size",
        "8x12",
        "--latent",
        "3",
        "--rate",
        "0.01",
        "--epochs",
        "2",
    )
    first = said(capfd, *words, "--dry-run")
    (here / "again.toml").write_text(first)
    assert said(capfd, "train", "--config", "again.toml", "--dry-run") == first
    flat = config.from_toml(here / "again.toml")
    assert config.resolve(flat.pop("recipe"), flat)["arguments"]["rate"] == 0.01
    changed = said(capfd, "train", "--config", "again.toml", "--rate", "0.02", "--minutes", "1", "--dry-run")
    table = tomllib.loads(changed)
    assert (table["arguments"]["rate"], table["minutes"], "epochs" in table) == (0.02, 1.0, False)
    assert not list((here / "runs").glob("vae-conv*"))


def test_a_recipe_may_come_after_its_flags(capfd):
    assert 'recipe = "vae-mlp"' in said(capfd, "train", "--hidden", "4", "vae-mlp", "--data", "shapes", "--dry-run")


@pytest.mark.parametrize("recipe", recipes.names())
def test_help_holds_every_argument_with_its_words(recipe, capfd):
    page = " ".join(said(capfd, "train", recipe, "--help").split())
    for function in (recipes.find(recipe).run, config.options, own):
        words = {item.arg_name: " ".join(item.description.split()) for item in parse(function.__doc__).params}
        for name in arguments.keywords(function):
            assert f"--{name.replace('_', '-')}" in page
            assert words[name]
            assert words[name] in page


def test_the_overview_names_every_command(capfd):
    page = said(capfd)
    assert page == said(capfd, "--help") == said(capfd, "-h")
    parsed = {name for name in app if not name.startswith("-")} - {"data"}
    parsed |= {f"data {name}" for name in data_app if not name.startswith("-")}
    assert parsed == set(commands()) - {"--version"}
    assert all(f"  {name} " in page for name in parsed)


@pytest.mark.parametrize("name", [name for name in commands() if name not in ("--version", "train")])
def test_every_command_has_a_help_page(name, capfd):
    assert f"reverie {name}" in said(capfd, *name.split(), "--help")


@pytest.mark.parametrize("recipe", recipes.names())
def test_every_recipe_trains_at_its_smallest(recipe, workshop, tmp_path):
    options = {"data": str(workshop / "classes"), "size": "16", "steps": 1, "threads": 1, "device": "cpu"}
    if kind_of(recipe) == "text":
        options = options | {"data": None, "size": None, "text": "to be, or not to be, that is the question:\n" * 20}
    if kind_of(recipe) == "points":
        options = options | {"data": "ring", "size": None}
    run = package.train(recipe, runs=tmp_path, **options, **recipes.find(recipe).TINY)
    assert run.record["status"] == "finished"
    figures = {figure["name"] for figure in json.loads((run.folder / "eval.json").read_text())["figures"]}
    assert figures
    assert all((run.folder / "pictures" / f"{name}.png").is_file() for name in run.plan.pictures)


def test_what_to_try_next_names_a_class_where_the_model_is_told_one(here, capfd):
    assert said(capfd, "train", "--resume", "told").endswith("runs/told --label light\n")


def test_training_twice_and_resuming_from_the_command_line(here, workshop, capfd):
    words = ("train", "vae-mlp", "--data", str(workshop / "flat"), "--hidden", "4", *QUICK)
    answer = json.loads(said(capfd, *words, "--json"))
    assert Path(answer["run"]).name == "vae-mlp-flat-1"
    assert all(Path(file).is_file() for file in answer["files"])
    assert "vae-mlp-flat-2/report.html" in said(capfd, *words)
    assert "vae-mlp-flat-2/report.html" in said(capfd, "train", "--resume", "last")
    said(capfd, "train", "--config", "runs/vae-mlp-flat-1/config.toml")
    weights = [(run.folder / "model" / "model.safetensors").read_bytes() for run in list_runs("runs")[-3:]]
    assert weights[0] == weights[1] == weights[2]


def test_the_example_of_the_package_works(here, workshop):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REVERIE_RUNS", str(here / "runs"))
        run = package.train("vae-conv", data=str(workshop / "flat"), steps=2, batch=8, threads=1)
        assert run.sample(16).images.shape == (16, 1, 8, 8)
        assert run.evaluate(k=2).figures
        model = package.load(str(here / "runs" / "last"))
    assert all(not parameter.requires_grad for parameter in model.parameters())
    assert set(package.__all__) <= set(dir(package))


def environment(here: Path) -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1", "REVERIE_RUNS": str(here / "runs"), "TERM": "xterm"}


def test_lines_in_a_file_hold_no_control_characters(here, workshop):
    words = ["train", "vae-mlp", "--data", str(workshop / "flat"), *QUICK, "--epochs", "2", "--hidden", "4"]
    words = [word for i, word in enumerate(words) if word != "--steps" and words[i - 1] != "--steps"]
    done = subprocess.run(
        [sys.executable, "-m", "reverie", *words], capture_output=True, text=True, env=environment(here)
    )
    assert done.returncode == 0, done.stderr
    assert not CONTROL.search(done.stderr + done.stdout)
    assert re.search(r"^epoch 2  .*test ELBO", done.stderr, re.M)


def read_all(terminal: int) -> str:
    """All that a process writes to a terminal, until it ends."""
    pieces = []
    while select.select([terminal], [], [], 60)[0]:
        try:
            piece = os.read(terminal, 65536)
        except OSError:  # Linux says so when the other side has closed
            break
        if not piece:
            break
        pieces.append(piece)
    return b"".join(pieces).decode()


def test_a_terminal_shows_a_bar(here, workshop):
    terminal, other = pty.openpty()
    words = ["train", "vae-mlp", "--data", str(workshop / "flat"), *QUICK, "--hidden", "4"]
    process = subprocess.Popen(
        [sys.executable, "-m", "reverie", *words],
        stderr=other,
        stdout=subprocess.DEVNULL,
        env=environment(here),
    )
    os.close(other)
    shown = read_all(terminal)
    os.close(terminal)
    assert process.wait(60) == 0, shown
    assert "━" in shown
    assert "2/2" in shown
    assert "loss" in shown
