"""A data set of small images as plain arrays, and what it *is*: a SHA-256 of pixels and labels."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from repro.errors import UserError, quote

Pixels = NDArray[np.uint8]  # images × height × width × 3
Labels = NDArray[np.int64]

MOST_CLASSES = 100_000  # a label beyond is a mistake


@dataclass(frozen=True, eq=False)
class Arrays:
    """Training and test images with their labels, and the names of the classes."""

    train: Pixels
    train_labels: Labels
    test: Pixels
    test_labels: Labels
    classes: tuple[str, ...]

    @property
    def size(self) -> int:
        return int(self.train.shape[1])


def content_hash(arrays: Arrays) -> str:
    """Return a digest of pixels and labels in their order, whatever files they came in."""
    digest = hashlib.sha256()
    for name in ("train", "train_labels", "test", "test_labels"):
        array = getattr(arrays, name)
        kind = "|u1" if array.dtype == np.uint8 else "<i8"
        digest.update(f"{name} {array.shape} {kind}\n".encode())
        digest.update(np.ascontiguousarray(array.astype(kind, copy=False)).data)
    return digest.hexdigest()


def checked_arrays(
    path: Path, train: Pixels, train_labels: Labels, test: Pixels, test_labels: Labels
) -> Arrays:
    """Return arrays whose classes are called by their numbers, if images and labels agree."""
    _check_labels(path, "train", train, train_labels)
    _check_labels(path, "test", test, test_labels)
    if train.shape[1:] != test.shape[1:]:
        sides = f"{train.shape[1]} and {test.shape[1]} pixels a side"
        hint = "the images of a set are all of one size"
        raise UserError(f"{quote(path, 300)} has images of {sides}", hint)
    count = 1 + int(max(train_labels.max(), test_labels.max()))
    if count < 2:
        raise UserError(f"{quote(path, 300)} has one class", "a net tells two or more apart")
    return Arrays(train, train_labels, test, test_labels, tuple(map(str, range(count))))


def _check_labels(path: Path, split: str, images: Pixels, labels: Labels) -> None:
    if len(images) != len(labels) or not len(images):
        counts = f"{len(images):,} images and {len(labels):,} labels in `{split}`"
        hint = "a set has images in both splits, and a label for each"
        raise UserError(f"{quote(path, 300)} has {counts}", hint)
    if labels.min() < 0 or labels.max() > MOST_CLASSES:
        labelled = f"labels from {labels.min()} to {labels.max()} in `{split}`"
        raise UserError(f"{quote(path, 300)} has {labelled}", "classes are numbered from 0")
