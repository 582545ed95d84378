"""What is exported of a model: its graphs, found by protocol, with everything that is random an input.

======================  ==================================  =========================================
part                    inputs                              outputs
======================  ==================================  =========================================
encoder                 image, and label; noise if needed   mean, and log_variance or draw
decoder                 z, and label                        image
generator               each draw of noise, and label       image
step                    token, state_0, ...                 logits, next_0, ...
======================  ==================================  =========================================

An ``image`` is a picture in [0, 1], (N, C, H, W), on both sides: the view is a part of the graph. An encoder whose
posterior is a Gaussian tells ``mean`` and ``log_variance``; that of another posterior takes ``noise``, (N, D), and
tells the ``draw`` that it gives.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from reverie.data import ImageSpec
from reverie.data.views import View
from reverie.distributions import Gaussian, Point
from reverie.engine import plan
from reverie.errors import UsageError
from reverie.kinds import Spec
from reverie.protocols import Autoencoder, Conditional, Sampler, TextGenerator

STEPS = "{name} cannot become ONNX: it draws a picture in many steps, and a graph is one. Use --to hub."


@dataclass(frozen=True)
class Input:
    """One input of a graph, and how examples of it are drawn.

    Args:
        kind: a picture in [0, 1], normal or uniform numbers, or numbers below ``count``.
        shape: of one example, without the batch.
        axis: where the batch goes.
        count: of the classes, or of the symbols.
    """

    kind: Literal["picture", "normal", "uniform", "number"]
    shape: tuple[int, ...] = ()
    axis: int = 0
    count: int = 0

    def draw(self, n: int, source: torch.Generator) -> Tensor:
        """A batch of n examples."""
        shape = (*self.shape[: self.axis], n, *self.shape[self.axis :])
        if self.kind == "number":
            return torch.randint(self.count, shape, generator=source)
        return (torch.randn if self.kind == "normal" else torch.rand)(shape, generator=source)


@dataclass(frozen=True)
class Part:
    """One graph: a module of tensors alone.

    Args:
        name: of the part, and of its file.
        module: from the inputs, in their order, to a tuple of the outputs.
        inputs: by name.
        outputs: their names.
    """

    name: str
    module: nn.Module
    inputs: Mapping[str, Input]
    outputs: tuple[str, ...]

    def examples(self, n: int) -> tuple[Tensor, ...]:
        """A batch of n examples of every input, the same each time."""
        source = torch.Generator().manual_seed(n)
        return tuple(each.draw(n, source) for each in self.inputs.values())


def parts_of(name: str, model: nn.Module, view: plan.View, spec: Spec) -> list[Part]:
    """The graphs of a model in evaluation mode.

    Args:
        name: of the run, for messages.
        model: any model that has codes, draws pictures from noise, or predicts symbols.
        view: how pictures become its observations; of no use to a model of text.
        spec: shape and classes of the pictures; of no use to a model of text.

    Raises:
        UsageError: the model has no graph, or draws its picture in many steps.
    """
    if isinstance(model, TextGenerator):
        return [_step(name, model)]
    if isinstance(view, View) and isinstance(spec, ImageSpec):
        if isinstance(model, Autoencoder):
            return [_encoder(model, view, spec), _decoder(name, model, view)]
        if isinstance(model, Sampler):
            return [_generator(name, model, view)]
    if isinstance(model, Sampler):
        raise UsageError(f"{name} cannot become ONNX: graphs are for models of images and of text. Use --to hub.")
    kind = type(model).__name__
    raise UsageError(f"{name} cannot become ONNX: a {kind} has no codes and draws nothing. Use --to hub.")


def _condition(model: object) -> dict[str, Input]:
    """The label, for a model that is told it."""
    return {"label": Input("number", count=len(model.classes))} if isinstance(model, Conditional) else {}


class Encoder(nn.Module):
    """Pictures to posteriors."""

    def __init__(self, model: Any, view: View, inputs: tuple[str, ...]) -> None:
        super().__init__()
        self.model, self.view, self.inputs = model, view, inputs

    def forward(self, image: Tensor, *more: Tensor) -> tuple[Tensor, ...]:
        """The mean, and the log-variance or the draw that the noise makes, (N, D) each."""
        given = dict(zip(self.inputs, (image, *more), strict=True))
        label = (given["label"],) if "label" in given else ()
        posterior = self.model.encode(self.view.still(image * 255), *label)
        if "noise" in given:
            return posterior.mean, posterior.draw(Given({"z": given["noise"]}))[0].squeeze(1)
        if isinstance(posterior, Gaussian):
            return posterior.mean, posterior.log_variance
        return (posterior.mean,)


def _encoder(model: Any, view: View, spec: ImageSpec) -> Part:
    inputs = {"image": Input("picture", spec.shape), **_condition(model)}
    example = [each.draw(2, torch.Generator().manual_seed(0)) for each in inputs.values()]
    with torch.no_grad():
        posterior = model.encode(view.still(example[0] * 255), *example[1:])
    outputs: tuple[str, ...] = ("mean",)
    if isinstance(posterior, Gaussian):
        outputs = ("mean", "log_variance")
    elif not isinstance(posterior, Point):
        inputs, outputs = {**inputs, "noise": Input("normal", (model.latent,))}, ("mean", "draw")
    return Part("encoder", Encoder(model, view, tuple(inputs)), inputs, outputs)


class Decoder(nn.Module):
    """Codes to mean pictures."""

    def __init__(self, model: Any, view: View) -> None:
        super().__init__()
        self.model, self.view = model, view

    def forward(self, z: Tensor, *label: Tensor) -> tuple[Tensor, ...]:
        """The mean of p(x|z) as a picture in [0, 1], (N, C, H, W)."""
        return (self.view.picture(self.model.decode(z, *label).mean),)


def _decoder(name: str, model: Any, view: View) -> Part:
    inputs = {"z": Input("normal", (model.latent,)), **_condition(model)}
    example = [each.draw(1, torch.Generator().manual_seed(0)) for each in inputs.values()]
    with torch.no_grad():
        if getattr(model.decode(*example), "sequential", False):
            raise UsageError(STEPS.format(name=name))
    return Part("decoder", Decoder(model, view), inputs, ("image",))


@dataclass(frozen=True)
class Given:
    """Noise that is given: each draw by its name."""

    draws: Mapping[str, Tensor]

    def normal(self, name: str, shape: tuple[int, ...]) -> Tensor:
        """The draw of that name."""
        return self.draws[name].reshape(shape)

    uniform = normal


@dataclass(frozen=True)
class Listener:
    """Noise that writes down what a model asks for: it can be given only if each draw is asked for once."""

    name: str
    n: int
    asked: dict[str, Input] = field(default_factory=dict)

    def normal(self, name: str, shape: tuple[int, ...]) -> Tensor:
        """Normal numbers, written down."""
        return self._hear("normal", name, shape)

    def uniform(self, name: str, shape: tuple[int, ...]) -> Tensor:
        """Uniform numbers, written down."""
        return self._hear("uniform", name, shape)

    def _hear(self, kind: Literal["normal", "uniform"], name: str, shape: tuple[int, ...]) -> Tensor:
        if name in self.asked or shape[0] != self.n:
            raise UsageError(STEPS.format(name=self.name))
        self.asked[name] = Input(kind, tuple(shape[1:]))
        return self.asked[name].draw(self.n, torch.Generator().manual_seed(0))


class Generator(nn.Module):
    """Noise to pictures."""

    def __init__(self, model: Any, view: View, inputs: tuple[str, ...]) -> None:
        super().__init__()
        self.model, self.view, self.inputs = model, view, inputs

    def forward(self, first: Tensor, *more: Tensor) -> tuple[Tensor, ...]:
        """The pictures that draws of noise become, in [0, 1], (N, C, H, W)."""
        given = dict(zip(self.inputs, (first, *more), strict=True))
        label = given.pop("label", None)
        return (self.view.picture(self.model.sample(first.shape[0], Given(given), label=label)),)


def _generator(name: str, model: Any, view: View) -> Part:
    condition = _condition(model)
    label = {key: each.draw(2, torch.Generator().manual_seed(0)) for key, each in condition.items()}
    listener = Listener(name, 2)
    with torch.no_grad():
        model.sample(2, listener, **label)
    inputs = {**listener.asked, **condition}
    return Part("generator", Generator(model, view, tuple(inputs)), inputs, ("image",))


class Step(nn.Module):
    """A symbol and a state to the next symbol's logits and the next state, which is laid out flat."""

    def __init__(self, model: Any, layout: pytree.TreeSpec) -> None:
        super().__init__()
        self.model, self.layout = model, layout

    def forward(self, token: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
        """The logits, (N, V), and every tensor of the next state."""
        logits, following = self.model.step(token, pytree.tree_unflatten(list(state), self.layout))
        return logits, *pytree.tree_leaves(following)


def _step(name: str, model: Any) -> Part:
    """The step, whose state begins at zero; the symbols are as many as it has logits."""
    with torch.no_grad():
        (logits, two), (_, three) = (model.step(torch.zeros(n, dtype=torch.long), None) for n in (2, 3))
        leaves, layout = pytree.tree_flatten(two)
        axes = [_batch_axis(a, b) for a, b in zip(leaves, pytree.tree_leaves(three), strict=True)]
        again, _ = model.step(torch.zeros(2, dtype=torch.long), pytree.tree_map(torch.zeros_like, two))
    if not torch.allclose(again, logits, atol=1e-6):
        raise UsageError(f"{name} cannot become ONNX: its state does not begin at zero. Use --to hub.")
    shapes = [(*leaf.shape[:axis], *leaf.shape[axis + 1 :]) for leaf, axis in zip(leaves, axes, strict=True)]
    states = {f"state_{i}": Input("normal", s, axis) for i, (s, axis) in enumerate(zip(shapes, axes, strict=True))}
    inputs = {"token": Input("number", count=logits.shape[1]), **states}
    return Part("step", Step(model, layout), inputs, ("logits", *(f"next_{i}" for i in range(len(states)))))


def _batch_axis(two: Tensor, three: Tensor) -> int:
    """The axis that grew with the batch."""
    return next(i for i, (a, b) in enumerate(zip(two.shape, three.shape, strict=True)) if a != b)
