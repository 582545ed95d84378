"""The variational autoencoder (Kingma & Welling 2014, 1312.6114; Rezende et al. 2014, 1401.4082)."""

from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from reverie.distributions import Encoded, Gaussian, Observation, Transformed, upcast
from reverie.errors import check_temperature, refuse_label
from reverie.nn.alone import Alone
from reverie.objectives.elbo import Bound, importance_log_prob, importance_loss
from reverie.priors import CodeDensity, Prior, StandardNormal
from reverie.protocols import Batch, Distribution, LogProb, Loss, Noise
from reverie.transforms.autoregressive import Flow


@dataclass(frozen=True)
class Inferred:
    """What is computed once for all draws: the posterior of each image, and the prior, which may ask the encoder too.

    Args:
        posterior: q(z|x), (B, D).
        prior: p(z), one for all.
    """

    posterior: Gaussian | Transformed
    prior: CodeDensity

    @property
    def mean(self) -> Tensor:
        """Of the posterior, (B, D)."""
        return self.posterior.mean

    def draw(self, noise: Noise, k: int = 1) -> tuple[Tensor, Tensor]:
        """Draw K codes for each image, (B, K, D), with their log-density, (B, K)."""
        return self.posterior.draw(noise, k)


class VAE(Alone):
    """``p(x) = int p(x|z) p(z) dz``, learned with a posterior q(z|x) that an encoder names.

    The posterior is a Gaussian ``N(m(x), s(x)^2)``, or that Gaussian pushed through a flow; the prior is standard
    normal unless another is given.

    Args:
        encoder: (B, C, H, W) to (B, 2 D + H), the mean and the log-variance of the Gaussian, and H numbers that the
            flow is told; H is 0 without a flow.
        decoder: codes (B, D) to what the observation takes, (B, C, H, W).
        observation: from the decoder's output to p(x|z); a module, where it has parameters of its own.
        prior: p(z); knows the number of dimensions D.
        flow: from (B, K, D) and context (B, 1, H) to (B, K, D) and log-determinants (B, K).
        objective: which bound is trained.
    """

    player = "vae"

    def __init__(
        self,
        encoder: nn.Module,
        decoder: nn.Module,
        observation: Observation,
        prior: Prior,
        *,
        flow: nn.Module | None = None,
        objective: Bound | None = None,
    ) -> None:
        """Take the parts."""
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder
        self.observation = observation
        self.prior = prior
        self.flow = flow
        self.objective = objective or Bound()
        self.latent = prior.latent

    def loss(self, player: str, batch: Batch, noise: Noise) -> Loss:
        """Minus the bound, (B,): the ELBO ``log p(x|z) - beta KL(q || p)`` at one draw, or the bound of k draws."""
        if isinstance(self.flow, Flow):
            self.flow.follow(batch.progress)
        inferred = self.infer(batch.x)
        if (k := self.objective.k) > 1:
            return importance_loss(*self.log_weights(batch.x, inferred, noise, k))
        z, kl = self._draw(inferred, noise)
        log_likelihood = self.decode(z).log_prob(batch.x)
        logs = {"reconstruction": partial(torch.neg, log_likelihood.detach()), "kl": partial(torch.sum, kl.detach(), 1)}
        return Loss(-self.objective.of(log_likelihood, kl, batch.progress), logs)

    def _draw(self, inferred: Inferred, noise: Noise) -> tuple[Tensor, Tensor]:
        """A code for each example, (B, D), and the divergence: exact, (B, D), or at that code, (B, 1)."""
        posterior = inferred.posterior
        if isinstance(posterior, Gaussian) and isinstance(self.prior, StandardNormal):
            return posterior.sample_with_kl(noise, "z")
        z, log_q = posterior.draw(noise)
        return z.squeeze(1), log_q - inferred.prior.log_prob(z)

    def encode(self, x: Tensor) -> Gaussian | Transformed:
        """The posterior q(z|x)."""
        said, both = self.encoder(x), 2 * self.latent
        base = Encoded(said if said.shape[1] == both else said[:, :both])
        waits = self.flow is None or (isinstance(self.flow, Flow) and self.flow.waits)
        return base if waits or self.flow is None else Transformed(base, self.flow, upcast(said[:, both:]))

    def decode(self, z: Tensor) -> Distribution:
        """The distribution p(x|z) of each code."""
        return self.observation(upcast(self.decoder(z)))

    def sample(self, n: int, noise: Noise, *, label: Tensor | None = None, temperature: float = 1.0) -> Tensor:
        """The means of p(x|z) at n codes from the prior, whose standard deviation ``temperature`` scales.

        Means are what pictures of a VAE show. For draws of x itself: ``model.from_prior(n, noise).sample(noise, "x")``.

        Raises:
            UsageError: a label is given, or the temperature is negative.
        """
        return self.from_prior(n, noise, label=label, temperature=temperature).mean

    def from_prior(
        self, n: int, noise: Noise, *, label: Tensor | None = None, temperature: float = 1.0
    ) -> Distribution:
        """``p(x|z)`` at n codes from the prior, whose standard deviation ``temperature`` scales.

        Raises:
            UsageError: a label is given, or the temperature is negative.
        """
        refuse_label(label)
        check_temperature(temperature)
        parameter = next(self.decoder.parameters())
        return self.decode(self._prior().sample(n, noise, temperature).to(parameter))

    def log_prob(self, x: Tensor, noise: Noise, *, k: int = 1, label: Tensor | None = None) -> LogProb:
        """The importance-weighted bound of log p(x) with k draws (Burda et al. 2016, 1509.00519), (B,).

        Raises:
            UsageError: k is below 1, or a label is given.
        """
        return importance_log_prob(self, x, noise, k, label)

    def infer(self, x: Tensor, label: Tensor | None = None) -> Inferred:
        """The posterior, which importance weights are drawn from any number of times, and the prior.

        Raises:
            UsageError: a label is given.
        """
        refuse_label(label)
        return Inferred(self.encode(x), self._prior())

    def log_weights(self, x: Tensor, inferred: Inferred, noise: Noise, k: int) -> tuple[Tensor, Tensor]:
        """``log p(x|z)`` and ``log p(z) - log q(z|x)`` at k draws, each (B, K); their sum is log w."""
        z, log_q = inferred.draw(noise, k)
        log_likelihood = self.decode(z.flatten(0, 1)).log_prob(x.repeat_interleave(k, 0))
        return log_likelihood.view(-1, k), inferred.prior.log_prob(z) - log_q

    def divergence(self, inferred: Inferred, noise: Noise | None = None) -> Tensor | None:
        """``KL(q || p)`` of each dimension, (B, D), where posterior and prior are normal; else None."""
        if isinstance(inferred.posterior, Gaussian) and isinstance(self.prior, StandardNormal):
            return inferred.posterior.kl()
        return None

    def _prior(self) -> CodeDensity:
        return self.prior.given(self.encode)
