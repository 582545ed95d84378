"""Three small models of three kinds for the engine: a VAE, a game of two players, and one with a carried state."""

from collections.abc import Mapping
from functools import partial

import torch
from torch import Tensor, nn

from reverie.data.batches import ImageStock, Resident
from reverie.data.images import ImageSpec, Split
from reverie.data.views import unit
from reverie.distributions import unit_gaussian
from reverie.engine.loop import Training
from reverie.engine.plan import Plan
from reverie.engine.ranks import World
from reverie.engine.turn import Job
from reverie.models.vae import VAE
from reverie.nn.mlp import mlp_decoder, mlp_encoder
from reverie.priors import StandardNormal
from reverie.protocols import Batch, Loss, Noise

SHAPE = (1, 4, 4)


def figures(loss: Loss) -> dict[str, Tensor]:
    """What a turn logs, made."""
    return {name: made if isinstance(made, Tensor) else made() for name, made in loss.logs.items()}


def tiny_vae() -> VAE:
    return VAE(mlp_encoder(SHAPE, (8,), 4), mlp_decoder(2, (8,), SHAPE), unit_gaussian, StandardNormal(2))


class ToyGame(nn.Module):
    """A Wasserstein game with a penalty on the gradient of the critic, in two players."""

    def __init__(self) -> None:
        super().__init__()
        self.generator = nn.Sequential(nn.Linear(2, 16), nn.ReLU(), nn.Linear(16, 16))
        self.critic = nn.Sequential(nn.Linear(16, 16), nn.SiLU(), nn.Linear(16, 1))
        self.asked: list[tuple[str, bytes]] = []

    @property
    def players(self) -> Mapping[str, nn.Module]:
        return {"critic": self.critic, "generator": self.generator}

    @property
    def turns(self) -> Mapping[str, int]:
        return {"critic": 3, "generator": 1}

    def loss(self, player: str, batch: Batch, noise: Noise) -> Loss:
        real = batch.x.flatten(1)
        z = noise.normal("z", (len(real), 2))
        self.asked.append((player, z.numpy().tobytes()))
        fake = self.generator(z)
        if player == "generator":
            return Loss(-self.critic(fake).squeeze(1), {})
        between = torch.lerp(real, fake.detach(), noise.uniform("mix", (len(real), 1))).requires_grad_()
        (slope,) = torch.autograd.grad(self.critic(between).sum(), between, create_graph=True)
        penalty = 10 * (slope.norm(dim=1) - 1).square()
        value = (self.critic(fake.detach()) - self.critic(real)).squeeze(1) + penalty
        return Loss(value, {"penalty": penalty.detach()})


class ToyRecurrent(nn.Module):
    """Predicts the next row of an image; its state goes on from batch to batch."""

    def __init__(self) -> None:
        super().__init__()
        self.cell = nn.GRU(4, 6, batch_first=True)
        self.head = nn.Linear(6, 4)

    @property
    def players(self) -> Mapping[str, nn.Module]:
        return {"language": self}

    @property
    def turns(self) -> Mapping[str, int]:
        return {"language": 1}

    def loss(self, player: str, batch: Batch, noise: Noise) -> Loss:
        rows = batch.x.squeeze(1)
        state = batch.state if batch.state is not None else rows.new_zeros(len(rows), 6)
        hidden, state = self.cell(rows, state[None])
        error = (self.head(hidden[:, :-1]) - rows[:, 1:]).square().sum((1, 2))
        return Loss(error, {}, state[0].detach())


class ToyNormed(nn.Module):
    """Predicts pixels from pixels, with running means."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(16)
        self.head = nn.Linear(16, 16)

    @property
    def players(self) -> Mapping[str, nn.Module]:
        return {"normed": self}

    @property
    def turns(self) -> Mapping[str, int]:
        return {"normed": 1}

    def loss(self, player: str, batch: Batch, noise: Noise) -> Loss:
        x = batch.x.flatten(1)
        return Loss((self.head(self.norm(x)) - x).square().sum(1), {})


def pictures(n: int = 64, seed: int = 0) -> Split:
    source = torch.Generator().manual_seed(seed)
    pixels = torch.randint(0, 256, (n, *SHAPE), generator=source, dtype=torch.uint8)
    return Split(pixels, torch.arange(n) % 3)


SPEC = ImageSpec("toys", SHAPE, ("a", "b", "c"))
MODELS = {"vae": tiny_vae, "game": ToyGame, "recurrent": ToyRecurrent, "normed": ToyNormed}


def plan_of(kind: str, **changes) -> Plan:
    torch.manual_seed(0)
    model = MODELS[kind]()
    adam = partial(torch.optim.Adam, lr=1e-2, fused=True)
    settings = {"batch": 16, "epochs": 1, "ema": 0.9, "clip": 5.0} | changes
    return Plan(model=model, view=unit(), optimizers={name: adam for name in model.players}, **settings)


def training_of(kind: str, folder, *, steps: int = 12, split: Split | None = None, **changes) -> Training:
    plan = plan_of(kind, **changes)
    stock = ImageStock(Resident(split or pictures(), "cpu"), unit())
    job = Job(plan, stock, steps, 0, torch.device("cpu"), "fp32", 1, World())
    return Training.of(job, folder / "checkpoints")


def weights(model: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}
