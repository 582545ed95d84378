"""The package's own mathematics against closed forms, enumeration, quadrature and ``torch.distributions``, in float64.

The models here are the smallest whose likelihood is known: linear ones, whose observations are Gaussian (probabilistic
PCA, Tipping and Bishop 1999), and one of eight binary pixels, whose pictures can all be listed.
"""

import itertools
import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch import distributions as reference

from reverie.distributions import Bernoulli, DiscretizedLogistic, Gaussian, SharedGaussian, standard_normal_log_prob
from reverie.engine.noise import ItemNoise, generator
from reverie.metrics.likelihood import evaluate_likelihood
from reverie.models.vae import VAE
from reverie.nn.masked import MADE
from reverie.nn.mlp import mlp_decoder, mlp_encoder
from reverie.objectives.elbo import elbo
from reverie.priors import Mixture, StandardNormal
from reverie.transforms.autoregressive import Flow, InverseAutoregressiveStep
from reverie.verification.findings import check, largest, relative
from reverie.verification.flows import log_determinant_error, moved, unheard_share, zero_share
from reverie.verification.likelihoods import bracket, fall, log_density, mass_error, upper_bound, weigh

PIXELS, LATENT = 6, 2  # of the linear model
VARIANCE = 0.3
DRAWS = 50
KS = (1, 4, 16, 64)


class LinearFlow(nn.Module):
    """``z = L z_0 + h``, with L lower triangular: one autoregressive step without hidden layers."""

    def __init__(self, factor: Tensor) -> None:
        """Take L, (D, D)."""
        super().__init__()
        self.factor = nn.Parameter(factor)

    def forward(self, start: Tensor, context: Tensor) -> tuple[Tensor, Tensor]:
        """(B, K, D) and (B, 1, D) to (B, K, D) and (B, K)."""
        log_determinant = self.factor.diagonal().abs().log().sum()
        return start @ self.factor.T + context, log_determinant.expand(start.shape[:2])


@dataclass(frozen=True)
class Linear:
    """Probabilistic PCA: ``p(x) = N(c, W W' + s^2 I)``, and ``p(z|x) = N(M^-1 W' (x - c), s^2 M^-1)``, M = W'W + s^2 I.

    Args:
        weight: W, (PIXELS, LATENT).
        centre: c, (PIXELS,).
    """

    weight: Tensor
    centre: Tensor

    @property
    def precision(self) -> Tensor:
        """M, (LATENT, LATENT)."""
        return self.weight.T @ self.weight + VARIANCE * torch.eye(LATENT, dtype=torch.float64)

    def log_prob(self, x: Tensor) -> Tensor:
        """The exact log p(x), (B,)."""
        covariance = self.weight @ self.weight.T + VARIANCE * torch.eye(PIXELS, dtype=torch.float64)
        return log_density(reference.MultivariateNormal(self.centre, covariance), x)

    def model(self, widened: float = 0.0) -> VAE:
        """The VAE whose posterior is exact where W has orthogonal columns, or wider by a log-variance."""
        to_mean = torch.linalg.solve(self.precision, self.weight.T)
        log_variance = torch.log(VARIANCE / self.precision.diagonal()) + widened
        rows, bias = [to_mean, torch.zeros_like(to_mean)], [-to_mean @ self.centre, log_variance]
        return self._vae(_affine(torch.cat(rows), torch.cat(bias)), None)

    def model_with_flow(self) -> VAE:
        """The VAE whose posterior is exact for any W: a standard normal through ``z = L z_0 + E[z|x]``."""
        to_mean = torch.linalg.solve(self.precision, self.weight.T)
        still = torch.zeros(2 * LATENT, PIXELS, dtype=torch.float64)
        bias = torch.cat([torch.zeros(2 * LATENT, dtype=torch.float64), -to_mean @ self.centre])
        factor = torch.linalg.cholesky(VARIANCE * torch.linalg.inv(self.precision))
        return self._vae(_affine(torch.cat([still, to_mean]), bias), LinearFlow(factor))

    def _vae(self, encoder: nn.Module, flow: nn.Module | None) -> VAE:
        observation = SharedGaussian(math.log(VARIANCE))
        decoder = _affine(self.weight, self.centre)
        model = VAE(encoder, decoder, observation, StandardNormal(LATENT), flow=flow).double()
        nn.init.constant_(observation.log_variance, math.log(VARIANCE))  # in float64's digits
        return model.requires_grad_(False)


def _affine(weight: Tensor, bias: Tensor) -> nn.Linear:
    layer = nn.Linear(weight.shape[1], weight.shape[0], dtype=torch.float64)
    layer.load_state_dict({"weight": weight, "bias": bias})
    return layer


def _normal(name: str, *shape: int) -> Tensor:
    return torch.randn(shape, generator=generator("verify", name), dtype=torch.float64)


