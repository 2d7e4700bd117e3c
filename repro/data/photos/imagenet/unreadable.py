"""Messages about files that hold no readable photos: what they are, and what is accepted."""

from __future__ import annotations

import tarfile
import zipfile
from collections.abc import Iterable
from itertools import islice
from pathlib import Path

from repro.data.other_formats import other_format
from repro.errors import UserError, quote

ACCEPTED = (
    "accepted are the official archives; folders or an archive of train/<class>/ and val/<class>/ "
    "(val/ may be flat, with the development kit or LOC_val_solution.csv); "
    "parquet files with `image` and `label`; webdataset tars with .jpg and .cls"
)

ARCHIVES = (".tar", ".gz", ".tgz", ".zip")
SEEN = 1000  # entries of a folder that are looked at


def refuse_other_formats(paths: Iterable[Path]) -> None:
    """Refuse a file of a known format that is not read."""
    for path in islice(paths, SEEN):
        kind = other_format(path)
        if kind:
            raise UserError(f"{quote(path, 300)} is {kind}, which is not read", ACCEPTED)


def refuse_other_files(path: Path) -> None:
    """Refuse a file that is not even called as an archive is, and is none."""
    is_named_so = path.name.lower().endswith(ARCHIVES)
    if not (is_named_so or zipfile.is_zipfile(path) or tarfile.is_tarfile(path)):
        raise UserError(f"{quote(path, 300)} is no tar, zip or parquet file", ACCEPTED)


def contents_of(path: Path) -> str:
    """Return in a few words what is there."""
    if path.is_file():
        return "which has none in class folders"
    entries = sorted(entry.name for entry in islice(path.iterdir(), SEEN))
    if not entries:
        return "which is empty"
    count = str(len(entries)) if len(entries) < SEEN else f"at least {SEEN:,}"
    return f"which has {count} entries, such as {quote(entries[0])}"
