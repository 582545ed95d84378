"""A model that plays no game is one player with one turn."""

from torch import nn

from reverie.nn.alone import Alone


class Solo(Alone):
    player = "solo"


def test_the_whole_model_is_the_player():
    model = Solo()
    model.part = nn.Linear(1, 1)
    assert model.players == {"solo": model}
    assert model.turns == {"solo": 1}
    assert [name for name, _ in model.players["solo"].named_parameters()] == ["part.weight", "part.bias"]
