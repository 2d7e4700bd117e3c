"""Class folders on disk: with a split or without one; validation in class folders or flat."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from repro.data.archives import is_image_name
from repro.data.photos.imagenet import labels
from repro.data.photos.imagenet.image_names import LARGEST, SPLITS, Split
from repro.data.photos.pack_writer import Photo
from repro.errors import UserError, quote
from repro.storage.input_files import check_input_file

KAGGLE = ("ILSVRC", "Data", "CLS-LOC")


def photos(root: Path) -> Iterator[Photo]:
    """Yield the photos of class folders, with or without a split."""
    base = _base_of(root)
    if base is None:
        yield from _class_folders(root, root, None)
        return
    yield from _split(base, "train", root)
    yield from _split(base, "val", root)


def _base_of(root: Path) -> Path | None:
    """Return the folder that has `train` and `val`."""
    for depth in range(len(KAGGLE) + 1):
        base = root.joinpath(*KAGGLE[depth:])
        if any((base / split).is_dir() for split in SPLITS):
            return base
    return None


def _split(base: Path, split: Split, root: Path) -> Iterator[Photo]:
    folder = base / split
    if not folder.is_dir():
        hint = "a data set has training and validation images"
        raise UserError(f"there is no folder {quote(folder)}", hint)
    with os.scandir(folder) as entries:  # knows folders from files without looking at each
        kinds = {entry.name: entry.is_dir() for entry in entries}
    flat = [folder / name for name in sorted(kinds) if is_image_name(name) and not kinds[name]]
    if not flat:
        yield from _class_folders(folder, base, split)
    elif split == "train" or any(kinds.values()):
        hint = "put every image of it in the folder of its class"
        raise UserError(f"{quote(flat[0])} is in no class folder", hint)
    else:
        yield from _flat(flat, base, root)


def _class_folders(folder: Path, above: Path, split: Split | None) -> Iterator[Photo]:
    for class_folder in sorted(entry for entry in folder.iterdir() if entry.is_dir()):
        for file in sorted(class_folder.iterdir()):
            if is_image_name(file.name):
                yield Photo(split, class_folder.name, str(file.relative_to(above)), _content(file))


def _flat(files: list[Path], base: Path, root: Path) -> Iterator[Photo]:
    folders = [root, base, base / "val"]
    if base.absolute().parts[-len(KAGGLE) :] == KAGGLE:
        folders.append(base.absolute().parents[len(KAGGLE) - 1])  # where Kaggle has its lists
    classes = labels.needed(root, map(labels.in_folder, folders))
    for file in files:
        yield Photo("val", classes(file.name), f"val/{file.name}", _content(file))


def _content(file: Path) -> bytes:
    try:
        check_input_file(file, "images", "remove it, and import the rest", LARGEST)
        return file.read_bytes()
    except OSError as error:
        hint = "make it readable, or remove it"
        raise UserError(f"cannot read {quote(file)}: {error.strerror}", hint) from None
