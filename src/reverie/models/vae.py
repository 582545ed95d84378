"""The variational autoencoder (Kingma & Welling 2014, 1312.6114; Rezende et al. 2014, 1401.4082)."""

from collections.abc import Mapping

from torch import Tensor, nn

from reverie.distributions import Gaussian, Observation, standard_normal_log_prob, upcast
from reverie.errors import UsageError
from reverie.objectives.elbo import elbo, importance_bound
from reverie.protocols import Batch, Distribution, LogProb, Loss, Noise


class VAE(nn.Module):
    """``p(x) = int p(x|z) N(z; 0, I) dz``, learned with a Gaussian posterior ``q(z|x) = N(m(x), s(x)^2)``.

    Args:
        encoder: (B, C, H, W) to (B, 2 D), the mean and the log-variance of the posterior.
        decoder: codes (B, D) to what the observation takes, (B, C, H, W).
        observation: from the decoder's output to p(x|z); a module, where it has parameters of its own.
        latent: D.
        beta: weight of the divergence (Higgins et al. 2017); 1 is the likelihood's bound.
    """

    def __init__(
        self,
        encoder: nn.Module,
        decoder: nn.Module,
        observation: Observation,
        *,
        latent: int,
        beta: float = 1.0,
    ) -> None:
        """Take the parts."""
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder
        self.observation = observation
        self.latent = latent
        self.beta = beta

    @property
    def players(self) -> Mapping[str, nn.Module]:
        """One player: the whole model."""
        return {"vae": self}

    @property
    def turns(self) -> Mapping[str, int]:
        """One turn a round."""
        return {"vae": 1}

    def loss(self, player: str, batch: Batch, noise: Noise) -> Loss:
        """``-(log p(x|z) - beta KL(q || p))`` at one reparameterised draw, the KL being exact, (B,)."""
        posterior = self.encode(batch.x)
        log_likelihood = self.decode(posterior.sample(noise, "z")).log_prob(batch.x)
        kl = posterior.kl().sum(1)
        logs = {"reconstruction": -log_likelihood.detach(), "kl": kl.detach()}
        return Loss(-elbo(log_likelihood, kl, self.beta), logs)

    def encode(self, x: Tensor) -> Gaussian:
        """The posterior q(z|x)."""
        mean, log_variance = upcast(self.encoder(x)).chunk(2, 1)
        return Gaussian(mean, log_variance)

    def decode(self, z: Tensor) -> Distribution:
        """The distribution p(x|z) of each code."""
        return self.observation(upcast(self.decoder(z)))

    def sample(self, n: int, noise: Noise, *, label: Tensor | None = None, temperature: float = 1.0) -> Tensor:
        """The means of p(x|z) at n codes from the prior, whose standard deviation ``temperature`` scales.

        Means are what pictures of a VAE show. For draws of x itself: ``model.decode(z).sample(noise, "x")``.

        Raises:
            UsageError: a label is given, or the temperature is negative.
        """
        if label is not None:
            raise UsageError("This model was trained without labels: leave the label out.")
        if not temperature >= 0:
            raise UsageError(f"The temperature must be at least 0; got {temperature}.")
        parameter = next(self.decoder.parameters())
        z = temperature * noise.normal("z", (n, self.latent)).to(parameter)
        return self.decode(z).mean

    def log_prob(self, x: Tensor, noise: Noise, *, k: int = 1) -> LogProb:
        """The importance-weighted bound of log p(x) with k draws (Burda et al. 2016, 1509.00519), (B,).

        Raises:
            UsageError: k is below 1.
        """
        if k < 1:
            raise UsageError(f"The number of importance samples must be at least 1; got {k}.")
        log_likelihood, log_ratio = self.log_weights(x, self.infer(x), noise, k)
        return LogProb(importance_bound(log_likelihood + log_ratio), "bound")

    def infer(self, x: Tensor) -> Gaussian:
        """The posterior, which importance weights are drawn from any number of times."""
        return self.encode(x)

    def log_weights(self, x: Tensor, inferred: Gaussian, noise: Noise, k: int) -> tuple[Tensor, Tensor]:
        """``log p(x|z)`` and ``log p(z) - log q(z|x)`` at k draws, each (B, K); their sum is log w."""
        z, log_q = inferred.draw(noise, k)
        log_likelihood = self.decode(z.flatten(0, 1)).log_prob(x.repeat_interleave(k, 0))
        return log_likelihood.view(-1, k), standard_normal_log_prob(z) - log_q
