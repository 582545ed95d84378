# ruff: noqa: PLR0913 - the flags of a command are the parameters of its function
"""The commands beside ``train``: thin. Flags are the signatures of the functions here.

Nothing here imports torch before a command needs it.
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import App, Parameter

from reverie import __version__
from reverie.cli import flags
from reverie.cli.data import app as data_app
from reverie.cli.flags import PLAIN, Common, Count, Label, Out, RunName, Scale, Seed, Steps
from reverie.cli.flags import opened as _open
from reverie.cli.flags import say as _say
from reverie.cli.flags import show as _show
from reverie.cli.studio import studio
from reverie.cli.text import app as text_app
from reverie.cli.train import train

if TYPE_CHECKING:
    from reverie.runs import Run

app = App(
    name="reverie",
    help="Classic deep generative models: trained in one command, measured honestly, shown beautifully.",
    help_format="plaintext",
    version=__version__,
    result_action="return_none",
    default_parameter=Parameter(consume_multiple=True, negative=()),
)
app.command(train)
app.command(studio)
app.command(data_app)
app.command(text_app, name="*")

Place = Annotated[Path | None, Parameter(help="Where to, instead of the run's folder export.")]
Push = Annotated[str | None, Parameter(help="A repository on the Hub to upload the folder to, as in me/digits.")]


@app.command
def sample(
    run: RunName,
    /,
    *,
    label: Label = None,
    n: Count = 64,
    seed: Seed = 0,
    temperature: Scale = 1.0,
    out: Out = None,
    common: Common = PLAIN,
) -> None:
    """Draw new images from the model."""
    _show(_open(run, common).sample(n, label=label, seed=seed, temperature=temperature, out=out), common)


@app.command
def reconstruct(
    run: RunName, images: flags.Own = None, /, *, label: Label = None, n: Count = 20, out: Out = None,
    common: Common = PLAIN,
) -> None:  # fmt: skip
    """Encode and decode images: an image, a folder, or test images, evenly spaced."""
    result = _open(run, common).reconstruct(images, label=label, n=n, out=out)
    errors = result.values["squared_error_per_pixel"]
    more = {} if common.json else {"mean squared error per pixel": f"{sum(errors) / len(errors):.5f}"}
    _show(result, common, **more)


@app.command
def interpolate(
    run: RunName,
    a: flags.One = "0",
    b: flags.Other = None,
    /,
    *,
    steps: Steps = 12,
    path: flags.Way = "spherical",
    out: Out = None,
    common: Common = PLAIN,
) -> None:
    """Walk from the code of one image to that of another: files, or numbers of test images; a strip and a GIF."""
    _show(_open(run, common).interpolate(a, b, steps=steps, path=path, out=out), common)


@app.command
def manifold(
    run: RunName,
    /,
    *,
    points: tuple[int, int] | None = None,
    x: tuple[float, float] | None = None,
    y: tuple[float, float] | None = None,
    kind: Literal["probability", "linear"] | None = None,
    axes: tuple[int, int] | None = None,
    out: Out = None,
    common: Common = PLAIN,
) -> None:
    """Decode a grid of codes as one picture.

    Args:
        run: a path, a name, or last.
        points: along the first and the second axis.
        x: where the first axis starts and ends: probabilities, or coordinates on a linear grid.
        y: the same for the second axis, which runs upwards.
        kind: evenly in probability under the prior, or evenly in space; the recipe has a usual one.
        axes: which two numbers of the code.
        out: a PNG to write, instead of one in the run's folder.
        common: what every command takes.
    """
    given = {"points": points, "x": x, "y": y, "kind": kind, "axes": axes, "out": out}
    chosen = {name: value for name, value in given.items() if value is not None}
    _show(_open(run, common).manifold(**chosen), common)


@app.command
def traverse(
    run: RunName,
    image: flags.One = "0",
    /,
    *,
    dimensions: flags.Numbers = (),
    span: flags.Span = 3.0,
    steps: Steps = 11,
    out: Out = None,
    common: Common = PLAIN,
) -> None:
    """Change one number of a code at a time, the most used ones first."""
    _show(_open(run, common).traverse(image, dimensions=dimensions, span=span, steps=steps, out=out), common)


@app.command
def edit(
    run: RunName,
    having: str,
    lacking: str | None = None,
    /,
    *,
    images: Path | None = None,
    strength: tuple[float, ...] = (-1.0, -0.5, 0.0, 0.5, 1.0, 1.5),
    n: Count = 6,
    out: Out = None,
    common: Common = PLAIN,
) -> None:
    """Add an attribute to images: the direction from examples without it to examples with it.

    Args:
        run: a path, a name, or last.
        having: examples with the attribute: a class of the data, or a folder.
        lacking: examples without it; by default all other classes.
        images: what is edited: an image or a folder; by default test images without the attribute.
        strength: steps along the direction, in units of the distance between the groups.
        n: at most so many images.
        out: a PNG to write, instead of one in the run's folder.
        common: what every command takes.
    """
    result = _open(run, common).edit(having, lacking, images=images, strength=strength, n=n, out=out)
    accuracy = f"{result.values['accuracy']:.1%} of held-out examples on the right side"
    _show(result, common, **({} if common.json else {"direction": accuracy}))


@app.command
def score(
    run: RunName,
    source: Path | None = None,
    /,
    *,
    label: Label = None,
    k: int | None = None,
    n: flags.Scored = None,
    window: int | None = None,
    out: Path | None = None,
    common: Common = PLAIN,
) -> None:
    """Rank images by how likely the model finds them, or colour a text by how surprising it finds each symbol.

    Args:
        run: a path, a name, or last.
        source: images or a text; by default held-out ones.
        label: a class by its name or number, for a model that is told classes.
        k: importance samples for each image; 50 by default.
        n: so many images: your own first ones, or test images, evenly spaced; all by default.
        window: of a text: forget what is before after so many symbols; by default never.
        out: a PNG of images or a page of a text to write, instead of one in the run's folder.
        common: what every command takes.
    """
    given = {"label": label, "k": k, "n": n, "window": window, "out": out}
    chosen = {name: value for name, value in given.items() if value is not None}
    result = _open(run, common).score(source, **chosen)
    _show(result, common)
    if not common.json:
        for line in _ranked(result.values):
            _say(line)


def _ranked(values: dict[str, Any]) -> list[str]:
    """The ten strangest images or symbols, a line each."""
    if "order" in values:
        return [f"image {place:>6}  {values['bound'][place]:12.2f} nats" for place in values["order"][:10]]
    worst = values["most_surprising"][:10]
    return [f"symbol {each['place']:>7,}  {each['bits']:6.2f} bits  {each['text']!r}" for each in worst]


@app.command
def evaluate(
    run: RunName, /, *, k: int | None = None, n: flags.Measured = None, samples: int | None = None,
    inception: Path | None = None, common: Common = PLAIN,
) -> None:  # fmt: skip
    """Measure the model on its test images, and its samples beside them, into eval.json.

    Args:
        run: a path, a name, or last.
        k: importance samples for each image; 100 by default.
        n: so many test images, evenly spaced; all by default.
        samples: how many samples are drawn and measured; by default as many as test images, at most 10,000.
        inception: an ONNX file with the network of the FID, which is measured with it and not without.
        common: what every command takes.
    """
    from reverie.engine.stop import on_signals
    from reverie.finish import write_pages
    from reverie.report.table import plain

    there = _open(run, common)
    with on_signals() as stop:
        result = there.evaluate(k=k, n=n, samples=samples, inception=inception, should_stop=lambda: bool(stop))
    write_pages(there)
    if not common.json:
        _say(plain([figure.to_json() for figure in result.figures]))
    _show(result, common)


@app.command
def export(
    run: RunName, /, *, to: Literal["onnx", "hub", "html"], out: Place = None, push: Push = None, common: Common = PLAIN
) -> None:
    """Take a model along: as ONNX graphs, as a folder for the Hub, or as one page that explores it anywhere."""
    from reverie.export.take import take

    taken = take(_open(run, common), to, out, push)
    _say(json.dumps(taken.answer) if common.json else "\n".join(taken.words))


@app.command
def compare(first: RunName, second: RunName, /, *, common: Common = PLAIN) -> None:
    """Set the figures of two runs side by side; those of different protocols are shown and not ranked."""
    from reverie.compare import lines, sheet, side_by_side

    runs = _open(first, common), _open(second, common)
    rows, picture = side_by_side(*runs), sheet(*runs)
    if common.json:
        _say(json.dumps({"rows": rows, "files": [str(file) for file in picture]}))
        return
    _say("\n".join(lines(rows, (runs[0].name, runs[1].name))))
    for file in picture:
        if ".dark." not in file.name:
            _say(file)


@app.command
def runs(*, common: Common = PLAIN) -> None:
    """List the runs, the oldest first."""
    from reverie.runs import list_runs, runs_folder

    records = [_record(run) for run in list_runs(common.runs)]
    if common.json:
        _say(json.dumps(records))
        return
    none = f"No runs in {runs_folder(common.runs)} yet. Train one with: reverie train vae-conv"
    _say("\n".join(flags.aligned(map(_listed, records))) or none)


def _listed(record: dict[str, Any]) -> tuple[str, ...]:
    data = record.get("data", {}).get("name", "")
    return record["name"], record["status"], record.get("recipe", ""), data, record.get("created", "")


def _record(run: "Run") -> dict[str, Any]:
    """The record of a run; of one that cannot be read, that it is so."""
    from reverie.errors import ReverieError

    try:
        return {"name": run.name, **run.record}
    except ReverieError as error:
        return {"name": run.name, "status": "unreadable", "reason": str(error)}


@app.command
def recipes(*, common: Common = PLAIN) -> None:
    """List the recipes."""
    from reverie.recipes import names, summary

    if common.json:
        _say(json.dumps({name: summary(name) for name in names()}))
        return
    _say("\n".join(flags.aligned((name, summary(name)) for name in names())))


@app.command
def doctor(*, common: Common = PLAIN) -> None:
    """Look at this machine: versions, processor, threads, data; to paste into a report of a problem."""
    from reverie.cli.doctor import findings

    found = findings()
    if common.json:
        _say(json.dumps(found))
        return
    for name, value in found.items():
        _say(f"{name:12} {value}")


@app.command
def verify(
    target: str | None = None, /, *, data: str | None = None, size: str | None = None, common: Common = PLAIN
) -> None:
    """Hold the mathematics against closed forms, on this machine; exit code 1 if a check fails.

    Args:
        target: a run, or a recipe with fresh weights; by default the package itself and this machine.
        data: images to look at a model on; by default its own.
        size: height and width of a recipe's images, as in 28 or 28x20.
        common: what every command takes.
    """
    from reverie import verify

    checks = verify.checks(target, data=data, size=size, runs=common.runs)
    findings = []
    if not common.json:
        _say(verify.heading())
    for finding in checks:
        findings.append(finding)
        if not common.json:
            _say(verify.line(finding))
    _say(json.dumps(verify.record(target, findings)) if common.json else verify.total(findings))
    verify.demand(findings)


@app.command
def learn(*, out: Annotated[Path, Parameter(help="The page.")] = Path("learn.html"), common: Common = PLAIN) -> None:
    """Write a page of four lessons on a game of two networks, computed now."""
    from reverie.learn import learn as write_lessons

    page = write_lessons(out)
    _say(json.dumps({"files": [str(page)]}) if common.json else page)


@app.command
def demo(*, common: Common = PLAIN) -> None:
    """The whole story in two minutes, with no network: train, measure, look."""
    from reverie.cli.demo import demo as run_demo
    from reverie.cli.terminal import telling

    with telling() as report:
        words = run_demo(common.runs, report)
    _say(json.dumps(words) if common.json else "\n".join(words["words"]))
