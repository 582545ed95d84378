"""How far what is computed lies from what is exact."""

import torch


def off(found, exact):
    """The norm of the error beside that of the exact numbers."""
    found, exact = found.detach().double(), exact.detach().double()
    return float((found - exact).norm() / exact.norm().clamp(min=1e-12))


def gradients_of(network, x, weight, short):
    """What a network says, and the gradients of its weighted sum by x and by each weight; in bf16, if short."""
    with torch.autocast("cpu", torch.bfloat16, enabled=short):
        y = network(x)
    loss = (y.to(weight) * weight).sum()
    return [y.detach(), *torch.autograd.grad(loss, [x, *network.parameters()])]
