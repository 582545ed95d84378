"""Products of layers in C, compiled on this machine when a training first wants them.

They take bf16 numbers, of images with channels last, sum in float32, and read and write with the activations around a
layer, which otherwise are passes over memory of their own. So are Adam's step, batch normalisation of rows, the draw
of a code with its divergence, and squared distances, which as operations of torch are mostly calls. Where the
processor has no AVX-512 BF16, or the machine no C compiler, torch's own kernels are used.
"""

from reverie.native.dense import Activation, Behind, Normed, Running, batch_norm, batch_norm_back, dense, dense_back
from reverie.native.gaussians import code_back, code_draw, distances, distances_back
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
    "batch_norm",
    "batch_norm_back",
    "code_back",
    "code_draw",
    "dense",
    "dense_back",
    "distances",
    "distances_back",
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
