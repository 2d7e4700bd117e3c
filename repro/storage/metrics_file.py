"""A metrics line: JSON with a digest of itself, so that a cut or changed line is recognised.

A cut CSV reads without error and wrong. Here a row is one line,
`{"iteration":20,…,"digest":"1f3a9c2e"}`, with sorted keys and the first eight hexadecimal digits of
the SHA-256 of the line without its digest. NaN and infinity, which JSON does not have, are written
as null and named in `flags`.
"""

from __future__ import annotations

import hashlib
import json
import math
from typing import Any

import msgspec

_MARK = b',"digest":"'


def encode(row: dict[str, Any]) -> bytes:
    """Return the row as one line, newline included."""
    body = json.dumps(mark_not_finite(row), sort_keys=True, separators=(",", ":")).encode()
    return body[:-1] + _MARK + _digest(body) + b'"}\n'


def mark_not_finite(values: dict[str, Any]) -> dict[str, Any]:
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


def decode(line: bytes) -> dict[str, Any] | None:
    """Return the row of a line, or None where the line is not whole."""
    start, mark, end = line.rpartition(_MARK)
    body = start + b"}"
    if not mark or end != _digest(body) + b'"}\n':
        return None
    row = _object(body)
    for key, sign in row.pop("flags", {}).items():
        row[key] = float(sign)
    return row


def read_valid_prefix(content: bytes) -> tuple[list[dict[str, Any]], int]:
    """Return the rows up to the first line that is not whole, and how many bytes they take."""
    rows: list[dict[str, Any]] = []
    size = 0
    for line in content.splitlines(keepends=True):
        row = decode(line)
        if row is None:
            break
        rows.append(row)
        size += len(line)
    return rows, size


def _object(body: bytes) -> dict[str, Any]:
    """Return what `json` makes of it, a few times as fast."""
    row: dict[str, Any]
    try:
        row = msgspec.json.decode(body)
    except msgspec.DecodeError:
        # It is stricter: a lone surrogate, a NaN in a list, a number beyond all bounds.
        row = json.loads(body)
    return row


def _digest(body: bytes) -> bytes:
    return hashlib.sha256(body).hexdigest()[:8].encode()
