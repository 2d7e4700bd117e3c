"""What is drawn depends on (seed, iteration) and on nothing else."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from repro.data.sampling import RandomDraws, batch_indices, permutation, random_bits
from repro.distributed import Share

seeds = st.integers(0, 2**32 - 1)


def test_the_bits_are_the_same_on_every_platform_and_in_every_version() -> None:
    assert random_bits(7, RandomDraws.EPOCH, 3, 2).tolist() == [
        8098161801208144601,
        3055863425615074499,
    ]


def test_other_seeds_purposes_and_indices_draw_other_bits() -> None:
    drawn = [
        random_bits(*place, 4).tolist()
        for place in (
            (0, RandomDraws.EPOCH, 0),
            (1, RandomDraws.EPOCH, 0),
            (0, RandomDraws.SPLIT, 0),
            (0, RandomDraws.EPOCH, 1),
        )
    ]
    assert len({bit for four in drawn for bit in four}) == 16


@given(seeds, st.integers(1, 60), st.integers(1, 20), st.integers(0, 50), st.integers(0, 8))
def test_a_batch_does_not_depend_on_where_the_training_began(
    seed: int, images: int, batch: int, start: int, more: int
) -> None:
    unbroken = list(batch_indices(seed, images, batch, 0, start + more))
    assert_array_equal(
        unbroken[start:], list(batch_indices(seed, images, batch, start, start + more))
    )


@given(seeds, st.integers(1, 60), st.integers(1, 20), st.integers(1, 3))
def test_every_epoch_has_each_image_once_and_batches_run_on_across_epochs(
    seed: int, images: int, batch: int, epochs: int
) -> None:
    batches = batch_indices(seed, images, batch, 0, -(-epochs * images // batch))
    order = np.concatenate(list(batches))[: epochs * images].reshape(epochs, images)
    assert_array_equal(np.sort(order), np.tile(np.arange(images), (epochs, 1)))


def test_epochs_and_seeds_have_orders_of_their_own() -> None:
    orders = [
        permutation(seed, RandomDraws.EPOCH, 100, epoch).tolist()
        for seed in (0, 1)
        for epoch in (0, 1)
    ]
    assert len({tuple(order) for order in orders}) == 4


@given(st.integers(0, 1000), st.integers(1, 16))
def test_the_shares_of_all_processes_are_the_whole(count: int, processes: int) -> None:
    shares = [range(count)[Share(rank, processes).of(count)] for rank in range(processes)]
    assert [place for one in shares for place in one] == list(range(count))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1
