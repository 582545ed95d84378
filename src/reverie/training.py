"""Training from a name to a finished run folder: create, fit, finish; and again after an interruption."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import torch
from torch import nn

import reverie
from reverie import config as configuration
from reverie import native, recipes
from reverie.engine import machine
from reverie.engine.checkpoint import newest
from reverie.engine.loop import Report, Training, begin, fit, restore, rounds_in, settle
from reverie.engine.noise import generator
from reverie.engine.plan import Plan
from reverie.engine.ranks import World, world
from reverie.engine.stop import Stop, on_signals
from reverie.engine.turn import Job
from reverie.errors import DataError, Diverged, ReverieError, UsageError
from reverie.files import held, refusal, sole, write, write_json
from reverie.finish import finish, on_look, on_measured
from reverie.initial import grown, take_over, taken
from reverie.kinds import Data, Spec, lasting, read
from reverie.runs import Run, free_name, open_run, runs_folder

ATTEMPTS = 5  # times that ranks are started when one is lost
STAND_INS = {
    "mnist": "mnist-5k",
    "fashion-mnist": "mnist-5k",
    "cifar10": "shapes",
    "quickdraw": "mnist-5k",
    "tinyshakespeare": "python-stdlib",
    "ptb": "python-stdlib",
    "wikitext-2": "python-stdlib",
}


@dataclass(frozen=True)
class Prepared:
    """A configuration with what it needs: data as the view fixes it, and the recipe's plan."""

    config: dict[str, Any]
    data: Data
    plan: Plan


def train(
    recipe: str,
    *,
    name: str | None = None,
    runs: str | Path | None = None,
    report: Report | None = None,
    **given: Any,
) -> Run:
    """Train a recipe and return the run.

    Args:
        recipe: a name from ``reverie recipes``, or the path of a recipe file.
        name: the run's name; by default the recipe's and the data's with a number.
        runs: the folder of runs; by default ``$REVERIE_RUNS``, then ``runs``.
        report: who is told of progress; nobody by default.
        **given: the options of every training (``data``, ``minutes``, ``seed`` ...; see
            ``reverie.config.options``) and the arguments of the recipe.

    Returns:
        The finished run: ``run.sample(16)``, ``run.evaluate()``, ``run.folder / "report.html"``.

    Raises:
        UsageError: an unknown recipe, argument or value, all in one message.
        DataError: the data is missing or broken.
        Diverged: training met numbers that are not finite, again and again.
        Interrupted: a signal stopped it; ``reverie.resume(run)`` goes on.
    """
    config = configuration.resolve(recipe, given)
    if config["init"]:  # found before there is a new run, which would be the last one itself
        config["init"] = str(open_run(config["init"], runs).folder.resolve())
    prepared = prepare(config)
    folder = create(prepared, name, runs_folder(runs))
    return go(folder, report or Report(), prepared)


def resume(run: str | Path, *, runs: str | Path | None = None, report: Report | None = None) -> Run:
    """Go on with an interrupted run; it ends in the weights it would have had, bit for bit.

    A run that is finished, with all that its end writes, is left as it is: its figures may have taken hours since.

    Args:
        run: a path, a name or ``last``.
        runs: the folder of runs.
        report: who is told of progress.

    Raises:
        ReverieError: there is no such run, or none of its checkpoints is whole.
    """
    opened, report = open_run(run, runs), report or Report()
    if _complete(opened):
        report.say(f"{opened.name} is finished; there is nothing to be done.")
        return opened
    return go(opened.folder, report)


def _complete(run: Run) -> bool:
    """Whether a run made all its steps and has what its end writes, of which the model card is the last."""
    record = run.record
    made = record["status"] == "finished" and record.get("steps") == run.config["steps"]
    written = ("model/model.safetensors", "eval.json", "report.html", "model/README.md")
    return made and all((run.folder / name).is_file() for name in written)


def prepare(config: dict[str, Any], spec: Spec | None = None) -> Prepared:
    """Load the data and make the plan, and settle what was left to the machine.

    Args:
        config: as ``config.resolve`` gives it.
        spec: what the model of a run was built for; by default what the data says.
    """
    module = recipes.find(config["recipe"])
    data = load_data(config, getattr(module, "DATA", None))
    plan = build(config, spec or grown(config["init"], data.spec))
    data = plan.view.fixed(data)
    plan.view.check(data, plan.batch)
    if spec is None and config["init"] and isinstance(plan.model, nn.Module):
        taken(config["init"], plan.model, data.spec)  # refuses what does not fit before there is a folder
    device = machine.pick_device(config["device"])
    threads = config["threads"] or machine.free_cores()
    fast = plan.bf16 and machine.has_fast_bf16(device)
    bf16 = config["precision"] == "bf16" or (config["precision"] == "auto" and fast)
    asked = config["data"] or (data.name if config["text"] is None else None)
    asked = asked and lasting(config["recipe"], asked)
    config |= {"data": asked, "device": device.type, "threads": threads}
    config |= {"precision": "bf16" if bf16 else "fp32"}
    return Prepared(config, data, plan)


