"""What is asked of the machine: matrix products of known precision, and the same numbers again."""

import copy
from functools import partial

import torch
from torch import Tensor, nn

from reverie.data.batches import ImageStock, Resident
from reverie.data.images import Split
from reverie.data.views import unit
from reverie.distributions import unit_gaussian
from reverie.engine.machine import has_fast_bf16, pick_device
from reverie.engine.noise import ItemNoise, StepNoise, generator
from reverie.engine.plan import Plan
from reverie.engine.ranks import World
from reverie.engine.turn import Job, Learner, round_of
from reverie.models.vae import VAE
from reverie.nn.mlp import mlp_decoder, mlp_encoder
from reverie.priors import StandardNormal
from reverie.verification.findings import check, largest

SIDE = 512  # of the matrices that are multiplied


@check("matrix products in float32", 2e-6)
def float32_products() -> float:
    """Products of float32 matrices keep float32's digits: nothing rounds them silently to fewer (TF32, bf16)."""
    return _product_error(torch.float32)


@check("matrix products in bf16", 2**-8)
def bf16_products() -> tuple[float, str]:
    """Products of bf16 matrices are off by the rounding of their 8 bits, and no more: sums are kept in float32."""
    fast = has_fast_bf16(pick_device("auto"))
    return _product_error(torch.bfloat16), "" if fast else "not faster than float32 here"


def _product_error(dtype: torch.dtype) -> float:
    """``|AB - C|_F / |C|_F`` of normal matrices, with C their product in float64."""
    device, source = pick_device("auto"), generator("verify", "product")
    a, b = (torch.randn(SIDE, SIDE, generator=source, dtype=torch.float64) for _ in range(2))
    product = (a.to(device, dtype) @ b.to(device, dtype)).double().cpu()
    return float((product - a @ b).norm() / (a @ b).norm())


@check("noise is a value: key, row, chunk, rank", 0.0)
def noise_is_a_value() -> float:
    """The same key gives the same numbers, whatever the batch, the chunk and the rank; another key gives others."""
    whole = ItemNoise(("verify",), range(6)).normal("z", (6, 10, 3))
    some = ItemNoise(("verify",), [4, 1]).normal("z", (2, 10, 3))
    chunk = ItemNoise(("verify",), range(6)).chunk(3, 7, 10).normal("z", (6, 4, 3))
    step, rank = StepNoise(("verify",), 0, 6), StepNoise(("verify",), 2, 6)
    pairs = [
        (ItemNoise(("verify",), range(6)).normal("z", (6, 10, 3)), whole),
        (some, whole[[4, 1]]),
        (chunk, whole[:, 3:7]),
        (rank.uniform("u", (4, 2)), step.uniform("u", (6, 2))[2:]),
    ]
    strangers = [ItemNoise(("other",), range(6)).normal("z", (6, 10, 3)), step.normal("z", (6, 10, 3))]
    if any(bool((stranger == whole).any()) for stranger in strangers):
        return float("inf")
    return max(largest(a - b) for a, b in pairs)


@check("ten steps of training, twice", 0.0)
def training_repeats() -> tuple[float, str]:
    """Training from the same weights ends in the same weights, bit for bit, on this device."""
    device = pick_device("auto")
    precision = "bf16" if has_fast_bf16(device) else "fp32"
    model = seeded_vae()
    first, second = (_trained(copy.deepcopy(model), device, precision) for _ in range(2))
    return largest(first - second), f"{device.type}, {precision}"


def seeded_vae() -> VAE:
    """A small VAE with the same weights each time; torch's own generator is left as it was."""
    shape = (1, 8, 8)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        return VAE(mlp_encoder(shape, (64,), 8), mlp_decoder(4, (64,), shape), unit_gaussian, StandardNormal(4))


def _trained(model: VAE, device: torch.device, precision: str, steps: int = 10) -> Tensor:
    """All weights after some steps, in one vector."""
    pixels = torch.randint(0, 256, (64, 1, 8, 8), generator=generator("verify", "pixels"), dtype=torch.uint8)
    optimizer = partial(torch.optim.Adam, lr=1e-2)
    view = unit()
    plan = Plan(model=model.to(device), view=view, optimizers={"vae": optimizer}, batch=32, epochs=1)
    job = Job(plan, ImageStock(Resident(Split(pixels), device), view), steps, 0, device, precision, 1, World())
    learners = {"vae": Learner.of(job, "vae")}
    with torch.random.fork_rng(devices=[]):  # a turn seeds torch's generator
        for step in range(steps):
            round_of(job, learners, step, 1.0, {})
    return nn.utils.parameters_to_vector(model.parameters()).detach()


CHECKS = (float32_products, bf16_products, noise_is_a_value, training_repeats)
