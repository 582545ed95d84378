"""The conditional variational autoencoder (Kingma et al. 2014, 1406.5298; Sohn, Lee & Yan 2015)."""

from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional

from reverie.distributions import Encoded, Gaussian, Observation, standard_normal_log_prob, upcast
from reverie.errors import check_temperature, need_label
from reverie.nn.alone import Alone
from reverie.objectives.elbo import Bound, importance_log_prob, importance_loss
from reverie.priors import Normal
from reverie.protocols import Batch, Distribution, LogProb, Loss, Noise


@dataclass(frozen=True)
class Told:
    """The posterior q(z|x, y) together with the labels y, which p(x|z, y) needs again.

    Args:
        posterior: (B, D).
        label: (B,), int64.
    """

    posterior: Gaussian
    label: Tensor

    @property
    def mean(self) -> Tensor:
        """The posterior's mean, (B, D)."""
        return self.posterior.mean

    def draw(self, noise: Noise, k: int = 1) -> tuple[Tensor, Tensor]:
        """Draw K codes for each example, (B, K, D), with their log-density, (B, K)."""
        return self.posterior.draw(noise, k)


class ConditionalVAE(Alone):
    """``p(x|y) = int p(x|z, y) p(z) dz``, where the class y is known of every image.

    The code is standard normal whatever the class, so that it holds what the class leaves open: of digits, their
    hand. The bound is ``log p(x|y) >= E_q[log p(x|z, y)] - KL(q(z|x, y) || N(0, I))``, equation 6 of Kingma et al.
    without the constant log p(y), which is no part of log p(x|y). Sohn et al. call it a conditional VAE and let the
    prior depend on the condition too.

    Args:
        encoder: images with one plane for each class, (B, C + classes, H, W), to (B, 2 D), the mean and the
            log-variance of q(z|x, y); the plane of the image's class is 1, the others are 0.
        decoder: codes with the class as a one-hot vector, (B, D + classes), to what the observation takes,
            (B, C, H, W).
        observation: from the decoder's output to p(x|z, y); a module, where it has parameters of its own.
        latent: D.
        classes: the name of each class; a label is a number into them.
        objective: which bound is trained.
    """

    player = "vae"

    def __init__(
        self,
        encoder: nn.Module,
        decoder: nn.Module,
        observation: Observation,
        *,
        latent: int,
        classes: tuple[str, ...],
        objective: Bound | None = None,
    ) -> None:
        """Take the parts."""
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder
        self.observation = observation
        self.latent = latent
        self.classes = classes
        self.objective = objective or Bound()

    def loss(self, player: str, batch: Batch, noise: Noise) -> Loss:
        """Minus the bound of log p(x|y), (B,): the evidence lower bound at one draw, or the bound of k draws.

        Raises:
            UsageError: the batch has no labels.
        """
        inferred = self.infer(batch.x, batch.label)
        if (k := self.objective.k) > 1:
            return importance_loss(*self.log_weights(batch.x, inferred, noise, k))
        z, kl = inferred.posterior.sample_with_kl(noise, "z")
        log_likelihood = self.decode(z, inferred.label).log_prob(batch.x)
        logs = {"reconstruction": partial(torch.neg, log_likelihood.detach()), "kl": partial(torch.sum, kl.detach(), 1)}
        return Loss(-self.objective.of(log_likelihood, kl, batch.progress), logs)

    def encode(self, x: Tensor, label: Tensor | None = None) -> Gaussian:
        """The posterior q(z|x, y).

        Raises:
            UsageError: there are no labels, not one for each image, or numbers that are no class.
        """
        planes = self._one_hot(label, x)[:, :, None, None].expand(-1, -1, *x.shape[2:])
        return Encoded(self.encoder(torch.cat([x, planes], 1)))

    def decode(self, z: Tensor, label: Tensor | None = None) -> Distribution:
        """The distribution p(x|z, y) of each code and label.

        Raises:
            UsageError: there are no labels, not one for each code, or numbers that are no class.
        """
        return self.observation(upcast(self.decoder(torch.cat([z, self._one_hot(label, z)], 1))))

    def sample(self, n: int, noise: Noise, *, label: Tensor | None = None, temperature: float = 1.0) -> Tensor:
        """The means of p(x|z, y) at n codes from N(0, I), whose standard deviation ``temperature`` scales.

        Raises:
            UsageError: the temperature is negative, or there are no labels, not n, or numbers that are no class.
        """
        return self.from_prior(n, noise, label=label, temperature=temperature).mean

    def from_prior(
        self, n: int, noise: Noise, *, label: Tensor | None = None, temperature: float = 1.0
    ) -> Distribution:
        """``p(x|z, y)`` at n codes from N(0, I), whose standard deviation ``temperature`` scales.

        Raises:
            UsageError: the temperature is negative, or there are no labels, not n, or numbers that are no class.
        """
        check_temperature(temperature)
        parameter = next(self.decoder.parameters())
        return self.decode(Normal(self.latent).sample(n, noise, temperature).to(parameter), label)

    def log_prob(self, x: Tensor, noise: Noise, *, k: int = 1, label: Tensor | None = None) -> LogProb:
        """The importance-weighted bound of log p(x|y) with k draws (Burda et al. 2016, 1509.00519), (B,).

        Raises:
            UsageError: k is below 1, or there are no labels.
        """
        return importance_log_prob(self, x, noise, k, label)

    def infer(self, x: Tensor, label: Tensor | None = None) -> Told:
        """The posterior, which importance weights are drawn from any number of times, with the labels.

        Raises:
            UsageError: there are no labels, not one for each image, or numbers that are no class.
        """
        posterior = self.encode(x, label)
        return Told(posterior, need_label(label, len(x), self.classes))

    def log_weights(self, x: Tensor, inferred: Told, noise: Noise, k: int) -> tuple[Tensor, Tensor]:
        """``log p(x|z, y)`` and ``log p(z) - log q(z|x, y)`` at k draws, each (B, K); their sum is log w."""
        z, log_q = inferred.draw(noise, k)
        p = self.decode(z.flatten(0, 1), inferred.label.repeat_interleave(k, 0))
        return p.log_prob(x.repeat_interleave(k, 0)).view(-1, k), standard_normal_log_prob(z) - log_q

    def divergence(self, inferred: Told, noise: Noise | None = None) -> Tensor:
        """``KL(q(z|x, y) || N(0, I))`` of each dimension, (B, D)."""
        return inferred.posterior.kl()

    def _one_hot(self, label: Tensor | None, beside: Tensor) -> Tensor:
        """The class of each row as zeros and a one, (B, classes), of the type and on the device of what is beside."""
        label = need_label(label, beside.shape[0], self.classes)
        return functional.one_hot(label.to(beside.device), len(self.classes)).to(beside.dtype)
