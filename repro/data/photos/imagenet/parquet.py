"""Photos in Parquet files. A label is the class's number, but where the file's own metadata has the
classes' WordNet ids: then a class is called by its id.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from repro.data.parquet_rows import read_rows, wordnet_classes
from repro.data.photos.imagenet.image_names import LARGEST, Piece, class_name
from repro.data.photos.pack_writer import Photo, PhotosToPack
from repro.errors import UserError, quote


def photos_to_pack(pieces: list[Piece]) -> PhotosToPack:
    """Return the photos of some files."""
    return PhotosToPack(_photos(pieces), container="parquet")


def _photos(pieces: list[Piece]) -> Iterator[Photo]:
    for split, file in pieces:
        classes = wordnet_classes(file)
        for number, row in enumerate(read_rows(file)):
            if len(row.content) > LARGEST:
                where = quote(f"{file.name}, row {number}")
                raise UserError(f"{where} has more than {LARGEST:,} bytes", "remove the row")
            name = _class(row.label, classes, file)
            yield Photo(split, name, f"{file.name}/{row.path or number}", row.content)


def _class(label: int | str, classes: list[str], file: Path) -> str:
    if isinstance(label, int) and 0 <= label < len(classes):
        return classes[label]
    return class_name(label, file.name)
