"""Training as ``reverie train`` does it, with its checkpoints, and without the report at its end: for benchmarks."""

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from reverie import config
from reverie.engine.checkpoint import newest
from reverie.engine.loop import Report, Training, begin, fit, restore
from reverie.engine.ranks import World
from reverie.engine.stop import on_signals
from reverie.engine.turn import Job
from reverie.evaluation import watch
from reverie.runs import Run
from reverie.trained import Trained
from reverie.training import Prepared, create, prepare


def command(recipe: str, settings: dict[str, Any]) -> str:
    """What a person types."""
    return " ".join(["reverie train", recipe, *(f"--{key.replace('_', '-')} {v}" for key, v in settings.items())])


def trained(recipe: str, settings: dict[str, Any], folder: Path) -> Run:
    """The finished run of a folder: trained, from where it stands, if it is not finished yet.

    Its record holds ``processor_seconds``, which other work on the machine does not lengthen.
    """
    if not folder.exists():
        create(prepare(config.resolve(recipe, settings)), folder.name, folder.parent)
    run = Run(folder)
    if run.record["status"] == "finished":
        return run
    prepared = prepare(run.config, run.spec)
    training = _training(prepared, folder)
    spent, began = run.record.get("processor_seconds", 0.0), time.process_time()
    with on_signals() as stop:
        status = fit(training, stop, Report(on_epoch=_measured(run, prepared)))
    run.save_model(training.result)
    seconds = {"seconds": training.state.seconds, "processor_seconds": spent + time.process_time() - began}
    run.update(status=status, steps=training.job.steps, **{name: round(s, 1) for name, s in seconds.items()})
    if status == "stopped":
        raise SystemExit(f"{run.name} was stopped; the same command goes on with it.")
    return run


def _training(prepared: Prepared, folder: Path) -> Training:
    """The training of a prepared configuration, from its newest checkpoint or its first batch."""
    given, plan, device = prepared.config, prepared.plan, torch.device(prepared.config["device"])
    stock = plan.view.stock(prepared.data, device)
    job = Job(plan, stock, 1, given["seed"], device, given["precision"], given["threads"], World())
    steps = given["steps"] or round((given["epochs"] or plan.epochs) * job.epoch_steps)
    training = Training.of(replace(job, steps=steps), folder / "checkpoints")
    checkpoint, _ = newest(training.folder)
    if checkpoint:
        restore(training, checkpoint)
    else:
        begin(training)
    return training


def _measured(run: Run, prepared: Prepared) -> Any:
    """What the recipe watches after each epoch."""
    plan, data = prepared.plan, prepared.data

    def act(epoch: int, model: torch.nn.Module) -> dict[str, float]:
        was_training = model.training
        figures = watch(Trained(run.name, run.folder, model.eval(), plan.view, data, data.name), plan.watch)
        model.train(was_training)
        return figures

    return act
