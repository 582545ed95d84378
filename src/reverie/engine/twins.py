"""Weights in the precision that products are made in: copied when they changed, instead of at each use.

Autocast makes a bf16 copy of a weight wherever a layer uses it, and a float32 copy of its gradient there. A twin is a
copy that stays: the layer multiplies by the twin, the gradient is the twin's, and the weight itself is what the
optimizer moves. The numbers are autocast's own, but where a turn uses a layer twice: its gradients then add up in bf16.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class Twins:
    """The twins of a model's weights.

    A module has twins if it says ``twins = True`` of itself: that it uses its weights in products alone, and never
    where autocast is off. A weight that several modules share has none.

    Args:
        model: whose weights.
        wanted: whether there are to be any.
    """

    def __init__(self, model: nn.Module, wanted: bool = True) -> None:
        """Make room for the twins."""
        owners = Counter(id(p) for _, p in model.named_parameters(remove_duplicate=False))
        self._places = [
            (module, name, weight)
            for module in (model.modules() if wanted else ())
            if getattr(module, "twins", False)
            for name, weight in module.named_parameters(recurse=False)
            if owners[id(weight)] == 1 and weight.dtype == torch.float32
        ]
        self._of = {
            id(weight): nn.Parameter(torch.empty_like(weight, dtype=torch.bfloat16), weight.requires_grad)
            for _, _, weight in self._places
        }
        self._copied: dict[int, int] = {}  # at which version of the weight

    def twin(self, weight: Tensor) -> Tensor | None:
        """The twin of a weight, if it has one."""
        return self._of.get(id(weight))

    def of(self, weights: Sequence[Tensor]) -> list[Tensor]:
        """The twin of each weight that has one, else the weight."""
        return [self._of.get(id(weight), weight) for weight in weights]

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Let the modules have the twins."""
        try:
            for module, name, weight in self._places:
                module._parameters[name] = self._of[id(weight)]
            yield
        finally:
            for module, name, weight in self._places:
                module._parameters[name] = weight

    @torch.no_grad()
    def follow(self) -> None:
        """Make the twins equal to their weights again, where those have changed."""
        weights: list[Tensor] = [weight for _, _, weight in self._places]
        stale = [weight for weight in weights if self._copied.get(id(weight)) != weight._version]
        if stale:
            torch._foreach_copy_(self.of(stale), stale)
            self._copied |= {id(weight): weight._version for weight in stale}

    def forget(self, weights: Sequence[Tensor]) -> None:
        """Take these weights as changed: kernels that move weights do not always say so."""
        for weight in weights:
            self._copied.pop(id(weight), None)
