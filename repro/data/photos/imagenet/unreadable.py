"""What to say of something that holds no photos we can read: what it is, and what is accepted."""

from __future__ import annotations

import re
import tarfile
import zipfile
from collections.abc import Iterable
from itertools import islice
from pathlib import Path

from repro.errors import UserError, quote

ACCEPTED = (
    "accepted are the official archives; folders or an archive of train/<class>/ and val/<class>/ "
    "(val/ may be flat, with the development kit or LOC_val_solution.csv); "
    "parquet files with `image` and `label`; webdataset tars with .jpg and .cls"
)

FORMATS = {
    ".tfrecord": "a TFRecord file",
    ".tfrecords": "a TFRecord file",
    ".mdb": "an LMDB data base",
    ".lmdb": "an LMDB data base",
    ".rec": "a RecordIO file of MXNet",
    ".beton": "an FFCV file",
    ".h5": "an HDF5 file",
    ".hdf5": "an HDF5 file",
    ".npz": "a file of numpy arrays, whose images are no longer files",
    ".npy": "a file of numpy arrays, whose images are no longer files",
    ".arrow": "an Arrow file of a cache",
    ".7z": "a 7z archive",
    ".rar": "a RAR archive",
}
_TENSORFLOW = re.compile(r".*-\d{5}-of-\d{5}")  # train-00000-of-01024, without an ending
ARCHIVES = (".tar", ".gz", ".tgz", ".zip")
SEEN = 1000  # entries of a folder that are looked at


def refuse_other_formats(paths: Iterable[Path]) -> None:
    """Refuse a file of a known format that is not read."""
    for path in islice(paths, SEEN):
        kind = FORMATS.get(path.suffix.lower())
        if kind is None and _TENSORFLOW.fullmatch(path.name):
            kind = "a TFRecord file"
        if kind is not None:
            raise UserError(f"{quote(path, 300)} is {kind}, which is not read", ACCEPTED)


def refuse_other_files(path: Path) -> None:
    """Refuse a file that is not even called as an archive is, and is none."""
    named = path.name.lower().endswith(ARCHIVES)
    if not (named or zipfile.is_zipfile(path) or tarfile.is_tarfile(path)):
        raise UserError(f"{quote(path, 300)} is no tar, zip or parquet file", ACCEPTED)


def contents_of(path: Path) -> str:
    """Say in a few words what is there."""
    if path.is_file():
        return "which has none in class folders"
    entries = sorted(entry.name for entry in islice(path.iterdir(), SEEN))
    if not entries:
        return "which is empty"
    more = "" if len(entries) < SEEN else "at least "
    return f"which has {more}{len(entries)} entries, such as {quote(entries[0])}"
