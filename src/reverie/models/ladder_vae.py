"""The top-down ladder VAE: many latent layers, each with a prior and a posterior that know all layers above.

Sources: Sonderby et al. 2016, 1602.02282; Kingma et al. 2016, 1606.04934; Child 2021, 2011.10650.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from reverie.distributions import Observation, standard_normal_log_prob
from reverie.errors import check_temperature, refuse_label
from reverie.nn.alone import Alone
from reverie.nn.ladder import Descent, Ladder
from reverie.objectives.elbo import Bound, importance_log_prob, importance_loss
from reverie.protocols import Batch, Distribution, LogProb, Loss, Noise


@dataclass(frozen=True)
class LadderPosterior:
    """``q(t|x) = prod_l q(t_l | t_<l, x)`` over the codes of all layers, with what the image says computed once.

    Args:
        ladder: the networks.
        hints: what the image says to each layer, (B, C, H, W) each.
    """

    ladder: Ladder
    hints: Sequence[Tensor]

    @property
    def mean(self) -> Tensor:
        """Each layer's mean, given the means of those above, (B, D): a point of the posterior's mass, not its mean."""
        hint = self.hints[0]
        zeros = hint.new_zeros(hint.shape[0], self.ladder.latent, dtype=torch.promote_types(hint.dtype, torch.float32))
        return self.ladder.descend(self.hints, zeros).code

    def draw(self, noise: Noise, k: int = 1) -> tuple[Tensor, Tensor]:
        """Draw K codes for each image, (B, K, D), with their log-density, (B, K)."""
        descent, e = self.descend(noise, k)
        return descent.code.view(-1, k, self.ladder.latent), log_density(descent, e).view(-1, k)

    def descend(self, noise: Noise, k: int = 1) -> tuple[Descent, Tensor]:
        """K ways down for each image, row by row of (B K, ...), with the standard normal e behind them, (B K, D)."""
        batch, top = self.hints[0].shape[0], self.ladder.top
        e = noise.normal("z", (batch, k, self.ladder.latent)).to(top.device, top.dtype).flatten(0, 1)
        hints = self.hints if k == 1 else [hint.repeat_interleave(k, 0) for hint in self.hints]
        return self.ladder.descend(hints, e), e


def log_density(descent: Descent, e: Tensor) -> Tensor:
    """``log q(t|x) = log N(e; 0, I) - sum log_deviation`` of a way down with standard normal e, (N,)."""
    return standard_normal_log_prob(e) - descent.log_deviation.sum(1)


class LadderVAE(Alone):
    """``p(x, z) = p(x|z) prod_l p(z_l | z_<l)`` with ``q(z|x) = prod_l q(z_l | z_<l, x)``, topmost layer first.

    All of them are diagonal Gaussians. The code of an image is every z_l in deviations of its prior,
    ``t_l = (z_l - m_l) / s_l`` (see ``nn.ladder.LatentLayer``): a change of variables that leaves
    the ratio of densities as it is, and under which the prior is N(0, I) over D numbers, so that
    ``log p(z) - log q(z|x) = log N(t; 0, I) - log q(t|x)``, and each layer's
    ``KL(q || p) = 1/2 sum (mean^2 + deviation^2 - 1 - log deviation^2)`` at the layers drawn above it.

    Args:
        ladder: the networks.
        observation: from the ladder's output to p(x|z); a module, where it has parameters of its own.
        objective: which bound is trained; free bits are those of a layer.
    """

    player = "vae"

    def __init__(self, ladder: Ladder, observation: Observation, *, objective: Bound | None = None) -> None:
        """Take the parts."""
        super().__init__()
        self.ladder = ladder
        self.observation = observation
        self.objective = objective or Bound()
        self.latent = ladder.latent

    def loss(self, player: str, batch: Batch, noise: Noise) -> Loss:
        """Minus the bound, (B,): the ELBO at one draw, with each layer's exact divergence, or the bound of k draws."""
        inferred = self.infer(batch.x)
        if (k := self.objective.k) > 1:
            return importance_loss(*self.log_weights(batch.x, inferred, noise, k))
        descent, _ = inferred.descend(noise)
        log_likelihood = self._observe(descent.output).log_prob(batch.x)
        kl = descent.kl
        value = -self.objective.of(log_likelihood, kl, batch.progress)
        return Loss(value, {"reconstruction": -log_likelihood.detach(), **self._logs(kl.detach())})

    def _logs(self, kl: Tensor) -> dict[str, Tensor]:
        """The divergence, and that of the layers of each size, (B,) each."""
        logs = {"kl": kl.sum(1)}
        for (height, width, _), layer in zip(self.ladder.cells, kl.unbind(1), strict=True):
            name = f"kl_{height}x{width}"
            logs[name] = logs[name] + layer if name in logs else layer
        return logs

    def encode(self, x: Tensor) -> LadderPosterior:
        """The posterior of the code, (B, D), of images (B, C, H, W)."""
        return LadderPosterior(self.ladder, self.ladder.climb(x))

    def decode(self, z: Tensor) -> Distribution:
        """The distribution p(x|z) of each code, (B, D)."""
        return self._observe(self.ladder.decode(z))

    def sample(self, n: int, noise: Noise, *, label: Tensor | None = None, temperature: float = 1.0) -> Tensor:
        """The means of p(x|z) at n codes; ``temperature`` scales the deviation of every layer's prior.

        Raises:
            UsageError: a label is given, or the temperature is negative.
        """
        return self.from_prior(n, noise, label=label, temperature=temperature).mean

    def from_prior(
        self, n: int, noise: Noise, *, label: Tensor | None = None, temperature: float = 1.0
    ) -> Distribution:
        """``p(x|z)`` at n codes; ``temperature`` scales the deviation of every layer's prior.

        Raises:
            UsageError: a label is given, or the temperature is negative.
        """
        refuse_label(label)
        check_temperature(temperature)
        return self.decode(temperature * noise.normal("z", (n, self.latent)).to(self.ladder.top))

    def log_prob(self, x: Tensor, noise: Noise, *, k: int = 1, label: Tensor | None = None) -> LogProb:
        """The importance-weighted bound of log p(x) with k draws (Burda et al. 2016, 1509.00519), (B,).

        Raises:
            UsageError: k is below 1, or a label is given.
        """
        return importance_log_prob(self, x, noise, k, label)

    def infer(self, x: Tensor, label: Tensor | None = None) -> LadderPosterior:
        """One way up, from which importance weights are drawn any number of times.

        Raises:
            UsageError: a label is given.
        """
        refuse_label(label)
        return self.encode(x)

    def log_weights(self, x: Tensor, inferred: LadderPosterior, noise: Noise, k: int) -> tuple[Tensor, Tensor]:
        """``log p(x|z)`` and ``log p(z) - log q(z|x)`` at k draws, each (B, K); their sum is log w."""
        descent, e = inferred.descend(noise, k)
        log_likelihood = self._observe(descent.output).log_prob(x.repeat_interleave(k, 0))
        log_ratio = standard_normal_log_prob(descent.code) - log_density(descent, e)
        return log_likelihood.view(-1, k), log_ratio.view(-1, k)

    def divergence(self, inferred: LadderPosterior, noise: Noise | None = None) -> Tensor | None:
        """That of each layer, topmost first, at one draw of the layers above it, (B, layers); without noise, None."""
        return None if noise is None else inferred.descend(noise)[0].kl

    def _observe(self, output: Tensor) -> Distribution:
        return self.observation(output)  # in the network's precision: observations compute in their own
