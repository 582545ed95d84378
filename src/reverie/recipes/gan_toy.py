"""Game of points in the plane, to be watched: all costs, on Gaussians on a ring or a grid, a spiral, or a drawing.

Architecture: the rings and grids of unrolled networks (Metz et al. 2017, 1611.02163) and VEEGAN (Srivastava et al.
2017, 1705.07761), with fully connected players; R1 and R2 of Mescheder et al. 2018, 1801.04406.
Differs: the laws fit the square from -1 to 1, and their Gaussians are wider beside their distances than the papers', so
that one sees them; both sides are penalised by default, and the averaged weights are the result; other widths.
"""

from typing import Literal

from torch import nn

from reverie.arguments import Count, Rate, Weight
from reverie.data.points import Plane, PointSpec
from reverie.engine.plan import Plan, cosine, half_life
from reverie.models.gan import GAN, Game
from reverie.nn.mlp import mlp
from reverie.objectives.penalties import GradientPenalty, Penalty, ZeroCentred
from reverie.recipes._parts import adam, cost_of

DATA = "ring"
TINY = {"generator": (16,), "critic": (16,), "latent": 4, "batch": 64}
TARGETS = ()  # papers count modes of other widths


def run(
    data: PointSpec,
    *,
    cost: Literal[
        "minimax", "non-saturating", "maximum-likelihood", "least-squares", "wasserstein", "hinge", "relativistic"
    ] = "non-saturating",
    penalty: Literal["zero-centred", "gradient", "none"] = "zero-centred",
    weight: Weight = 0.1,
    critic_turns: Count = 1,
    latent: Count = 16,
    generator: tuple[Count, ...] = (128, 128, 128),
    critic: tuple[Count, ...] = (128, 128, 128),
    rate: Rate = 1e-3,
    batch: Count = 256,
    ema_half_life: Count = 10_000,
) -> Plan:
    """The game of points.

    Args:
        data: the points.
        cost: of the game.
        penalty: on the critic's slope: zero-centred at real and generated points (R1 and R2), gradient for a slope of 1
            between them, which wasserstein needs, or none.
        weight: of the penalty: gamma, or lambda.
        critic_turns: turns of the critic for one of the generator, each with fresh points.
        latent: numbers in the code.
        generator: units of its hidden layers.
        critic: units of its hidden layers.
        rate: of Adam, for both, at its peak.
        batch: points a turn.
        ema_half_life: half-life of the averaged weights in points; at most a twentieth of those seen so far.
    """
    penalties: dict[str, Penalty | None] = {
        "zero-centred": ZeroCentred(lambda progress: weight),
        "gradient": GradientPenalty(weight),
        "none": None,
    }
    model = GAN(
        mlp((latent, *generator, 2), lambda: nn.LeakyReLU(0.2)),
        mlp((2, *critic, 1), lambda: nn.LeakyReLU(0.2)),
        Game(cost_of(cost), penalties[penalty], critic_turns),
        latent=latent,
    )
    optimizer = adam(rate, betas=(0.0, 0.9))
    return Plan(
        model=model,
        view=Plane(),
        optimizers={"critic": optimizer, "generator": optimizer},
        schedule=cosine(end=0.05),
        batch=batch,
        epochs=40,
        ema=half_life(ema_half_life, batch),
        bf16=False,
        pictures={"samples": {"n": 1000}},
    )
