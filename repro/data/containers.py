"""Small images in whatever container they come in, told by the names of the files in it."""

from __future__ import annotations

from pathlib import Path

from repro.data import batches, cifar10
from repro.data.arrays import Arrays
from repro.data.class_folders import read_class_folders
from repro.data.members import member_names


def read_images(path: Path) -> Arrays:
    """Return the images and labels at that path, in the order of the container."""
    if cifar10.is_official(path):
        return cifar10.read_archive(path)
    if any(batches.is_binary_batch(name) for name in member_names(path)):
        return batches.read_binary(path)
    return read_class_folders(path)
