"""The packed form of a set of photos: one file of all images end to end, and a manifest of what and where each is.

A folder with three files, written once, whole or absent:

    photos.pack     the image files as they were, one after the other
    manifest.csv    one row an image: the fields of `Row` below
    dataset.json    name, origin, classes, counts, channel mean and std of the training images, and the hash

A million small files are slow to open on a network file system and slow to copy to a node; one file is neither. The
rows are sorted by class and content, so that the same images give the same batches however they were imported. The
hash is over (split, class, SHA-256 of the file), never over names.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
from array import array
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from repro.data.photos.attested import expected_of
from repro.errors import EnvironmentProblem, UserError, quote
from repro.storage.atomic import read_json

SCHEMA = 1
PACK, MANIFEST, ABOUT = "photos.pack", "manifest.csv", "dataset.json"
GIVEN, NO_SPLIT = (
    "as given",
    "none: ",
)  # what the words about a split are, or begin with, where nobody made one


class Row(NamedTuple):
    """One image in the manifest."""

    split: str  # train, val, or both
    label: int
    path: str
    width: int
    height: int
    format: str  # as decoded, whatever the file is called
    mode: str
    bytes: int
    offset: int
    sha256: str


@dataclass(frozen=True)
class About:
    """What a set of photos is."""

    name: str
    origin: str  # in the words of `repro.definition.origin`
    split: str  # how training and validation images were told apart, in words
    classes: tuple[str, ...]
    train_images: int
    val_images: int
    mean: tuple[float, float, float]  # of each channel, pixels of 0 to 1, training images
    std: tuple[float, float, float]
    bytes: int
    hash: str
    manifest: str  # SHA-256 of manifest.csv
    schema: int = SCHEMA


@dataclass(frozen=True, eq=False)
class Pack:
    """A packed set, opened: reads one image at a time, from any thread."""

    folder: Path
    about: About
    labels: NDArray[np.int64]
    offsets: NDArray[np.int64]
    lengths: NDArray[np.int64]
    train: NDArray[np.int64]  # rows of the manifest
    val: NDArray[np.int64]
    reader: Reader

    def content(self, row: int) -> bytes:
        """The image file of that row of the manifest."""
        content = self.reader.read(int(self.offsets[row]), int(self.lengths[row]))
        if len(content) < self.lengths[row]:
            raise damaged(self.folder / PACK, f"it ends within {quote(self.path_of(row))}")
        return content

    def path_of(self, row: int) -> str:
        """What that image was called where it came from; read again, as it is wanted only in errors."""
        for place, found in enumerate(rows_of((self.folder / MANIFEST).read_bytes())):
            if place == row:
                return found.path
        return f"image {row}"


class Reader:
    """A file that many threads read at once, each where it wants; closed when nobody has it any more."""

    def __init__(self, path: Path) -> None:
        self.descriptor = -1
        try:
            self.descriptor = os.open(path, os.O_RDONLY)
        except OSError as error:
            raise EnvironmentProblem(
                f"cannot read {quote(path)}: {error.strerror}", "make it readable"
            ) from None

    def read(self, offset: int, length: int) -> bytes:
        content = os.pread(self.descriptor, length, offset)
        while len(content) < length:  # a read may stop early on a network file system
            more = os.pread(self.descriptor, length - len(content), offset + len(content))
            if not more:
                break
            content += more
        return content

    def __del__(self) -> None:
        if self.descriptor >= 0:
            os.close(self.descriptor)


def open_pack(folder: Path) -> Pack:
    """The packed set in that folder, if its manifest is whole and its pack has the right size."""
    about = look_at_pack(folder)
    manifest = _read(folder / MANIFEST)
    found = hashlib.sha256(manifest).hexdigest()
    if found != about.manifest:
        raise damaged(
            folder / MANIFEST, f"its SHA-256 is {found[:12]}…, not {about.manifest[:12]}…"
        )
    splits, labels, offsets, lengths = _columns(manifest)
    rows = np.arange(len(labels))
    train, val = rows[splits != "val"], rows[splits != "train"]
    return Pack(folder, about, labels, offsets, lengths, train, val, Reader(folder / PACK))


def look_at_pack(folder: Path) -> About:
    """Return what the set in that folder is, if its pack has the right size; reads no image."""
    about = read_about(folder)
    pack = folder / PACK
    size = pack.stat().st_size if pack.exists() else 0
    if size != about.bytes:
        raise damaged(pack, f"it has {size:,} bytes, not {about.bytes:,}")
    return about


def check_pack(folder: Path) -> About:
    """Read every byte again and compare: what is returned is whole."""
    pack = open_pack(folder)
    rows = list(rows_of((folder / MANIFEST).read_bytes()))
    for place, row in enumerate(rows):
        if hashlib.sha256(pack.content(place)).hexdigest() != row.sha256:
            raise damaged(folder / PACK, f"{quote(row.path)} is not what was imported")
    if hash_of(rows) != pack.about.hash:
        raise damaged(folder / ABOUT, "its hash is not that of the manifest")
    return pack.about


def damaged(path: Path, what: str) -> UserError:
    return EnvironmentProblem(
        f"{quote(path)} is damaged: {what}", "remove the data set's folder and import it again"
    )


def read_about(folder: Path) -> About:
    """What the set in that folder is."""
    values = read_json(folder / ABOUT)
    if values is None:
        raise EnvironmentProblem(
            f"no data set in {quote(folder)}",
            f"import one: `repro data import {folder.name} PATH`, where PATH has the archives or folders of images",
        )
    if (
        not isinstance(values, dict)
        or values.get("schema") != SCHEMA
        or set(values) != {field.name for field in fields(About)}
    ):
        raise UserError(
            f"{quote(folder / ABOUT)} is of another version", "import the data set again"
        )
    lists = {key: tuple(value) for key, value in values.items() if isinstance(value, list)}
    return _as_attested(About(**(values | lists)))


def _as_attested(about: About) -> About:
    """What the set is by what is known today: its digest may have been attested after it was packed."""
    expected = expected_of(about.name)
    if expected is None or about.origin == "official archive":
        return about
    return replace(about, origin="official pixels") if expected.attestation(about.hash) else about


def to_bytes(about: About) -> bytes:
    return (json.dumps(asdict(about), indent=1, ensure_ascii=False) + "\n").encode()


def manifest_of(rows: list[Row]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(Row._fields)
    writer.writerows(rows)
    return text.getvalue().encode("utf-8", "surrogateescape")


def rows_of(manifest: bytes) -> Iterator[Row]:
    for split, label, path, width, height, form, mode, length, offset, sha256 in _fields(manifest):
        yield Row(
            split,
            int(label),
            path,
            int(width),
            int(height),
            form,
            mode,
            int(length),
            int(offset),
            sha256,
        )


def hash_of(rows: list[Row]) -> str:
    """What the set *is*: the classes and contents of its images, in an order that depends on nothing else."""
    lines = sorted(f"{row.split} {row.label} {row.sha256}\n" for row in rows)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _columns(
    manifest: bytes,
) -> tuple[NDArray[np.str_], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Split, class, offset and length of every row, without a million objects."""
    splits, numbers = [], array("q")
    for split, label, _, _, _, _, _, length, offset, _ in _fields(manifest):
        splits.append(split)
        numbers.extend((int(label), int(offset), int(length)))
    labels, offsets, lengths = np.array(numbers, dtype=np.int64).reshape(-1, 3).T.copy()
    return np.array(splits), labels, offsets, lengths


def _fields(manifest: bytes) -> Iterator[list[str]]:
    text = io.TextIOWrapper(io.BytesIO(manifest), "utf-8", "surrogateescape", newline="")
    reader = csv.reader(text)
    next(reader)
    return reader


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise damaged(path, "it is missing") from None
    except OSError as error:
        raise EnvironmentProblem(
            f"cannot read {quote(path)}: {error.strerror}", "make it readable"
        ) from None
