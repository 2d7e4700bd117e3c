"""Webdataset tars: the files of one sample follow each other, and have all but their endings alike.

000123.jpg, 000123.cls      the image, and its class as a number
000123.jpg, 000123.json     the same with the class as `label`
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import groupby, islice
from pathlib import Path, PurePosixPath

from repro.data.archives import IMAGE_SUFFIXES, Member, is_image_name, read_tar_stream
from repro.data.photos.imagenet.image_names import (
    LARGEST,
    Piece,
    Split,
    class_name,
)
from repro.data.photos.pack_writer import Photo, PhotosToPack
from repro.errors import UserError, quote

SUFFIX = ".tar"
LABELS = ("cls", "json")
PEEKED = 8  # files of a tar that are looked at; a sample has two to four


def is_shard(path: Path) -> bool:
    """Return whether a file is a tar of samples, by the first files in it."""
    if path.suffix != SUFFIX:
        return False
    try:
        with path.open("rb") as file:
            first = list(islice(read_tar_stream(file, path.name, LARGEST), PEEKED))
    except UserError:
        return False  # it is read as another container, which says what is wrong
    return any(_parted(name)[1] in LABELS for name, _ in first)


def photos_to_pack(pieces: list[Piece]) -> PhotosToPack:
    """Return the photos of some tars."""
    return PhotosToPack(_photos(pieces), container="webdataset")


def _photos(pieces: list[Piece]) -> Iterator[Photo]:
    for split, path in pieces:
        with path.open("rb") as file:
            members = read_tar_stream(file, path.name, LARGEST)
            for key, sample in groupby(members, lambda member: _parted(member[0])[0]):
                yield from _of_sample(split, f"{path.name}/{key}", list(sample))


def _of_sample(split: Split | None, where: str, sample: list[Member]) -> Iterator[Photo]:
    """Yield the image of a sample; one that has none, as a list of classes, is passed over."""
    images = [(name, content) for name, content in sample if is_image_name(name.name)]
    parts = {_parted(name)[1]: content for name, content in sample}
    for name, content in images:
        label = _label(parts, where)
        yield Photo(split, class_name(label, where), f"{where}{name.suffix}", content)


def _label(parts: dict[str, bytes], where: str) -> int | str:
    try:
        if "cls" in parts:
            return parts["cls"].decode()
        label = json.loads(parts["json"])["label"]
    except (KeyError, TypeError, ValueError):
        images = ", ".join(IMAGE_SUFFIXES)
        hint = f"beside {images} there is .cls with the class, or .json with `label`"
        raise UserError(f"{quote(where)} has no label", hint) from None
    if isinstance(label, bool) or not isinstance(label, int | str):
        hint = "a label is a number or a name"
        raise UserError(f"{quote(where)} has the label {quote(label)}", hint)
    return label


def _parted(name: PurePosixPath) -> tuple[str, str]:
    """Return the sample's key, and the file's role in it: all after the first dot of its name."""
    stem, _, ending = name.name.partition(".")
    return str(name.parent / stem), ending.lower()
