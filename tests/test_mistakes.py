"""Mistakes that people make: one message that names the thing and the way out, and the right exit code."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from scenes import GAME, QUICK, make_runs, pictures, png, reverie, vast_png, zipped

USAGE, DATA, FAILED = 2, 3, 1


@dataclass(frozen=True)
class Mistake:
    """What is typed, what lies in the folder, and what must come back.

    ``runs`` names the trained runs that are there; words may hold ``{flat}`` and ``{classes}``,
    folders of pictures.
    """

    words: str
    code: int
    says: tuple[str, ...]
    prepare: Callable[[Path], object] = lambda here: None
    runs: tuple[str, ...] = ()


def case(words: str, code: int, *says: str, prepare=lambda here: None, runs: str = "") -> Mistake:
    return Mistake(words, code, says, prepare, tuple(runs.split()))


def file(name: str, content: bytes | str):
    def prepare(here: Path) -> None:
        path = here / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)

    return prepare


def both(*steps):
    def prepare(here: Path) -> None:
        for step in steps:
            step(here)

    return prepare


def folder(name: str = "mine", **options):
    return lambda here: pictures(here / name, **options)


def array(name: str, values, **options):
    def prepare(here: Path) -> None:
        (np.savez if name.endswith(".npz") else np.save)(here / name, values, **options)

    return prepare


def change(name: str, edit: Callable[[str], str]):
    def prepare(here: Path) -> None:
        path = here / "runs" / name
        path.write_text(edit(path.read_text(encoding="utf-8")), encoding="utf-8")

    return prepare


def remove(name: str):
    return lambda here: (here / "runs" / name).unlink()


def other_data(here: Path) -> None:
    """The run's data is another than it was."""
    pictures(here / "changed", seed=500)
    path = here / "runs" / "vae" / "config.toml"
    lines = path.read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join(f'data = "{here / "changed"}"' if line.startswith("data =") else line for line in lines))
    Path("runs/vae/eval.json").unlink()  # a run that is finished altogether is not gone on with


MLP = "train vae-mlp --data {flat} --steps 2 --batch 8"
IDX = b"\0\0\x08\x03" + (60_000).to_bytes(4, "big") + (28).to_bytes(4, "big") * 2 + b"\0" * 100

COMMANDS = [
    case("trian", USAGE, '"trian"', 'Did you mean "train"', "reverie --help"),
    case("--verson", USAGE, '"--verson"', "reverie --help"),
    case("data chek x", USAGE, '"chek"', 'Did you mean "check"', "reverie data --help"),
    case("train", USAGE, "Which recipe?", "reverie recipes"),
    case("sample", USAGE, "RUN", "requires an argument", "reverie sample --help"),
    case("sample last --sede 1", USAGE, "option: --sede", "--seed", "reverie sample --help"),
    case("sample last -n many", USAGE, '"many"', "-n", "int", "reverie sample --help"),
    case("interpolate last 0 1 --path curly", USAGE, '"curly"', "spherical", "linear"),
    case("manifold last --points 3", USAGE, "--points", "2 positional arguments"),
    case("compare last", USAGE, "SECOND", "reverie compare --help"),
]

