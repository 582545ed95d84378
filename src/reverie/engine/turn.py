"""One turn of one player: loss, gradient, update. A turn is a pure function of weights, step and seed.

The batch of a turn is shared out over ranks. Shares add up their sums of losses over the size of the whole batch, so
that uneven shares weigh what they hold.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property
from math import isfinite
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from reverie.engine.adam import QuickAdam
from reverie.engine.noise import StepNoise, seed_of
from reverie.engine.plan import Plan, Stock
from reverie.engine.ranks import World
from reverie.engine.twins import Twins

FEWEST, MOST = 10, 20  # measurements of a run that the best weights are chosen from, about
LEAST = 100  # batches between them, but for the last one


@dataclass(frozen=True)
class Job:
    """A plan on a machine: everything a turn depends on, beside the weights."""

    plan: Plan
    stock: Stock
    steps: int
    seed: int
    device: torch.device
    precision: str  # "bf16" or "fp32"
    threads: int
    world: World

    @property
    def model(self) -> nn.Module:
        """The model as a module."""
        model = self.plan.model
        if not isinstance(model, nn.Module):
            raise TypeError(f"a plan's model must be an nn.Module; got {type(model).__name__}")
        return model

    @cached_property
    def twins(self) -> Twins:
        """The weights in the precision that products are made in, where it is another."""
        return Twins(self.model, self.precision == "bf16")

    @cached_property
    def short(self) -> AbstractContextManager[Any]:
        """Where products are made in that precision; one for all turns, since each takes its time to make."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == "bf16", cache_enabled=False)

    @property
    def epoch_steps(self) -> int:
        """Rounds in one pass over the data."""
        return max(1, self.stock.turns(self.plan.batch) // max(self.plan.model.turns.values()))

    @property
    def look_steps(self) -> int:
        """Rounds between two measurements on held-out data: an epoch, unless the best weights are to be kept.

        Then there should be some to choose from, and not too many: a run of fewer than ten epochs is measured at its
        tenths, no more often than every hundred batches, and one of forty and more not after every epoch.
        """
        if not self._chooses:
            return self.epoch_steps
        epochs = self.steps // self.epoch_steps
        if epochs < FEWEST:
            return max(-(-LEAST // max(self.plan.model.turns.values())), -(-self.steps // FEWEST))
        return self.epoch_steps * max(1, epochs // MOST)

    def looks_after(self, step: int) -> bool:
        """Whether held-out data are measured after a round; the last one counts where the best weights are kept."""
        return step % self.look_steps == 0 or (self._chooses and step == self.steps)

    @property
    def _chooses(self) -> bool:
        """Whether the best weights are kept; rates that fall after an epoch need a measurement after each."""
        return self.plan.keep == "best" and self.plan.anneal == 1


class Mean(NamedTuple):
    """What was logged of a batch: its mean is taken when it is asked for, which is not in every round.

    Args:
        values: of some rows of the batch, or their mean; or what makes them.
        rows: how many rows.
        total: rows of the whole batch.
    """

    values: Tensor | Callable[[], Tensor]
    rows: int
    total: int

    def part(self) -> Tensor:
        """What these rows add to the mean over the whole batch."""
        values = self.values if isinstance(self.values, Tensor) else self.values()
        return values.float().mean() * (self.rows / self.total)

    def __float__(self) -> float:
        """The mean, where these rows are the whole batch."""
        return float(self.part())


class Share(NamedTuple):
    """What one rank computed: sums over its rows, divided by the size of the whole batch; the state of all rows."""

    gradients: list[Tensor]
    loss: Tensor
    logs: Mapping[str, Mean | Tensor]
    state: Any


Logs = dict[str, Mean | Tensor | float]  # each is a number to whom asks for it


class Turn(NamedTuple):
    """Which turn: the player, the round, and the turn within the round."""

    player: str
    step: int
    number: int


@dataclass
class Learner:
    """A player's parameters and their optimizer."""

    name: str
    parameters: list[nn.Parameter]
    optimizer: torch.optim.Optimizer
    rates: list[float]
    quick: QuickAdam | None = None  # the optimizer's steps by a kernel

    @classmethod
    def of(cls, job: Job, name: str) -> "Learner":
        """The learner of a player, with the recipe's optimizer."""
        parameters = [p for p in job.plan.model.players[name].parameters() if p.requires_grad]
        optimizer = job.plan.optimizers[name](parameters)
        quick = QuickAdam.of(optimizer, parameters, job.twins) if job.precision == "bf16" else None
        return cls(name, parameters, optimizer, [float(group["lr"]) for group in optimizer.param_groups], quick)

    def take(self, gradients: list[Tensor]) -> list[Tensor]:
        """Gradients as the optimizer reads them: laid out like the weights, in the precision that it asks for."""
        pairs = zip(gradients, self.parameters, strict=True)
        return [alike(g if self.quick else g.to(p.dtype), p) for g, p in pairs]

    def norm(self, gradients: list[Tensor]) -> float:
        """``(sum of squares)^(1/2)`` of gradients that were taken; the next update is by these."""
        if self.quick:
            return self.quick.norm(gradients)
        return float(torch.linalg.vector_norm(torch.stack(torch._foreach_norm(gradients))))

    def update(self, gradients: list[Tensor], factor: float, scale: float = 1.0) -> None:
        """One step of the optimizer at ``factor`` times the recipe's rates, by ``scale`` times the gradients."""
        for group, rate in zip(self.optimizer.param_groups, self.rates, strict=True):
            group["lr"] = rate * factor
        if self.quick:
            self.quick.step(scale)
            return
        if scale != 1:
            torch._foreach_mul_(gradients, scale)
        for parameter, gradient in zip(self.parameters, gradients, strict=True):
            parameter.grad = gradient
        self.optimizer.step()
        for parameter in self.parameters:
            parameter.grad = None

    def decay(self, betas: tuple[float, float]) -> None:
        """Give the optimizer's moments another memory."""
        for group in self.optimizer.param_groups:
            group["betas"] = betas


def alike(tensor: Tensor, parameter: Tensor) -> Tensor:
    """The tensor in the parameter's layout: fused optimizers on a processor walk through memory, whatever its order."""
    if tensor.shape != parameter.shape or tensor.stride() == parameter.stride():
        return tensor
    return torch.empty_like(parameter, dtype=tensor.dtype).copy_(tensor)


def gradients(job: Job, turn: Turn, parameters: list[nn.Parameter], state: Any) -> Share:
    """The gradient of the mean loss over the global batch, and the means of what was logged."""
    _seed_stray_randomness(job, turn)
    return _over_ranks(job, _share(job, turn, parameters, state))


def _seed_stray_randomness(job: Job, turn: Turn) -> None:
    # Models draw from `noise`; a module that uses torch's own generator (dropout) still repeats after a resume.
    # (torch.manual_seed would format a traceback for the case of CUDA, which took 0.7 ms a step.)
    torch.default_generator.manual_seed(seed_of(job.seed, "stray", *turn, job.world.rank))


def _share(job: Job, turn: Turn, parameters: list[nn.Parameter], state: Any) -> Share:
    plan, total = job.plan, job.plan.batch
    rows = range(*job.world.share(total))
    noise = StepNoise((job.seed, *turn), rows.start, total, job.device)
    number = turn.step * max(plan.model.turns.values()) + turn.number
    carried = _rows(state, rows) if job.stock.continues(number, total) else None
    with job.short, job.twins.in_place():
        batch = job.stock.take(number, total, rows, job.seed, noise)
        batch = batch._replace(state=carried, progress=min(1.0, turn.step / job.steps))
        loss = plan.model.loss(turn.player, batch, noise)
    each = torch.full_like(loss.value, 1 / total)  # what a row's loss counts in the mean over the batch
    found = torch.autograd.grad(loss.value, job.twins.of(parameters), each, allow_unused=True)
    filled = [torch.zeros_like(p) if g is None else g for p, g in zip(parameters, found, strict=True)]
    logs = {
        name: Mean(values.detach() if isinstance(values, Tensor) else values, len(rows), total)
        for name, values in loss.logs.items()
    }
    return Share(filled, loss.value.detach().float().sum() / total, logs, loss.state)


def _rows(state: Any, rows: range) -> Any:
    """The rows of a state that a rank holds."""
    return on_each(state, lambda tensor: tensor[rows.start : rows.stop])


def on_each(state: Any, change: Callable[[Tensor], Tensor]) -> Any:
    """A carried state (a tensor, a tuple of tensors, or None) with each tensor changed."""
    if isinstance(state, tuple):
        return tuple(change(tensor) for tensor in state)
    return None if state is None else change(state)


def _over_ranks(job: Job, share: Share) -> Share:
    """Add shares up over ranks, and bring the rows of the state together: one flat tensor, one collective."""
    if job.world.size == 1:
        return share
    rows = range(*job.world.share(job.plan.batch))
    whole: list[Tensor] = []

    def spread(tensor: Tensor) -> Tensor:
        padded = tensor.new_zeros((job.plan.batch, *tensor.shape[1:]))
        padded[rows.start : rows.stop] = tensor
        whole.append(padded)
        return padded

    state = on_each(share.state, spread)
    means = [value.part() if isinstance(value, Mean) else value for value in share.logs.values()]
    parts = [*share.gradients, share.loss.reshape(1), *(mean.reshape(1) for mean in means), *whole]
    flat = job.world.sum_(torch.cat([part.reshape(-1) for part in parts]))
    pieces = [p.view_as(part) for p, part in zip(torch.split(flat, [p.numel() for p in parts]), parts, strict=True)]
    found = iter(pieces)
    gradients, loss = [next(found) for _ in share.gradients], next(found)[0]
    logs = {name: next(found)[0] for name in share.logs}
    return Share(gradients, loss, logs, on_each(state, lambda _: next(found)))


def apply(job: Job, learner: Learner, share: Share, factor: float) -> float | None:
    """Update a player; the norm of its gradient, before it is clipped, or None where loss or gradient is not finite."""
    gradients = learner.take(share.gradients)
    norm = learner.norm(gradients)
    if not isfinite(norm + float(share.loss)):
        return None
    learner.update(gradients, factor, min(1.0, job.plan.clip / (norm + 1e-6)) if job.plan.clip else 1.0)
    if not learner.quick:  # whose kernel moves the twins too
        job.twins.forget(learner.parameters)
    return norm


def round_of(
    job: Job,
    learners: Mapping[str, Learner],
    step: int,
    factor: float,
    carried: dict[str, Any],
) -> tuple[Logs, bool]:
    """All turns of all players in one round; the logs, and whether every update was made."""
    logs: Logs = {}
    several = len(learners) > 1
    for name, learner in learners.items():
        for number in range(job.plan.model.turns[name]):
            job.twins.follow()
            share = gradients(job, Turn(name, step, number), learner.parameters, carried.get(name))
            norm = apply(job, learner, share, factor)
            if norm is None:
                return logs, False
            carried[name] = share.state
            mine = {"loss": share.loss, **share.logs}
            logs |= {f"{name}/{key}": value for key, value in {**mine, "norm": norm}.items()} if several else mine
    return logs, True
