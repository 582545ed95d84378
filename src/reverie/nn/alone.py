"""A model that plays no game."""

from collections.abc import Mapping
from typing import ClassVar

from torch import nn


class Alone(nn.Module):
    """One player, the whole model, and one turn of it a round; a subclass gives the player's name."""

    player: ClassVar[str]

    @property
    def players(self) -> Mapping[str, nn.Module]:
        """The model by its name."""
        return {self.player: self}

    @property
    def turns(self) -> Mapping[str, int]:
        """One."""
        return {self.player: 1}
