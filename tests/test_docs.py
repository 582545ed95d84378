"""The documents hold: links resolve, examples run, and what a page lists is what the code has.

The quickstart is followed in an empty folder, in this process but for the part that is stopped; its budgets
in minutes are shortened to one epoch (five where it is interrupted) and its images to 8 pixels, which changes
nothing in what the commands must do.
"""

import ast
import doctest
import io
import os
import re
import runpy
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from documents import PAGES, ROOT, blocks, reverie, sections, without_blocks
from reverie import arguments, recipes
from reverie.cli.commands import app

DOCS = ROOT / "docs"
SOURCE = ROOT / "src" / "reverie"
README = ROOT / "README.md"


@pytest.fixture
def place(tmp_path, monkeypatch):
    """An empty folder in which a person stands, with the command on the path."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REVERIE_RUNS", "runs")
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    return tmp_path


def shortened(words: str) -> str:
    short = re.sub(r"--minutes \d+", "--epochs 1", words)
    return re.sub(r"--size 32", "--size 8", short)


# Links


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as forges make them."""
    headings = re.findall(r"^#+ +(.+)$", without_blocks(page.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_resolve(page):
    text = without_blocks(page.read_text(encoding="utf-8"))
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"https?://", target):
            continue
        name, _, anchor = target.partition("#")
        file = (page.parent / name).resolve() if name else page
        assert file.exists(), f"{page.name} links to {target}, which is not there"
        assert not anchor or anchor in anchors(file), f"{page.name} links to {target}: no such heading"


def test_every_page_is_linked_from_the_readme():
    text = README.read_text(encoding="utf-8")
    assert [page.name for page in DOCS.glob("*.md") if f"(docs/{page.name})" not in text] == []


def test_pictures_are_small():
    sizes = {path.name: path.stat().st_size for path in (DOCS / "pictures").iterdir()}
    assert all(size < 150_000 for size in sizes.values()), sizes
    assert sum(sizes.values()) < 1_000_000


# Examples


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_sessions_give_what_they_show(page):
    for block in (block for block in blocks(page, "python") if ">>>" in block.text):
        words = io.StringIO()
        test = doctest.DocTestParser().get_doctest(block.text, {}, page.name, str(page), 0)
        doctest.DocTestRunner().run(test, out=words.write)
        assert words.getvalue() == ""


def known(words: str, monkeypatch) -> None:
    """Whether a line is understood: its command, its options, their values; nothing is run."""
    if words.startswith("reverie train"):
        assert reverie(f"{words} --dry-run", monkeypatch) == 0, words
        return
    app.parse_args(words.split()[1:], exit_on_error=False, print_error=False)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_shown_is_understood(page, place, monkeypatch, capsys):
    if page.name == "add-a-model.md":
        pytest.skip("tests/test_add_a_model.py runs all of it")
    for block in blocks(page, "sh"):
        for words in block.text.splitlines():
            if words.startswith("reverie ") and "--resume" not in words:
                known(words.split("#")[0].strip(), monkeypatch)


def interrupted(words: str) -> None:
    """Send Ctrl-C to a command when its first checkpoint is there; see it save and say how to go on."""
    process = subprocess.Popen(words.split(), stderr=subprocess.PIPE, text=True)
    name = words.split("--name ")[1].split()[0]
    while process.poll() is None and not any(Path("runs", name).glob("checkpoints/step-*")):
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate()
    assert process.returncode == 130, said
    assert f"reverie train --resume runs/{name}" in said


def follow(block, monkeypatch) -> None:
    if not block.text.startswith("reverie "):
        subprocess.run(["bash", "-euc", block.text], check=True)
        return
    for words in shortened(block.text).splitlines():
        if block.words == "interrupted":
            interrupted(words.replace("--epochs 1", "--epochs 5"))
        else:
            assert reverie(words, monkeypatch) == 0, words


def test_the_quickstart_can_be_followed_word_by_word(place, monkeypatch, capsys):
    page = DOCS / "quickstart.md"
    steps = blocks(page, "sh")
    assert len(steps) == 9
    for block in steps:
        follow(block, monkeypatch)
    text = page.read_text(encoding="utf-8")
    promised = set(re.findall(r"`((?:runs/|contact)[\w./-]+)`", text))
    assert len(promised) > 10
    assert [name for name in promised if not Path(name).exists()] == []
    (example,) = blocks(page, "python")
    made = runpy.run_path(str(_written(place, example.text)))
    assert made["run"].sample(16).images.shape == (16, 3, 8, 8)
    assert made["model"].latent == 16


def _written(place: Path, text: str) -> Path:
    path = place / "example.py"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_readme_in_python_runs(place):
    (example,) = blocks(README, "python")
    text = example.text.replace('size="32"', 'size="8"').replace("minutes=2", "steps=3")
    made = runpy.run_path(str(_written(place, text)))
    assert made["images"].shape == (16, 3, 8, 8)
    assert {"elbo", "squared_error"} <= {figure.name for figure in made["figures"]}
    _check_run_folder(made["run"].folder)


def _check_run_folder(folder: Path) -> None:
    """The README's tree is what a run leaves; three steps are less than an epoch, so there are no samples."""
    (tree,) = [b.text for b in blocks(README, "text") if b.text.startswith("runs/")]
    listed = {line.split()[0].rstrip("/") for line in tree.splitlines()[1:]}
    assert listed == {path.name for path in folder.iterdir()} | {"samples"}


# Lists


def test_the_readme_lists_the_recipes():
    rows = dict(re.findall(r"^\| `([\w-]+)` \| (.+) \|$", sections(README)["Recipes"], re.MULTILINE))
    assert rows == {name: recipes.summary(name) for name in recipes.names()}


def written(value) -> str:
    return " ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def test_each_recipe_has_a_section_with_its_arguments_and_defaults():
    found = sections(DOCS / "recipes.md")
    assert sorted(found) == recipes.names()
    for name, text in found.items():
        rows = dict(re.findall(r"^\| `--([\w-]+)` \| (.+) \|$", text, re.MULTILINE))
        keywords = arguments.keywords(recipes.find(name).run)
        assert rows == {n.replace("_", "-"): written(p.default) for n, p in keywords.items()}, name


def commands() -> list[str]:
    def of(parent) -> list[str]:
        return [name for name in parent if not name.startswith("-")]

    return sorted([*(name for name in of(app) if name != "data"), *(f"data {name}" for name in of(app["data"]))])


def test_every_command_has_a_section():
    found = [name for name in sections(DOCS / "command-line.md") if name != "Every command"]
    assert sorted(found) == commands()


@pytest.mark.parametrize("name", commands())
def test_every_option_is_named(name, monkeypatch, capsys):
    page = (DOCS / "command-line.md").read_text(encoding="utf-8")
    common, own = (page.split(f"\n## {title}\n")[1].split("\n## ")[0] for title in ("Every command", name))
    assert reverie(f"reverie {name} --help", monkeypatch) == 0
    options = set(re.findall(r"--[a-z][a-z-]*", capsys.readouterr().out))
    assert "--json" in options
    assert options - {"--help", "--version"} - set(re.findall(r"--[a-z][a-z-]*", common + own)) == set()


# Architecture


def tree_of_the_page() -> dict[str, str]:
    """Each file of the tree on the page, by its path, with the words beside it."""
    (tree,) = [b.text for b in blocks(DOCS / "architecture.md", "text") if b.text.startswith("src/reverie/")]
    found, folders = {}, []
    for line in tree.splitlines()[1:]:
        depth = (len(line) - len(line.lstrip())) // 2 - 1
        name, _, words = line.strip().partition(" ")
        folders = folders[:depth]
        if name.endswith("/"):
            folders.append(name)
        else:
            found["".join([*folders, name])] = words.strip()
    return found


def test_the_tree_is_the_folder():
    there = {
        p.relative_to(SOURCE).as_posix() for p in SOURCE.rglob("*") if p.is_file() and "__pycache__" not in p.parts
    }
    listed = tree_of_the_page()
    assert set(listed) == there
    assert all(listed.values())


def imported(path: Path) -> set[str]:
    """The top-level names of the package that a file imports, anywhere in it."""
    nodes = [node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.ImportFrom)]
    inside = [node.module for node in nodes if node.module and node.module.split(".")[0] == "reverie"]
    names = [alias.name for node in nodes if node.module == "reverie" for alias in node.names]
    return {module.split(".")[1] for module in inside if "." in module} | {
        name for name in names if name != "__version__"
    }


def test_imports_go_down_the_lines_of_the_page():
    (lines,) = [b.text for b in blocks(DOCS / "architecture.md", "text") if b.text.startswith("cli, ")]
    level = {name: i for i, line in enumerate(lines.splitlines()) for name in line.split(", ")}
    names = {p.stem for p in SOURCE.glob("*.py")} | {p.name for p in SOURCE.iterdir() if any(p.glob("*.py"))}
    assert set(level) == names - {"__init__"}
    for path in SOURCE.rglob("*.py"):
        own = path.relative_to(SOURCE).parts[0].removesuffix(".py")
        if own == "__init__":
            continue
        upwards = {name for name in imported(path) if level[name] < level[own]}
        assert not upwards, f"{path.relative_to(SOURCE)} imports {upwards}, which stand above it"
