"""Batches: permutations that depend on their arguments alone."""

import pytest
import torch

from reverie.data import Resident, Split, indices, order
from reverie.data.batches import ImageStock
from reverie.errors import UsageError


@pytest.mark.parametrize("n", [1, 2, 17, 1000])
def test_an_order_is_a_permutation_and_a_pure_function(n):
    assert sorted(order(n, 0, 0).tolist()) == list(range(n))
    torch.manual_seed(5)
    assert torch.equal(order(n, 3, 4), order(n, 3, 4))


def test_orders_differ_between_epochs_and_seeds():
    orders = {tuple(order(50, seed, epoch).tolist()) for seed in range(5) for epoch in range(5)}
    assert len(orders) == 25


def test_every_place_is_equally_likely():
    places = torch.stack([order(4, seed, 0) for seed in range(4000)])
    for place in range(4):
        counts = places[:, place].bincount(minlength=4).double()
        error = (4000 * 0.25 * 0.75) ** 0.5
        assert ((counts - 1000).abs() < 4 * error).all()


def test_an_epoch_visits_each_image_once_and_drops_what_is_left():
    steps = torch.cat([indices(23, 5, step, seed=1) for step in range(4)])
    assert torch.equal(steps, order(23, 1, 0)[:20])
    assert torch.equal(indices(23, 5, 4, seed=1), order(23, 1, 1)[:5])
    assert torch.equal(indices(23, 5, 9, seed=1), order(23, 1, 2)[5:10])


def test_steps_do_not_depend_on_what_was_asked_before():
    late = indices(100, 7, 1234, seed=2)
    for step in (0, 5, 2000):
        indices(100, 7, step, seed=2).zero_()
    assert torch.equal(indices(100, 7, 1234, seed=2), late)
    order(100, 2, 0).zero_()
    assert len(order(100, 2, 0).unique()) == 100


def test_a_stock_of_images_gives_the_rows_of_a_turn_as_they_are_observed():
    stock = ImageStock(Resident(Split(torch.arange(10, dtype=torch.uint8)[:, None, None, None]), "cpu"), observe)
    assert stock.turns(3) == 3
    whole = stock.take(4, 3, range(3), 7, None).x
    assert whole.flatten().tolist() == (indices(10, 3, 4, 7) + 100).tolist()
    assert torch.equal(stock.take(4, 3, range(1, 3), 7, None).x, whole[1:])
    assert stock.continues(0, 3)


def observe(pixels, noise):
    return pixels + 100


@pytest.mark.parametrize("batch", [0, 11])
def test_a_batch_that_does_not_fit_is_refused_with_both_numbers(batch):
    with pytest.raises(UsageError, match=f"batch of {batch} .* 10 images"):
        indices(10, batch, 0, 0)


def test_resident_takes_pixels_and_labels_together():
    pixels = torch.arange(24, dtype=torch.uint8).reshape(6, 1, 2, 2)
    resident = Resident(Split(pixels, torch.arange(6)), "cpu")
    taken, labels = resident.take(torch.tensor([4, 0, 4]))
    assert len(resident) == 6
    assert torch.equal(taken, pixels[[4, 0, 4]])
    assert labels.tolist() == [4, 0, 4]
    assert Resident(Split(pixels), "cpu").take(torch.tensor([1]))[1] is None
