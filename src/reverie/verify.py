"""``reverie verify``: closed forms on this machine, for the package itself or for a model of one's own."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from torch import nn

from reverie import config, recipes
from reverie.data.images import ImageData, Split
from reverie.data.views import View
from reverie.errors import DataError, ReverieError, UsageError, suggest
from reverie.kinds import kind_of
from reverie.runs import Run, open_run
from reverie.trained import spread
from reverie.training import build, load_data
from reverie.verification import machine, mathematics, model
from reverie.verification.findings import Finding
from reverie.verification.model import Subject

NAME, NOTE = 50, " " * 4


def checks(
    target: str | None = None, *, data: str | None = None, size: str | None = None, runs: Path | None = None
) -> Iterator[Finding]:
    """Check the package, or the model that a target names; see ``subject_of``.

    Raises:
        UsageError: images or a size are given and no target.
    """
    if target is not None:
        return of_model(subject_of(target, data=data, size=size, runs=runs))
    if data is not None or size is not None:
        raise UsageError("--data and --size are for a model: name a run or a recipe, as in reverie verify vae-conv.")
    return package()


def package() -> Iterator[Finding]:
    """Check the package's mathematics and this machine, one finding after the other."""
    for each in (*mathematics.CHECKS, *machine.CHECKS):
        yield each()


def of_model(subject: Subject) -> Iterator[Finding]:
    """Check a model by all protocols that it has, one finding after the other."""
    for each in model.CHECKS:
        yield each(subject)


def subject_of(target: str, *, data: str | None, size: str | None, runs: Path | None) -> Subject:
    """The model of a run, or that of a recipe with fresh weights, with a few images.

    Args:
        target: a recipe's name or file; any other word is a run.
        data: images to look at; by default those of the run, or the recipe's usual set.
        size: height and width of a recipe's images.
        runs: the folder of runs.

    Raises:
        UsageError: there is no such recipe or run, or a run is given a size.
        DataError: the images cannot be read.
    """
    if target.endswith(".py") or target.replace("_", "-") in recipes.names():
        return _of_recipe(target, data, size)
    if size is not None:
        raise UsageError("--size is for recipes: the images of a run have the size it was trained on.")
    trained = _run(target, runs).trained
    if data is None:
        return _subject(trained.model, trained.view, trained.data.test)
    split = trained.images(data, None)
    return _subject(trained.model, trained.view, trained.view.fix(split, "test"))


def _run(target: str, runs: Path | None) -> Run:
    try:
        return open_run(target, runs)
    except UsageError as error:
        hint = suggest(target, recipes.names())
        raise UsageError(f"{error}{hint and f' Of the recipes:{hint}'}") from error


def _of_recipe(name: str, data: str | None, size: str | None) -> Subject:
    settings = config.resolve(name, {"data": data, "size": size})
    images = load_data(settings, getattr(recipes.find(name), "DATA", None))
    plan = build(settings, images.spec)
    if not isinstance(plan.model, nn.Module):
        raise UsageError(f"The model of {name} must be an nn.Module; it is a {type(plan.model).__name__}.")
    if not isinstance(plan.view, View) or not isinstance(images, ImageData):
        raise UsageError(f"verify is for models of images; {name} is a recipe of {kind_of(name)}.")
    return _subject(plan.model, plan.view, plan.view.fixed(images).test)


def _subject(module: nn.Module, view: View, split: Split) -> Subject:
    chosen = spread(split, model.IMAGES)
    if not len(chosen):
        raise DataError("There are no images to verify a model on; give some with --data.")
    return Subject(module.eval(), view.still(chosen.pixels), chosen.labels)


def heading() -> str:
    """The line above the findings."""
    return f"{'check':{NAME}} {'error':>9} {'tolerance':>10}"


def line(finding: Finding) -> str:
    """A finding in words, with its note below."""
    if finding.error is None:
        return f"{finding.name:{NAME}} {'-':>9} {'-':>10}  not checked: {finding.note}"
    verdict = "pass" if finding.passed else "FAIL"
    row = f"{finding.name:{NAME}} {finding.error:9.1e} {finding.tolerance:10.1e}  {verdict} {finding.seconds:6.2f} s"
    return f"{row}\n{NOTE}{finding.note}" if finding.note else row


def total(findings: Sequence[Finding]) -> str:
    """The line below the findings."""
    failed = _failed(findings)
    seconds = sum(finding.seconds for finding in findings)
    verdict = f"{len(failed)} FAIL" if failed else "all pass"
    return f"{len(_checked(findings))} checked, {verdict} ({seconds:.1f} s)"


def record(target: str | None, findings: Sequence[Finding]) -> dict[str, Any]:
    """All findings, as ``json.dumps`` takes them."""
    listed = [finding.to_json() for finding in findings]
    return {"target": target, "passed": not _failed(findings), "checks": listed}


def demand(findings: Sequence[Finding]) -> None:
    """Raise where a check has failed, or none applied.

    Raises:
        ReverieError: names the failed checks.
        UsageError: the model has none of the protocols that the checks are about.
    """
    checked, failed = _checked(findings), _failed(findings)
    if not checked:
        raise UsageError("There is nothing to verify: the model has no loss, no codes and no density (protocols.py).")
    if failed:
        names = "; ".join(finding.name for finding in failed)
        raise ReverieError(f"{len(failed)} of {len(checked)} checks failed: {names}. See docs/verify.md.")


def _checked(findings: Iterable[Finding]) -> list[Finding]:
    return [finding for finding in findings if finding.passed is not None]


def _failed(findings: Iterable[Finding]) -> list[Finding]:
    return [finding for finding in findings if finding.passed is False]