def load_data(config: Mapping[str, Any], usual: str | None) -> Data:
    """The data of a run: the one asked for, else the recipe's usual one, else its offline stand-in."""
    if config["data"] or config["text"] is not None:
        return read(config, config["data"])
    if usual is None:
        raise UsageError(f"The recipe {config['recipe']} names no usual data (DATA); give some with --data.")
    try:
        return read(config, usual)
    except DataError:
        if usual not in STAND_INS:
            raise
        data = read(config, STAND_INS[usual])
        print(
            f"{usual} is not here (reverie data fetch {usual}); {data.name} is taken instead.",
            file=sys.stderr,
        )
        return data


def build(config: Mapping[str, Any], spec: Spec) -> Plan:
    """The recipe's plan for such data, with weights that depend on the seed alone."""
    with torch.random.fork_rng():
        torch.manual_seed(generator(config["seed"], "weights").initial_seed())
        plan = recipes.find(config["recipe"]).run(spec, **config["arguments"])
    if not isinstance(plan, Plan):
        raise UsageError(f"The recipe {config['recipe']} must return a Plan; it returned {type(plan).__name__}.")
    return plan


def create(prepared: Prepared, name: str | None, runs: Path) -> Path:
    """Make the run folder with its configuration and record."""
    config, data = prepared.config, prepared.data
    stem = Path(config["recipe"]).stem if config["recipe"].endswith(".py") else config["recipe"]
    folder = _new_folder(runs, name, f"{stem}-{data.name}")
    count = sum(p.numel() for player in prepared.plan.model.players.values() for p in player.parameters())
    record = {
        "status": "created",
        "recipe": config["recipe"],
        "created": datetime.now().astimezone().isoformat(timespec="seconds"),
        "device": machine.describe(torch.device(config["device"])),
        "threads": config["threads"],
        "versions": _versions(config),
        "data": data.record(),
        "view": prepared.plan.view.protocol,
        "parameters": count,
        "seed": config["seed"],
        "seconds": 0.0,
        "reason": "",
    }
    for name, content in data.companions().items():
        write_json(folder / "model" / name, content)
    write_json(folder / "run.json", record)
    write(folder / "config.toml", configuration.to_toml(config, folder / "config.toml"))
    return folder


def _new_folder(runs: Path, name: str | None, stem: str) -> Path:
    """Make the folder of a new run: of trainings that start at the same instant, each has its own."""
    folder = free_name(runs, name, stem)
    try:
        runs.mkdir(parents=True, exist_ok=True)
        while True:
            try:
                folder.mkdir()
            except FileExistsError:  # another training has just taken it: the next number, or a word about the name
                folder = free_name(runs, name, stem)
            else:
                return folder
    except OSError as error:
        raise refusal(folder, 0, error) from error


def go(
    folder: Path,
    report: Report,
    prepared: Prepared | None = None,
    end: Callable[[Run, Data, Callable[[str], None]], None] = finish,
) -> Run:
    """Train a run folder from where it stands to its end, and finish it: by default with its figures and pictures."""
    run = Run(folder)
    if "WORLD_SIZE" not in os.environ and held(folder):
        raise _taken(run)
    prepared = prepared or prepare(run.config, run.spec)
    _check_same(run, prepared, report)
    if run.config["ranks"] > 1 and "WORLD_SIZE" not in os.environ:
        return _launch(run, report)
    machine.keep_freed_memory()
    device = torch.device(prepared.config["device"])
    with on_signals() as stop, world(device) as ranks, _alone(run, ranks):
        try:
            outcome = _fit(run, prepared, ranks, stop, report if ranks.first else Report())
        except Diverged:
            if ranks.size == 1:
                raise
            return run  # the process that started the ranks reads it in the record, and must not restart them
        except RuntimeError as error:
            if ranks.size == 1:
                raise
            raise ReverieError(f"Rank {ranks.rank} lost another rank ({str(error).splitlines()[0]}).") from error
        ranks.wait()
        if ranks.first and outcome == "finished":
            machine.return_freed_memory()
            end(run, prepared.data, report.say)
    if outcome == "stopped" and ranks.size == 1:
        raise run.interrupted()
    return run


@contextmanager
def _alone(run: Run, ranks: World) -> Iterator[None]:
    """Hold the run folder, and write down who does: nobody else trains it, and others see whether anybody does."""
    with sole(run.folder, ranks.first) as mine:
        if not mine:
            raise _taken(run)
        if ranks.first:
            run.update(process=os.getpid())
        yield


def _versions(config: Mapping[str, Any]) -> dict[str, str]:
    """Of what a training is made with; kernels are asked for where they could be used."""
    versions = {"reverie": reverie.__version__, "torch": torch.__version__, "python": sys.version.split()[0]}
    if config["device"] == "cpu" and config["precision"] == "bf16":
        versions["kernels"] = native.version()
    return versions


def _taken(run: Run) -> UsageError:
    """The word to a person whose run is being trained already."""
    return UsageError(f"{run.name} is being trained by process {run.record.get('process')}; wait for it, or stop it.")


