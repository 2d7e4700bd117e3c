"""A metrics line: JSON that carries a digest of itself, so that a cut or flipped line is seen and not believed.

A cut CSV reads without error and wrong. Here a row is one line, `{"iteration":20,…,"digest":"1f3a9c2e"}`, with sorted
keys and the first eight hexadecimal digits of the SHA-256 of the line without its digest. NaN and infinity, which JSON
does not have, are written as null and named in `flags`.
"""

from __future__ import annotations

import hashlib
import json
import math
from typing import Any

import msgspec

_MARK = b',"digest":"'


def encode(row: dict[str, Any]) -> bytes:
    """The row as one line, newline included."""
    body = json.dumps(mark_not_finite(row), sort_keys=True, separators=(",", ":")).encode()
    return body[:-1] + _MARK + _digest(body) + b'"}\n'


def mark_not_finite(values: dict[str, Any]) -> dict[str, Any]:
    """The values with null for NaN and infinity, and `flags` that say which it was."""
    bad = {
        key: _sign(value)
        for key, value in values.items()
        if isinstance(value, float) and not math.isfinite(value)
    }
    return {key: None if key in bad else value for key, value in values.items()} | (
        {"flags": bad} if bad else {}
    )


def decode(line: bytes) -> dict[str, Any] | None:
    """The row of a line, or None where the line is not whole."""
    start, mark, end = line.rpartition(_MARK)
    body = start + b"}"
    if not mark or end != _digest(body) + b'"}\n':
        return None
    row = _object(body)
    for key, sign in row.pop("flags", {}).items():
        row[key] = float(sign)
    return row


def read_valid_prefix(content: bytes) -> tuple[list[dict[str, Any]], int]:
    """The rows up to the first line that is not whole, and how many bytes they take."""
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
    """What `json` makes of it, a few times as fast."""
    row: dict[str, Any]
    try:
        row = msgspec.json.decode(body)
    except (
        msgspec.DecodeError
    ):  # it is stricter: a lone surrogate, a NaN in a list, a number beyond all bounds
        row = json.loads(body)
    return row


def _digest(body: bytes) -> bytes:
    return hashlib.sha256(body).hexdigest()[:8].encode()


def _sign(value: float) -> str:
    return "nan" if math.isnan(value) else "inf" if value > 0 else "-inf"
