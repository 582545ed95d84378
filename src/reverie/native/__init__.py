"""Products of convolutions in C, compiled on this machine when a training first wants them.

They take bf16 images whose channels come last and float32 weights, sum in float32, and read and write with the
activations around a layer, which otherwise are passes over memory of their own. Adam's step is one pass too. Where the
processor has no AVX-512 BF16, or the machine no C compiler, torch's own kernels are used.
"""

from reverie.native.codes import code_back, code_draw, distances, distances_back
from reverie.native.dense import Activation, Behind, Normed, Running, dense, dense_back, norm, norm_back
from reverie.native.kernels import available, missing, version
from reverie.native.latents import latent_back, latent_draw
from reverie.native.moves import Moves, Moving, Steps, fits
from reverie.native.pixels import shuffle, unshuffle
from reverie.native.products import LARGEST, Before, Read, Shape, Write, add_up, gather, spread, weigh

__all__ = [
    "LARGEST",
    "Activation",
    "Before",
    "Behind",
    "Moves",
    "Moving",
    "Normed",
    "Read",
    "Running",
    "Shape",
    "Steps",
    "Write",
    "add_up",
    "available",
    "code_back",
    "code_draw",
    "dense",
    "dense_back",
    "fits",
    "distances",
    "distances_back",
    "gather",
    "latent_back",
    "latent_draw",
    "missing",
    "norm",
    "norm_back",
    "shuffle",
    "spread",
    "unshuffle",
    "version",
    "weigh",
]
