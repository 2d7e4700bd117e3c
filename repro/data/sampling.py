"""Which images a batch holds, and every other draw of the input: bits that depend on (seed, iteration) alone.

Each draw opens Philox, a counter-based generator, at its own place, so nothing is carried from batch to batch. Only
raw bits are taken from numpy: they are the same on every platform and in every version; its distributions need not be.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import IntEnum
from functools import lru_cache, partial

import numpy as np
from numpy.typing import NDArray


class RandomDraws(IntEnum):
    """What bits are drawn for; no two purposes share any."""

    EPOCH = 0
    AUGMENTATION = 1
    SPLIT = 2
    PIXELS = 3
    LABELS = 4
    MOVES = 5


def random_bits(seed: int, purpose: RandomDraws, index: int, count: int) -> NDArray[np.uint64]:
    """`count` random 64-bit integers, a function of the arguments."""
    key = np.array([seed, 0], dtype=np.uint64)
    counter = np.array(
        [0, index, purpose, 0], dtype=np.uint64
    )  # the low word counts the bits themselves
    return np.random.Philox(key=key, counter=counter).random_raw(count)


def permutation(seed: int, purpose: RandomDraws, images: int, index: int) -> NDArray[np.int64]:
    """A random order of that many images."""
    return np.argsort(random_bits(seed, purpose, index, images), kind="stable")


def batch_indices(
    seed: int, images: int, batch: int, start: int, stop: int
) -> Iterator[NDArray[np.int64]]:
    """The images of iterations start … stop-1: positions i·batch … (i+1)·batch of epoch after epoch, end to end."""
    order = lru_cache(maxsize=2)(partial(permutation, seed, RandomDraws.EPOCH, images))
    for iteration in range(start, stop):
        epochs, places = np.divmod(np.arange(iteration * batch, (iteration + 1) * batch), images)
        yield np.concatenate(
            [order(epoch)[places[epochs == epoch]] for epoch in range(epochs[0], epochs[-1] + 1)]
        )
