"""CIFAR-10's own files in a folder or an archive: six batches, of the binary version.

A record of the binary version is a byte for the label, then the red, the green and the blue plane.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from repro.data.arrays import Arrays, Labels, Pixels
from repro.data.members import members
from repro.data.official import CLASSES
from repro.errors import UserError, shown

TRAIN = tuple(f"data_batch_{number}" for number in range(1, 6))
TEST = ("test_batch",)
BINARY = ".bin"  # what the binary version's files end in; the python version's end in nothing

SIDE = 32
RECORD = 1 + 3 * SIDE * SIDE  # bytes
LARGEST_FILE = 64_000_000  # bytes; a batch has 31 million


def is_binary_batch(name: PurePosixPath) -> bool:
    """Return whether this is the name of a batch of the binary version."""
    return name.suffix == BINARY and name.stem in (*TRAIN, *TEST)


def read_binary(path: Path) -> Arrays:
    """Return the images and labels of the binary version, in the order of its files."""
    files = _batch_files(path)
    train, train_labels = _joined(path, files, TRAIN)
    test, test_labels = _joined(path, files, TEST)
    return Arrays(train, train_labels, test, test_labels, CLASSES)


def _batch_files(path: Path) -> dict[str, bytes]:
    """Return the content of each batch by its name."""
    files: dict[str, bytes] = {}
    for name, content in members(path, LARGEST_FILE, is_binary_batch):
        if name.stem in files:
            raise UserError(f"{shown(path, 300)} has {shown(name.name)} twice", "keep one of them")
        files[name.stem] = content
    return files


def _joined(path: Path, files: dict[str, bytes], names: tuple[str, ...]) -> tuple[Pixels, Labels]:
    """Return the images of these batches, one after the other."""
    rows = []
    for name in names:
        if name not in files:
            raise UserError(
                f"{shown(path, 300)} has no {shown(name + BINARY)}", "copy all six batches of the binary version"
            )
        rows.append(_rows(name + BINARY, files[name]))
    joined = np.concatenate(rows)
    planes = joined[:, 1:].reshape(-1, 3, SIDE, SIDE)
    return np.ascontiguousarray(planes.transpose(0, 2, 3, 1)), joined[:, 0].astype(np.int64)


def _rows(name: str, content: bytes) -> NDArray[np.uint8]:
    """Return the records of a file, one a row; a cut file or a label that is none is an error."""
    if not content or len(content) % RECORD:
        problem = f"{shown(name)} has {len(content):,} bytes, which is no whole number of records of {RECORD:,} bytes"
        raise UserError(problem, "copy it again: an official batch has 30,730,000 bytes")
    rows = np.frombuffer(content, np.uint8).reshape(-1, RECORD)
    largest = int(rows[:, 0].max())
    if largest >= len(CLASSES):
        raise UserError(
            f"{shown(name)} has the label {largest}, and CIFAR-10 has 0 to 9", "import the binary version of CIFAR-10"
        )
    return rows
