"""CIFAR-10's own files in a folder or an archive: six batches, of the binary or the python version.

A record of the binary version is a byte for the label, then the red, the green and the blue plane.
A batch of the python version is a pickle with an array of such planes and a list of labels.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Any, TypeAlias

import numpy as np

from repro.data.archives import read_members
from repro.data.small.cifar10_pickles import open_pickle
from repro.data.small.image_arrays import Arrays, Labels, Pixels
from repro.data.small.official_cifar10 import CLASSES
from repro.errors import UserError, quote

TRAIN = tuple(f"data_batch_{number}" for number in range(1, 6))
TEST = ("test_batch",)
META = "batches.meta"  # of the python version: the names of the classes

SIDE = 32
PLANES = 3 * SIDE * SIDE  # bytes of an image
RECORD = 1 + PLANES
LARGEST_FILE = 64_000_000  # bytes; a batch has 31 million

Batch: TypeAlias = tuple[Pixels, Labels]  # planes, one image a row, and labels


def is_binary_batch(name: PurePosixPath) -> bool:
    """Return whether this is the name of a batch of the binary version."""
    return name.suffix == ".bin" and name.stem in (*TRAIN, *TEST)


def is_python_batch(name: PurePosixPath) -> bool:
    """Return whether this is the name of a batch of the python version."""
    return name.name in (*TRAIN, *TEST)


def read_binary(path: Path) -> Arrays:
    """Return the images and labels of the binary version, in the order of its files."""
    batches = {}
    for name, content in read_members(path, LARGEST_FILE, is_binary_batch):
        _refuse_second(path, name.name, name.stem in batches)
        batches[name.stem] = _binary_batch(name.name, content)
    return _joined(path, batches, CLASSES)


def read_python(path: Path) -> Arrays:
    """Return the images and labels of the python version, in the order of its files."""
    batches: dict[str, Batch] = {}
    classes: tuple[str, ...] = CLASSES
    for name, content in read_members(path, LARGEST_FILE, _is_of_python_version):
        opened = open_pickle(name.name, content)
        if name.name == META:
            classes = _class_names(opened)
            continue
        _refuse_second(path, name.name, name.name in batches)
        batches[name.name] = _python_batch(name.name, opened)
    return _joined(path, batches, classes)


def _is_of_python_version(name: PurePosixPath) -> bool:
    return is_python_batch(name) or name.name == META


def _binary_batch(name: str, content: bytes) -> Batch:
    if not content or len(content) % RECORD:
        size = f"{len(content):,} bytes, which is no whole number of records of {RECORD:,} bytes"
        hint = "copy it again: an official batch has 30,730,000 bytes"
        raise UserError(f"{quote(name)} has {size}", hint)
    rows = np.frombuffer(content, np.uint8).reshape(-1, RECORD)
    labels = rows[:, 0].astype(np.int64)
    _check_labels(name, labels)
    return rows[:, 1:], labels


def _python_batch(name: str, opened: dict[str, Any]) -> Batch:
    planes, labels = opened.get("data"), opened.get("labels")
    if not isinstance(planes, np.ndarray) or not isinstance(labels, list):
        keys = ", ".join(sorted(map(str, opened)))
        raise UserError(
            f"{quote(name)} has {quote(keys)}, not `data` and `labels`",
            "import the python version of CIFAR-10",
        )
    if planes.shape != (len(labels), PLANES) or not labels:
        shape = "×".join(map(str, planes.shape))
        problem = f"{quote(name)} has {shape} bytes for {len(labels):,} labels"
        raise UserError(problem, "copy it again")
    if not all(type(label) is int and 0 <= label < 256 for label in labels):
        raise UserError(f"{quote(name)} has a label that is no class", "copy it again")
    numbers = np.array(labels, dtype=np.int64)
    _check_labels(name, numbers)
    return planes, numbers


def _class_names(opened: dict[str, Any]) -> tuple[str, ...]:
    names = opened.get("label_names")
    if not isinstance(names, list) or len(names) != len(CLASSES):
        return CLASSES
    if not all(isinstance(name, str) for name in names):
        return CLASSES
    return tuple(names)


def _check_labels(name: str, labels: Labels) -> None:
    if labels.max() >= len(CLASSES):
        problem = f"{quote(name)} has the label {labels.max()}, and CIFAR-10 has 0 to 9"
        raise UserError(problem, "import CIFAR-10")


def _refuse_second(path: Path, name: str, is_there: bool) -> None:
    if is_there:
        raise UserError(f"{quote(path, 300)} has {quote(name)} twice", "keep one of them")


def _joined(path: Path, batches: dict[str, Batch], classes: tuple[str, ...]) -> Arrays:
    """Return the images of all six batches."""
    missing = [name for name in (*TRAIN, *TEST) if name not in batches]
    if missing:
        raise UserError(f"{quote(path, 300)} has no {quote(missing[0])}", "copy all six batches")
    train, train_labels = _images([batches[name] for name in TRAIN])
    test, test_labels = _images([batches[name] for name in TEST])
    return Arrays(train, train_labels, test, test_labels, classes)


def _images(batches: list[Batch]) -> Batch:
    """Return the batches as one, their planes as images of height × width × 3."""
    planes = np.concatenate([batch[0] for batch in batches]).reshape(-1, 3, SIDE, SIDE)
    labels = np.concatenate([batch[1] for batch in batches])
    return np.ascontiguousarray(planes.transpose(0, 2, 3, 1)), labels
