"""What of a model is exported, by its protocols; and what cannot be."""

import pytest
import torch
from torch import nn

from reverie import recipes
from reverie.data import ImageSpec
from reverie.data.points import PointSpec
from reverie.data.views import bits, levels, symmetric, unit
from reverie.distributions import Point
from reverie.errors import UsageError
from reverie.export.parts import Input, parts_of
from toys import SPEC, tiny_vae

PIXELS = torch.arange(256, dtype=torch.uint8).view(1, 1, 16, 16)


@pytest.mark.parametrize("view", [unit(), symmetric(), bits(), levels()], ids=lambda view: view.name)
def test_the_view_is_a_part_of_both_graphs(view):
    class Mirror(nn.Module):
        """Its code is the picture as it sees it, and back."""

        latent = 256

        def encode(self, x):
            return Point(x.flatten(1))

        def decode(self, z):
            return Point(z.view(-1, 1, 16, 16))

    encoder, decoder = parts_of("mirror", Mirror(), view, ImageSpec("levels", (1, 16, 16), ()))
    (code,) = encoder.module(PIXELS / 255)
    torch.testing.assert_close(code, view.still(PIXELS).flatten(1))
    (picture,) = decoder.module(code)
    wanted = (PIXELS >= 128) * 255 if view.binary else PIXELS
    assert torch.equal((picture * 255).round(), wanted.float())
    (beyond,) = decoder.module(torch.tensor([-3.0, 3.0]).repeat(128)[None])
    assert beyond.flatten()[:2].tolist() == [0, 1]


def test_examples_are_the_same_each_time_and_of_their_kind():
    encoder, decoder = parts_of("toy", tiny_vae(), unit(), SPEC)
    first, again = encoder.examples(7)[0], encoder.examples(7)[0]
    assert torch.equal(first, again)
    assert first.shape == (7, 1, 4, 4)
    assert first.min() >= 0
    assert first.max() <= 1
    assert (encoder.outputs, decoder.outputs) == (("mean", "log_variance"), ("image",))
    numbers = Input("number", (), 0, 5).draw(1000, torch.Generator().manual_seed(0))
    assert numbers.unique().tolist() == [0, 1, 2, 3, 4]
    assert Input("normal", (2, 8), 1).draw(3, torch.Generator()).shape == (2, 3, 8)


def test_a_model_that_draws_pixel_by_pixel_is_refused():
    recipe = recipes.find("pixelcnn")
    spec = ImageSpec("digits", (1, 8, 8), ())
    plan = recipe.run(spec, **recipe.TINY)
    with pytest.raises(UsageError, match="draws a picture in many steps"):
        parts_of("slow", plan.model.eval(), plan.view, spec)


def test_a_model_of_points_is_refused_with_what_graphs_are_for():
    class Drawer(nn.Module):
        def sample(self, n, noise, *, label=None, temperature=1.0):
            return noise.normal("z", (n, 2))

    with pytest.raises(UsageError, match="graphs are for models of images and of text"):
        parts_of("ring", Drawer(), unit(), PointSpec("ring"))


def test_a_model_with_nothing_to_show_is_refused():
    with pytest.raises(UsageError, match="a Linear has no codes and draws nothing"):
        parts_of("line", nn.Linear(1, 1), unit(), SPEC)


class Counter(nn.Module):
    """A text model whose state begins at one."""

    def step(self, token, state):
        state = torch.ones(len(token), 1) if state is None else state
        return token[:, None] + state, state + 1


def test_a_state_that_does_not_begin_at_zero_is_refused():
    with pytest.raises(UsageError, match="its state does not begin at zero"):
        parts_of("counter", Counter(), unit(), SPEC)


def test_a_decoder_whose_bits_are_drawn_in_order_has_no_graph():
    spec = ImageSpec("bits", (1, 8, 8), ())
    plan = recipes.find("ladder-mnist").run(spec, **{**recipes.find("ladder-mnist").TINY, "local": 2})
    with pytest.raises(UsageError, match="in many steps"):
        parts_of("mine", plan.model, plan.view, spec)
