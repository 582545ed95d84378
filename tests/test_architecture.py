"""The house keeps its shape: imports go one way, files and functions stay small, names explain themselves."""

import ast
import inspect
import re
import statistics
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import get_type_hints

import pytest

import reverie

ROOT = Path(reverie.__file__).parent
TESTS = Path(__file__).parent
FILES = sorted(ROOT.rglob("*.py"))

GROUND = {"digits", "errors"}
TOOLS = {"protocols", *GROUND}
SCIENCE = {"objectives", "distributions", "arguments", *TOOLS}
MEASURE = {"engine", "metrics", "latent", "report", "text"}
RUN = {"training", "runs", "finish", "actions", "evaluation", "quality", "trained", "kinds", "written", "planar"}
RUN |= {"loading", "initial"}
DOOR = {"compare", "studio", "export", "verify", "learn"}
BELOW_RUN = {"lessons", "native", "recipes", "config", "arguments", "data", "files", "distributions", *MEASURE, *TOOLS}

# What each part may import, beside itself; nothing else may be imported, inside functions neither.
MAY = {
    "digits": set(),
    "errors": set(),
    "protocols": set(),
    "arguments": GROUND,
    "files": GROUND,
    "lessons": GROUND,
    "data": TOOLS,
    "distributions": {"nn", *TOOLS},
    "priors": {"distributions", *TOOLS},
    "mixtures": {"distributions", *TOOLS},
    "native": {"data", *GROUND},
    "nn": {"native", *TOOLS},
    "transforms": TOOLS,
    "objectives": {"distributions", *TOOLS},
    "models": {"objectives", "distributions", "priors", "nn", "transforms", "arguments", *TOOLS},
    "latent": TOOLS,
    "report": {"files", *GROUND},
    "web": {"data", "files", *GROUND},
    "engine": {"data", "files", "native", *TOOLS},
    "metrics": {"engine", "objectives", "distributions", "data", "files", *TOOLS},
    "text": {"engine", "metrics", "data", "files", *TOOLS},
    "verification": {"models", "engine", "metrics", "data", "nn", "transforms", "priors", *SCIENCE},
    "recipes": {"models", "engine", "data", "nn", "transforms", "priors", "mixtures", *SCIENCE},
    "config": {"recipes", "arguments", *GROUND},
    **dict.fromkeys(RUN, RUN | BELOW_RUN),
    **dict.fromkeys(DOOR, DOOR | RUN | BELOW_RUN),
    "export": {"web", *RUN, *BELOW_RUN},
    "studio": {"export", "compare", "web", *RUN, *BELOW_RUN},
    "verify": {"verification", *RUN, *BELOW_RUN},
    "cli": {*DOOR, *RUN, *BELOW_RUN},
    "__main__": {"cli"},
    "__init__": RUN,
}
FROM_ENGINE = {"metrics": {"noise"}, "text": {"noise"}}  # of the engine, these know the noise alone


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def module_of(path: Path) -> str:
    """The module below ``reverie``: ``engine.loop``; a package by its name; ``__init__`` for the whole."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)


MODULES = {module_of(path): path for path in FILES}


def home(target: str) -> str:
    """The longest prefix of a dotted name that is a module here."""
    parts = target.split(".")
    prefixes = (".".join(parts[:n]) for n in range(len(parts), 0, -1))
    return next((prefix for prefix in prefixes if prefix in MODULES), "__init__")


def imports(node: ast.AST) -> Iterator[str]:
    """The modules below ``reverie`` that one statement imports."""
    if isinstance(node, ast.ImportFrom):
        assert node.level == 0, "imports name the package"
        names = [f"{node.module}.{alias.name}" for alias in node.names]
    else:
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
    yield from (home(name.removeprefix("reverie.")) for name in names if name.split(".")[0] == "reverie")


def imported(path: Path) -> set[str]:
    return {target for node in ast.walk(tree(path)) for target in imports(node)} - {"__init__"}


def functions(path: Path) -> Iterator[ast.FunctionDef]:
    yield from (node for node in ast.walk(tree(path)) if isinstance(node, ast.FunctionDef))


def public(path: Path) -> Iterator[ast.FunctionDef | ast.ClassDef]:
    kinds = (ast.FunctionDef, ast.ClassDef)
    yield from (node for node in tree(path).body if isinstance(node, kinds) and not node.name.startswith("_"))


def lines(node: ast.FunctionDef) -> int:
    """Lines of a function without its docstring."""
    count = (node.end_lineno or node.lineno) - node.lineno + 1
    first = node.body[0]
    is_text = (
        isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str)
    )
    return count - ((first.end_lineno or first.lineno) - first.lineno + 1 if is_text else 0)


def test_the_package_is_looked_at():
    assert {"cli.entry", "protocols", "engine.loop", "models.vae", "recipes.vae_conv"} <= MODULES.keys()
    assert imported(ROOT / "models" / "vae.py") >= {"protocols", "objectives.elbo"}


@pytest.mark.parametrize("module", MODULES)
def test_imports_go_one_way(module):
    part = module.split(".")[0]
    assert part in MAY, f"{part} is new: say in MAY what it may import"
    others = {target.split(".")[0] for target in imported(MODULES[module])} - {part}
    assert others <= MAY[part], f"{module} may not import {others - MAY[part]}"


def test_metrics_and_text_know_of_the_engine_the_noise_alone():
    for module, path in MODULES.items():
        allowed = FROM_ENGINE.get(module.split(".")[0])
        if allowed is not None:
            assert {t.split(".")[1] for t in imported(path) if t.startswith("engine.")} <= allowed, module


def test_checks_of_a_persons_own_model_know_no_model_by_name():
    for module in ("verification.model", "verification.flows", "verification.likelihoods", "verification.findings"):
        assert not {target for target in imported(MODULES[module]) if target.split(".")[0] == "models"}, module


def test_no_model_knows_another():
    for module, path in MODULES.items():
        if module.startswith("models."):
            assert not {target for target in imported(path) if target.split(".")[0] == "models"}, module


def test_no_recipe_knows_another():
    for module, path in MODULES.items():
        if module.startswith("recipes."):
            known = {target for target in imported(path) if target.split(".")[0] == "recipes"}
            assert known <= {"recipes._parts"}, module


def test_the_contract_needs_torch_alone():
    roots = {
        name.split(".")[0]
        for node in ast.walk(tree(ROOT / "protocols.py"))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([node.module or ""] if isinstance(node, ast.ImportFrom) else [a.name for a in node.names])
    }
    assert roots == {"collections", "typing", "torch"}


def test_modules_do_not_import_in_circles():
    edges = {
        module: {t for node in tree(path).body for t in imports(node)} - {"__init__", module}
        for module, path in MODULES.items()
    }
    done: set[str] = set()

    def visit(module: str, trail: tuple[str, ...]) -> None:
        assert module not in trail, " -> ".join((*trail, module))
        if module not in done:
            for target in edges[module]:
                visit(target, (*trail, module))
            done.add(module)

    for module in edges:
        visit(module, ())


@pytest.mark.parametrize("module", MODULES)
def test_files_stay_short(module):
    count = len(MODULES[module].read_text(encoding="utf-8").splitlines())
    assert count <= (130 if module == "protocols" else 250 if module.startswith("models.") else 400)


def test_functions_stay_short():
    sizes = {f"{path.name}:{node.name}": lines(node) for path in FILES for node in functions(path)}
    assert {name: size for name, size in sizes.items() if size > 60} == {}
    assert statistics.median(sizes.values()) < 10


# Functions whose parameters a person chooses one by one; the house says 6.
WIDE = {
    "options": "the options of every training are its parameters",
    "sample": "flags of a command",
    "interpolate": "flags of a command",
    "manifold": "flags of a command",
    "traverse": "flags of a command",
    "edit": "flags of a command",
    "score": "flags of a command",
    "generate": "flags of a command",
    "wish_of": "what of it a person chooses",
    "copies": "flags of a command",
    "studio": "flags of a command",
    "evaluate": "what a person asks of an evaluation, one by one",
    "evaluate_likelihood": "what the protocol of its figures says, in keywords",
}


def width(node: ast.FunctionDef) -> int:
    names = [argument.arg for argument in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]
    return len([name for name in names if name not in ("self", "cls")])


@pytest.mark.parametrize("module", MODULES)
def test_functions_take_few_arguments(module):
    wide = {node.name: width(node) for node in functions(MODULES[module]) if width(node) > 6}
    if module.startswith("recipes."):
        assert all(count <= 15 for count in wide.values()), wide  # the data, and 14 that a person chooses
        return
    assert wide.keys() <= WIDE.keys(), wide


def test_exceptions_are_exceptions_still():
    wide = {node.name for path in FILES for node in functions(path) if width(node) > 6}
    assert WIDE.keys() <= wide, f"no longer wide: {WIDE.keys() - wide}"


def test_inheritance_is_one_deep():
    bases = {
        node.name: [base.id for base in node.bases if isinstance(base, ast.Name)]
        for path in FILES
        for node in ast.walk(tree(path))
        if isinstance(node, ast.ClassDef)
    }
    own = {name: [base for base in found if base in bases] for name, found in bases.items()}
    deep = {name for name, found in own.items() if any(own[base] for base in found)}
    assert deep == set()


def test_nothing_is_named_for_having_no_name():
    assert not [
        path for path in FILES if path.stem.strip("_") in ("utils", "util", "helpers", "common", "misc", "registry")
    ]


def test_nothing_that_runs_foreign_bytes():
    calls = {"eval", "exec", "compile", "__import__"}
    for path in FILES:
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.Call):
                assert ast.unparse(node.func) not in calls | {"torch.load", "os.system"}, f"{path.name}:{node.lineno}"
                shells = [word.value for word in node.keywords if word.arg == "shell"]
                assert not shells, f"{path.name}:{node.lineno}"
            if isinstance(node, ast.Import | ast.ImportFrom):
                named = {getattr(node, "module", None), *(alias.name for alias in node.names)}
                assert not named & {"pickle", "marshal", "shelve", "dill", "cloudpickle"}, f"{path.name}:{node.lineno}"


def test_nothing_is_asserted_where_a_person_needs_a_message():
    for path in FILES:
        assert not [node.lineno for node in ast.walk(tree(path)) if isinstance(node, ast.Assert)], path


@pytest.mark.parametrize("name", sorted(set(reverie.__all__) - {"__version__"}))
def test_public_names_have_docstrings_and_annotations(name):
    thing = getattr(reverie, name)
    assert inspect.getdoc(thing)
    methods = [f for n, f in vars(thing).items() if inspect.isfunction(f) and not n.startswith("_")]
    for function in methods if inspect.isclass(thing) else [thing]:
        wanted = {parameter for parameter in inspect.signature(function).parameters if parameter != "self"} | {"return"}
        hints = get_type_hints(function, localns=vars(inspect.getmodule(function)))
        assert wanted <= hints.keys(), function.__name__
        assert inspect.getdoc(function), function.__name__


# A module's tests lie at tests/<its folder>/test_<its name>.py; these are covered by the files named here.
COVERED = {
    "__init__": "cli/test_commands.py",
    "__main__": "test_mistakes.py",
    "actions.of_images": "cli/test_commands.py",
    "actions.out": "test_mistakes.py",
    "actions.result": "cli/test_commands.py",
    "actions.samples": "cli/test_commands.py",
    "cli": "cli/test_commands.py",
    "cli.entry": "test_startup.py",
    "cli.flags": "cli/test_commands.py",
    "cli.data": "cli/test_commands.py",
    "cli.studio": "studio/test_server.py",
    "cli.text": "actions/test_of_text.py",
    "cli.train": "cli/test_commands.py",
    "errors": "test_mistakes.py",
    "finish": "cli/test_commands.py",
    "kinds": "test_text_runs.py",
    "written": "test_text_runs.py",
    "protocols": "test_architecture.py",
    "training": "test_recovery.py",
    "native": "native/test_products.py",
    "native.latents": "nn/test_deviations.py",
    "native.gaussians": "native/test_dense.py",
    "nn.gaussians": "test_distributions.py",
    "data": "data/test_readers.py",
    "data.album": "data/test_readers.py",
    "data.arrays": "data/test_readers.py",
    "data.download": "data/test_catalog.py",
    "data.images": "data/test_readers.py",
    "data.layouts": "data/test_readers.py",
    "data.limits": "data/test_hostile.py",
    "data.parquet": "data/test_readers.py",
    "data.shapes": "data/test_readers.py",
    "data.sources": "data/test_readers.py",
    "data.stack": "data/test_readers.py",
    "data.trees": "data/test_readers.py",
    "export.__main__": "export/test_onnx.py",
    "studio.asked": "studio/test_app.py",
    "export.examples": "export/test_html.py",
    "export.facts": "export/test_onnx.py",
    "export.speech": "export/test_html.py",
    "export.take": "export/test_hub.py",
    "engine.machine": "cli/test_doctor.py",
    "engine.plan": "engine/test_loop.py",
    "engine.ranks": "test_recovery.py",
    "engine.stop": "test_recovery.py",
    "engine.turn": "engine/test_loop.py",
}


@pytest.mark.parametrize("module", MODULES)
def test_every_module_has_its_tests(module):
    if len(tree(MODULES[module]).body) <= 1 or module.startswith("recipes"):  # a docstring alone; recipes: see below
        return
    *folders, name = module.split(".")
    place = TESTS.joinpath(*folders, f"test_{name}.py")
    if place.exists():
        assert module not in COVERED, f"{place} is there: take {module} off the list"
        return
    assert module in COVERED, f"{module} has no {place.relative_to(TESTS)}"
    assert (TESTS / COVERED[module]).exists(), COVERED[module]


def test_recipes_are_tested_by_listing_their_folder():
    assert "names()" in (TESTS / "cli/test_commands.py").read_text(encoding="utf-8")
    assert "names()" in (TESTS / "test_config.py").read_text(encoding="utf-8")


SILENT = dict.fromkeys(("evaluating", "resting"), "changes how a model is called, and no number")
SILENT |= {"never": "answers whether to stop"}

# How a docstring names shapes, units or what a number means.
SHAPES = re.compile(
    r"\(\.{3}|\([A-Z],|\([A-Z]\)|\([a-z]+,\)|nats|bits|decibel|dB|shape|pixel|per example|per dimension|"
    r"image|code|standard deviation|\bsum|\bmean|probability|batch|figure|example|float32|log p"
)
SPOKEN = {"objectives", "distributions", "metrics", "models", "recipes"}
SOURCE = re.compile(r"(19|20)\d\d|arXiv|tutorial|book|course|note|paper|Keras|PyTorch")
SPEAKING = {
    module: path
    for module, path in MODULES.items()
    if module.split(".")[0] in SPOKEN and module not in SPOKEN - {"distributions"} and not module.endswith("_parts")
}


@pytest.mark.parametrize("module", SPEAKING)
def test_docstrings_name_shapes_or_units(module):
    for node in (node for node in public(SPEAKING[module]) if node.name not in SILENT):
        text = ast.get_docstring(node) or ""
        methods = [ast.get_docstring(f) or "" for f in node.body if isinstance(f, ast.FunctionDef)]
        assert text, node.name
        assert SHAPES.search(" ".join([text, *(methods if isinstance(node, ast.ClassDef) else [])])), (
            f"{module}.{node.name}: {text}"
        )


@pytest.mark.parametrize("module", [m for m in SPEAKING if m.split(".")[0] in ("models", "objectives", "recipes")])
def test_methods_name_their_source(module):
    if not module.split(".")[-1].startswith("_"):
        assert SOURCE.search(SPEAKING[module].read_text(encoding="utf-8")), module
        assert ast.get_docstring(tree(SPEAKING[module]))
