"""The curve of a run, `metrics.jsonl`: a line for each point, with a digest of itself.

A cut CSV reads without error and wrong. Here a cut or changed line is recognised: it is
`{"iteration":20,…,"digest":"1f3a9c2e"}`, with sorted keys and the first eight hexadecimal digits of
the SHA-256 of the line without its digest. NaN and infinity, which JSON does not have, are written
as null and named in `flags`.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from typing import Any, Literal

import msgspec
from msgspec import Struct

_MARK = b',"digest":"'


class MetricsRow(Struct):
    """One point of the curve. What was not measured there is None."""

    iteration: int
    rate: float | None = None
    train_error: float | None = None
    train_loss: float | None = None
    test_error: float | None = None
    test_loss: float | None = None
    gradient_first: float | None = None
    gradient_last: float | None = None
    flags: dict[str, Literal["nan", "inf", "-inf"]] = {}


CURVE = tuple(name for name in MetricsRow.__struct_fields__ if name != "flags")


def encode(row: Mapping[str, Any]) -> bytes:
    """Return the row as one line, newline included."""
    body = json.dumps(mark_not_finite(row), sort_keys=True, separators=(",", ":")).encode()
    return body[:-1] + _MARK + _digest(body) + b'"}\n'


def mark_not_finite(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values with null for NaN and infinity, and `flags` that say which it was."""
    flags: dict[str, str] = {}
    marked = dict(values)
    for key, value in values.items():
        if isinstance(value, float) and not math.isfinite(value):
            flags[key] = str(value)  # nan, inf or -inf
            marked[key] = None
    if flags:
        marked["flags"] = flags
    return marked


def decode(line: bytes) -> MetricsRow | None:
    """Return the point of a line, or None where the line is not whole, or is no point."""
    start, mark, end = line.rpartition(_MARK)
    body = start + b"}"
    if not mark or end != _digest(body) + b'"}\n':
        return None
    try:
        row = msgspec.json.decode(body, type=MetricsRow)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    for name in CURVE:
        if name in row.flags:
            setattr(row, name, float(row.flags[name]))
    return row


def read_valid_prefix(content: bytes) -> tuple[list[MetricsRow], int]:
    """Return the rows up to the first line that is not whole, and how many bytes they take."""
    rows: list[MetricsRow] = []
    size = 0
    for line in content.splitlines(keepends=True):
        row = decode(line)
        if row is None:
            break
        rows.append(row)
        size += len(line)
    return rows, size


def _digest(body: bytes) -> bytes:
    return hashlib.sha256(body).hexdigest()[:8].encode()
