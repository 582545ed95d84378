"""The machine's checks hold here, and see products that are rounded and noise that has a state."""

import itertools

import pytest
import torch

from reverie.engine import noise
from reverie.engine.noise import ItemNoise, StepNoise
from reverie.verification import machine
from reverie.verification.machine import CHECKS


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.name)
def test_it_holds(check):
    found = check()
    assert found.passed, found


def test_torchs_own_generator_is_left_as_it_was():
    before = torch.random.get_rng_state()
    machine.training_repeats()
    assert torch.equal(torch.random.get_rng_state(), before)


def test_float32_that_is_rounded_silently_is_seen(monkeypatch):
    right = torch.Tensor.__matmul__

    def rounded(a, b):
        return right(a.bfloat16().float(), b.bfloat16().float()) if a.dtype == torch.float32 else right(a, b)

    monkeypatch.setattr(torch.Tensor, "__matmul__", rounded)
    assert machine.float32_products().passed is False
    assert machine.bf16_products().passed


def test_sums_that_are_kept_in_bf16_are_seen(monkeypatch):
    right = torch.Tensor.__matmul__

    def short(a, b):
        if a.dtype != torch.bfloat16:
            return right(a, b)
        total = torch.zeros(len(a), b.shape[1], dtype=a.dtype)
        for first in range(0, a.shape[1], 16):
            total = total + right(a[:, first : first + 16], b[first : first + 16])
        return total

    monkeypatch.setattr(torch.Tensor, "__matmul__", short)
    assert machine.bf16_products().passed is False


def test_noise_that_depends_on_the_batch_is_seen(monkeypatch):
    def one_stream(self, draw, name, shape):
        first, last, total = self.draws or (0, shape[1], shape[1])
        whole = draw((shape[0], total, *shape[2:]), generator=noise.generator(*self.key, name))
        return whole[:, first:last]

    monkeypatch.setattr(ItemNoise, "_rows", one_stream)
    assert machine.noise_is_a_value().passed is False


def test_noise_that_does_not_hear_its_key_is_seen(monkeypatch):
    right = noise.generator
    monkeypatch.setattr(noise, "generator", lambda *key, device="cpu": right(*key[1:], device=device))
    assert machine.noise_is_a_value().passed is False


def test_training_that_has_a_state_is_seen(monkeypatch):
    count = itertools.count()
    monkeypatch.setattr(StepNoise, "normal", lambda self, name, shape: torch.full(shape, float(next(count) % 7)))
    assert machine.training_repeats().passed is False
