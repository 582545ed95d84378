"""The end of an epoch and the end of a run: figures, pictures, model card and report."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from torch import nn

from reverie.actions.of_points import film, show_epoch
from reverie.data import ImageData
from reverie.data.corpus import TextData
from reverie.data.points import PointData
from reverie.engine.loop import Report
from reverie.engine.noise import ItemNoise
from reverie.engine.plan import Plan
from reverie.engine.turn import Job
from reverie.evaluation import watch, watch_aside
from reverie.files import read_lines
from reverie.kinds import Data
from reverie.latent import decode_means
from reverie.metrics.samples import Yardstick
from reverie.planar import Planar
from reverie.protocols import Autoencoder, Conditional, Sampler
from reverie.quality import judged_by_samples, watch_samples, yardsticks_of
from reverie.report import card, page, sheets
from reverie.report.health import verdict
from reverie.runs import Run
from reverie.text.course import SEED, continuations, note_epoch
from reverie.trained import Trained, codes_of
from reverie.written import Written

# Images, symbols and points of the evaluation that ends a run; `reverie evaluate` measures on all that is held out.
QUICK = {"images": 1000, "text": 120_000, "points": 10_000}
SHEETS = 40  # pictures of progress in a run, at most


def on_look(
    run: Run, data: Data, plan: Plan, job: Job, say: Callable[[str], None]
) -> Callable[[int, nn.Module], dict[str, float]]:
    """What happens after each epoch, or when the job is looked at: held-out figures, and a sheet of the same noise."""
    looks, keeps = max(1, job.steps // job.look_steps), run.config["keep_epochs"]
    yardsticks: list[Yardstick] = []
    if isinstance(data, ImageData) and judged_by_samples(plan.model) and job.world.first:
        yardsticks = yardsticks_of(data, say)

    def act(look: int, model: nn.Module) -> dict[str, float]:
        step = min(look * job.look_steps, job.steps)
        trained, epoch = subject_of(run, model, plan, data), round(step / job.epoch_steps, 2)
        was_training = model.training
        model.eval()
        if yardsticks and isinstance(trained, Trained):
            figures = watch_samples(trained, yardsticks, plan.watch)
        else:
            figures = watch(trained, plan.watch)
        if isinstance(trained, Written):
            figures |= watch_aside(trained, step // job.epoch_steps - 1, job.seed)
        if look % max(1, looks // SHEETS) == 0 or look >= looks:
            _show(trained, epoch, step, figures)
        if keeps:
            run.save_weights(step, model)
        model.train(was_training)
        return figures

    return act


def _show(trained: Trained | Written | Planar, epoch: float, step: int, figures: Mapping[str, float]) -> None:
    """What a model makes of the same noise, or of the same text, at this step."""
    if isinstance(trained, Trained):
        _progress_sheet(trained, epoch, step)
    elif isinstance(trained, Planar):
        show_epoch(trained, epoch, step)
    else:
        _continuations(trained, int(epoch), step, figures)


def on_measured(run: Run, report: Report) -> Callable[[float, dict[str, float]], None]:
    """What is told after an epoch: its figures, and how the game goes when that has changed."""
    said: list[str] = []

    def act(epoch: float, figures: dict[str, float]) -> None:
        report.on_measured(epoch, figures)
        found = verdict(read_lines(run.folder / "metrics.jsonl"))
        if found and [found.name] != said:
            said[:] = [found.name]
            report.say(str(found))

    return act


def subject_of(run: Run, model: nn.Module, plan: Plan, data: Data) -> Trained | Written | Planar:
    """A model with its images, its text or its points."""
    if isinstance(data, PointData):
        return Planar(run.name, run.folder, model, data)
    if isinstance(data, TextData):
        return Written(run.name, run.folder, model, data, plan.view)
    view: Any = plan.view
    return Trained(run.name, run.folder, model, view, data)


def _continuations(written: Written, epoch: int, step: int, figures: Mapping[str, float]) -> None:
    """The first line or so of the held-out text, gone on with at several temperatures, beside its loss."""
    seed = written.tokenizer.decode(written.data.ids["valid"][:SEED])
    rows = continuations(written.voice.generator, written.tokenizer, seed)
    note_epoch(written.folder, epoch, step, next(iter(figures.values()), None), rows)


def _progress_sheet(trained: Trained, epoch: float, step: int) -> None:
    """Samples from the same noise, or reconstructions of the same images where nothing can be sampled."""
    import torch

    model = trained.model
    with torch.no_grad():
        if isinstance(model, Sampler):
            label = torch.arange(36) % len(model.classes) if isinstance(model, Conditional) else None
            x = model.sample(36, ItemNoise((0, "sample"), range(36)), label=label)
        elif isinstance(model, Autoencoder):
            x = decode_means(model, codes_of(trained, trained.data.test.pixels[:36], "reconstruct"))
        else:
            return
    images, title = trained.pixels(x), f"Epoch {epoch:g}, step {step:,}"
    sheets.both(
        trained.folder / "samples" / f"{step:06d}.png",
        lambda theme: sheets.sheet(images, title=title, caption=trained.name, theme=theme),
        Title=title,
    )


def finish(run: Run, data: Data, say: Callable[[str], None]) -> None:
    """Measure quickly, draw the recipe's pictures, and write report and model card."""
    done = Run(run.folder)
    done.__dict__["data"] = replace(data)
    say("measuring and drawing ...")
    done.evaluate(n=QUICK[run.kind], quick=True)
    done.draw()
    if run.kind == "points":
        film(done.planar)
    write_pages(done)
    if found := verdict(read_lines(run.folder / "metrics.jsonl")):
        say(str(found))


def write_pages(run: Run) -> None:
    """Write the report and the model card from what lies in the run folder."""
    page.write_page(run.folder)
    card.write_card(run.folder)
