"""The loop: rounds of turns, with averages, checkpoints, a guard against numbers that are not finite, and stops.

One loop serves every method, because all that differs between an autoencoder and a game of two networks is the list
of players. What the loop changes is in ``State``; that and the weights are what a checkpoint holds.
"""

import copy
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from math import isfinite
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from reverie.engine.checkpoint import Checkpoint, load_weights, newest, not_of, place_of, read, rotate, store
from reverie.engine.noise import StepNoise
from reverie.engine.stop import Stop
from reverie.engine.turn import Job, Learner, Logs, Turn, alike, round_of
from reverie.errors import Diverged, ReverieError
from reverie.files import append_line

SKIPS = 3  # updates in a row that may be skipped before rolling back
ROLLBACKS = 4  # times the rates may be halved before giving up
SAVE_SECONDS = 60.0  # between checkpoints within an epoch
EPOCH_SECONDS = 10.0  # between checkpoints at the ends of epochs


@dataclass
class State:
    """All that changes in training and is not a tensor of the model."""

    step: int = 0
    seconds: float = 0.0
    rate: float = 1.0  # halved by each roll-back
    rollbacks: int = 0
    skipped: int = 0
    best_step: int | None = None
    best_value: float | None = None
    lowest: float | None = None  # of the watched loss, over all epochs


@dataclass(frozen=True)
class Report:
    """What the loop tells, as it happens: to a terminal, a file, a page."""

    on_step: Callable[[int, dict[str, float]], None] = lambda step, row: None
    on_look: Callable[[int, nn.Module], dict[str, float]] = lambda look, model: {}  # measures; a loss comes first
    on_measured: Callable[[float, dict[str, float]], None] = lambda epoch, figures: None
    say: Callable[[str], None] = lambda words: None


class _Tensors(NamedTuple):
    """A model's tensors."""

    parameters: list[Tensor]
    buffers: list[Tensor]

    @classmethod
    def of(cls, model: nn.Module) -> "_Tensors":
        return cls(list(model.parameters()), list(model.buffers()))


@dataclass
class Training:
    """A job under way: learners, averages and state."""

    job: Job
    folder: Path
    learners: dict[str, Learner]
    average: nn.Module | None
    state: State = field(default_factory=State)
    carried: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, job: Job, folder: Path) -> "Training":
        """A training at step 0 with the model's fresh weights."""
        learners = {name: Learner.of(job, name) for name in job.plan.model.players}
        average = copy.deepcopy(job.model).requires_grad_(False) if job.plan.ema else None
        return cls(job, folder, learners, average)

    @cached_property
    def buffers(self) -> Sequence[Tensor]:
        """What training changes beside the weights, such as running means; masks and other constants are not stored."""
        stored = self.job.model.state_dict()
        return [buffer for name, buffer in self.job.model.named_buffers() if name in stored]

    @cached_property
    def averages(self) -> tuple[_Tensors, _Tensors]:
        """What follows and what is followed, where there is an average: looking for them took 0.5 ms of a round."""
        return _Tensors.of(self.result), _Tensors.of(self.job.model)

    @property
    def result(self) -> nn.Module:
        """The weights to use: the average where there is one."""
        return self.job.model if self.average is None else self.average


def snapshot(training: Training) -> Checkpoint:
    """Everything that is needed to go on from here, as copies."""
    tensors = {"model": training.job.model.state_dict(), "optimizer": _optimizer_tensors(training.learners)}
    if training.average is not None:
        tensors["ema"] = training.average.state_dict()
    if carried := {name: value for name, value in training.carried.items() if value is not None}:
        tensors["carried"] = _flatten(carried)
    copies = {file: {n: t.detach().cpu().clone() for n, t in named.items()} for file, named in tensors.items()}
    return Checkpoint(training.state.step, copies, asdict(training.state))


def restore(training: Training, checkpoint: Checkpoint) -> None:
    """Go back, or on, to a checkpoint.

    Raises:
        ReverieError: it is of another model.
    """
    where = f"the checkpoint of step {checkpoint.step:,}"
    load_weights(training.job.model, checkpoint.tensors["model"], where)
    if training.average is not None:
        load_weights(training.average, checkpoint.tensors.get("ema", checkpoint.tensors["model"]), where)
    try:
        _restore_optimizers(training.learners, checkpoint.tensors["optimizer"])
    except (ValueError, RuntimeError, IndexError) as error:
        raise not_of(where, error) from error
    training.carried = _unflatten(checkpoint.tensors.get("carried", {}), training.job.device)
    training.state = State(**checkpoint.state)


def _flatten(carried: Mapping[str, Any]) -> dict[str, Tensor]:
    """A tensor by its player's name, and each of a tuple by name and place."""
    flat = {name: value for name, value in carried.items() if isinstance(value, Tensor)}
    tuples = {name: value for name, value in carried.items() if isinstance(value, tuple)}
    return flat | {f"{name}/{i}": tensor for name, values in tuples.items() for i, tensor in enumerate(values)}


