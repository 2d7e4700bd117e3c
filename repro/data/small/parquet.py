"""Small images in Parquet files, as Hugging Face stores them: a row is an image file and a label."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from repro.data.small.image_arrays import Arrays, Labels, Pixels, checked_arrays
from repro.data.small.image_file import SmallImages
from repro.errors import EnvironmentProblem, UserError, quote

SPLITS = ("train", "test")
IMAGE_COLUMNS = ("image", "img")
LABEL_COLUMNS = ("label", "labels")
SUFFIX = ".parquet"
ROWS_AT_ONCE = 1000

LAYOUT = (
    "name a folder with train-*.parquet and test-*.parquet, with the columns `image` and `label`"
)


def parquet_files(folder: Path) -> list[Path]:
    """Return the Parquet files in a folder and below it. A download cache has links: follow them."""
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
    images, labels = [], []
    for path in paths:
        for number, (image, label) in enumerate(_rows(path)):
            content = image.get("bytes") if isinstance(image, dict) else image
            if not isinstance(content, bytes) or not isinstance(label, int):
                raise UserError(
                    f"row {number} of {quote(path, 300)} has no image bytes, or no number for a label",
                    LAYOUT,
                )
            images.append(decoder.decode(f"{path.name}, row {number}", content))
            labels.append(label)
    if not images:
        raise UserError(f"{quote(paths[0], 300)} has no rows", LAYOUT)
    return np.stack(images), np.array(labels, dtype=np.int64)


def _rows(path: Path) -> Iterator[tuple[Any, Any]]:
    """Yield the image and the label of each row."""
    import pyarrow  # type: ignore[import-untyped]
    import pyarrow.parquet  # type: ignore[import-untyped]

    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            names = file.schema_arrow.names
            image, label = _column(path, names, IMAGE_COLUMNS), _column(path, names, LABEL_COLUMNS)
            for batch in file.iter_batches(ROWS_AT_ONCE, columns=[image, label]):
                yield from zip(batch[image].to_pylist(), batch[label].to_pylist(), strict=True)
    except (pyarrow.ArrowException, OSError) as error:
        reason = " ".join(str(error).split())[:120]
        raise EnvironmentProblem(
            f"cannot read {quote(path, 300)} as Parquet: {reason}", "copy it again"
        ) from None


def _column(path: Path, names: list[str], usual: tuple[str, ...]) -> str:
    for name in usual:
        if name in names:
            return name
    columns = quote(", ".join(names))
    raise UserError(
        f"{quote(path, 300)} has the columns {columns}, and none of them is {quote(usual[0])}",
        LAYOUT,
    )
