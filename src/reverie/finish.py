"""The end of an epoch and the end of a run: figures, pictures, model card and report."""

from collections.abc import Callable
from dataclasses import replace

from torch import nn

from reverie.data import ImageData
from reverie.engine.loop import Report
from reverie.engine.noise import ItemNoise
from reverie.engine.plan import Plan
from reverie.engine.turn import Job
from reverie.evaluation import watch
from reverie.latent import decode_means
from reverie.protocols import Autoencoder, Conditional, Sampler
from reverie.quality import judged_by_samples, watch_samples, yardsticks_of
from reverie.report import card, page, sheets
from reverie.report.files import lines
from reverie.report.health import verdict
from reverie.runs import Run
from reverie.trained import Trained, codes_of

QUICK_K, QUICK_N = (
    50,
    1000,
)  # of the evaluation that ends a run; `reverie evaluate` measures on all test images
SHEETS = 40  # pictures of progress in a run, at most


def on_epoch(
    run: Run, data: ImageData, plan: Plan, job: Job, say: Callable[[str], None]
) -> Callable[[int, nn.Module], dict[str, float]]:
    """What happens after each epoch: held-out figures, and a sheet that always shows the same noise."""
    epochs = max(1, job.steps // job.epoch_steps)
    yardsticks = yardsticks_of(data, say) if judged_by_samples(plan.model) and job.world.first else []

    def act(epoch: int, model: nn.Module) -> dict[str, float]:
        trained = Trained(run.name, run.folder, model, plan.view, data, "")
        was_training = model.training
        model.eval()
        figures = watch_samples(trained, yardsticks, plan.watch) if yardsticks else watch(trained, plan.watch)
        if epoch % max(1, epochs // SHEETS) == 0 or epoch == epochs:
            _progress_sheet(trained, epoch, epoch * job.epoch_steps)
        model.train(was_training)
        return figures

    return act


def on_measured(run: Run, report: Report) -> Callable[[int, dict[str, float]], None]:
    """What is told after an epoch: its figures, and how the game goes when that has changed."""
    told: list[str] = []

    def act(epoch: int, figures: dict[str, float]) -> None:
        report.on_measured(epoch, figures)
        found = verdict(tuple(lines(run.folder / "metrics.jsonl")))
        if found and [found.name] != told:
            told[:] = [found.name]
            report.say(str(found))

    return act


def _progress_sheet(trained: Trained, epoch: int, step: int) -> None:
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
    images, title = trained.pixels(x), f"Epoch {epoch}, step {step:,}"
    sheets.both(
        trained.folder / "samples" / f"{step:06d}.png",
        lambda theme: sheets.sheet(images, title=title, caption=trained.name, theme=theme),
        Title=title,
    )


def finish(run: Run, data: ImageData, say: Callable[[str], None]) -> None:
    """Measure quickly, draw the recipe's pictures, and write report and model card."""
    done = Run(run.folder)
    done.__dict__["data"] = replace(data)
    say("measuring and drawing ...")
    done.evaluate(k=QUICK_K, n=QUICK_N, quick=True)
    done.draw()
    write_pages(done)
    if found := verdict(tuple(lines(run.folder / "metrics.jsonl"))):
        say(str(found))


def write_pages(run: Run) -> None:
    """Write the report and the model card from what lies in the run folder."""
    page.write_page(run.folder)
    card.write_card(run.folder)