ARGUMENTS = [
    case("train vae-iwae --data {flat} --k 0", USAGE, "--k", "at least 1", "got 0"),
    case("train gan-mlp --data {flat} --cost hinge --batch 8", USAGE, "--cost", '"hinge"', "non-saturating"),
    case("train gan-mlp --data {flat} --smoothing 0.5 --batch 8", USAGE, "--smoothing", "below 0.5"),
    case("train gan-hinge --data {flat} --size 27 --batch 8", USAGE, "27x27", "--size 28"),
    case("train dcgan --data {flat} --batch 8", USAGE, "8x8", "at least 16", "--size 16"),
    case("train ladder-mnist --data {flat} --depth 2 --batch 8", USAGE, "--depth", "--local 16"),
    case("train vae-vamp --data {flat} --components 0", USAGE, "--components", "at least 1", "got 0"),
    case("train vae-cnov", USAGE, '"vae-cnov"', 'Did you mean "vae-conv"', "reverie recipes"),
    case("train xyz", USAGE, '"xyz"', "reverie recipes", ".py"),
    case(MLP + " --hiden 8", USAGE, "option: --hiden", "--hidden", "reverie train vae-mlp --help"),
    case(MLP + " --optimizer adam", USAGE, "option: --optimizer", "reverie train vae-mlp --help"),
    case(MLP + " --latent", USAGE, "--latent", "requires an argument"),
    case(MLP + " --latent two", USAGE, "--latent", '"two"', "int"),
    case(MLP + " --rate fast", USAGE, "--rate", '"fast"', "float"),
    case(MLP + " --rate -0.1", USAGE, "--rate", "above 0", "-0.1"),
    case(MLP + " --rate 0", USAGE, "--rate", "above 0"),
    case(MLP + " --rate nan", USAGE, "--rate", "above 0", "nan"),
    case(MLP + " --latent 0", USAGE, "--latent", "at least 1", "got 0"),
    case("train vae-mlp --data {flat} --batch 0", USAGE, "--batch", "at least 1", "got 0"),
    case("train vae-mlp --data {flat} --batch 99", USAGE, "--batch 99", "21 training images", "give --batch 5"),
    case("train vae-mlp --data {flat} --rate -1 --latent 0 --batch 0", USAGE, "--rate", "--latent", "--batch"),
    case(MLP + " --minutes 1", USAGE, "--minutes and --steps", "give one of them"),
    case("train vae-mlp --data {flat} --minutes 0", USAGE, "--minutes", "above 0", "got 0"),
    case("train vae-mlp --data {flat} --epochs -1", USAGE, "--epochs", "above 0", "got -1"),
    case("train vae-mlp --data {flat} --steps 0", USAGE, "--steps", "at least 1"),
    case(MLP + " --seed -1", USAGE, "--seed", "at least 0"),
    case(MLP + " --size 28by28", USAGE, '"28by28"', "28x20"),
    case(MLP + " --size 0", USAGE, '"0"', "28x20"),
    case(MLP + " --size 9999", USAGE, "--size", "between 1 and 4096"),
    case(MLP + " --channels blue", USAGE, "--channels", '"blue"', "rgb"),
    case("train vae-conv --data {flat} --likelihood gausian", USAGE, "--likelihood", '"gausian"', "gaussian"),
    case(MLP + " --device tpu", USAGE, "--device", '"tpu"', "cpu"),
    case(MLP + " --name a/b", USAGE, '"a/b"', "letters, digits"),
    case(MLP + " --name last", USAGE, '"last"'),
    case(MLP + " --name vae", USAGE, '"vae"', "choose another --name", runs="vae"),
    case("train vae-conv --data mine --batch 8", USAGE, "even", "9x9", "--size", prepare=folder(size=(9, 9))),
    case(
        "train ae-conv --data mine --batch 8",
        USAGE,
        "12 m + 4",
        "20x20",
        "--size",
        prepare=folder(size=(20, 20)),
    ),
]

