"""A small set in the shape of CIFAR-10, and the containers it may come in."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from repro.data.arrays import Arrays
from repro.data.official import CLASSES, records

BATCHES = (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch")


def cifar(train: int = 50, test: int = 20, seed: int = 0) -> Arrays:
    """Return random 32×32 images of ten classes, in an order that no sorting gives."""
    draws = np.random.default_rng(seed)
    pixels = [draws.integers(0, 256, (count, 32, 32, 3), np.uint8) for count in (train, test)]
    labels = [draws.permutation(np.arange(count) % 10) for count in (train, test)]
    return Arrays(pixels[0], labels[0], pixels[1], labels[1], CLASSES)


def rows_of_batches(arrays: Arrays) -> dict[str, NDArray[np.uint8]]:
    """Return the records of each batch by its name: a fifth of the training images each, and the test images."""
    train = np.split(records(arrays.train, arrays.train_labels), 5)
    return dict(zip(BATCHES, [*train, records(arrays.test, arrays.test_labels)], strict=True))


def binary_version(folder: Path, arrays: Arrays) -> Path:
    """Write the set as the binary version is laid out."""
    folder.mkdir()
    for name, rows in rows_of_batches(arrays).items():
        (folder / f"{name}.bin").write_bytes(rows.tobytes())
    (folder / "batches.meta.txt").write_text("\n".join(arrays.classes) + "\n")
    return folder
