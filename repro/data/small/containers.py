"""Small images in whatever container they come in, told by the names of the files in it."""

from __future__ import annotations

import zipfile
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath

from repro.data.archives import member_names
from repro.data.other_formats import other_format
from repro.data.parquet_rows import SUFFIX as PARQUET
from repro.data.small.cifar10_batches import (
    is_binary_batch,
    is_python_batch,
    read_binary,
    read_python,
)
from repro.data.small.class_folders import is_image, read_class_folders
from repro.data.small.image_arrays import Arrays
from repro.data.small.npz import read_npz
from repro.data.small.parquet import LAYOUT, parquet_files, read_parquet
from repro.errors import UserError, quote

ACCEPTED = (
    "accepted are CIFAR-10's python and binary versions, train/<class>/ and test/<class>/ with "
    ".png or .jpg files (each a folder, .tar, .tar.gz or .zip), a folder with train-*.parquet and "
    "test-*.parquet, and .npz"
)

# Files that are often taken for what is accepted: a pattern of their names, and what they are.
# What they are comes before what `other_format` says, which is meant for photos.
REFUSED = (
    ("cifar-100-*", "CIFAR-100, which is another data set"),
    ("fine_label_names.txt", "CIFAR-100, which is another data set"),
    ("*.mat", "a MATLAB version"),
    ("*.pt", "a file of torch"),
    ("*.pth", "a file of torch"),
    ("*.pkl", "a pickle, which might run code"),
    ("*.pickle", "a pickle, which might run code"),
    ("*.npy", "a single array (write all four into one .npz)"),
    ("*.tar", "an archive in a folder (name the archive itself)"),
    ("*.tar.gz", "an archive in a folder (name the archive itself)"),
    ("*.tgz", "an archive in a folder (name the archive itself)"),
    ("*.zip", "an archive in a folder (name the archive itself)"),
    ("*.npz", "an .npz file in a folder (name the file itself)"),
)
READ = (".tar", ".tar.gz", ".tgz", ".zip", ".npz")
CIFAR_100_PYTHON = {"train", "test", "meta"}  # the names of its files


def read_images(path: Path) -> Arrays:
    """Return the images and labels at that path, in the order of the container."""
    if path.is_dir() and parquet_files(path):
        return read_parquet(path)
    if path.is_file():
        _refuse_single_file(path)
        if _is_npz(path):
            return read_npz(path)
    names = member_names(path)
    if any(map(is_binary_batch, names)):
        return read_binary(path)
    if any(map(is_python_batch, names)):
        return read_python(path)
    if any(map(is_image, names)):
        return read_class_folders(path)
    raise _not_accepted(path, names)


def _refuse_single_file(path: Path) -> None:
    """Refuse a file that is a part of a set, or no archive at all."""
    name = PurePosixPath(path.name)
    if name.suffix == PARQUET:
        problem = "is one Parquet file, and a set has a `train` and a `test` split"
        raise UserError(f"{quote(path, 300)} {problem}", LAYOUT)
    if is_binary_batch(name) or is_python_batch(name):
        problem = f"{quote(path, 300)} is one batch of CIFAR-10, which has six"
        raise UserError(problem, "name the folder that has all of them")
    if not path.name.lower().endswith(READ) and _what_it_is([name]):
        raise _not_accepted(path, [name])


def _is_npz(path: Path) -> bool:
    """Return whether the file is a zip of arrays."""
    if not zipfile.is_zipfile(path):
        return path.suffix == ".npz"
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (OSError, zipfile.BadZipFile):
        return False
    return bool(names) and all(name.endswith(".npy") for name in names)


def _what_it_is(names: list[PurePosixPath]) -> str:
    """Return what the files are, if it is one of the things that are often tried."""
    if {name.name for name in names} >= CIFAR_100_PYTHON:
        return "CIFAR-100, which is another data set"
    parts = {part for name in names for part in name.parts}
    for pattern, what in REFUSED:
        if any(fnmatch(part.lower(), pattern) for part in parts):
            return what
    return next(filter(None, map(other_format, names)), "")


def _not_accepted(path: Path, names: list[PurePosixPath]) -> UserError:
    if what := _what_it_is(names):
        return UserError(f"{quote(path, 300)} is {what}", ACCEPTED)
    if not names:
        return UserError(f"{quote(path, 300)} has no files", ACCEPTED)
    problem = f"{quote(path, 300)} has no images: its first file is {quote(min(names))}"
    return UserError(problem, ACCEPTED)
