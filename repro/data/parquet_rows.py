"""Rows of Parquet files as Hugging Face writes them: an image file and the label of its class."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from repro.errors import EnvironmentProblem, UserError, quote

SUFFIX = ".parquet"
IMAGE_COLUMNS = ("image", "img")
LABEL_COLUMNS = ("label", "labels")
ROWS = 32  # decoded at a time; beside them, one page of the file is in memory
BUFFER = 1 << 20  # bytes of a column read at a time

COLUMNS = "a file has the columns `image`, with the bytes of the image files, and `label`"
_WORDNET = re.compile(r"n\d{8}")


@dataclass(frozen=True)
class ImageRow:
    """One row: the content of an image file, what it was called if that is known, and its label."""

    content: bytes
    path: str
    label: int | str


def read_rows(file: Path) -> Iterator[ImageRow]:
    """Yield the rows of a file, of which a few are in memory at a time."""
    arrow = _pyarrow()
    try:
        with arrow.parquet.ParquetFile(file, buffer_size=BUFFER, pre_buffer=False) as table:
            names = table.schema_arrow.names
            image = _column(file, names, IMAGE_COLUMNS)
            label = _column(file, names, LABEL_COLUMNS)
            number = 0
            for batch in table.iter_batches(ROWS, columns=[image, label], use_threads=False):
                for index in range(batch.num_rows):
                    where = f"{file.name}, row {number}"
                    yield _row(batch[image][index].as_py(), batch[label][index].as_py(), where)
                    number += 1
    except (arrow.ArrowException, OSError) as error:
        reason = " ".join(str(error).split())[:120]
        hint = "copy or download it again, and compare sizes"
        raise EnvironmentProblem(
            f"cannot read {quote(file, 300)} as Parquet: {reason}", hint
        ) from None


def wordnet_classes(file: Path) -> list[str]:
    """Return the WordNet ids of the classes, if the file's own metadata has them."""
    arrow = _pyarrow()
    try:
        metadata = arrow.parquet.read_schema(file).metadata or {}
        facts = json.loads(metadata[b"huggingface"])
        names = facts["info"]["features"]["label"]["names"]
    except (arrow.ArrowException, OSError, KeyError, TypeError, ValueError):
        return []  # a damaged file is named when its rows are read
    if not isinstance(names, list):
        return []
    if not all(_WORDNET.fullmatch(str(name)) for name in names):
        return []
    return names


def _column(file: Path, names: list[str], usual: tuple[str, ...]) -> str:
    for name in usual:
        if name in names:
            return name
    columns = quote(", ".join(names))
    raise UserError(
        f"{quote(file, 300)} has the columns {columns}, and none of them is {quote(usual[0])}",
        COLUMNS,
    )


def _row(image: Any, label: Any, where: str) -> ImageRow:
    content, path = image, ""
    if isinstance(image, dict):
        content, path = image.get("bytes"), image.get("path") or ""
    if not isinstance(content, bytes):
        hint = "write the files' bytes into the table: with `datasets`, that is `embed_storage`"
        raise UserError(f"{quote(where)} has no bytes of an image", hint)
    if not isinstance(label, int | str):
        raise UserError(f"{quote(where)} has no label", COLUMNS)
    return ImageRow(content, path, label)


def _pyarrow() -> Any:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        hint = "pip install pyarrow"
        raise EnvironmentProblem("Parquet files need pyarrow, which is not here", hint) from None
    return pyarrow
