"""Small images in a folder of Parquet files; each file's name says its split."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from repro.data.parquet_rows import SUFFIX, read_rows
from repro.data.small.image_arrays import Arrays, Labels, Pixels, checked_arrays
from repro.data.small.image_file import SmallImages
from repro.errors import UserError, quote

SPLITS = ("train", "test")
LAYOUT = (
    "name a folder with train-*.parquet and test-*.parquet, with the columns `image` and `label`"
)


def parquet_files(folder: Path) -> list[Path]:
    """Return the Parquet files in and below a folder; also links, as a download cache has them."""
    return sorted(path for path in folder.rglob(f"*{SUFFIX}") if path.is_file())


def read_parquet(folder: Path) -> Arrays:
    """Return the images and labels of a folder of Parquet files, in the order of their rows."""
    files: dict[str, list[Path]] = {split: [] for split in SPLITS}
    for path in parquet_files(folder):
        files[_split_of(path, folder)].append(path)
    for split in SPLITS:
        if not files[split]:
            raise UserError(f"{quote(folder, 300)} has no {split}-*{SUFFIX}", LAYOUT)
    decoder = SmallImages()
    train, train_labels = _images(files["train"], decoder)
    test, test_labels = _images(files["test"], decoder)
    return checked_arrays(folder, train, train_labels, test, test_labels)


def _split_of(path: Path, folder: Path) -> str:
    """Return the split that a file's name says, or else its folder's: train/0000.parquet."""
    for name in reversed(path.relative_to(folder).parts):
        named = [word for word in re.split(r"[^a-z]+", name.lower()) if word in SPLITS]
        if len(named) == 1:
            return named[0]
    raise UserError(f"{quote(path, 300)} is of neither the split `train` nor `test`", LAYOUT)


def _images(paths: list[Path], decoder: SmallImages) -> tuple[Pixels, Labels]:
    """Return the images and labels of these files, one after the other."""
    images: list[Pixels] = []
    labels: list[int] = []
    for path in paths:
        for number, row in enumerate(read_rows(path)):
            where = f"{path.name}, row {number}"
            if not isinstance(row.label, int):
                raise UserError(f"{quote(where)} has no number for a label", LAYOUT)
            images.append(decoder.decode(where, row.content))
            labels.append(row.label)
    if not images:
        raise UserError(f"{quote(paths[0], 300)} has no rows", LAYOUT)
    return np.stack(images), np.array(labels, dtype=np.int64)
