"""A tar or zip of folders of images: class folders, a flat `val`, or Kaggle's whole download."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path, PurePosixPath

from repro.data.archives import is_image_name, read_members
from repro.data.photos.imagenet import labels
from repro.data.photos.imagenet.image_names import LARGEST, SPLITS, Split
from repro.data.photos.pack_writer import Photo

UNLABELLED = "test"


def photos(path: Path) -> Iterator[Photo]:
    """Yield the photos of an archive, whatever folders it has above `train` and `val`."""
    archive = _Archive(path)
    for member, content in read_members(path, LARGEST):
        split_and_class = archive.split_and_class(member)
        if split_and_class is not None:
            split, name = split_and_class
            yield Photo(split, name, str(member), content)


class _Archive:
    """Which split and class a member of an archive belongs to."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def split_and_class(self, member: PurePosixPath) -> tuple[Split | None, str] | None:
        """Return a member's split and class; None if it is no image with a class."""
        if len(member.parts) < 2 or not is_image_name(member.name):
            return None
        folder, above = member.parts[-2], member.parts[-3:-2]
        if folder == "val":
            return "val", self.classes(member.name)
        if UNLABELLED in (folder, *above):
            return None
        for split in SPLITS:
            if above == (split,):
                return split, folder
        return None if folder == "train" else (None, folder)

    @cached_property
    def classes(self) -> labels.Classes:
        """Where the classes of flat validation images are: in the zip, or beside the archive.

        A tar is read once, from front to back, so what it has at its end comes too late.
        """
        inside = [labels.in_zip(self.path)] if zipfile.is_zipfile(self.path) else []
        return labels.needed(self.path.parent, [*inside, labels.in_folder(self.path.parent)])
