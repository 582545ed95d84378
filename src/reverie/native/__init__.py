"""Products of convolutions in C, compiled on this machine when a training first wants them.

They take bf16 images whose channels come last and float32 weights, sum in float32, and read and write with the
activations around a layer, which otherwise are passes over memory of their own. Adam's step is one pass too. Where the
processor has no AVX-512 BF16, or the machine no C compiler, torch's own kernels are used.
"""

from reverie.native.kernels import available, missing, version
from reverie.native.latents import latent_back, latent_draw
from reverie.native.moves import Moves, Moving, Steps, fits
from reverie.native.pixels import shuffle, unshuffle
from reverie.native.products import LARGEST, Before, Read, Shape, Write, add_up, gather, spread, weigh

__all__ = [
    "LARGEST",
    "Before",
    "Moves",
    "Moving",
    "Read",
    "Shape",
    "Steps",
    "Write",
    "add_up",
    "available",
    "fits",
    "gather",
    "latent_back",
    "latent_draw",
    "missing",
    "shuffle",
    "spread",
    "unshuffle",
    "version",
    "weigh",
]
