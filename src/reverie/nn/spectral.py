"""Spectral normalisation: layers whose largest singular value is 1."""

from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import parametrize

Network = TypeVar("Network", bound=nn.Module)
WARM = 20  # power iterations at the start, so that the first steps are normalised too


class Spectral(nn.Module):
    """``W / sigma(W)``, sigma the largest singular value of W as a matrix of outputs by all else (Miyato et al. 2018).

    One power iteration at each forward pass in training keeps the singular vectors u, v of the moving weight; in
    evaluation they rest. ``sigma = u W v`` has the gradient ``u v``; u and v are constants in it. All in float32, under
    autocast too. Source: 1802.05957, algorithm 1.
    """

    u: Tensor
    v: Tensor

    def __init__(self, weight: Tensor) -> None:
        """Take the weight as it is now."""
        super().__init__()
        rows = weight.detach().flatten(1)
        self.register_buffer("u", functional.normalize(torch.randn(len(rows)).to(rows), dim=0))
        self.register_buffer("v", functional.normalize(torch.randn(rows.shape[1]).to(rows), dim=0))
        for _ in range(WARM):
            self._iterate(rows)

    def forward(self, weight: Tensor) -> Tensor:
        """The weight, normalised, of its own shape."""
        with torch.autocast(weight.device.type, enabled=False):
            rows = weight.flatten(1)
            if self.training:
                self._iterate(rows)
            # Copies, because the next pass moves u and v before this one is differentiated.
            return weight / (self.u.clone() @ rows @ self.v.clone())

    @torch.no_grad()
    def _iterate(self, rows: Tensor) -> None:
        self.v.copy_(functional.normalize(rows.t() @ self.u, dim=0))
        self.u.copy_(functional.normalize(rows @ self.v, dim=0))


def normalised(network: Network) -> Network:
    """The network, each of its convolutions, linear layers and embeddings normalised."""
    kinds = (nn.Conv2d, nn.Linear, nn.Embedding)
    for layer in [module for module in network.modules() if isinstance(module, kinds)]:
        parametrize.register_parametrization(layer, "weight", Spectral(layer.weight))
    return network
