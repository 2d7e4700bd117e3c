"""Parquet tables as Hugging Face writes them: columns `image` (bytes and path) and `label`.

A label is the class's number. Only where the table's own metadata calls its classes by WordNet ids
is a class called by its id.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from repro.data.photos.imagenet.images import LARGEST, Piece, class_name, pieces_in
from repro.data.photos.pack_writer import FoundPhotos, Photo
from repro.errors import EnvironmentProblem, UserError, quote

SUFFIX = ".parquet"
ROWS = 32  # decoded at a time; beside them, one page of the file is in memory
BUFFER = 1 << 20  # bytes of a column read at a time

COLUMNS = "it needs `image`, with the bytes of the files, and `label`"
_WORDNET = re.compile(r"n\d{8}")


def files_in(folder: Path) -> list[Piece]:
    """Return the tables in a folder, with their splits."""
    return pieces_in(folder, SUFFIX)


def found(pieces: list[Piece]) -> FoundPhotos:
    """Return the photos of some tables."""
    return FoundPhotos(_photos(pieces), container="parquet")


def _photos(pieces: list[Piece]) -> Iterator[Photo]:
    for split, file in pieces:
        for row, (image, name) in enumerate(_rows(file)):
            where = f"{file.name}/{row}"
            content, path = _image(image, where)
            yield Photo(split, name, f"{file.name}/{path or row}", content)


def _rows(file: Path) -> Iterator[tuple[Any, str]]:
    """Image and class name of each row, a few rows in memory at a time."""
    arrow = _pyarrow()
    try:
        with arrow.parquet.ParquetFile(file, buffer_size=BUFFER, pre_buffer=False) as table:
            lacking = [name for name in ("image", "label") if name not in table.schema_arrow.names]
            if lacking:
                raise UserError(f"{quote(file, 300)} has no column {quote(lacking[0])}", COLUMNS)
            names = _names(table.schema_arrow.metadata)
            yield from _in_batches(table, names, file)
    except (arrow.ArrowException, OSError) as error:
        hint = "copy or download it again, and compare sizes"
        raise UserError(f"{quote(file, 300)} is not a whole table: {error}", hint) from None


def _in_batches(table: Any, names: list[str], file: Path) -> Iterator[tuple[Any, str]]:
    for batch in table.iter_batches(ROWS, columns=["image", "label"], use_threads=False):
        images, numbers = batch.column("image"), batch.column("label")
        for image, number in zip(images, numbers, strict=True):
            label = number.as_py()
            if label is None:
                raise UserError(f"{quote(file, 300)} has a row without a label", COLUMNS)
            yield image.as_py(), _class(label, names, file)


def _class(label: int | str, names: list[str], file: Path) -> str:
    if isinstance(label, int) and 0 <= label < len(names):
        return names[label]
    return class_name(label, file.name)


def _names(metadata: dict[bytes, bytes] | None) -> list[str]:
    """The classes' WordNet ids, if the table has them."""
    try:
        about = json.loads((metadata or {})[b"huggingface"])
        names = about["info"]["features"]["label"]["names"]
    except (KeyError, TypeError, ValueError):
        return []
    wordnet = isinstance(names, list) and all(_WORDNET.fullmatch(str(name)) for name in names)
    return names if wordnet else []


def _image(image: Any, where: str) -> tuple[bytes, str]:
    """The file's content and what it was called."""
    content, path = image, ""
    if isinstance(image, dict):
        content, path = image.get("bytes"), image.get("path") or ""
    if not isinstance(content, bytes):
        hint = "write the files' bytes into the table: with `datasets`, that is `embed_storage`"
        raise UserError(f"{quote(where)} has no bytes of an image", hint)
    if len(content) > LARGEST:
        raise UserError(f"{quote(where)} has more than {LARGEST:,} bytes", "remove the row")
    return content, path


def _pyarrow() -> Any:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        hint = "pip install pyarrow"
        raise EnvironmentProblem("parquet files need pyarrow, which is not here", hint) from None
    return pyarrow
