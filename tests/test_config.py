"""The configuration: checked against two signatures, written as TOML and read back unchanged."""

import tomllib
from pathlib import Path

import pytest

from reverie.arguments import keywords
from reverie.config import HEADER, from_toml, options, parse_size, resolve, to_toml
from reverie.errors import UsageError
from reverie.recipes import find, names


def again(config: dict, folder: Path) -> dict:
    path = folder / "config.toml"
    path.write_text(to_toml(config, path), encoding="utf-8")
    flat = from_toml(path)
    return resolve(flat.pop("recipe"), flat)


@pytest.mark.parametrize("recipe", names())
def test_a_resolved_configuration_comes_back_the_same(recipe, tmp_path):
    config = resolve(recipe, {"data": 'a "quoted" folder', "epochs": 3, "seed": 7, **find(recipe).TINY})
    assert config.keys() == {"recipe", *keywords(options), "arguments"}
    assert config["arguments"].keys() == keywords(find(recipe).run).keys()
    assert again(config, tmp_path) == config


def test_the_file_says_how_to_repeat_the_run(tmp_path):
    text = to_toml(resolve("vae-mlp", {}), Path("runs/a/config.toml"))
    assert text.startswith(HEADER.format(path="runs/a/config.toml"))
    assert "reverie train --config runs/a/config.toml" in text
    assert "minutes" not in tomllib.loads(text)


def test_names_take_dashes_or_underscores():
    assert resolve("vae_mlp", {"save-every": 5}) == resolve("vae-mlp", {"save_every": 5})


def test_what_is_none_counts_as_not_given():
    assert resolve("vae-mlp", {"data": None, "rate": None}) == resolve("vae-mlp", {})


def test_a_recipe_file_is_named_by_its_whole_path(tmp_path, monkeypatch):
    (tmp_path / "mine.py").write_text("def run(data, *, rate: float = 0.1): ...")
    monkeypatch.chdir(tmp_path)
    assert resolve("mine.py", {})["recipe"] == str(tmp_path / "mine.py")


@pytest.mark.parametrize(("words", "size"), [("28", (28, 28)), ("28x20", (28, 20)), (None, None), ("00001", (1, 1))])
def test_a_size_is_height_and_width(words, size):
    assert parse_size(words) == size


@pytest.mark.parametrize("words", ["", "0", "28x0", "x", "28x", "-3", "2.5", "28by28", "28 x 28", "123456", "١"])
def test_anything_else_is_no_size(words):
    with pytest.raises(UsageError, match="as in 28 or 28x20"):
        parse_size(words)


def test_a_size_may_be_a_number_in_a_file():
    assert resolve("vae-mlp", {"size": 28})["size"] == "28"


@pytest.mark.parametrize("pair", [("minutes", "steps"), ("minutes", "epochs"), ("epochs", "steps")])
def test_two_budgets_are_one_too_many(pair):
    with pytest.raises(UsageError, match="are both a budget"):
        resolve("vae-mlp", dict.fromkeys(pair, 2))


def test_every_unknown_name_is_listed():
    with pytest.raises(UsageError) as error:
        resolve("vae-mlp", {"hiden": 3, "colour": 1})
    assert 'no argument "hiden". Did you mean "hidden"?' in str(error.value)
    assert 'no argument "colour"' in str(error.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "names no recipe"),
        ("recipe = 3", "names no recipe"),
        ("recipe = ", "is not a TOML file"),
        ('recipe = "vae-mlp"\narguments = []', "must be a table"),
    ],
)
def test_a_file_that_is_no_configuration_is_refused(text, says, tmp_path):
    (tmp_path / "a.toml").write_text(text)
    with pytest.raises(UsageError, match=says):
        from_toml(tmp_path / "a.toml")


def test_bytes_that_are_no_text_are_refused(tmp_path):
    (tmp_path / "a.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match="is not a TOML file"):
        from_toml(tmp_path / "a.toml")
    with pytest.raises(UsageError, match="is not a TOML file"):
        from_toml(tmp_path)


@pytest.mark.parametrize(("name", "value"), [("text", "caf\udce9"), ("data", "/caf\udce9/x"), ("init", "\ud800")])
def test_words_that_are_not_utf_8_are_refused(name, value):
    with pytest.raises(UsageError, match=f'--{name} ".*is not UTF-8') as caught:
        resolve("text-char", {name: value})
    assert str(caught.value).isprintable()
