"""Channels that become pixels, against torch."""

import pytest
import torch
from torch.nn.functional import pixel_shuffle, pixel_unshuffle

from reverie import native

pytestmark = pytest.mark.skipif(not native.available(), reason=f"no kernels of one's own: {native.missing()}")
CASES = [(16, (7, 7), (14, 14)), (32, (4, 4), (7, 7)), (1, (3, 5), (6, 9)), (9, (2, 4), (3, 8)), (11, (1, 1), (1, 1))]


def last(x):
    return x.contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize(("channels", "few", "many"), CASES)
def test_four_channels_become_four_pixels_and_back(channels, few, many):
    x = last(torch.randn(3, 4 * channels, *few).bfloat16())
    found = native.shuffle(x, many)
    assert torch.equal(found, pixel_shuffle(x, 2)[..., : many[0], : many[1]])
    assert found.is_contiguous(memory_format=torch.channels_last)
    beyond = torch.zeros(3, channels, 2 * few[0], 2 * few[1], dtype=torch.bfloat16)
    beyond[..., : many[0], : many[1]] = found
    assert torch.equal(native.unshuffle(found, few), pixel_unshuffle(beyond, 2))