def _unflatten(tensors: Mapping[str, Tensor], device: torch.device) -> dict[str, Any]:
    there = {key: tensor.to(device) for key, tensor in tensors.items()}
    names = dict.fromkeys(key.partition("/")[0] for key in there)
    counts = {name: sum(key.startswith(f"{name}/") for key in there) for name in names}
    return {
        name: tuple(there[f"{name}/{i}"] for i in range(count)) if count else there[name]
        for name, count in counts.items()
    }


def _optimizer_tensors(learners: Mapping[str, Learner]) -> dict[str, Tensor]:
    return {
        f"{name}/{index}/{key}": torch.as_tensor(value)
        for name, learner in learners.items()
        for index, slots in learner.optimizer.state_dict()["state"].items()
        for key, value in slots.items()
    }


def _restore_optimizers(learners: Mapping[str, Learner], tensors: Mapping[str, Tensor]) -> None:
    for name, learner in learners.items():
        slots: dict[int, dict[str, Tensor]] = {}
        for path, tensor in tensors.items():
            player, index, key = path.split("/")
            if player == name:
                slots.setdefault(int(index), {})[key] = tensor
        groups = learner.optimizer.state_dict()["param_groups"]
        laid = {i: {key: alike(t, learner.parameters[i]) for key, t in slot.items()} for i, slot in slots.items()}
        learner.optimizer.load_state_dict({"state": laid, "param_groups": groups})


def save(training: Training, value: float | None = None) -> None:
    """Keep a checkpoint; a lower ``value`` (a held-out loss) than any before makes it the best."""
    state = training.state
    if _best_yet(state, value):
        state.best_step, state.best_value = state.step, value
    if training.job.world.first:
        store(training.folder, snapshot(training))
        rotate(training.folder, state.step, state.best_step)


def _best_yet(state: State, value: float | None) -> bool:
    return value is not None and isfinite(value) and (state.best_value is None or value < state.best_value)


def begin(training: Training) -> None:
    """Let a fresh model see the batch of its first turn before its first step, where the plan wants that."""
    job = training.job
    if job.plan.begin is None:
        return
    total = job.plan.batch
    noise = StepNoise((job.seed, *Turn(next(iter(training.learners)), 0, 0)), 0, total, job.device)
    job.plan.begin(job.stock.take(0, total, range(total), job.seed, noise), noise)
    if training.average is not None:
        training.average.load_state_dict(job.model.state_dict())


def settle(training: Training) -> tuple[nn.Module, str]:
    """The weights that a plan wants as the result, and in words which they are; nothing trains on from there.

    Of a plan that keeps the best, the checkpoint whose first held-out figure was lowest; the last ones where no epoch
    was measured, or that checkpoint is not whole.
    """
    state, result = training.state, training.result
    if training.job.plan.keep == "last" or state.best_step is None:
        return result, f"step {state.step:,}, the last"
    try:
        best = read(place_of(training.folder, state.best_step))
    except ReverieError as error:
        return result, f"step {state.step:,}, the last, for the best cannot be read: {error}"
    result.load_state_dict(best.tensors.get("ema", best.tensors["model"]))
    words = f"best first figure on held-out images, {state.best_value:.4g}"
    return result, f"step {state.best_step:,} of {state.step:,}, with the {words}"


def fit(training: Training, stop: Stop, report: Report, save_every: int = 0) -> str:
    """Train until the budget is spent or a stop is asked for.

    Args:
        training: where it stands; a fresh one, or one that was restored.
        stop: looked at after every round.
        report: who is told.
        save_every: rounds between checkpoints; 0 saves once a minute, and after an epoch of ten seconds.

    Returns:
        ``"finished"`` or ``"stopped"``; in both cases the last checkpoint is of the last round.

    Raises:
        Diverged: rolling back and halving the rates did not help; the last good checkpoint is kept.
    """
    job = training.job
    torch.set_num_threads(job.threads)
    if training.state.step == 0 and not any(training.folder.glob("step-*")):
        save(training)
    saved_at = time.monotonic()
    while (state := training.state).step < job.steps:
        began = time.perf_counter()
        logs, updated = _round(training)
        state.seconds += time.perf_counter() - began
        if not updated:
            _skip(training, report)
            continue
        if _due(training, job):
            _log(training, logs, report)
        epoch_ends = state.step % job.epoch_steps == 0
        value = _look(training, report) if job.looks_after(state.step) else None
        if epoch_ends and job.plan.anneal < 1:
            _anneal(training, value)
        wanted = job.plan.keep == "best" and _best_yet(state, value)
        if wanted or _save_due(state, save_every, time.monotonic() - saved_at, epoch_ends):
            save(training, value)
            saved_at = time.monotonic()
        if _agreed(job, bool(stop), state.step):
            save(training)
            return "stopped"
    save(training)
    return "finished"


