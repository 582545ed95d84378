"""Parts of progressively grown players (Karras et al. 2018, 1710.10196)."""

import torch
from torch import Tensor, nn


class MinibatchDeviation(nn.Module):
    """One more plane: how far the images of a group differ, (B, C, H, W) to (B, C + 1, H, W).

    The standard deviation over the group of each number, averaged over channels and pixels, the same at each place.
    A critic with this plane sees when all fakes look alike. Source: 1710.10196, section 3, with groups of 4.

    Args:
        group: images in a group; where it does not divide the batch, the largest number below it that does.
    """

    def __init__(self, group: int = 4) -> None:
        """Take the size of a group."""
        super().__init__()
        self.group = group

    def forward(self, x: Tensor) -> Tensor:
        """Add the plane."""
        batch, _, height, width = x.shape
        group = next(g for g in range(min(self.group, batch), 0, -1) if batch % g == 0)
        y = x.view(group, batch // group, *x.shape[1:]).float()
        deviation = (y.var(0, unbiased=False) + 1e-8).sqrt().mean((1, 2, 3))  # (B / group,)
        plane = deviation.repeat(group).view(batch, 1, 1, 1).expand(-1, -1, height, width)
        return torch.cat([x, plane.to(x.dtype)], 1)
