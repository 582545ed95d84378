"""What checks of the package and of a model have in common: masses, rising bounds, and brackets."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any

import torch
from torch import Tensor

from reverie.distributions import Gaussian
from reverie.engine.noise import ItemNoise
from reverie.protocols import Distribution, LatentDensity, Noise
from reverie.verification.findings import Inapplicable, excess, largest

LEVELS = torch.arange(256, dtype=torch.float64) / 127.5 - 1
DEVIATIONS = 10.0  # of a Gaussian, that its density is summed over


def log_density(p: torch.distributions.Distribution, x: Tensor) -> Tensor:
    """Log p(x) by torch.distributions, one for each value."""
    found: Tensor = p.log_prob(x)
    return found


def parameters(p: Distribution) -> dict[str, Tensor]:
    """The parameters of a distribution of independent values in float64, by name: (B, ...), or scalars.

    Raises:
        Inapplicable: it has parameters that belong to no single value.
    """
    described: Any = p
    found = {f.name: getattr(p, f.name) for f in fields(described)} if is_dataclass(described) else {}
    shape = p.mean.shape
    if not found or any(not isinstance(v, Tensor) or (v.ndim and v.shape != shape) for v in found.values()):
        raise Inapplicable(f"the values of {type(p).__name__} do not stand alone")
    return {name: value.detach().double() for name, value in found.items()}


def alone(p: Distribution, chosen: Tensor | slice = slice(None)) -> Distribution:
    """Each value as a distribution of its own, in float64: fields (B, ...) become (values, 1), with those chosen.

    Raises:
        Inapplicable: the distribution has parameters that belong to no single value.
    """
    taken = {name: v.reshape(-1, 1)[chosen] if v.ndim else v for name, v in parameters(p).items()}
    found: Distribution = type(p)(**taken)
    return found


def additivity_error(p: Distribution, x: Tensor) -> Tensor:
    """``log p(x) - sum_i log p(x_i)`` over independent values, (B,), nats, in float64."""
    whole: Distribution = type(p)(**parameters(p))
    return whole.log_prob(x) - alone(p).log_prob(x.reshape(-1, 1)).view(len(x), -1).sum(1)


def mass_error(single: Distribution) -> float:
    """The largest ``|sum_v p(v) - 1|`` over distributions of one value each, (rows, 1).

    Raises:
        Inapplicable: the values are not bits or levels, and the distribution is no Gaussian.
    """
    support = getattr(single, "support", "unknown")
    if support == "continuous" and isinstance(single, Gaussian):
        return _integral_error(single)
    if support not in ("binary", "256 levels"):
        raise Inapplicable(f"the values of {type(single).__name__} cannot be listed")
    values = LEVELS[[0, -1]].add(1).div(2) if support == "binary" else LEVELS
    log_mass = torch.stack([single.log_prob(torch.full_like(single.mean, float(v))) for v in values])
    return largest(log_mass.logsumexp(0).expm1())


def _integral_error(single: Gaussian) -> float:
    """The integral of a density by the trapezoidal rule, which is exact here to float64's digits."""
    deviation = torch.exp(0.5 * single.log_variance).expand_as(single.mean)
    steps = torch.linspace(-DEVIATIONS, DEVIATIONS, 401, dtype=single.mean.dtype).tolist()
    density = torch.stack([single.log_prob(single.mean + step * deviation).exp() for step in steps])
    return largest(density.sum(0) * deviation.squeeze(1) * (steps[1] - steps[0]) - 1)


def weigh(model: LatentDensity, x: Tensor, inferred: Any, items: Sequence[int], draws: tuple[int, int, int]) -> Tensor:
    """Log-weights of the draws (first, last, K) from what was inferred of x, (B, last - first)."""
    noise = ItemNoise(("verify", "weights"), items).chunk(*draws)
    return torch.stack(model.log_weights(x, inferred, noise, draws[1] - draws[0])).sum(0)


def fall(bounds: Sequence[Tensor]) -> float:
    """How far bounds of growing K, each (B,), fall between any two, beyond four standard errors."""
    falls = [excess(fewer - more) for fewer, more in itertools.combinations(bounds, 2)]
    return float(torch.tensor(falls, dtype=torch.float64).max())


@dataclass(frozen=True)
class At:
    """A posterior whose draws are given: z (B, K, D), with log-densities (B, K). It lets a model weigh any codes."""

    z: Tensor
    log_density: Tensor

    @property
    def mean(self) -> Tensor:
        """Of the draws, (B, D)."""
        return self.z.mean(1)

    def draw(self, noise: Noise, k: int = 1) -> tuple[Tensor, Tensor]:
        """The draws."""
        return self.z, self.log_density


def at(inferred: Any, z: Tensor, log_density: Tensor) -> Any:
    """What a model inferred, with given draws in the place of its posterior."""
    given = At(z, log_density)
    return replace(inferred, posterior=given) if hasattr(inferred, "posterior") else given


def upper_bound(model: LatentDensity, x: Tensor, z: Tensor, inferred: Any, k: int) -> Tensor:
    """``log 1/K sum_k p(x, z_k) / r(z_k)`` where z_1 is an exact posterior draw, the others of r: (B,).

    Its expectation is ``log p(x)`` or above, for any normalised r that does not know z_1 (Grosse, Ghahramani and Adams
    2015, 1511.02543). The density of r is computed by torch.distributions, so that a posterior whose own density is
    wrong moves the lower bound alone.

    Args:
        model: weighs draws of a posterior.
        x: simulated from the model, (B, ...).
        z: what x was simulated from, (B, D).
        inferred: of x; r is the Gaussian of its draws.
        k: K, at least 1.
    """
    noise = ItemNoise(("verify", "upper"), range(len(x)))
    r = proposal(inferred)
    e = noise.normal("z", (len(x), k - 1, z.shape[1])).to(z)
    others = r.mean.unsqueeze(1) + r.stddev.unsqueeze(1) * e
    every = torch.cat([z.unsqueeze(1), others], 1)  # (B, K, D)
    log_r = log_density(r, every.transpose(0, 1)).sum(-1).T
    log_weights = torch.stack(model.log_weights(x, at(inferred, every, log_r), noise, k)).sum(0)
    return log_weights.logsumexp(1) - math.log(k)


def proposal(inferred: Any) -> torch.distributions.Normal:
    """The posterior itself where it is Gaussian; else the Gaussian with the mean and variance of 64 of its draws.

    Any density bounds from above; one that is no wider than 1e6 and no narrower than 1e-6 does so in finite numbers.
    """
    posterior = getattr(inferred, "posterior", inferred)
    if isinstance(posterior, Gaussian):
        mean, deviation = posterior.mean, torch.exp(0.5 * posterior.log_variance).expand_as(posterior.mean)
    else:
        z, _ = posterior.draw(ItemNoise(("verify", "fit"), range(len(posterior.mean))), 64)
        mean, deviation = z.mean(1), z.std(1)
    return torch.distributions.Normal(mean, deviation.clamp(1e-6, 1e6))


def bracket(lower: Tensor, upper: Tensor, exact: Tensor | None = None) -> tuple[float, str]:
    """How far lower bounds lie above upper ones, or either beyond the exact value, past four standard errors."""
    errors = [excess(lower - upper)]
    words = f"log p(x) between {lower.mean():.3f} and {upper.mean():.3f} nats"
    if exact is not None:
        errors += [excess(lower - exact), excess(exact - upper)]
        words += f", exactly {exact.mean():.3f}"
    return float(torch.tensor(errors, dtype=torch.float64).max()), words