TRY = "train vae-mlp --data mine --batch 8"
IMAGES = [
    case("train vae-mlp --data nowhere", DATA, "nowhere", "reverie data list"),
    case("train vae-mlp --data minst", DATA, "minst", 'Did you mean "mnist"'),
    case(TRY, DATA, "mine", "empty", prepare=lambda here: (here / "mine").mkdir()),
    case(TRY, DATA, "mine", "text", "Accepted are", prepare=file("mine/notes.txt", "some words")),
    case(
        "train vae-mlp --data a.txt",
        DATA,
        "a.txt",
        "text",
        "Accepted are",
        prepare=file("a.txt", "some words"),
    ),
    case("train vae-mlp --data a.xyz", DATA, "a.xyz", "Accepted are", prepare=file("a.xyz", "some words")),
    case("train vae-mlp --data python-stdlib", DATA, "python-stdlib is text", "reverie data list"),
    case(
        TRY,
        DATA,
        "bad.png",
        "mine",
        "no image",
        "reverie data check",
        prepare=both(folder(), file("mine/bad.png", b"not")),
    ),
    case(TRY, DATA, "void.png", "empty", "Repair", prepare=both(folder(), file("mine/void.png", b""))),
    case(TRY, DATA, "cut.png", "cut short", prepare=both(folder(), file("mine/cut.png", png((64, 64))[:900]))),
    case(TRY, DATA, "vast.png", "limit", prepare=both(folder(), file("mine/vast.png", vast_png()))),
    case(
        TRY,
        DATA,
        "differ in size",
        "8 x 8",
        "9 x 7",
        "--size 28",
        prepare=both(folder(), file("mine/z.png", png((7, 9)))),
    ),
    case(
        "train vae-conditional --data mine --batch 8",
        DATA,
        "mine has no labels",
        "folder of its own",
        "vae-conv",
        prepare=folder(),
    ),
    case(
        "train gan-conditional --data mine --batch 8",
        DATA,
        "mine has no labels",
        "folder of its own",
        "gan-hinge",
        prepare=folder(),
    ),
    case(TRY, DATA, "mine", "1 image", "at least 2", prepare=folder(n=1)),
    case("train vae-mlp --data one.png", DATA, "one.png", "one image", "folder", prepare=file("one.png", png())),
    case(
        "train vae-mlp --data objects.npz",
        DATA,
        "objects.npz",
        "Python objects",
        "plain array",
        prepare=array("objects.npz", np.array([{}, {}], dtype=object), allow_pickle=True),
    ),
    case("train vae-mlp --data none.npz", DATA, "none.npz", "zip", prepare=file("none.npz", b"no zip")),
    case(
        "train vae-mlp --data cut.npy",
        DATA,
        "cut.npy",
        "cut short",
        prepare=both(array("cut.npy", np.zeros((9, 8, 8), np.uint8)), lambda here: os.truncate(here / "cut.npy", 300)),
    ),
    case(
        "train vae-mlp --data f.npy",
        DATA,
        "f.npy",
        "-1",
        "0 to 255",
        prepare=array("f.npy", -np.ones((9, 8, 8))),
    ),
    case(
        "train vae-mlp --data line.npy",
        DATA,
        "line.npy",
        "(7,)",
        "(N, H, W)",
        prepare=array("line.npy", np.arange(7)),
    ),
    case("train vae-mlp --data no.zip", DATA, "no.zip", "zip", prepare=file("no.zip", b"no zip")),
    case(
        "train vae-mlp --data bomb.zip",
        DATA,
        "bomb.zip",
        "limit",
        "1.png",
        prepare=lambda here: zipped(here / "bomb.zip", {"0.png": png(), "1.png": b"\0" * (8 << 20)}),
    ),
    case(
        "train vae-mlp --data train-images-idx3-ubyte",
        DATA,
        "idx3",
        "cut short",
        prepare=file("train-images-idx3-ubyte", IDX),
    ),
    case(
        "train vae-mlp --data bad.parquet",
        DATA,
        "bad.parquet",
        "parquet",
        prepare=file("bad.parquet", b"PAR1 no"),
    ),
    case("train vae-mlp --data mnist", DATA, "mnist", "reverie data fetch mnist", "mnist-5k"),
    case("train vae-mlp --data quickdraw/cat", DATA, "quickdraw", "cannot be fetched", "Put it at"),
    case("data fetch mnist", DATA, "mnist", "offline", "sha256", "https://"),
    case("data fetch mnist --offline", DATA, "mnist", "offline", "sha256"),
    case("data fetch minst", DATA, '"minst"', 'Did you mean "mnist"'),
    case("data fetch shapes", DATA, "shapes", "built in"),
    case("data fetch frey-faces", DATA, "frey-faces", "cannot be fetched", "Put it at"),
    case("data check nowhere", DATA, "nowhere", "reverie data list"),
    case("data check mine --out sheet.jpg", USAGE, "sheet.jpg", ".png", prepare=folder()),
]

