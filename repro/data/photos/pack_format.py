"""The packed form of a set of photos: one file of all images, and a manifest of where each is.

A folder with three files, written once, whole or absent:

    photos.pack     the image files as they were, one after the other
    manifest.csv    one row an image: the fields of `Row` below
    dataset.json    name, origin, classes, counts, hash, and the training images' mean and std

A million small files are slow to open on a network file system and slow to copy to a node; one file
is neither. The rows are sorted by class and content, so that the same images give the same batches
however they were imported. The hash is over (split, class, SHA-256 of the file), never over names.
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
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from repro.data.photos.attested import expected_of
from repro.errors import EnvironmentProblem, UserError, quote
from repro.storage.atomic import read_json

SCHEMA = 1
PACK, MANIFEST, ABOUT = "photos.pack", "manifest.csv", "dataset.json"
# The words about a split: it came with the set; or, as their beginning, none could be made.
GIVEN, NO_SPLIT = "as given", "none: "


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
        """Return the image file of that row of the manifest."""
        content = self.reader.read(int(self.offsets[row]), int(self.lengths[row]))
        if len(content) < self.lengths[row]:
            raise damaged(self.folder / PACK, f"it ends within {quote(self.path_of(row))}")
        return content

    def path_of(self, row: int) -> str:
        """Return what that image was called where it came from, for an error's message."""
        rows = rows_of((self.folder / MANIFEST).read_bytes())
        image = next(islice(rows, row, None), None)
        return image.path if image else f"image {row}"


class Reader:
    """A file that many threads read at once; closed when nobody refers to it any more."""

    def __init__(self, path: Path) -> None:
        self.descriptor = -1
        try:
            self.descriptor = os.open(path, os.O_RDONLY)
        except OSError as error:
            raise _cannot_read(path, error) from None

    def read(self, offset: int, length: int) -> bytes:
        """Return that many bytes from there on, or fewer where the file ends."""
        content = os.pread(self.descriptor, length, offset)
        # A read may stop early on a network file system.
        while len(content) < length:
            more = os.pread(self.descriptor, length - len(content), offset + len(content))
            if not more:
                break
            content += more
        return content

    def __del__(self) -> None:
        if self.descriptor >= 0:
            os.close(self.descriptor)


def open_pack(folder: Path) -> Pack:
    """Return the packed set in that folder, if its manifest is whole and its pack long enough."""
    about = look_at_pack(folder)
    manifest = _read(folder / MANIFEST)
    digest = hashlib.sha256(manifest).hexdigest()
    if digest != about.manifest:
        problem = f"its SHA-256 is {digest[:12]}…, not {about.manifest[:12]}…"
        raise damaged(folder / MANIFEST, problem)
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
    """Read every byte again and compare it; return what the set is."""
    pack = open_pack(folder)
    rows = list(rows_of((folder / MANIFEST).read_bytes()))
    for number, row in enumerate(rows):
        if hashlib.sha256(pack.content(number)).hexdigest() != row.sha256:
            raise damaged(folder / PACK, f"{quote(row.path)} is not what was imported")
    if hash_of(rows) != pack.about.hash:
        raise damaged(folder / ABOUT, "its hash is not that of the manifest")
    return pack.about


def damaged(path: Path, what: str) -> UserError:
    """Return the error for a file that is not as it was written."""
    return EnvironmentProblem(
        f"{quote(path)} is damaged: {what}", "remove the data set's folder and import it again"
    )


def read_about(folder: Path) -> About:
    """Return what the set in that folder is."""
    values = read_json(folder / ABOUT)
    if values is None:
        command = f"`repro data import {folder.name} PATH`"
        hint = f"import one: {command}, where PATH has the archives or folders of images"
        raise EnvironmentProblem(f"no data set in {quote(folder)}", hint)
    names = {field.name for field in fields(About)}
    is_about = isinstance(values, dict) and set(values) == names
    if not is_about or values["schema"] != SCHEMA:
        problem = f"{quote(folder / ABOUT)} is of another version"
        raise UserError(problem, "import the data set again")
    lists = {key: tuple(value) for key, value in values.items() if isinstance(value, list)}
    return _as_attested(About(**(values | lists)))


def _as_attested(about: About) -> About:
    """Return the set with the origin known today: a digest may be attested after the packing."""
    expected = expected_of(about.name)
    if expected is None or about.origin == "official archive":
        return about
    if expected.attestation(about.hash) is None:
        return about
    return replace(about, origin="official pixels")


def to_bytes(about: About) -> bytes:
    """Return the content of dataset.json."""
    return (json.dumps(asdict(about), indent=1, ensure_ascii=False) + "\n").encode()


def manifest_of(rows: list[Row]) -> bytes:
    """Return the content of manifest.csv. A file's name may be no UTF-8."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(Row._fields)
    writer.writerows(rows)
    return text.getvalue().encode("utf-8", "surrogateescape")


def rows_of(manifest: bytes) -> Iterator[Row]:
    """Yield the images of a manifest."""
    for values in _fields(manifest):
        row = Row._make(values)
        yield row._replace(
            label=int(row.label),
            width=int(row.width),
            height=int(row.height),
            bytes=int(row.bytes),
            offset=int(row.offset),
        )


def hash_of(rows: list[Row]) -> str:
    """Return what the set *is*: a digest of its images' splits, classes and contents."""
    lines = sorted(f"{row.split} {row.label} {row.sha256}\n" for row in rows)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _columns(
    manifest: bytes,
) -> tuple[NDArray[np.str_], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return the split, class, offset and length of every row, without a million objects."""
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
        raise _cannot_read(path, error) from None


def _cannot_read(path: Path, error: OSError) -> UserError:
    return EnvironmentProblem(f"cannot read {quote(path)}: {error.strerror}", "make it readable")