def linear(orthogonal: bool = True) -> Linear:
    """A linear model; with columns that are not orthogonal the posterior is correlated."""
    columns = torch.linalg.qr(_normal("columns", PIXELS, LATENT)).Q * torch.tensor([2.0, 0.7], dtype=torch.float64)
    mix = torch.tensor([[1.0, 0.0 if orthogonal else 0.8], [0.0, 1.0]], dtype=torch.float64)
    return Linear(columns @ mix, _normal("centre", PIXELS))


@check("pPCA: every log-weight and bound is log p(x)", 1e-9)
def exact_posterior() -> float:
    """With the exact posterior of probabilistic PCA each log-weight, and so ELBO and bound for any K, is log p(x)."""
    known = linear()
    return _distance_from_exact(known, known.model())


@check("pPCA, correlated: a linear flow closes the gap", 1e-9)
def exact_flow() -> float:
    """A linear flow gives a correlated posterior exactly, so that again each log-weight is log p(x)."""
    known = linear(orthogonal=False)
    return _distance_from_exact(known, known.model_with_flow())


def _distance_from_exact(known: Linear, model: VAE) -> float:
    x = 2 * _normal("x", 8, PIXELS)
    exact, found = known.log_prob(x), []
    for k in (1, DRAWS):
        noise = ItemNoise(("verify",), range(8))
        likelihood, ratio = model.log_weights(x, model.infer(x), noise, k)
        found += [(likelihood + ratio - exact[:, None]).flatten(), elbo(likelihood.mean(1), -ratio.mean(1)) - exact]
        found += [model.log_prob(x, noise, k=k).value - exact]
    figures = evaluate_likelihood(model, x, protocol={}, k=DRAWS, batch=3, chunk=7)
    measured = {figure.name: figure.value for figure in figures}
    found += [torch.tensor([measured["importance_bound"] - float(exact.mean())], dtype=torch.float64)]
    return largest(torch.cat(found))


@check("linear flow: log-determinant against autograd", 1e-12)
def flow_determinant() -> float:
    """The log-determinant that a flow states is that of its Jacobian."""
    flow = linear(orthogonal=False).model_with_flow().flow
    if flow is None:
        return math.inf
    return log_determinant_error(flow, _normal("z", 2, 3, LATENT), _normal("h", 2, 1, LATENT))


@check("autoregressive flow: determinant by autograd", 1e-9)
def autoregressive_determinant() -> float:
    """The log-determinant of the flow that recipes take is that of its Jacobian."""
    return log_determinant_error(*autoregressive())


@check("autoregressive flow: reaches and hears everything", 0.0)
def autoregressive_reach() -> float:
    """Two steps in opposite orders leave no zero in the Jacobian, and no number of the context unheard."""
    return zero_share(*autoregressive()) + unheard_share(*autoregressive())


@check("autoregressive flow: there and back", 1e-9)
def autoregressive_inverse() -> float:
    """The way back ends where the way there began, and states the same log-determinant."""
    flow, start, context = autoregressive()
    with torch.no_grad():
        z, log_determinant = flow(start, context)
        back, stated = flow.inverse(z, context)
    return max(largest(back - start), largest(stated - log_determinant))


def autoregressive() -> tuple[Flow, Tensor, Tensor]:
    """Two steps over five numbers with weights that are nowhere zero, with codes and contexts."""
    steps = [InverseAutoregressiveStep(MADE(5, 3, (8, 8))) for _ in range(2)]
    return moved(Flow(steps)), _normal("codes", 2, 3, 5), _normal("contexts", 2, 1, 3)


