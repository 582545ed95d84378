"""The generative adversarial network (Goodfellow et al. 2014, 1406.2661): a generator against a critic."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Literal, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from reverie.distributions import upcast
from reverie.errors import UsageError, check_temperature, need_label, refuse_label
from reverie.nn.growing import MinibatchDeviation
from reverie.nn.processor import of_images_alone
from reverie.objectives.adversarial import Cost, ranked
from reverie.objectives.penalties import Judged, Penalty
from reverie.protocols import Batch, Loss, Noise

Logged = Mapping[str, Tensor | Callable[[], Tensor]]
BATCH_NORM = nn.modules.batchnorm._BatchNorm


@runtime_checkable
class Growing(Protocol):
    """A network of images that changes its form as training goes on."""

    def grow(self, progress: float) -> None:
        """Take the form of this part of the budget, 0 to 1, and keep it in a buffer."""


@dataclass(frozen=True)
class Game:
    """The rules: what the players pay, and what the critic is shown.

    Args:
        cost: of both players.
        penalty: what the critic pays for its slope.
        critic_turns: turns of the critic for one of the generator.
        packing: images that the critic judges together (Lin et al. 2018, PacGAN, 1712.04086).
        augment: of real and fake images alike, from images (B, C, H, W), noise and the name of the draw.
    """

    cost: Cost
    penalty: Penalty | None = None
    critic_turns: int = 1
    packing: int = 1
    augment: Callable[[Tensor, Noise, str], Tensor] | None = None


class GAN(nn.Module):
    """A generator ``x = G(z)`` learns from the slope of a critic, which learns to tell G's images from real ones.

    Each player's turn sees noise of its own and moves nothing of the other: no weight, and no buffer. A running mean
    of the generator's batch normalisation and a singular vector of the critic's spectral normalisation move in their
    owner's turns alone; in the other's turns they work on copies.

    Args:
        generator: codes (B, D) to images (B, C, H, W); with classes it is given the labels too, (B,) int64.
        critic: images (B, C, H, W) to logits (B, 1), high for real; with classes it is given the labels too; with
            packing m it sees (B / m, m C, H, W).
        game: the rules.
        latent: D.
        noise: of the codes, standard normal or uniform on [-1, 1].
        classes: the name of each class, for a game that is told them (Mirza and Osindero 2014, 1411.1784).

    Raises:
        UsageError: the critic normalises over the batch while the rules need a logit of each image alone, or packs are
            asked for together with classes.
    """

    def __init__(
        self,
        generator: nn.Module,
        critic: nn.Module,
        game: Game,
        *,
        latent: int,
        noise: Literal["normal", "uniform"] = "normal",
        classes: tuple[str, ...] = (),
    ) -> None:
        """Take the parts."""
        super().__init__()
        _refuse_what_does_not_go_together(critic, game, classes)
        self.generator = generator
        self.critic = critic
        self.game = game
        self.latent = latent
        self.noise = noise
        if classes:  # the protocol Conditional asks whether there is such an attribute
            self.classes = classes
        self._growing = [network for network in (generator, critic) if isinstance(network, Growing)]
        kinds = (BATCH_NORM, MinibatchDeviation)
        self._looks_across = any(isinstance(module, kinds) for module in critic.modules())

    @property
    def players(self) -> Mapping[str, nn.Module]:
        """Two, in the order of their turns."""
        return {"critic": self.critic, "generator": self.generator}

    @property
    def turns(self) -> Mapping[str, int]:
        """The critic's k turns, and one of the generator."""
        return {"critic": self.game.critic_turns, "generator": 1}

    def loss(self, player: str, batch: Batch, noise: Noise) -> Loss:
        """What the player pays, (B,).

        Raises:
            UsageError: the model is told classes and the batch has no labels, or packs do not fit the batch.
        """
        condition = self._condition(batch.label if hasattr(self, "classes") else None, batch.x)
        for network in self._growing:
            network.grow(batch.progress)
        if player == "critic":
            return self._critic_turn(batch, condition, noise)
        return self._generator_turn(batch, condition, noise)

    def _critic_turn(self, batch: Batch, condition: tuple[Tensor, ...], noise: Noise) -> Loss:
        real = self._shown(batch.x, noise, "real")
        with torch.no_grad():
            with _still(self.generator):
                generated = self.generator(self._codes(len(batch.x), noise, batch.x), *condition)
            fake = self._shown(upcast(generated), noise, "fake")
        if self.game.penalty:
            real, fake = (x.detach().requires_grad_() for x in (real, fake))
        of_real, of_fake = self._judge_both(real, fake, condition)
        value = self.game.cost.critic(of_real, of_fake)
        logs: Logged = {"real": of_real, "fake": of_fake, "ranked": partial(ranked, of_real.detach(), of_fake.detach())}
        if self.game.penalty:
            judged = Judged(real, fake, of_real, of_fake)
            with of_images_alone():
                penalty, more = self.game.penalty(judged, lambda x: self._judge(x, condition), noise, batch.progress)
            value, logs = value + penalty, {**logs, **more, "penalty": penalty}
        return self._per_image(value, logs)

    def _generator_turn(self, batch: Batch, condition: tuple[Tensor, ...], noise: Noise) -> Loss:
        cost, of_real = self.game.cost, None
        generated = self.generator(self._codes(len(batch.x), noise, batch.x), *condition)
        with _still(self.critic):
            of_fake = self._judge(self._shown(generated, noise, "fake"), condition)
            if cost.paired:
                with torch.no_grad():
                    of_real = self._judge(self._shown(batch.x, noise, "real"), condition)
        return self._per_image(cost.generator(of_fake, of_real), {"fake": of_fake, **cost.watch(of_fake.detach())})

    def sample(self, n: int, noise: Noise, *, label: Tensor | None = None, temperature: float = 1.0) -> Tensor:
        """``G(temperature z)`` at n codes z, in evaluation mode: no buffer moves, and no sample sees another.

        Raises:
            UsageError: the temperature is negative, or labels are given to a model that is told none, or are missing.
        """
        check_temperature(temperature)
        z = temperature * self._codes(n, noise, next(self.generator.parameters()))
        was_training = self.generator.training
        self.generator.eval()
        try:
            images: Tensor = upcast(self.generator(z, *self._condition(label, z)))
        finally:
            self.generator.train(was_training)
        return images

    def _codes(self, n: int, noise: Noise, beside: Tensor) -> Tensor:
        """Codes (n, D), of the type and on the device of what is beside."""
        if self.noise == "uniform":
            return (2 * noise.uniform("z", (n, self.latent)) - 1).to(beside)
        return noise.normal("z", (n, self.latent)).to(beside)

    def _condition(self, label: Tensor | None, beside: Tensor) -> tuple[Tensor, ...]:
        if not hasattr(self, "classes"):
            refuse_label(label)
            return ()
        return (need_label(label, len(beside), self.classes).to(beside.device),)

    def _shown(self, x: Tensor, noise: Noise, name: str) -> Tensor:
        """What the critic sees: images that are augmented, and then packed, (B / m, m C, H, W)."""
        m, seen = self.game.packing, self.game.augment(x, noise, name) if self.game.augment else x
        if len(x) % m:
            raise UsageError(f"Packs of {m} images do not fit a batch of {len(x)}: give --batch a multiple of {m}.")
        return seen if m == 1 else seen.reshape(len(x) // m, -1, *x.shape[2:])

    def _judge(self, x: Tensor, condition: tuple[Tensor, ...]) -> Tensor:
        return _logits(self.critic(x, *condition))

    def _judge_both(self, real: Tensor, fake: Tensor, condition: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        """One pass for both where no image sees another; else each kind by itself, or one would give the other away."""
        if self._looks_across:
            return self._judge(real, condition), self._judge(fake, condition)
        both = self._judge(torch.cat([real, fake]), tuple(torch.cat([label, label]) for label in condition))
        of_real, of_fake = both.chunk(2)
        return of_real, of_fake

    def _per_image(self, value: Tensor, logs: Logged) -> Loss:
        """Each image of a pack carries the pack's cost."""
        if self.game.packing == 1:
            return Loss(value, logs)
        made = {name: v if isinstance(v, Tensor) else v() for name, v in logs.items()}
        means = {name: v.detach().mean() for name, v in made.items()}
        return Loss(value.repeat_interleave(self.game.packing), means)


@contextmanager
def _still(network: nn.Module) -> Iterator[None]:
    """Let a network learn nothing: its weights are constants, and it moves copies of its buffers."""
    # Where no gradient is made at all, weights are constants as they are.
    weights = [weight for weight in network.parameters() if weight.requires_grad] if torch.is_grad_enabled() else []
    modules = [module for module in network.modules() if module._buffers]
    buffers = [dict(module._buffers) for module in modules]
    try:
        for weight in weights:
            weight.requires_grad_(False)
        for module in modules:
            module._buffers.update({n: b if b is None else b.clone() for n, b in module._buffers.items()})
        yield
    finally:
        for weight in weights:
            weight.requires_grad_(True)
        for module, own in zip(modules, buffers, strict=True):
            module._buffers.update(own)


def _logits(output: Tensor) -> Tensor:
    return upcast(output).flatten()  # (B, 1) to (B,)


def _refuse_what_does_not_go_together(critic: nn.Module, game: Game, classes: tuple[str, ...]) -> None:
    alone = "a penalty on the slope of each image" if game.penalty else "a cost of pairs" if game.cost.paired else ""
    if alone and any(isinstance(module, BATCH_NORM) for module in critic.modules()):
        raise UsageError(
            f"This critic normalises over its batch, so that the logit of one image depends on the others, and {alone} "
            "would be of all of them at once. Use a critic without batch normalisation, or another cost."
        )
    if classes and game.packing > 1:
        raise UsageError("Packs have no single class: use packing 1 with classes.")
