"""Penalties on the slope of a critic, per example. A slope is the gradient of one logit by all numbers of its image.

Norms are of each example, over channels and pixels together: not of the batch, and not of each row of pixels. They are
part of the graph, so that the critic's weights feel them. Forward passes may be in bf16, as those of the cost are; the
slopes and their norms are float32. Nothing here may be compiled: ``torch.compile`` cannot differentiate twice.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from reverie.protocols import Noise


class Judged(NamedTuple):
    """Images as leaves of the graph, (B, ...), with the logits that the critic gave them, (B,)."""

    real: Tensor
    fake: Tensor
    of_real: Tensor
    of_fake: Tensor


class Penalty(Protocol):
    """What a critic pays beside its cost, (B,), and figures for the logs.

    The gradients that it asks for on the way are of images alone. ``judge`` asks the critic about further images,
    ``progress`` goes from 0 to 1 over the budget.
    """

    def __call__(
        self, judged: Judged, judge: Callable[[Tensor], Tensor], noise: Noise, progress: float
    ) -> tuple[Tensor, Mapping[str, Tensor]]:
        """Return the penalty and its figures."""


def slopes(logits: Tensor, *images: Tensor) -> tuple[Tensor, ...]:
    """``|grad_x l(x)|`` of each example, (B,) for each of the given images (B, ...), as part of the graph.

    Each image must enter one logit only: a critic that normalises over the batch would be penalised for more.
    At a slope of zero, where the norm has no derivative, its gradient is 0.
    """
    found = torch.autograd.grad(logits.sum(), images, create_graph=True)
    return tuple(torch.linalg.vector_norm(g.flatten(1), dim=1) for g in found)


@dataclass(frozen=True)
class GradientPenalty:
    """``weight (|grad l(x)| - 1)^2`` at ``x = u real + (1 - u) fake`` (Gulrajani et al. 2017, 1704.00028, algorithm 1).

    Args:
        weight: lambda; the paper's 10.
    """

    weight: float = 10.0

    def __call__(
        self, judged: Judged, judge: Callable[[Tensor], Tensor], noise: Noise, progress: float
    ) -> tuple[Tensor, Mapping[str, Tensor]]:
        """The penalty, (B,), and the slope ``gradient``, (B,); one u for each example."""
        real, fake = judged.real.detach(), judged.fake.detach()
        u = noise.uniform("mix", (len(real), *[1] * (real.ndim - 1))).to(real)
        between = torch.lerp(fake, real, u).requires_grad_()
        (slope,) = slopes(judge(between), between)
        return self.weight * (slope - 1).square(), {"gradient": slope.detach()}


@dataclass(frozen=True)
class ZeroCentred:
    """``gamma / 2 (|grad l(real)|^2 + |grad l(fake)|^2)``: R1 and R2 (Mescheder et al. 2018, 1801.04406).

    Args:
        gamma: by progress.
        fake: whether fakes are penalised too (R2), as the relativistic game needs (Huang et al. 2025, 2501.05441).
    """

    gamma: Callable[[float], float]
    fake: bool = True

    def __call__(
        self, judged: Judged, judge: Callable[[Tensor], Tensor], noise: Noise, progress: float
    ) -> tuple[Tensor, Mapping[str, Tensor]]:
        """The penalty, (B,), and the slopes ``gradient_real`` and ``gradient_fake``, (B,); no further images."""
        if not self.fake:
            (of_real,) = slopes(judged.of_real, judged.real)
            return self.gamma(progress) / 2 * of_real.square(), {"gradient_real": of_real.detach()}
        of_real, of_fake = slopes(torch.cat([judged.of_real, judged.of_fake]), judged.real, judged.fake)
        penalty = self.gamma(progress) / 2 * (of_real.square() + of_fake.square())
        return penalty, {"gradient_real": of_real.detach(), "gradient_fake": of_fake.detach()}