@check("all 256 pictures of 8 bits have probability 1", 1e-10)
def binary_pictures() -> float:
    """The probabilities of all pictures of a small binary decoder, by Gauss-Hermite quadrature over z, sum to 1."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        decoder = mlp_decoder(2, [8], (1, 2, 4)).double()
        model = VAE(mlp_encoder((1, 2, 4), [8], 4), decoder, Bernoulli, StandardNormal(2)).requires_grad_(False)
    nodes, mass = np.polynomial.hermite_e.hermegauss(30)
    z = torch.tensor(list(itertools.product(nodes, nodes)))
    log_mass = torch.tensor(np.log(np.outer(mass, mass).flatten() / mass.sum() ** 2))
    logits = decoder(z)
    total = torch.zeros((), dtype=torch.float64)
    for bits in itertools.product([0.0, 1.0], repeat=8):
        x = torch.tensor(bits, dtype=torch.float64).view(1, 1, 2, 4).expand_as(logits)
        total = total + (model.observation(logits).log_prob(x) + log_mass).logsumexp(0).exp()
    return abs(float(total) - 1)


@check("Bernoulli: the two masses sum to 1", 1e-12)
def bernoulli_masses() -> float:
    """The probabilities of 0 and 1 sum to 1 for logits of any size."""
    extreme = torch.tensor([0.0, 30.0, -30.0, 200.0, -200.0], dtype=torch.float64)
    return mass_error(Bernoulli(torch.cat([3 * _normal("logits", 50), extreme]).view(-1, 1)))


@check("discretised logistic: 256 masses sum to 1", 1e-9)
def logistic_masses() -> float:
    """The probabilities of all 256 levels, both edges included, sum to 1 for random and for extreme parameters."""
    means = torch.cat([_normal("means", 40), torch.tensor([-1.0, 1.0, -3.0, 3.0, 0.0, 0.99], dtype=torch.float64)])
    scales = torch.cat([_normal("scales", 5) - 2, torch.tensor([-7.0, 2.0], dtype=torch.float64)])
    pairs = torch.cartesian_prod(means, scales)
    return mass_error(DiscretizedLogistic(pairs[:, :1], pairs[:, 1:]))


@check("Gaussian: divergence from the prior", 1e-12)
def gaussian_divergence() -> float:
    """KL(q || N(0, 1)) equals that of torch.distributions, one value at a time."""
    mean, log_variance = _normal("mean", 20, 5), 2 * _normal("log variance", 20, 5)
    q = reference.Normal(mean, torch.exp(0.5 * log_variance))
    expected = reference.kl_divergence(q, reference.Normal(torch.zeros_like(mean), torch.ones_like(mean)))
    return relative(Gaussian(mean, log_variance).kl(), expected)


@check("log-densities against torch.distributions", 1e-11)
def log_densities() -> float:
    """Gaussian, standard normal, Bernoulli and mixture have the log-densities of torch.distributions, as have draws."""
    mean, log_variance, x = _normal("mean", 20, 5), _normal("log variance", 20, 5), 2 * _normal("x", 20, 5)
    q = reference.Normal(mean, torch.exp(0.5 * log_variance))
    shared = reference.Normal(mean, torch.exp(0.5 * log_variance[0, 0]))
    bits, standard = (x > 0).double(), reference.Normal(torch.zeros_like(x), torch.ones_like(x))
    ours = Gaussian(mean, log_variance)
    z, log_q = ours.draw(ItemNoise(("verify",), range(20)), 3)
    every = reference.Independent(q, 1)
    mixture = reference.MixtureSameFamily(reference.Categorical(torch.ones(20, dtype=torch.float64)), every)
    pairs = [
        (ours.log_prob(x), log_density(every, x)),
        (Gaussian(mean, log_variance[0, 0]).log_prob(x), log_density(shared, x).sum(1)),
        (log_q, log_density(every, z.transpose(0, 1)).T),
        (standard_normal_log_prob(x), log_density(standard, x).sum(1)),
        (Bernoulli(mean).log_prob(bits), log_density(reference.Bernoulli(logits=mean), bits).sum(1)),
        (Mixture(ours).log_prob(x), log_density(mixture, x)),
    ]
    return max(relative(found, expected) for found, expected in pairs)


@check("importance-weighted bound rises with K", 0.0)
def bound_rises() -> float:
    """From 1 draw to 64 of the same draws the mean bound falls nowhere by more than four standard errors."""
    known, n = linear(), 400
    model = known.model(widened=1.0)
    x, _ = _simulated(model, n)
    noise = ItemNoise(("verify", "rise"), range(n))
    return fall([model.log_prob(x, noise.chunk(0, k, KS[-1]), k=k).value for k in KS])


@check("pPCA, loose posterior: lower <= exact <= upper", 0.0)
def bracket_holds_exact() -> tuple[float, str]:
    """Lower bounds, the exact log p(x), and upper bounds from exact posterior draws stand in this order."""
    known, n, k = linear(), 400, 20
    model = known.model(widened=1.0)
    x, z = _simulated(model, n)
    inferred = model.infer(x)
    lower = weigh(model, x, inferred, range(n), (0, k, k)).logsumexp(1) - math.log(k)
    return bracket(lower, upper_bound(model, x, z, inferred, k), known.log_prob(x))


def _simulated(model: VAE, n: int) -> tuple[Tensor, Tensor]:
    """Images x drawn from the model, and the codes z that they were drawn from."""
    noise = ItemNoise(("verify", "simulate"), range(n))
    z = noise.normal("prior", (n, LATENT)).double()
    return model.decode(z).sample(noise, "x"), z


CHECKS = (
    exact_posterior,
    exact_flow,
    flow_determinant,
    autoregressive_determinant,
    autoregressive_reach,
    autoregressive_inverse,
    binary_pictures,
    bernoulli_masses,
    logistic_masses,
    gaussian_divergence,
    log_densities,
    bound_rises,
    bracket_holds_exact,
)
