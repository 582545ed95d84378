"""Adam in one fused kernel, without looking over its own state in each step."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Self

import torch
from torch import Tensor, nn

from reverie import native
from reverie.engine.twins import Twins


class Adam(torch.optim.Adam):
    """Adam (Kingma and Ba 2015, 1412.6980) or AdamW, with decoupled decay (Loshchilov and Hutter 2019, 1711.05101).

    With moments ``m <- b1 m + (1 - b1) g`` and ``v <- b2 v + (1 - b2) g^2`` a step is
    ``w <- w - rate (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + eps)``. It is torch's own kernel on torch's own state;
    what torch asks of each parameter in each step took 0.4 ms of a step of 5 ms (``vae-mlp``, two threads).

    Args:
        parameters: what is trained, or groups of it with settings of their own; each on one device, in one precision.
        lr: the rate.
        betas: b1 and b2.
        eps: against a division by 0.
        weight_decay: added to the gradient times the weight; decoupled, the weight shrinks by rate times it instead.
        decoupled_weight_decay: which of the two.
    """

    def __init__(
        self,
        parameters: Iterable[nn.Parameter] | Iterable[dict[str, Any]],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        *,
        decoupled_weight_decay: bool = False,
    ) -> None:
        """Take the parameters and the settings."""
        super().__init__(
            parameters, lr, betas, eps, weight_decay, fused=True, decoupled_weight_decay=decoupled_weight_decay
        )

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Move every parameter that has a gradient."""
        groups = [(group, [p for p in group["params"] if p.grad is not None]) for group in self.param_groups]
        if closure is not None or any("exp_avg" not in self.state[p] for _, moving in groups for p in moving):
            return super().step(closure)  # the first step makes the state
        for group, moving in groups:
            if moving:
                self._move(moving, group)
        return None

    def _move(self, parameters: Sequence[nn.Parameter], group: dict[str, Any]) -> None:
        weights: list[Tensor] = list(parameters)
        states = [self.state[p] for p in parameters]
        steps = [state["step"] for state in states]
        torch._foreach_add_(steps, 1)
        kernel = torch._fused_adamw_ if group["decoupled_weight_decay"] else torch._fused_adam_
        kernel(
            weights,
            [p.grad for p in parameters if p.grad is not None],
            [state["exp_avg"] for state in states],
            [state["exp_avg_sq"] for state in states],
            [],
            steps,
            lr=group["lr"],
            beta1=group["betas"][0],
            beta2=group["betas"][1],
            weight_decay=group["weight_decay"],
            eps=group["eps"],
            amsgrad=False,
            maximize=False,
        )


class QuickAdam:
    """Adam's steps by a kernel of one's own, on the state of an ``Adam``.

    It takes gradients as they were made, and moves weights, moments and twins in one pass over memory.

    Args:
        optimizer: whose state and settings.
        parameters: what it moves, in the order of the gradients.
        twins: of these weights; they follow them.
    """

    def __init__(self, optimizer: Adam, parameters: Sequence[nn.Parameter], twins: Twins) -> None:
        """Take the optimizer."""
        self._optimizer, self._twins = optimizer, twins
        places = {id(p): place for place, p in enumerate(parameters)}
        self._weights: list[nn.Parameter] = [p for group in optimizer.param_groups for p in group["params"]]
        self._order = [places[id(p)] for p in self._weights]
        self._states: list[dict[str, Any]] = []
        self._counts = torch.empty(0)  # of steps: each state's is a view of one of them
        self._moves = native.Moves([])

    @classmethod
    def of(cls, optimizer: torch.optim.Optimizer, parameters: Sequence[nn.Parameter], twins: Twins) -> Self | None:
        """The same for an optimizer, where it is this very Adam and there is a kernel for all its weights."""
        serves = type(optimizer) is Adam and all(map(native.fits, parameters)) and native.available()
        return cls(optimizer, parameters, twins) if serves and isinstance(optimizer, Adam) else None

    def norm(self, gradients: Sequence[Tensor]) -> float:
        """``(sum of squares)^(1/2)`` of gradients; the next step is by these.

        Raises:
            ValueError: one does not lie as its weight does.
        """
        self._follow_state()
        self._moves.take([gradients[place] for place in self._order])
        return float(self._moves.squares() ** 0.5)

    @torch.no_grad()
    def step(self, scale: float = 1.0) -> None:
        """Move every weight by its gradient, times ``scale``."""
        self._counts.add_(1)
        begin = 0
        for group in self._optimizer.param_groups:
            of = range(begin, begin := begin + len(group["params"]))
            settings = group["lr"], group["betas"], group["eps"], group["weight_decay"], group["decoupled_weight_decay"]
            self._moves.adam(of, native.Steps(*settings, self._states[of.start]["step"].item(), scale))

    def _follow_state(self) -> None:
        """Look for the moments, where the optimizer has none yet or has loaded others."""
        state = self._optimizer.state
        if self._states and all(state[p] is held for p, held in zip(self._weights, self._states, strict=True)):
            return
        for weight in self._weights:
            if not state[weight]:
                moments = {name: torch.zeros_like(weight) for name in ("exp_avg", "exp_avg_sq")}
                state[weight] |= {"step": torch.tensor(0.0), **moments}
        self._states = [state[weight] for weight in self._weights]
        self._counts = torch.stack([state["step"] for state in self._states])
        for held, count in zip(self._states, self._counts, strict=True):
            held["step"] = count
        pairs = zip(self._weights, self._states, strict=True)
        self._moves = native.Moves(
            [native.Moving(p, s["exp_avg"], s["exp_avg_sq"], self._twins.twin(p)) for p, s in pairs]
        )
