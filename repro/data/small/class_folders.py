"""Small images in class folders, `train/<class>/<name>.png` and `test/<class>/<name>.png`.

Classes and images are numbered by their sorted names. Of JPEG files the pixels are what the decoder
makes of them: a set that was re-encoded is another set than its original, and its hash says so.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import TypeAlias

import numpy as np

from repro.data.archives import is_image_name, read_members
from repro.data.small.image_arrays import Arrays, Labels, Pixels
from repro.data.small.image_file import SmallImages
from repro.errors import UserError, quote

SPLITS = ("train", "test")
LARGEST_FILE = 1_000_000  # bytes

LAYOUT = "images lie in `train/<class>/` and `test/<class>/`, as .jpg or .png files"

Named: TypeAlias = dict[tuple[str, str], Pixels]  # the images of a split, by class and file name


def read_class_folders(path: Path) -> Arrays:
    """Return the images of a folder or an archive; the first that is wrong is named."""
    splits = _by_split(path)
    classes = _classes(splits, path)
    train, train_labels = _stacked(splits["train"], classes)
    test, test_labels = _stacked(splits["test"], classes)
    return Arrays(train, train_labels, test, test_labels, classes)


def is_image(path: PurePosixPath) -> bool:
    """Return whether this is the name of an image file."""
    return is_image_name(path.name)


def _by_split(path: Path) -> dict[str, Named]:
    """Return the decoded images; folders above `train` and `test` do not matter."""
    splits: dict[str, Named] = {split: {} for split in SPLITS}
    decoder = SmallImages()
    for member, content in read_members(path, LARGEST_FILE, is_image):
        if len(member.parts) < 3 or member.parts[-3] not in SPLITS:
            continue
        split, label, name = member.parts[-3:]
        if (label, name) in splits[split]:
            raise UserError(f"there are two images {quote(member)}", "keep one of them")
        splits[split][label, name] = decoder.decode(member, content)
    return splits


def _classes(splits: dict[str, Named], path: Path) -> tuple[str, ...]:
    """Return the sorted names of the classes, which are those of both splits."""
    for split in SPLITS:
        if not splits[split]:
            raise UserError(f"{quote(path, 300)} has no image in `{split}/<class>/`", LAYOUT)
    train = {label for label, _ in splits["train"]}
    test = {label for label, _ in splits["test"]}
    if train != test:
        name = quote(min(train ^ test))
        problem = f"{quote(path, 300)} has class {name} in only one of `train` and `test`"
        raise UserError(problem, LAYOUT)
    if len(train) < 2:
        problem = f"{quote(path, 300)} has one class, {quote(min(train))}"
        raise UserError(problem, "a net tells two or more apart")
    return tuple(sorted(train))


def _stacked(images: Named, classes: tuple[str, ...]) -> tuple[Pixels, Labels]:
    keys = sorted(images)
    pixels = np.stack([images[key] for key in keys])
    numbers = {name: number for number, name in enumerate(classes)}
    return pixels, np.array([numbers[label] for label, _ in keys])