def _round(training: Training) -> tuple[Logs, bool]:
    job, state = training.job, training.state
    progress = state.step / max(1, job.steps)
    factor = job.plan.schedule(progress) * state.rate
    if job.plan.betas:
        for learner in training.learners.values():
            learner.decay(job.plan.betas(progress))
    before = [buffer.clone() for buffer in training.buffers]  # a loss alone changes running means
    logs, updated = round_of(job, training.learners, state.step, factor, training.carried)
    if not updated:
        for buffer, was in zip(training.buffers, before, strict=True):
            buffer.copy_(was)
    state.step += 1
    state.skipped = 0 if updated else state.skipped + 1
    if updated and training.average is not None:
        _follow(*training.averages, _decay(job.plan.ema, state.step))
    return logs, updated


def _decay(ema: float | Callable[[int], float], step: int) -> float:
    # A short memory at first, so that the average does not remember the random start.
    return ema(step) if callable(ema) else min(ema, (1 + step) / (10 + step))


@torch.no_grad()
def _follow(average: _Tensors, model: _Tensors, decay: float) -> None:
    torch._foreach_lerp_(average.parameters, model.parameters, 1 - decay)
    for kept, now in zip(average.buffers, model.buffers, strict=True):
        kept.copy_(now)


def _skip(training: Training, report: Report) -> None:
    """Answer a round that was not finite: skip it, then go back and halve the rates, then give up."""
    state = training.state
    report.say(f"step {state.step}: loss or gradient is not finite; the update is skipped.")
    if state.skipped < SKIPS:
        return
    checkpoint, words = newest(training.folder)
    training.job.world.wait()
    if checkpoint is None or state.rollbacks == ROLLBACKS:
        raise Diverged(
            f"Training diverged at step {state.step}: {SKIPS} updates in a row were not finite, after going back and "
            f"halving the rates {state.rollbacks} times. The last good model is kept; try a lower --rate, or --clip 1."
        )
    rate, rollbacks, seconds = state.rate / 2, state.rollbacks + 1, state.seconds
    restore(training, checkpoint)
    training.state.rate, training.state.rollbacks, training.state.seconds = rate, rollbacks, seconds
    report.say("\n".join([*words, f"back to step {checkpoint.step} at {rate:g} times the rate."]))


def _due(training: Training, job: Job) -> bool:
    every = max(1, min(50, job.steps // 200))
    step = training.state.step
    return step % every == 0 or step == job.steps or step % job.epoch_steps == 0


def _log(training: Training, logs: Logs, report: Report) -> None:
    job, state = training.job, training.state
    if not job.world.first:
        return
    row = {
        "step": state.step,
        "epoch": round(state.step / job.epoch_steps, 4),
        "seconds": round(state.seconds, 3),
    }
    row |= {name: float(value) for name, value in logs.items()}
    append_line(training.folder.parent / "metrics.jsonl", row)
    report.on_step(state.step, {**row, "of": job.steps})


def _look(training: Training, report: Report) -> float | None:
    """Measure on held-out data; the first figure, a loss, is what makes a checkpoint the best."""
    job, state = training.job, training.state
    if not job.world.first:
        return None
    torch.set_num_threads(job.threads)
    figures = report.on_look(-(-state.step // job.look_steps), training.result)
    if not figures:
        return None
    row = {"step": state.step, "epoch": state.step / job.epoch_steps, "test": True, **figures}
    append_line(training.folder.parent / "metrics.jsonl", row)
    report.on_measured(state.step / job.epoch_steps, figures)
    return next(iter(figures.values()))


def _anneal(training: Training, value: float | None) -> None:
    """Lower the rates after an epoch that was no better than the best; the first rank says what was measured."""
    state, world = training.state, training.job.world
    sent = torch.tensor([value or 0.0, float(value is not None)], dtype=torch.float64, device=training.job.device)
    seen, measured = world.sum_(sent).tolist()
    if not measured:
        return
    if state.lowest is not None and not seen < state.lowest:
        state.rate *= training.job.plan.anneal
    state.lowest = seen if state.lowest is None else min(seen, state.lowest)


def _save_due(state: State, every: int, waited: float, epoch_ends: bool) -> bool:
    if every:
        return state.step % every == 0
    return waited > (EPOCH_SECONDS if epoch_ends else SAVE_SECONDS)


def _agreed(job: Job, wish: bool, step: int) -> bool:
    """Whether any rank wants to stop; ranks ask each other every fourth round."""
    if job.world.size == 1:
        return wish
    if step % 4:
        return False
    return bool(job.world.sum_(torch.tensor([float(wish)])).item())


def rounds_in(training: Training, seconds: float) -> int:
    """How many rounds fit into a time, measured on the first ones; weights are as before when it returns.

    The number goes into the configuration, so that a run in minutes repeats and resumes exactly.
    """
    start, sample = snapshot(training), min(10.0, max(1.0, 0.03 * seconds))
    rounds, spent = 2, 0.0
    torch.set_num_threads(training.job.threads)
    while spent < sample:
        rounds *= 2
        began = time.perf_counter()
        for _ in range(rounds):
            _round(training)
        # Ranks agree on the time, so that they measure equally often and find the same number.
        world = training.job.world
        spent = world.sum_(torch.tensor(time.perf_counter() - began)).item() / world.size
    restore(training, start)
    return max(1, int(seconds * rounds / spent))
