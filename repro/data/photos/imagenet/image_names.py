"""What all containers share: what a file's name says of split and class."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, TypeAlias

from repro.definition.bounds import MOST_CLASSES
from repro.errors import UserError, quote

Split: TypeAlias = Literal["train", "val"]
Piece: TypeAlias = "tuple[Split | None, Path]"  # one file of a container of many, and its split

LARGEST = 1 << 28  # bytes of one image file
SPLITS: tuple[Split, ...] = ("train", "val")

_FOLDERS = ("", "data", "default", "imagenet-1k")  # where the pieces of a container may lie
_SPLIT_NAMES: dict[str, Split] = {"train": "train", "val": "val", "validation": "val"}
_UNLABELLED = "test"  # the test images' classes were never published
_SPLIT = re.compile(r"(?:^|[-_.])(train|validation|val|test)(?=[-_.\d]|$)")


def class_name(label: int | str, where: str) -> str:
    """Return the name of a class. Numbers are padded: the sorted names are the sorted numbers."""
    text = str(label).strip()
    if not text.lstrip("-").isdecimal():
        return text
    if not 0 <= int(text) < MOST_CLASSES:
        hint = f"classes are numbered from 0 to at most {MOST_CLASSES - 1:,}"
        raise UserError(f"{quote(where)} has the label {text}", hint)
    return f"{int(text):05d}"


def pieces_in(root: Path, suffix: str) -> list[Piece]:
    """Return the files of that suffix in a folder, in its `data` and in folders named after splits.

    Class folders are never looked into: they may hold a million files.
    """
    bases = [root / name for name in _FOLDERS]
    below = [base / split for base in bases for split in _SPLIT_NAMES]
    folders = [*bases, *below]
    pieces: list[Piece] = []
    for folder in folders:
        pieces += with_splits(_files(folder, suffix))
    return pieces


def with_splits(files: list[Path]) -> Iterator[Piece]:
    """Yield each file with the split that its name says, or its folder's; leave test files out."""
    for file in files:
        name = _SPLIT.search(file.stem)
        split = name.group(1) if name else file.parent.name
        if split != _UNLABELLED:
            yield _SPLIT_NAMES.get(split), file


def _files(folder: Path, suffix: str) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(file for file in folder.iterdir() if file.suffix == suffix and file.is_file())