RECIPES = [
    case("train mine.py --data {flat}", USAGE, "mine.py", "run()"),
    case("train mine.py --data {flat}", USAGE, "mine.py", "run(data",
         prepare=file("mine.py", "DATA = 'shapes'")),
    case("train mine.py --data {flat}", USAGE, "mine.py", "SyntaxError", "line 1",
         prepare=file("mine.py", "def run(:")),
    case("train mine.py --data {flat}", USAGE, "mine.py", "ValueError: no",
         prepare=file("mine.py", "raise ValueError('no')")),
    case("train mine.py --data {flat}", USAGE, "mine.py", "numbat", prepare=file("mine.py", "import numbat")),
    case("train mine.py --data {flat}", USAGE, "Plan", "NoneType",
         prepare=file("mine.py", "def run(data): pass")),
    case("train mine.py", USAGE, "mine.py", "--data", prepare=file("mine.py", "def run(data): pass")),
    case("train mine.py --data {flat}", FAILED, "ZeroDivisionError", "REVERIE_TRACEBACK=1",
         prepare=file("mine.py", "def run(data): return 1 / 0")),
    case("train game.py --data {flat} --latent 2", USAGE, 'option: --latent', "reverie train game.py --help",
         prepare=file("game.py", GAME)),
]  # fmt: skip

SETTINGS = [
    case("train --config none.toml", USAGE, "none.toml", "There is no configuration file"),
    case("train --config a.toml", USAGE, "a.toml", "not a TOML file", prepare=file("a.toml", "recipe = = 1")),
    case("train --config a.toml", USAGE, "a.toml", 'recipe = "vae-conv"',
         prepare=file("a.toml", "steps = 2")),
    case("train --config a.toml", USAGE, '"rat"', 'Did you mean "rate"',
         prepare=file("a.toml", 'recipe = "vae-mlp"\n[arguments]\nrat = 0.1')),
    case("train --config a.toml", USAGE, "[arguments]", "table",
         prepare=file("a.toml", 'recipe = "vae-mlp"\narguments = 3')),
    case("train --config a.toml", USAGE, "--latent", "whole number",
         prepare=file("a.toml", 'recipe = "vae-mlp"\nlatent = "2"')),
    case("train --config a.toml", USAGE, "--size", "28x20",
         prepare=file("a.toml", 'recipe = "vae-mlp"\nsize = [2]')),
    case("train --config", USAGE, "--config", "requires an argument"),
]  # fmt: skip

OPENING = [
    case("sample nowhere", USAGE, '"nowhere"', "reverie runs"),
    case("sample vea", USAGE, '"vea"', 'Did you mean "vae"', runs="vae"),
    case("sample last", USAGE, "no run in", "reverie train"),
    case("sample flat", USAGE, '"flat"', "reverie runs", prepare=folder("flat")),
    case("sample vae", FAILED, "run.json", "JSON", "--config",
         runs="vae", prepare=change("vae/run.json", lambda text: text[:20])),
    case("sample vae", FAILED, "run.json", "record", "--config",
         runs="vae", prepare=change("vae/run.json", lambda text: "[]")),
    case("sample vae", USAGE, "config.toml", "TOML",
         runs="vae", prepare=change("vae/config.toml", lambda text: "= " + text)),
    case("sample vae", USAGE, "config.toml", "bring it back", runs="vae", prepare=remove("vae/config.toml")),
    case("sample vae", FAILED, "model.safetensors", "damaged", runs="vae",
         prepare=lambda here: os.truncate(here / "runs/vae/model/model.safetensors", 100)),
    case("train --resume nowhere", USAGE, '"nowhere"', "reverie runs"),
    case("train --resume last", USAGE, "no run in", "reverie train"),
    case("train --resume vae --rate 0.1", USAGE, "--rate", "keeps its settings", "config.toml", runs="vae"),
    case("train --resume vae --steps 9", USAGE, "keeps its settings", "steps", "runs/vae/config.toml",
         runs="vae"),
    case("train vae-mlp --resume vae", USAGE, "keeps its settings", "recipe", runs="vae"),
    case("train --resume vae", DATA, "vae", "no longer the same", "--config", runs="vae", prepare=other_data),
]  # fmt: skip

