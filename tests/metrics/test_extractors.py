"""Extractors: their scale, their hash, and that no feature depends on the batch."""

import pytest
import torch

from reverie.data.images import Split
from reverie.metrics import extractors
from reverie.metrics.extractors import SPREAD, WIDTH, chosen, packed, random_network, scaled


def pictures(n=120, channels=1, size=12, seed=0):
    source = torch.Generator().manual_seed(seed)
    return Split(torch.randint(0, 256, (n, channels, size, size + 2), generator=source, dtype=torch.uint8))


@pytest.mark.parametrize(("channels", "size"), [(1, 4), (3, 12), (4, 33)])
def test_training_images_have_the_stated_spread_whatever_their_shape(channels, size):
    train = pictures(channels=channels, size=size)
    features = random_network(train).features(train.pixels)
    assert features.shape == (120, WIDTH)
    assert features.dtype == torch.float64
    torch.testing.assert_close(features.var(0, correction=0), torch.full((WIDTH,), SPREAD / WIDTH).double())


def test_one_factor_gives_a_network_the_same_spread():
    train = pictures()
    plain = random_network(train)
    uneven = extractors.Extractor("uneven", plain.network, torch.linspace(1, 3, WIDTH).double())
    one = scaled(uneven, train)
    assert one.features(train.pixels).var(0, correction=0).sum() == pytest.approx(SPREAD, rel=1e-6)
    ratio = one.scale / uneven.scale
    torch.testing.assert_close(ratio, ratio[:1].expand(WIDTH))


def test_no_feature_depends_on_the_batch_or_on_the_global_generator(monkeypatch):
    train = pictures()
    torch.manual_seed(5)
    first = random_network(train)
    whole = first.features(train.pixels)
    monkeypatch.setattr(extractors, "BATCH", 7)
    torch.manual_seed(6)
    second = random_network(train)
    torch.testing.assert_close(second.features(train.pixels), whole, rtol=1e-5, atol=1e-4)
    assert first.network[0].weight.equal(second.network[0].weight)
    assert torch.random.initial_seed() == 6


def test_the_hash_is_of_every_number():
    train = pictures()
    first, second = random_network(train), random_network(train)
    assert first.protocol == second.protocol
    second.network[-1].bias += 1e-6
    assert first.protocol["features_sha256"] != second.protocol["features_sha256"]
    assert len(packed(first)) > 4 * 16 * 9


def test_images_without_any_difference_have_one_row_of_finite_features():
    blank = Split(torch.zeros(20, 1, 8, 8, dtype=torch.uint8))
    found = random_network(blank).features(blank.pixels)
    assert found.isfinite().all()
    assert (found == found[0]).all()


def test_chosen_images_are_drawn_and_not_evenly_spaced():
    """Of a set that alternates between two kinds, both are taken."""
    places = chosen(60_000, 10_000)
    assert len(places.unique()) == 10_000
    assert places.equal(places.sort().values)
    assert places.equal(chosen(60_000, 10_000))
    assert abs(float((places % 2).double().mean()) - 0.5) < 0.02
    assert chosen(5, 9).tolist() == [0, 1, 2, 3, 4]
