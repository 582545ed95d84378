"""A trained model of points in the plane with their law: all that pictures and figures of points need."""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from reverie.data.points import PointData
from reverie.engine.noise import ItemNoise
from reverie.errors import UsageError
from reverie.protocols import Batch, Sampler, Trainable


@dataclass(frozen=True)
class Planar:
    """A model of points in its final weights, in evaluation mode, on the device it will be asked on.

    Args:
        name: of the run.
        folder: of the run.
        model: the module.
        data: the points it was trained on.
    """

    name: str
    folder: Path
    model: nn.Module
    data: PointData

    @torch.no_grad()
    def generated(self, n: int, *key: object, temperature: float = 1.0) -> Tensor:
        """Points from the model, (N, 2): point i of a key is the same whatever n is.

        Raises:
            UsageError: the model has no distribution to draw from.
        """
        if not isinstance(self.model, Sampler):
            raise UsageError(f"{self.name} cannot sample: its {type(self.model).__name__} has no sample().")
        return self.model.sample(n, ItemNoise(key, range(n)), temperature=temperature).cpu()

    def real(self, n: int, *key: object) -> Tensor:
        """Points of the law that no turn of training sees, (N, 2)."""
        return self.data.law.draw(ItemNoise(("held out", *key), range(n)), n)

    @torch.no_grad()
    def judged(self, points: Tensor) -> Tensor | None:
        """The critic's logit of each point, (N,); None where the model has no critic."""
        critic = self._player("critic")
        return None if critic is None else critic(points.to(self._device)).flatten().float().cpu()

    def pulled(self, n: int, *key: object) -> tuple[Tensor, Tensor] | None:
        """Generated points, and minus the slope of the generator's cost at each of them, both (N, 2).

        It is what the generator's weights feel through each point: ``-dC/dx_i`` for the cost C summed over points.
        None where there is no generator that a critic judges.
        """
        model, generator, caught = self.model, self._player("generator"), list[Tensor]()
        if generator is None or not isinstance(model, Trainable):
            return None

        def catch(module: nn.Module, given: tuple[Tensor, ...], made: Tensor) -> Tensor:
            caught.append(made.detach().requires_grad_())
            return caught[-1]

        handle = generator.register_forward_hook(catch)
        try:
            with torch.enable_grad():
                batch = Batch(self.real(n, *key).to(self._device))
                cost = model.loss("generator", batch, ItemNoise(key, range(n))).value.sum()
                (slope,) = torch.autograd.grad(cost, caught[0])
        finally:
            handle.remove()
        return caught[0].detach().cpu(), -slope.cpu()

    def _player(self, name: str) -> nn.Module | None:
        return self.model.players.get(name) if isinstance(self.model, Trainable) else None

    @property
    def _device(self) -> torch.device:
        return next(self.model.parameters()).device
