"""The generated set: ten classes of small textures, drawn by rule.

A class is a coloured texture on a torus. An image is the texture of its class, moved by a random
step, with noise. It is easy on purpose: scale `smoke` trains for seconds, in which a shallow net or
a deep residual net nearly learns it, and a deep plain net clearly does not. All arithmetic is on
integers: the bytes are the same on every platform.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from repro.data.sampling import RandomDraws, random_bits
from repro.data.small.image_arrays import Arrays, Labels, Pixels

NAME = "generated"
CLASSES = 10
TRAIN, TEST = 2_000, 500
SEED = 0

TEXTURE, NOISE = 96, 16  # how far each reaches on both sides of middle grey
STEPS = 2  # an image is moved by 0 … STEPS-1 pixels each way


def draw(size: int) -> Arrays:
    """Return the set at that size of image; equal bytes each time and everywhere."""
    textures = _textures(size)
    train, train_labels = _images(textures, TRAIN, 1)
    test, test_labels = _images(textures, TEST, 2)
    classes = tuple(f"texture {number}" for number in range(CLASSES))
    return Arrays(train, train_labels, test, test_labels, classes)


def _textures(size: int) -> NDArray[np.int64]:
    """Return a texture for each class: noise, smoothed on a torus and stretched to -127 … 127."""
    noise = _integers(RandomDraws.PIXELS, 0, 255, (CLASSES, size, size, 3)) - 127
    steps = [(0, 0), (0, 1), (1, 0), (1, 1)]
    smooth = np.sum([np.roll(noise, step, (1, 2)) for step in steps], axis=0)
    peak = np.abs(smooth).max(axis=(1, 2, 3), keepdims=True)
    textures: NDArray[np.int64] = smooth * 127 // peak
    return textures


def _images(textures: NDArray[np.int64], count: int, part: int) -> tuple[Pixels, Labels]:
    """Return images of every class in turn."""
    size, labels = textures.shape[1], np.arange(count) % CLASSES
    noise = _integers(RandomDraws.PIXELS, part, 255, (count, size, size, 3)) - 127
    pixels = 128 + (_moved(textures[labels], part) * TEXTURE + noise * NOISE) // 127
    return pixels.astype(np.uint8), labels


def _moved(images: NDArray[np.int64], part: int) -> NDArray[np.int64]:
    """Return each image moved round its torus by a random step."""
    count, size = images.shape[:2]
    down, right = _integers(RandomDraws.MOVES, part, STEPS, (2, count, 1))
    rows, columns = (np.arange(size) + down) % size, (np.arange(size) + right) % size
    numbers = np.arange(count)[:, None, None]
    moved: NDArray[np.int64] = images[numbers, rows[:, :, None], columns[:, None, :]]
    return moved


def _integers(
    purpose: RandomDraws, index: int, below: int, shape: tuple[int, ...]
) -> NDArray[np.int64]:
    """Return integers from 0 to below - 1; that 2⁶⁴ is no multiple of `below` does not matter."""
    drawn = random_bits(SEED, purpose, index, int(np.prod(shape)))
    numbers: NDArray[np.int64] = (drawn % np.uint64(below)).astype(np.int64)
    return numbers.reshape(shape)
