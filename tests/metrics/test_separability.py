"""Nearest neighbours against scikit-learn, and by hand where there are ties."""

import numpy as np
import pytest
import torch
from sklearn.neighbors import KNeighborsClassifier
from torch import nn

from reverie.errors import UsageError
from reverie.metrics import separability
from reverie.metrics.separability import evaluate_separability, nearest_classes
from reverie.models.autoencoder import Autoencoder


def clouds(n, width=4, classes=3, seed=0):
    source = torch.Generator().manual_seed(seed)
    label = torch.randint(0, classes, (n,), generator=source)
    centres = torch.randn(classes, width, generator=torch.Generator().manual_seed(7))
    return centres[label] + torch.randn(n, width, generator=source), label


@pytest.mark.parametrize("k", [1, 3, 10, 200])
def test_neighbours_vote_as_in_scikit_learn(k, monkeypatch):
    monkeypatch.setattr(separability, "DISTANCES", 200 * 13)
    references, (z, _) = clouds(200), clouds(150, seed=1)
    oracle = KNeighborsClassifier(k, algorithm="brute").fit(*(part.numpy() for part in references))
    np.testing.assert_array_equal(nearest_classes(z, references, k), oracle.predict(z.numpy()))


def test_of_equal_distances_the_first_references_count():
    references = (torch.tensor([[1.0], [-1.0], [1.0], [-1.0], [5.0]]), torch.tensor([2, 2, 0, 0, 1]))
    assert nearest_classes(torch.zeros(1, 1), references, 2).tolist() == [2]
    flipped = (references[0][:4].flip(0), references[1][:4].flip(0))
    assert nearest_classes(torch.zeros(1, 1), flipped, 2).tolist() == [0]


def test_of_equal_votes_the_smallest_class_wins():
    references = (torch.tensor([[0.1], [0.2], [0.3], [0.4]]), torch.tensor([3, 1, 3, 1]))
    assert nearest_classes(torch.zeros(1, 1), references, 4).tolist() == [1]


@pytest.mark.parametrize("k", [0, 5])
def test_k_must_fit(k):
    with pytest.raises(UsageError, match=f"between 1 and the 4 reference codes; got {k}"):
        nearest_classes(torch.zeros(1, 1), (torch.zeros(4, 1), torch.zeros(4, dtype=torch.long)), k)


def test_codes_stand_beside_as_many_principal_components():
    class Narrow(nn.Module):
        def forward(self, x):
            return x.flatten(1)[:, 4:6]  # two numbers of pure noise

    def images(n, seed):
        z, label = clouds(n, width=4, seed=seed)
        noise = 0.1 * torch.randn(n, 4, generator=torch.Generator().manual_seed(seed))
        return torch.cat([5 * z, noise], 1).view(n, 1, 2, 4), label

    model = Autoencoder(Narrow(), nn.Identity(), latent=2)
    train, test = images(300, 0), images(200, 1)
    learned, linear = evaluate_separability(model, train, test, protocol={"data": "clouds"}, k=5)
    assert abs(learned.value - 1 / 3) < 0.12
    assert linear.value > 0.5
    assert learned.protocol == {"data": "clouds", "neighbours": 5, "references": 300, "n": 200}
    assert linear.standard_error == pytest.approx((linear.value * (1 - linear.value) / 199) ** 0.5)
