"""TensorBoard's event files, written byte by byte: no package of TensorBoard's is needed.

A file is a row of records. A record is the length of its content as eight bytes, little-endian,
the masked CRC-32C of those eight bytes, the content, and the masked CRC-32C of the content. The
content is one `Event` of TensorFlow's event.proto, in the wire format of protocol buffers:

    Event          1 wall_time: double   2 step: int64   3 file_version: string   5 summary: Summary
    Summary        1 value: repeated Summary.Value
    Summary.Value  1 tag: string   2 simple_value: float
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable
from itertools import groupby

from repro.analysis.export.run_series import Measured, Series

FILE_NAME = "events.out.tfevents.0.repro"  # TensorBoard looks for `tfevents` in the name

_VERSION = b"brain.Event:2"  # the content of the first record: this layout
_POLYNOMIAL = 0x82F63B78  # Castagnoli's, with its bits in reverse order
_MASK = 0xA282EAD8
_VARINT, _EIGHT_BYTES, _BYTES, _FOUR_BYTES = 0, 1, 2, 5  # how a field is encoded


def render_events(series: Series) -> bytes:
    """Return the event file of a run."""
    # A run keeps no time for each point, so all have the time at which it ended; 1970 if unknown.
    # Not the time of export: the same run gives the same bytes.
    time = series.ended or 0.0
    records = [_record(_time(time) + _bytes_field(3, _VERSION))]
    # All that one iteration measured goes into one event, as TensorFlow itself writes a summary.
    for iteration, numbers in groupby(series.numbers, lambda number: number.iteration):
        records.append(_record(_event(time, iteration, numbers)))
    return b"".join(records)


def _event(time: float, iteration: int, numbers: Iterable[Measured]) -> bytes:
    values = b"".join(_bytes_field(1, _value(number)) for number in numbers)
    step = _key(2, _VARINT) + _varint(iteration)
    return _time(time) + step + _bytes_field(5, values)


def _value(number: Measured) -> bytes:
    tag = _bytes_field(1, number.metric.encode())
    return tag + _key(2, _FOUR_BYTES) + _single(number.value)


def _single(value: float) -> bytes:
    """Return the number in single precision, which is all that TensorBoard keeps."""
    try:
        return struct.pack("<f", value)
    except OverflowError:  # a loss that diverged may be larger than single precision holds
        return struct.pack("<f", math.copysign(math.inf, value))


def _time(time: float) -> bytes:
    return _key(1, _EIGHT_BYTES) + struct.pack("<d", time)


def _bytes_field(number: int, content: bytes) -> bytes:
    return _key(number, _BYTES) + _varint(len(content)) + content


def _key(number: int, encoding: int) -> bytes:
    """Return what stands before a field: its number, and how it is encoded."""
    return _varint(number << 3 | encoding)


def _varint(value: int) -> bytes:
    """Return the number in groups of seven bits, the lowest first; all but the last are marked."""
    groups = bytearray()
    while value >= 0x80:
        groups.append(value & 0x7F | 0x80)
        value >>= 7
    groups.append(value)
    return bytes(groups)


def _record(content: bytes) -> bytes:
    length = struct.pack("<Q", len(content))
    return length + _masked_crc(length) + content + _masked_crc(content)


def _masked_crc(content: bytes) -> bytes:
    """Return the checksum as records carry it: rotated by 15 bits, and a constant added."""
    crc = crc32c(content)
    rotated = (crc >> 15 | crc << 17) & 0xFFFFFFFF
    return struct.pack("<I", (rotated + _MASK) & 0xFFFFFFFF)


def crc32c(content: bytes) -> int:
    """Return the CRC-32C (Castagnoli) of the content."""
    crc = 0xFFFFFFFF
    for byte in content:
        crc = _TABLE[(crc ^ byte) & 0xFF] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


def _table() -> tuple[int, ...]:
    """Return the remainder of each byte."""
    remainders = []
    for byte in range(256):
        remainder = byte
        for _ in range(8):
            carried = remainder & 1
            remainder >>= 1
            if carried:
                remainder ^= _POLYNOMIAL
        remainders.append(remainder)
    return tuple(remainders)


_TABLE = _table()
