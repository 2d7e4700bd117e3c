"""The official images of CIFAR-10, known by their pixels and labels in any container.

The binary version of CIFAR-10 has published hashes. Any images, written as its records in the
official order, have those hashes or not: that alone decides. The table in `official_cifar10.npy`
only brings images into that order, and tells which images differ. It holds the first five bytes of
each record's SHA-256: 50,000 training images, then 10,000 test images, none twice. `describe` makes
such a table of any set.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from repro.data.small.image_arrays import Arrays, Labels, Pixels
from repro.errors import quote

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
TABLE = Path(__file__).with_name("official_cifar10.npy")
SIDE = 32
TRAIN_IMAGES = 50_000
JPEG_SHARE = 0.01  # of a set in JPEG hardly any image keeps its pixels
KEY_BYTES = 5  # four would let two of the 50,000 training images share a key

# Of the records of data_batch_1.bin … data_batch_5.bin, joined, and of test_batch.bin.
TRAIN_SHA256 = "a0181da372c0d63a5920fdbea2ec3f83ecbc552d378218e1cb473cf634941a3b"
TEST_SHA256 = "8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b"

Keys = NDArray[np.uint64]


@dataclass(frozen=True, eq=False)
class OfficialSplit:
    """What the training or the test images of an official set are known by."""

    sha256: str  # of all records in official order; equal means official
    keys: Keys  # the first bytes of each record's SHA-256, in official order


@dataclass(frozen=True, eq=False)
class OfficialSet:
    """What an official set is known by, and the names of its classes."""

    train: OfficialSplit
    test: OfficialSplit
    classes: tuple[str, ...]


@cache
def official_cifar10() -> OfficialSet:
    """Return what the official CIFAR-10 is known by."""
    table = np.load(TABLE, allow_pickle=False)
    train = OfficialSplit(TRAIN_SHA256, _as_numbers(table[:TRAIN_IMAGES]))
    test = OfficialSplit(TEST_SHA256, _as_numbers(table[TRAIN_IMAGES:]))
    return OfficialSet(train, test, CLASSES)


def describe(arrays: Arrays) -> OfficialSet:
    """Return what these images would be known by if they were the official ones."""
    splits = []
    for pixels, labels in ((arrays.train, arrays.train_labels), (arrays.test, arrays.test_labels)):
        rows = records(pixels, labels)
        splits.append(OfficialSplit(_sha256(rows), _keys(rows)))
    return OfficialSet(splits[0], splits[1], arrays.classes)


def in_official_order(arrays: Arrays, official: OfficialSet) -> Arrays | None:
    """Return the images in official order if they are exactly the official ones, else None."""
    if not _fit_records(arrays):
        return None
    train = _official_rows(records(arrays.train, arrays.train_labels), official.train)
    test = _official_rows(records(arrays.test, arrays.test_labels), official.test)
    if train is None or test is None:
        return None
    # Training depends on the order of the images, so the arrays themselves are put into it.
    return replace(
        arrays,
        train=arrays.train[train],
        train_labels=arrays.train_labels[train],
        test=arrays.test[test],
        test_labels=arrays.test_labels[test],
        classes=official.classes,
    )


def first_difference(arrays: Arrays, official: OfficialSet) -> str:
    """Return in words how many images are official, and how the first other one differs."""
    if arrays.size != SIDE or not _fit_records(arrays):
        return f"its images are {arrays.size}×{arrays.size}, in {len(arrays.classes)} classes"
    count, first = 0, ""
    for split in _splits(arrays, official):
        strangers = _strangers(split)
        count += len(split.labels) - len(strangers)
        if strangers and not first:
            first = _what_is_wrong(split, strangers[0], arrays.classes, official)
    total = len(official.train.keys) + len(official.test.keys)
    counted = f"{count:,} of {total:,} images are official"
    if not first and count == total:
        return "its images look official, but the SHA-256 of them all is another"
    if not first:
        return f"{counted}, and the others are missing"
    if count < total * JPEG_SHARE:
        return f"{counted}; the first that is not: {first}; are they copies in JPEG?"
    return f"{counted}; the first that is not: {first}"


def records(pixels: Pixels, labels: Labels) -> NDArray[np.uint8]:
    """Return images as rows of the binary version: the label, then three planes."""
    planes = pixels.transpose(0, 3, 1, 2).reshape(len(pixels), -1)
    return np.concatenate([labels.astype(np.uint8)[:, None], planes], axis=1)


def _official_rows(rows: NDArray[np.uint8], official: OfficialSplit) -> NDArray[np.int64] | None:
    """Return which row comes at each official position, or None if the rows are not official."""
    if len(rows) != len(official.keys):
        return None
    here, there = np.argsort(_keys(rows)), np.argsort(official.keys)
    order = np.empty_like(here)
    order[there] = here
    return order if _sha256(rows[order]) == official.sha256 else None


@dataclass(frozen=True, eq=False)
class _Split:
    """Images that might be those of an official split."""

    name: str
    rows: NDArray[np.uint8]
    labels: Labels
    official: OfficialSplit


def _splits(arrays: Arrays, official: OfficialSet) -> tuple[_Split, _Split]:
    train = records(arrays.train, arrays.train_labels)
    test = records(arrays.test, arrays.test_labels)
    return (
        _Split("train", train, arrays.train_labels, official.train),
        _Split("test", test, arrays.test_labels, official.test),
    )


def _strangers(split: _Split) -> list[int]:
    """Return the numbers of the images that the official split lacks, or has less often."""
    left = Counter(split.official.keys.tolist())
    strangers = []
    for number, key in enumerate(_keys(split.rows).tolist()):
        if left[key]:
            left[key] -= 1
        else:
            strangers.append(number)
    return strangers


def _what_is_wrong(
    split: _Split, number: int, classes: tuple[str, ...], official: OfficialSet
) -> str:
    """Return in words why an image is not the official split's."""
    row = split.rows[number]
    name = classes[split.labels[number]]
    image = f"{split.name} image {number:,} ({quote(name)}, counted from 0)"
    key = _keys(row[None])[0]
    if key in split.official.keys:
        return f"{image}, which is there twice"
    if key in official.train.keys or key in official.test.keys:
        return f"{image}, which belongs to the other split"
    for label, name in enumerate(official.classes):
        relabelled = np.concatenate([np.array([label], np.uint8), row[1:]])
        if _keys(relabelled[None])[0] in split.official.keys:
            return f"{image}, which the official set calls {quote(name)}"
    return f"{image}, whose pixels are no official image's"


def _fit_records(arrays: Arrays) -> bool:
    """Return whether every label fits into the byte that a record has for it."""
    labels = np.concatenate([arrays.train_labels, arrays.test_labels])
    return bool(labels.min() >= 0 and labels.max() <= 255)


def _keys(rows: NDArray[np.uint8]) -> Keys:
    digests = b"".join(hashlib.sha256(row.data).digest()[:KEY_BYTES] for row in rows)
    return _as_numbers(np.frombuffer(digests, np.uint8).reshape(-1, KEY_BYTES))


def _as_numbers(keys: NDArray[np.uint8]) -> Keys:
    padded = np.zeros((len(keys), 8), np.uint8)
    padded[:, 8 - KEY_BYTES :] = keys
    return padded.view(">u8").reshape(-1).astype(np.uint64)


def _sha256(rows: NDArray[np.uint8]) -> str:
    return hashlib.sha256(np.ascontiguousarray(rows).data).hexdigest()