def _check_same(run: Run, prepared: Prepared, report: Report) -> None:
    """Refuse to go on with other data; say when exactness is not promised."""
    record = run.record
    if record["data"]["fingerprint"] != prepared.data.fingerprint():
        raise DataError(
            f"The data of {run.name} ({record['data']['name']}) is no longer the same (another fingerprint). "
            "Bring the old data back, or start a new run with --config."
        )
    made, now = ({"kernels": "torch's", **versions} for versions in (record["versions"], _versions(prepared.config)))
    for what in ("torch", "kernels"):
        if made[what] != now[what]:
            words = f"{now[what]}, not {made[what]}"
            report.say(f"The version of {what} is {words}: the result may differ in the last bits.")


def _fit(run: Run, prepared: Prepared, ranks: World, stop: Stop, report: Report) -> str:
    job = _job(prepared, ranks)
    prepared.plan.model.train()  # type: ignore[attr-defined]
    training = Training.of(job, run.folder / "checkpoints")
    checkpoint, words = newest(training.folder)
    for word in words:
        report.say(word)
    if checkpoint is None and any(training.folder.glob("step-*")):
        raise ReverieError(f"No checkpoint of {run.name} is whole. Start again with --config {run.folder}/config.toml.")
    job, training = _settle_budget(run, prepared, training, report)
    if checkpoint:
        restore(training, checkpoint)
    elif prepared.config["init"]:
        take_over(prepared.config["init"], training, prepared.data.spec)
    else:
        begin(training)
    if ranks.first:
        run.update(status="running", steps=job.steps, starts=run.record.get("starts", 0) + 1)
    measure = on_look(run, prepared.data, prepared.plan, job, report.say)
    tell = replace(report, on_look=measure, on_measured=on_measured(run, report))
    try:
        outcome = fit(training, stop, tell, prepared.config["save_every"])
    except Diverged as error:
        if ranks.first:
            run.update(status="diverged", reason=str(error))
            _keep_last_good(run, training)
        raise
    if ranks.first:
        model, which = settle(training)
        run.save_model(model)
        run.update(
            status=outcome, weights=which, seconds=round(training.state.seconds, 2), reason="signal" if stop else ""
        )
    return outcome


def _job(prepared: Prepared, ranks: World) -> Job:
    config, data, plan = prepared.config, prepared.data, prepared.plan
    device = torch.device(config["device"])
    stock = plan.view.stock(data, device)
    threads = max(1, config["threads"] // ranks.size)
    job = Job(plan, stock, 1, config["seed"], device, config["precision"], threads, ranks)
    job.model.to(device)
    steps = config["steps"] or round((config["epochs"] or plan.epochs) * job.epoch_steps)
    return replace(job, steps=max(1, steps))


def _settle_budget(run: Run, prepared: Prepared, training: Training, report: Report) -> tuple[Job, Training]:
    """Turn a budget in minutes into steps, once, and write the number down."""
    config, job = prepared.config, training.job
    if config["minutes"] and not config["steps"]:
        steps = rounds_in(training, 60 * config["minutes"])
        report.say(f"{config['minutes']:g} minutes are {steps:,} steps here.")
        job = replace(job, steps=steps)
        training.job = job
        config |= {"steps": steps}
    settled = {**config, "steps": job.steps, "minutes": None, "epochs": None}
    if job.world.first and run.config != settled:
        write(run.folder / "config.toml", configuration.to_toml(settled, run.folder / "config.toml"))
    return job, training


def _keep_last_good(run: Run, training: Training) -> None:
    checkpoint, _ = newest(training.folder)
    if checkpoint:
        restore(training, checkpoint)
        run.save_model(training.result)


def _launch(run: Run, report: Report) -> Run:
    """Start the ranks of a run, and start them again from the last checkpoint when one is lost."""
    run.update(status="running")  # how it ended before says nothing of how it will end now
    for attempt in range(ATTEMPTS):
        code, asked = _ranks_once(run)
        record = run.record
        if record["status"] == "stopped" or asked:
            raise run.interrupted()
        if record["status"] == "diverged":
            raise Diverged(record["reason"])
        if not code:
            return run
        report.say(f"A rank of {run.name} was lost; all start again from the last checkpoint ({attempt + 1}).")
    raise ReverieError(
        f"The ranks of {run.name} were lost {ATTEMPTS} times; train with --ranks 1, or look at {run.folder}."
    )


def _ranks_once(run: Run) -> tuple[int, bool]:
    """Run all ranks to their end: the exit code, and whether a signal asked for it."""
    ranks = run.config["ranks"]
    words = ["--standalone", f"--nproc-per-node={ranks}", "-m", "reverie", "train", "--resume", str(run.folder)]
    environment = {**os.environ, "OMP_NUM_THREADS": str(run.config["threads"] // ranks or 1)}
    process = subprocess.Popen([sys.executable, "-m", "torch.distributed.run", *words], env=environment)
    with on_signals() as stop:
        while process.poll() is None:
            if stop:
                process.send_signal(signal.SIGTERM)
                process.wait()
            time.sleep(0.1)
    return process.returncode, bool(stop)
