"""Stacked digits: a picture whose colours are digits drawn at random, so that its modes can be counted.

Three digits make 1,000 modes (Che et al. 2017, 1612.02136; the protocol of Srivastava et al. 2017, 1705.07761: 128,000
pictures to train on, 26,000 to count). Two make 100: the third colour is empty.
"""

import numpy as np

from reverie.data.pictures import Levels
from reverie.data.stack import Stack, join

SEED = 0
COUNTS = {"train": 128_000, "test": 26_000}


def stacked(digits: Stack, colours: int) -> Stack:
    """Pictures of one digit in each of the first ``colours`` colours, levels (N, 3, H, W).

    The digits of the training part make up training pictures, those of the test part test pictures. The label is the
    number that the digits write, red first: 0 to ``10^colours - 1``.

    Args:
        digits: of one colour, with labels from 0 to 9 and the parts ``train`` and ``test``.
        colours: 2 or 3.

    Raises:
        ValueError: the digits have no labels or no parts.
    """
    if digits.labels is None or digits.parts is None:
        raise ValueError("digits need labels and parts")
    source, pieces = np.random.RandomState(SEED), []
    for part, count in COUNTS.items():
        mine = np.flatnonzero(np.array(digits.parts) == part)
        chosen = mine[source.randint(0, len(mine), (count, colours))]
        images: Levels = np.zeros((count, 3, *digits.images.shape[2:]), np.uint8)
        for colour in range(colours):
            images[:, colour] = digits.images[chosen[:, colour], 0]
        pieces.append((part, images, digits.labels[chosen] @ 10 ** np.arange(colours)[::-1]))
    return join(pieces, tuple(f"{mode:0{colours}d}" for mode in range(10**colours)))