ACTIONS = [
    case("sample plain", USAGE, "plain cannot sample", "reconstruct", "train a vae", runs="plain"),
    case("score plain", USAGE, "plain has no likelihood", "train a vae", runs="plain"),
    case("reconstruct game", USAGE, "game cannot reconstruct", "It can: sample", runs="game"),
    case("interpolate game", USAGE, "game cannot interpolate", "It can: sample", runs="game"),
    case("manifold game", USAGE, "game cannot draw a manifold", "It can: sample", runs="game"),
    case("traverse game", USAGE, "game cannot traverse", "It can: sample", runs="game"),
    case("edit game dark", USAGE, "game cannot edit", "It can: sample", runs="game"),
    case("score game", USAGE, "game has no likelihood", runs="game"),
    case("manifold narrow", USAGE, "at least 2 dimensions", "has 1", runs="narrow"),
    case("manifold vae --axes 0 7", USAGE, "dimension 7", "0 to 1", runs="vae"),
    case("manifold vae --points 1 1", USAGE, "at least 2 points", "got 1", runs="vae"),
    case("manifold vae --x 0 2", USAGE, "0 < low < high < 1", "for coordinates: --kind linear", runs="vae"),
    case("traverse vae --dimensions 99", USAGE, "dimension 99", "0 to 1", runs="vae"),
    case("traverse vae --steps 1", USAGE, "at least 2 steps", "got 1", runs="vae"),
    case("interpolate vae --steps 1", USAGE, "at least 2 steps", "got 1", runs="vae"),
    case("interpolate vae 0 gone.png", DATA, "gone.png", "no file", runs="vae"),
    case("interpolate vae 0 999", USAGE, "no test image 999", "0 to", runs="vae"),
    case("reconstruct vae bad.png", DATA, "bad.png", "no image",
         runs="vae", prepare=file("bad.png", b"no picture")),
    case("reconstruct vae gone.png", DATA, "gone.png", "no file", runs="vae"),
    case("reconstruct vae -n 0", USAGE, "at least 1", "got 0", runs="vae"),
    case("edit vae dark dark", USAGE, "must differ; both are dark", runs="vae"),
    case("edit vae dark light --n 0", USAGE, "The number of images must be at least 1; got 0", runs="vae"),
    case("edit vae sunny", USAGE, '"sunny"', "Classes: dark, light", runs="vae"),
    case("edit plain dark", USAGE, '"dark"', "no classes", "folder of examples", runs="plain"),
    case("edit vae mine", USAGE, "without", "mine", runs="vae", prepare=folder()),
    case("sample vae --label dark", USAGE, "vae was trained without labels", "leave out --label", runs="vae"),
    case("reconstruct vae --label dark", USAGE, "vae was trained without labels", runs="vae"),
    case("sample told --label lihgt", USAGE, '"lihgt"', 'Did you mean "light"', "dark, light", runs="told"),
    case("sample told --label 2", USAGE, '"2"', "0 to 1", runs="told"),
    case("reconstruct told {flat}", USAGE, "told is conditional", "--label", "dark, light", runs="told"),
    case("reconstruct told {classes}", USAGE, "told is conditional", "--label", runs="told"),
    case("score told {flat}", USAGE, "told is conditional", "--label", "dark, light", runs="told"),
    case("interpolate told", USAGE, "told cannot interpolate", "It can: sample, reconstruct", runs="told"),
    case("manifold told", USAGE, "told cannot draw a manifold", runs="told"),
    case("edit told dark", USAGE, "told cannot edit", runs="told"),
    case("evaluate vae --k 0", USAGE, "--k", "at least 1", "got 0", runs="vae"),
    case("evaluate vae --n 0", USAGE, "--n", "at least 1", "got 0", runs="vae"),
    case("score vae --k 0", USAGE, "at least 1", "got 0", runs="vae"),
    case("sample vae -n 0", USAGE, "at least 1", "got 0", runs="vae"),
    case("sample vae --temperature -1", USAGE, "temperature", "at least 0", "-1", runs="vae"),
    case("sample vae --seed -1", USAGE, "--seed", "at least 0", "-1", runs="vae"),
    case("sample vae -n 4 --out a.jpg", USAGE, "--out a.jpg", ".png", runs="vae"),
    case("sample vae -n 4 --out block/a.png", USAGE, "block/a.png", "another place",
         runs="vae", prepare=file("block", "x")),
    case("compare vae plain", USAGE, "vae has no figures", "reverie evaluate",
         runs="vae plain", prepare=remove("vae/eval.json")),
    case("compare vae game", USAGE, "game has no figures", "reverie evaluate",
         runs="vae game", prepare=remove("game/eval.json")),
    case("compare vae plain", FAILED, "eval.json", "reverie evaluate", runs="vae plain",
         prepare=change("vae/eval.json", lambda text: "{}")),
]  # fmt: skip

