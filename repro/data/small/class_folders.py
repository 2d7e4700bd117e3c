"""Small images in class folders, `train/<class>/<name>.png` and `test/<class>/<name>.png`, as they are often shared.

Classes and images are numbered by their sorted names. Of JPEG files the pixels are what the decoder makes of them: a
set that was re-encoded is another set than its original, and its hash says so.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path, PurePosixPath

import numpy as np

from repro.data.archives import Member, is_image_name, read_members
from repro.data.small.image_arrays import Arrays, Pixels
from repro.data.small.image_file import SmallImages
from repro.errors import UserError, quote

PARTS = ("train", "test")
LARGEST_FILE = 1_000_000  # bytes

LAYOUT = "images lie in `train/<class>/` and `test/<class>/`, as .jpg or .png files"


def read_class_folders(path: Path) -> Arrays:
    """The images of a folder or an archive as arrays; the first that is not as it should be is named."""
    return _arranged(_decoded(read_members(path, LARGEST_FILE, is_image)), path)


def is_image(path: PurePosixPath) -> bool:
    """Return whether this is the name of an image file."""
    return is_image_name(path.name)


def _decoded(files: Iterable[Member]) -> dict[str, dict[tuple[str, str], Pixels]]:
    """The images by part, then by class and name."""
    found: dict[str, dict[tuple[str, str], Pixels]] = {part: {} for part in PARTS}
    decoder = SmallImages()
    for path, content in files:
        part, key = _place(path)
        if part is None:
            continue
        if key in found[part]:
            raise UserError(f"there are two images {quote(path)}", "keep one of them")
        found[part][key] = decoder.decode(path, content)
    return found


def _place(path: PurePosixPath) -> tuple[str | None, tuple[str, str]]:
    """Where in the set a file belongs; folders above `train` and `test` do not matter, other files are passed over."""
    if len(path.parts) < 3:
        return None, ("", "")
    part, label, name = path.parts[-3:]
    return (part if part in PARTS else None), (label, name)


def _arranged(found: dict[str, dict[tuple[str, str], Pixels]], path: Path) -> Arrays:
    for part in PARTS:
        if not found[part]:
            raise UserError(f"{quote(path, 300)} has no image in `{part}/<class>/`", LAYOUT)
    classes, tested = ({label for label, _ in found[part]} for part in PARTS)
    if classes != tested:
        raise UserError(
            f"{quote(path, 300)} has class {quote(min(classes ^ tested))} in only one of `train` and `test`",
            LAYOUT,
        )
    if len(classes) < 2:
        raise UserError(
            f"{quote(path, 300)} has one class, {quote(min(classes))}",
            "a net tells two or more apart",
        )
    names = tuple(sorted(classes))
    number = {name: place for place, name in enumerate(names)}
    keys = {part: sorted(found[part]) for part in PARTS}
    pixels = (np.stack([found[part][key] for key in keys[part]]) for part in PARTS)
    labels = (np.array([number[label] for label, _ in keys[part]]) for part in PARTS)
    (train, test), (train_labels, test_labels) = pixels, labels
    return Arrays(train, train_labels, test, test_labels, names)
