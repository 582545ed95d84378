"""The contract: what a model must offer to be trained, sampled, measured and explored. The whole framework is here.

A model is an ``nn.Module`` that satisfies those protocols it can. Everything that knows these protocols (the engine,
the metrics, the latent tools, the exports) works for it, and none of them knows any model by name.
Shapes: B examples in a batch, K importance samples, x an observation ``(B, C, H, W)``, z a code ``(B, D)``.
"""

from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple, Protocol, runtime_checkable

from torch import Tensor, nn


class Noise(Protocol):
    """Random numbers: a pure function of its key, the name of the draw and the row, the first axis of ``shape``."""

    def normal(self, name: str, shape: tuple[int, ...]) -> Tensor: ...
    def uniform(self, name: str, shape: tuple[int, ...]) -> Tensor: ...
    def shared(self, name: str, shape: tuple[int, ...]) -> Tensor: ...  # uniform, without rows: the same for all


class Batch(NamedTuple):
    """What one turn sees."""

    x: Tensor  # (B, ...) observations as the recipe's view makes them
    label: Tensor | None = None  # (B,) int64, where the data has classes
    state: Any = None  # what the last turn carried over: a tensor (B, ...) or a tuple of them (recurrent models)
    progress: float = 1.0  # how much of the budget is spent, 0 to 1: for weights that change in training


class Loss(NamedTuple):
    """What one turn costs."""

    value: Tensor  # (B,) per example; the engine takes the mean
    logs: Mapping[str, Tensor | Callable[[], Tensor]] = {}  # (B,) or (); or what makes it. The engine logs the means
    state: Any = None  # detached, goes into the next turn's batch and into the checkpoint


class LogProb(NamedTuple):
    """Log-densities, and whether they are exact or a lower bound."""

    value: Tensor  # (B,) nats
    kind: Literal["exact", "bound"]


@runtime_checkable
class Distribution(Protocol):
    """A batch of distributions: ``log_prob`` sums over the event, in nats."""

    @property
    def mean(self) -> Tensor: ...
    def log_prob(self, x: Tensor) -> Tensor: ...  # (B,)
    def sample(self, noise: Noise, name: str) -> Tensor: ...


@runtime_checkable
class Posterior(Protocol):
    """q(z|x): draws come together with their log-density, so that no posterior needs a density at given points."""

    @property
    def mean(self) -> Tensor: ...  # (B, D)
    def draw(self, noise: Noise, k: int = 1) -> tuple[Tensor, Tensor]: ...  # z (B, K, D), log q(z|x) (B, K)


@runtime_checkable
class Trainable(Protocol):
    """What the engine needs. Players take turns in order; each has parameters and an optimizer of its own."""

    @property
    def players(self) -> Mapping[str, nn.Module]: ...  # {"vae": self}, or {"critic": D, "generator": G}
    @property
    def turns(self) -> Mapping[str, int]: ...  # turns a round: {"critic": 5, "generator": 1}
    def loss(self, player: str, batch: Batch, noise: Noise) -> Loss: ...


@runtime_checkable
class Sampler(Protocol):
    """Draws new observations."""

    def sample(self, n: int, noise: Noise, *, label: Tensor | None = None, temperature: float = 1.0) -> Tensor: ...


@runtime_checkable
class Ancestral(Protocol):
    """Draws codes from its prior, and tells p(x|z) at them: what it draws of x is a sample of that."""

    def from_prior(
        self, n: int, noise: Noise, *, label: Tensor | None = None, temperature: float = 1.0
    ) -> Distribution: ...


@runtime_checkable
class Autoencoder(Protocol):
    """Maps observations to codes and back."""

    latent: int  # D

    def encode(self, x: Tensor, label: Tensor | None = None) -> Posterior: ...
    def decode(self, z: Tensor, label: Tensor | None = None) -> Distribution: ...


@runtime_checkable
class Density(Protocol):
    """Assigns log-densities: exact with ``k`` ignored, or the importance-weighted bound with ``k`` samples."""

    def log_prob(self, x: Tensor, noise: Noise, *, k: int = 1, label: Tensor | None = None) -> LogProb: ...


@runtime_checkable
class LatentDensity(Protocol):
    """Inference once, then any number of importance weights: log p(x|z) and log p(z) - log q(z|x); the sum is log w."""

    def infer(self, x: Tensor, label: Tensor | None = None) -> Any: ...  # whatever is computed once per example
    def log_weights(self, x: Tensor, inferred: Any, noise: Noise, k: int) -> tuple[Tensor, Tensor]: ...  # (B, K) each
    def divergence(self, inferred: Any, noise: Noise | None = None) -> Tensor | None: ...  # KL(q || p), or at one draw


@runtime_checkable
class Conditional(Protocol):
    """Is told the class of each example, (B,) int64: what takes a ``label`` needs one. Other models are given none."""

    classes: tuple[str, ...]  # their names; a label is a number into them


@runtime_checkable
class TextGenerator(Protocol):
    """Predicts one symbol at a time; called as a module, tokens (B, T), after each of many: logits (B, T, V), state."""

    def step(self, token: Tensor, state: Any) -> tuple[Tensor, Any]: ...  # logits (B, V), the next state