MISTAKES = [*COMMANDS, *ARGUMENTS, *IMAGES, *RECIPES, *SETTINGS, *OPENING, *ACTIONS]


@pytest.fixture(scope="module")
def workshop(tmp_path_factory):
    """Two folders of pictures and five trained runs, made once."""
    home = tmp_path_factory.mktemp("workshop")
    make_runs(home)
    return home


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REVERIE_OFFLINE", "1")
    monkeypatch.setenv("REVERIE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("REVERIE_DATA", raising=False)
    return tmp_path


def arrange(mistake: Mistake, workshop: Path, here: Path) -> list[str]:
    """Put runs and files in their places; the words as they are typed."""
    for name in mistake.runs:
        shutil.copytree(workshop / "runs" / name, here / "runs" / name)
    mistake.prepare(here)
    return mistake.words.format(flat=workshop / "flat", classes=workshop / "classes").split()


def run_folders(here: Path) -> set[Path]:
    return set((here / "runs").glob("*")) if (here / "runs").exists() else set()


def hold(mistake: Mistake, code: int, out: str, err: str) -> None:
    assert code == mistake.code, err
    assert out == ""
    assert err.startswith("reverie: ")
    assert err.count("reverie: ") == 1
    assert "Traceback" not in err
    missing = [words for words in mistake.says if words not in err]
    assert not missing, f"{missing} not in: {err}"


@pytest.mark.parametrize("mistake", MISTAKES, ids=[f"{i}-{m.words[:50]}" for i, m in enumerate(MISTAKES)])
def test_a_mistake_gets_one_message_and_its_exit_code(mistake, workshop, here, capfd):
    words = arrange(mistake, workshop, here)
    before = run_folders(here)
    code = reverie(*words)
    out, err = capfd.readouterr()
    hold(mistake, code, out, err)
    assert run_folders(here) == before


def test_there_are_many_mistakes():
    assert len({(m.words, m.says) for m in MISTAKES}) >= 70


PROCESSES = [COMMANDS[0], ARGUMENTS[0], IMAGES[7], RECIPES[2], OPENING[4]]


@pytest.mark.parametrize("mistake", PROCESSES, ids=[m.words for m in PROCESSES])
def test_a_mistake_in_a_process_of_its_own(mistake, workshop, here):
    words = arrange(mistake, workshop, here)
    done = subprocess.run([sys.executable, "-m", "reverie", *words], capture_output=True, text=True, timeout=120)
    hold(mistake, done.returncode, done.stdout, done.stderr)


def test_cuda_where_there_is_none(here, workshop, capfd, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    code = reverie("train", "vae-mlp", "--data", str(workshop / "flat"), "--batch", "8", "--device", "cuda")
    _, err = capfd.readouterr()
    assert code == USAGE
    assert "--device cuda" in err
    assert "--device cpu" in err
    assert not run_folders(here)


def test_a_full_disk_is_named(here, workshop, capfd, monkeypatch):
    def refuse(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", refuse)
    code = reverie("train", "vae-mlp", "--data", str(workshop / "flat"), *QUICK)
    _, err = capfd.readouterr()
    assert code == FAILED
    assert "No space left on device" in err
    assert "free some space" in err
