"""Parts of progressively grown players against their definitions."""

import numpy as np
import pytest
import torch

from reverie.nn.growing import MinibatchDeviation


@pytest.mark.parametrize(("batch", "group"), [(8, 4), (6, 3), (5, 1), (2, 2)])
def test_the_plane_is_the_mean_deviation_of_each_group(batch, group):
    x = torch.randn(batch, 3, 4, 5, dtype=torch.float64)
    y = MinibatchDeviation(4)(x)
    assert torch.equal(y[:, :3], x)
    members = x.numpy().reshape(group, batch // group, 3, 4, 5)
    wanted = np.sqrt(members.var(0) + 1e-8).mean((1, 2, 3))
    for i in range(batch):
        np.testing.assert_allclose(y[i, 3].numpy(), np.full((4, 5), wanted[i % (batch // group)]), rtol=1e-6)


def test_members_of_a_group_may_change_places():
    x = torch.randn(8, 2, 3, 3)
    places = torch.tensor([2, 1, 0, 3, 4, 5, 6, 7])  # 0 and 2 are of one group of four
    torch.testing.assert_close(MinibatchDeviation(4)(x)[:, 2], MinibatchDeviation(4)(x[places])[:, 2])
