"""The autoencoder (Rumelhart, Hinton & Williams 1986): a code so small that only the essence gets through."""

from torch import Tensor, nn

from reverie.distributions import Gaussian, Point, unit_gaussian
from reverie.nn.alone import Alone
from reverie.protocols import Batch, Loss, Noise


class Autoencoder(Alone):
    """Encoder and decoder trained by squared error: ``min |x - decode(encode(x))|^2``, summed over pixels.

    It has codes, but no prior and no likelihood: it can be explored, but it cannot be sampled from.

    Args:
        encoder: (B, C, H, W) to codes (B, D).
        decoder: codes (B, D) to (B, C, H, W).
        latent: D.
    """

    player = "autoencoder"

    def __init__(self, encoder: nn.Module, decoder: nn.Module, *, latent: int) -> None:
        """Take the parts."""
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder
        self.latent = latent

    def loss(self, player: str, batch: Batch, noise: Noise) -> Loss:
        """Squared error of each example, summed over pixels, (B,)."""
        restored = self.decode(self.encode(batch.x).mean).mean
        squared_error = (restored - batch.x).square().flatten(1).sum(1)
        return Loss(squared_error, {"squared_error": squared_error.detach()})

    def encode(self, x: Tensor) -> Point:
        """The code of each example, (B, D)."""
        return Point(self.encoder(x))

    def decode(self, z: Tensor) -> Gaussian:
        """The picture of each code, as the mean of the unit-variance Gaussian behind squared error."""
        return unit_gaussian(self.decoder(z))
