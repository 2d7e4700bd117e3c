"""Read a `.safetensors` file: the header's length, the header as JSON, the tensors' bytes.

Nothing in such a file can run. Three things are checked: every length against the file, the bytes
of every tensor against its shape and type, and that the tensors fill the file without a gap or an
overlap, as the format demands.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from repro.errors import UserError, quote

LENGTH_BYTES = 8
LARGEST_HEADER = 100_000_000  # bytes; the format's own limit
METADATA = "__metadata__"  # the one key of the header that is no tensor
DAMAGED = "copy or download it again, and compare its size"

# The format's number types as numpy reads them; it has no bfloat16, which is read as integers.
TYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2", "I64": "<i8", "I32": "<i4"}


@dataclass(frozen=True)
class _Entry:
    """What the header says of one tensor; `begin` and `end` count from the end of the header."""

    name: str
    type: str
    shape: tuple[int, ...]
    begin: int
    end: int


class _Malformed(ValueError):
    """These bytes are not of the format."""


def read(path: Path) -> dict[str, Tensor]:
    """Return the tensors in that file; floating-point ones as float32."""
    try:
        content = path.read_bytes()
        entries, start = _header(content)
        _check_layout(entries, len(content) - start)
        return {entry.name: _tensor(entry, content, start) for entry in entries}
    except OSError as error:
        raise UserError(
            f"cannot read {quote(path)}: {error.strerror}", "name a file that you may read"
        ) from None
    except _Malformed as error:
        raise UserError(f"{quote(path)} cannot be read as safetensors: {error}", DAMAGED) from None


def is_safetensors(start: bytes) -> bool:
    """Return whether a file may begin so: a small length, and then a JSON object."""
    short = len(start) > LENGTH_BYTES and _length(start) <= LARGEST_HEADER
    return short and start[LENGTH_BYTES:][:1] == b"{"


def _length(content: bytes) -> int:
    return int.from_bytes(content[:LENGTH_BYTES], "little")


def _header(content: bytes) -> tuple[list[_Entry], int]:
    """Return what the header lists, and where the tensors' bytes begin."""
    length = _length(content)
    start = LENGTH_BYTES + length
    if len(content) < LENGTH_BYTES or length > LARGEST_HEADER or start > len(content):
        raise _Malformed(f"the header should have {length:,} bytes, the file has {len(content):,}")
    try:
        header = json.loads(content[LENGTH_BYTES:start], object_pairs_hook=_without_duplicates)
    except (ValueError, RecursionError) as error:
        if isinstance(error, _Malformed):
            raise
        raise _Malformed("its header is not JSON") from None
    if not isinstance(header, dict):
        raise _Malformed("its header is not a JSON object")
    return [_entry(name, facts) for name, facts in header.items() if name != METADATA], start


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) != len(pairs):
        raise _Malformed("its header has the same key twice")
    return values


def _entry(name: str, facts: Any) -> _Entry:
    if not isinstance(facts, Mapping):
        raise _Malformed(f"nothing is said of the tensor {quote(name)}")
    kind: Any = facts.get("dtype")
    shape: Any = facts.get("shape")
    offsets: Any = facts.get("data_offsets")
    if not isinstance(kind, str) or kind not in TYPES:
        raise _Malformed(
            f"tensor {quote(name)} has the type {quote(kind)}; known are {', '.join(TYPES)}"
        )
    if not (_counts(shape) and _counts(offsets) and len(offsets) == 2):
        raise _Malformed(f"the shape or the place of tensor {quote(name)} is not a list of counts")
    begin, end = offsets
    if math.prod(shape) * np.dtype(TYPES[kind]).itemsize != end - begin:
        raise _Malformed(
            f"tensor {quote(name)}: {end - begin:,} bytes do not fill the shape {quote(shape)}"
        )
    return _Entry(name, kind, tuple(shape), begin, end)


def _counts(values: Any) -> bool:
    """Return whether this is a list of whole numbers, none negative; True is none here."""
    return isinstance(values, list) and all(type(value) is int and value >= 0 for value in values)


def _check_layout(entries: list[_Entry], size: int) -> None:
    """Refuse gaps, overlaps, and a file that is longer or shorter than its tensors."""
    at = 0
    for entry in sorted(entries, key=lambda entry: (entry.begin, entry.end)):
        if entry.begin != at:
            raise _Malformed(
                f"tensor {quote(entry.name)} begins at byte {entry.begin:,}, not at {at:,}"
            )
        at = entry.end
    if at != size:
        raise _Malformed(f"its tensors have {at:,} bytes, the file holds {size:,}")


def _tensor(entry: _Entry, content: bytes, start: int) -> Tensor:
    count = math.prod(entry.shape)
    values = np.frombuffer(content, TYPES[entry.type], count, start + entry.begin)
    if entry.type == "BF16":  # the upper half of a float32
        values = (values.astype(np.uint32) << 16).view(np.float32)
    elif entry.type.startswith("F"):
        with np.errstate(over="ignore"):
            values = values.astype(np.float32)
    return torch.from_numpy(values.astype(values.dtype.newbyteorder("="))).reshape(entry.shape)
