"""The form is the signature: every recipe has one, and its defaults are what the command line takes without flags."""

import inspect
from typing import Annotated, Literal

import pytest

from reverie import config, recipes
from reverie.arguments import Range, keywords
from reverie.errors import DataError
from reverie.kinds import kind_of, read
from reverie.studio.form import field, form


@pytest.mark.parametrize("name", recipes.names())
def test_every_recipe_has_a_form_whose_defaults_are_the_recipe_s(name):
    found = form(name)
    fields = {each["name"]: each for group in found["groups"] for each in group["fields"]}
    left_out = {"text"} if found["kind"] == "images" else {"text", "size", "channels", "items"}
    assert found["kind"] == kind_of(name)
    assert fields.keys() == (keywords(recipes.find(name).run).keys() | keywords(config.options).keys()) - left_out
    given = {each["name"]: each["default"] for each in fields.values() if each["default"] is not None}
    assert config.resolve(name, given) == config.resolve(name, {})
    assert all(each["help"] for each in fields.values())


@pytest.mark.parametrize("name", [name for name in recipes.names() if kind_of(name) != "images"])
def test_no_field_of_a_form_is_refused_for_the_kind_of_the_recipe(name):
    fields = {each["name"]: each for group in form(name)["groups"] for each in group["fields"]}
    asked = {
        option: value for option, value in {"size": "8", "channels": "rgb", "items": 5}.items() if option in fields
    }
    with pytest.raises(DataError):  # that there is no such data, and not that an option is for images
        read(config.resolve(name, {"data": "no-such-data", **asked}), "no-such-data")


@pytest.mark.parametrize(
    ("annotation", "takes"),
    [
        (int, {"kind": "whole"}),
        (bool, {"kind": "switch"}),
        (str | None, {"kind": "word", "optional": True}),
        (Literal["a", "b"], {"kind": "choice", "choices": ["a", "b"]}),
        (tuple[int, ...], {"kind": "list", "of": {"kind": "whole"}, "length": None}),
        (tuple[float, float], {"kind": "list", "of": {"kind": "number"}, "length": 2}),
        (Annotated[float, Range(above=0, high=1e9)], {"kind": "number", "above": 0, "high": 1e9, "range": "above 0"}),
        (Annotated[int, Range(low=1)] | None, {"kind": "whole", "low": 1, "range": "at least 1", "optional": True}),
    ],
)  # fmt: skip
def test_what_a_type_takes(annotation, takes):
    parameter = inspect.Parameter("x", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)
    assert field(parameter, "words.") == {"name": "x", "help": "words.", "default": None, **takes}
