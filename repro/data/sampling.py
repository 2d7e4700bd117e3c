"""Which images a batch holds, and every other draw of the input, by (seed, iteration) alone.

Each draw opens Philox, a counter-based generator, at its own counter, so nothing is carried from
batch to batch. Only raw bits are taken from numpy: they are the same on every platform and in every
version; its distributions need not be.
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
    """Return `count` random 64-bit integers, a function of the arguments."""
    key = np.array([seed, 0], dtype=np.uint64)
    # The lowest word counts the bits themselves.
    counter = np.array([0, index, purpose, 0], dtype=np.uint64)
    return np.random.Philox(key=key, counter=counter).random_raw(count)


def permutation(seed: int, purpose: RandomDraws, images: int, index: int) -> NDArray[np.int64]:
    """Return a random order of that many images."""
    return np.argsort(random_bits(seed, purpose, index, images), kind="stable")


def batch_indices(
    seed: int, images: int, batch: int, start: int, stop: int
) -> Iterator[NDArray[np.int64]]:
    """Yield the images of iterations start … stop-1.

    All epochs are laid end to end, and batch i has the positions from i·batch on.
    """
    # A batch may reach from one epoch into the next.
    order = lru_cache(maxsize=2)(partial(permutation, seed, RandomDraws.EPOCH, images))
    for iteration in range(start, stop):
        positions = np.arange(iteration * batch, (iteration + 1) * batch)
        epochs, places = np.divmod(positions, images)
        parts = []
        for epoch in range(epochs[0], epochs[-1] + 1):
            parts.append(order(epoch)[places[epochs == epoch]])
        yield np.concatenate(parts)
