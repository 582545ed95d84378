"""The Fréchet inception distance: the one that may be called FID, with a network that a person brings.

The network of the name has weights trained on ImageNet, and they are not part of Reverie. It is read as an ONNX graph,
which is numbers and no program: 299x299 images in, 2,048 features out. What happens before it is the original's, to the
pixel: bilinear interpolation as TensorFlow 1 had it, and ``(x - 128) / 128``. Source: Heusel et al. 2017, 1706.08500.
"""

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from reverie.data.images import Split
from reverie.errors import DataError, Interrupted, UsageError
from reverie.metrics.distances import Moments, frechet_distance
from reverie.metrics.figures import Figure, Protocol

SIDE, WIDTH = 299, 2048  # pixels of a side, and features
BATCH = 50  # images at once; no figure depends on it
WANTED = f"images (N, 3, {SIDE}, {SIDE}) of any number N, float32 in [-1, 1), to features (N, {WIDTH})"


@dataclass(frozen=True)
class Inception:
    """A network that was opened.

    Args:
        run: images (N, 3, 299, 299) in [-1, 1) to features (N, 2048), both float32.
        sha256: of its file.
    """

    run: Callable[[Tensor], Tensor]
    sha256: str

    def features(self, pixels: Tensor) -> Tensor:
        """Features (N, 2048), float64, of 8-bit pixels (N, C, H, W) with one channel or three."""
        return self.run(prepared(pixels)).double()

    def moments(self, pixels: Tensor, should_stop: Callable[[], bool]) -> Moments:
        """Mean and covariance of the features of all pixels, without holding them: sums about the first batch's mean.

        Raises:
            Interrupted: ``should_stop`` said so.
        """
        about, total, products = torch.zeros(WIDTH).double(), torch.zeros(WIDTH).double(), torch.zeros(WIDTH, WIDTH)
        products = products.double()
        for place, part in enumerate(torch.split(pixels, BATCH)):
            if should_stop():
                raise Interrupted(f"FID was stopped after {place * BATCH:,} of {len(pixels):,} images.")
            seen = self.features(part)
            about = seen.mean(0) if place == 0 else about
            total += (seen - about).sum(0)
            products += (seen - about).T @ (seen - about)
        n, mean = len(pixels), total / len(pixels)
        return Moments(about + mean, (products - n * torch.outer(mean, mean)) / (n - 1), n)


def opened(path: Path) -> Inception:
    """The network in an ONNX file: images (N, 3, 299, 299) to features (N, 2048).

    Raises:
        UsageError: the package that runs it is missing.
        DataError: there is no such file, or it maps something else to something else.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise UsageError("--inception needs the package onnxruntime: pip install 'reverie[export]'") from error
    if not path.is_file():
        raise DataError(f"--inception: there is no file {path}; it should be an ONNX graph from {WANTED}.")
    content, options = path.read_bytes(), onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 4  # what goes wrong is said here
    try:
        session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        network = _network(session)
        shape = tuple(network(torch.zeros(2, 3, SIDE, SIDE)).shape)
    except Exception as error:  # the package has an error for each of many causes, without a class they share
        said = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise DataError(f"--inception: {path} cannot be used ({said}); wanted is a graph from {WANTED}.") from error
    if shape != (2, WIDTH):
        raise DataError(f"--inception: {path} gives {shape} for two images; wanted is a graph from {WANTED}.")
    return Inception(network, sha256(content).hexdigest())


def _network(session: Any) -> Callable[[Tensor], Tensor]:
    (given,) = session.get_inputs()

    def run(x: Tensor) -> Tensor:
        found = torch.from_numpy(session.run(None, {given.name: x.numpy()})[0])
        return found.flatten(1)  # (N, 2048, 1, 1) is what a pooling leaves

    return run


def prepared(pixels: Tensor) -> Tensor:
    """8-bit pixels (N, C, H, W) as the network wants them, (N, 3, 299, 299): bilinear, then ``(x - 128) / 128``.

    Place i of n is pixel ``i m / n`` of m, and not ``(i + 1/2) m / n - 1/2``, since the original has it so; that moves
    small pictures by a part of a pixel. Grey is repeated.

    Raises:
        UsageError: images have neither one channel nor three.
    """
    channels = pixels.shape[1]
    if channels not in (1, 3):
        raise UsageError(f"FID is of grey or RGB images; these have {channels} channels: train with --channels rgb.")
    down, across = (_weights(side) for side in pixels.shape[2:])
    large = down @ pixels.float() @ across.T
    return ((large - 128) / 128).expand(-1, 3, -1, -1).contiguous()


def _weights(side: int) -> Tensor:
    """What each of 299 places takes of each of ``side`` pixels, (299, side)."""
    place = torch.arange(SIDE, dtype=torch.float64) * side / SIDE
    low = place.floor().long()
    weights, rows = torch.zeros(SIDE, side, dtype=torch.float64), torch.arange(SIDE)
    weights[rows, low] += 1 - (place - low)
    weights[rows, (low + 1).clamp(max=side - 1)] += place - low
    return weights.float()


def evaluate_fid(
    network: Inception,
    pixels: Tensor,
    train: Split,
    test: Split,
    *,
    protocol: Protocol,
    should_stop: Callable[[], bool],
) -> Figure:
    """The squared Fréchet distance of samples from training images in the network's features, and that of test images.

    Args:
        network: as it was brought.
        pixels: samples, (N, C, H, W) uint8.
        train: all of them.
        test: for the floor.
        protocol: data, how samples were drawn ...
        should_stop: asked between batches.
    """
    known, seen, held_out = (network.moments(each, should_stop) for each in (train.pixels, pixels, test.pixels))
    note = f"floor {frechet_distance(held_out, known):.3g}: {len(test):,} held-out images"
    said: Protocol = {
        "n": len(pixels),
        "reference": f"{len(train):,} training images",
        "features": f"the network given, {WIDTH}d, bilinear to {SIDE}x{SIDE} as in TensorFlow 1",
        "features_sha256": network.sha256[:16],
    }
    unit = "squared distance, in the network's units"
    return Figure("FID", frechet_distance(seen, known), unit, None, {**protocol, **said}, note)
