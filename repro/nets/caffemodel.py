"""Read Caffe's binary files: the layers of a `.caffemodel`, the image in a `mean.binaryproto`.

Both are Protocol Buffers. A message is a row of fields; a field is a key (its number and how it is
stored) and a value. Only the fields named below are looked at, and the depth is fixed (net → layer
→ blob → shape), so that no file can make the reader recurse. Every length is checked against the
end of its message before anything is read or allocated.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from repro.errors import UserError, quote

Floats = NDArray[np.float32]

VARINT, FIXED64, BYTES, FIXED32 = (
    0,
    1,
    2,
    5,
)  # how a field is stored; 3 and 4 are groups, which Caffe never writes
LONGEST_VARINT = 10  # bytes
MOST_DIMENSIONS = 32  # Caffe's own limit

# Field numbers, from Caffe's description of its files.
NET_NAME, NET_V1_LAYER, NET_LAYER = 1, 2, 100
BLOB_LEGACY_SHAPE = (1, 2, 3, 4)  # num, channels, height, width
BLOB_DATA, BLOB_SHAPE, BLOB_DOUBLE_DATA = 5, 7, 8
SHAPE_DIMENSION = 1

# Files of 2014 and before give a layer's type as a number. These types are read here.
V1_TYPES = {4: "Convolution", 14: "InnerProduct"}

DAMAGED = "copy or download it again, and compare its size"


@dataclass(frozen=True)
class _LayerFields:
    """The field numbers of a layer, in one of the two versions of the message."""

    name: int
    type: int
    blobs: int


LAYER = _LayerFields(name=1, type=2, blobs=7)
V1_LAYER = _LayerFields(name=4, type=5, blobs=6)


@dataclass(frozen=True, eq=False)
class Layer:
    """A layer with what it has learned. Layers without weights (pooling, ReLU) have no blobs."""

    name: str
    type: str
    blobs: tuple[Floats, ...]


@dataclass(frozen=True)
class _Field:
    number: int
    kind: int
    value: (
        int | memoryview
    )  # a number, or the bytes of a string, a message, packed numbers, or one fixed number


class _Malformed(ValueError):
    """These bytes are not the message they should be."""


def read_layers(path: Path) -> list[Layer]:
    """Return the layers of a `.caffemodel`, in the order of the file."""
    try:
        layers = list(_layers(_content(path)))
    except _Malformed as error:
        _refuse(path, "a caffemodel", error)
    if not any(layer.blobs for layer in layers):
        raise UserError(
            f"{quote(path)} holds no layers with weights",
            "name the .caffemodel, not the prototxt or the solver state",
        )
    return layers


def read_mean(path: Path) -> Floats:
    """Return the mean image in a `mean.binaryproto`: colours in the file's order × H × W."""
    try:
        image = _blob(_content(path))
    except _Malformed as error:
        _refuse(path, "a mean image", error)
    while image.ndim > 3 and image.shape[0] == 1:
        image = image[0]
    if image.ndim != 3 or image.shape[0] != 3:
        raise UserError(
            f"{quote(path)} is no mean image: its shape is {quote(image.shape)}",
            "a mean.binaryproto holds one image of three colours",
        )
    if not np.isfinite(image).all():
        raise UserError(f"{quote(path)} holds values that are not finite numbers", DAMAGED)
    return image


def is_caffemodel(start: bytes) -> bool:
    """Whether a file that begins so may be a caffemodel: its first field is a name or a layer."""
    keys = {_key(NET_NAME, BYTES), _key(NET_V1_LAYER, BYTES), _key(NET_LAYER, BYTES)}
    return any(start.startswith(key) for key in keys)


def _key(number: int, kind: int) -> bytes:
    """Return the bytes that a field of this number begins with."""
    value = number << 3 | kind
    return bytes([value]) if value < 128 else bytes([value & 127 | 128, value >> 7])


def _content(path: Path) -> memoryview:
    try:
        return memoryview(path.read_bytes())
    except OSError as error:
        raise UserError(
            f"cannot read {quote(path)}: {error.strerror}", "name a file that you may read"
        ) from None


def _refuse(path: Path, what: str, error: _Malformed) -> NoReturn:
    raise UserError(f"{quote(path)} cannot be read as {what}: {error}", DAMAGED) from None


def _layers(content: memoryview) -> Iterator[Layer]:
    """Yield the layers of a NetParameter."""
    for field in _fields(content):
        if field.number == NET_LAYER:
            yield _layer(_message(field), LAYER)
        elif field.number == NET_V1_LAYER:
            yield _layer(_message(field), V1_LAYER)


def _layer(content: memoryview, numbers: _LayerFields) -> Layer:
    name, kind, blobs = "", "", []
    for field in _fields(content):
        if field.number == numbers.name:
            name = _text(field)
        elif field.number == numbers.type:
            kind = _layer_type(field)
        elif field.number == numbers.blobs:
            blobs.append(_message(field))
    try:
        return Layer(name, kind, tuple(_blob(blob) for blob in blobs))
    except _Malformed as error:
        raise _Malformed(f"layer {quote(name)}: {error}") from None


def _layer_type(field: _Field) -> str:
    if isinstance(field.value, int):
        return V1_TYPES.get(field.value, "")
    return _text(field)


def _blob(content: memoryview) -> Floats:
    """Return a BlobProto as an array of its shape."""
    legacy, shape, data = dict.fromkeys(BLOB_LEGACY_SHAPE, 0), None, []
    for field in _fields(content):
        if field.number in legacy:
            legacy[field.number] = _number(field)
        elif field.number == BLOB_SHAPE:
            shape = _shape(_message(field))
        elif field.number == BLOB_DATA:
            data.append(_floats(field, "<f4"))
        elif field.number == BLOB_DOUBLE_DATA:
            data.append(_floats(field, "<f8"))
    values = np.concatenate(data) if data else np.zeros(0, np.float32)
    sides = tuple(legacy.values()) if shape is None else shape
    return _shaped(values, sides)


def _shaped(values: Floats, sides: tuple[int, ...]) -> Floats:
    if len(sides) > MOST_DIMENSIONS or any(side < 0 for side in sides):
        raise _Malformed(f"{quote(sides)} is not a shape")
    if math.prod(sides) != len(values):
        raise _Malformed(f"{len(values):,} values do not fill the shape {quote(sides)}")
    return values.reshape(sides)


def _shape(content: memoryview) -> tuple[int, ...]:
    """Return a BlobShape; its dimensions may be packed into one field, or have one each."""
    sides: list[int] = []
    for field in _fields(content):
        if field.number != SHAPE_DIMENSION:
            continue
        if isinstance(field.value, int):
            sides.append(field.value)
            continue
        at = 0
        while at < len(field.value):
            side, at = _varint(field.value, at)
            sides.append(side)
    return tuple(sides)


def _floats(field: _Field, stored_as: str) -> Floats:
    """Return the numbers of a field, packed or single, as float32."""
    content = _message_or_fixed(field)
    width = np.dtype(stored_as).itemsize
    if len(content) % width:
        raise _Malformed(f"{len(content):,} bytes are not a whole number of values")
    with np.errstate(
        over="ignore"
    ):  # a double beyond float32 becomes infinite, and is refused as such later
        return np.frombuffer(content, stored_as).astype(np.float32)


def _fields(content: memoryview) -> Iterator[_Field]:
    """Yield the fields of a message."""
    at = 0
    while at < len(content):
        key, at = _varint(content, at)
        number, kind = key >> 3, key & 7
        if number == 0:
            raise _Malformed("a field has the number 0")
        if kind == VARINT:
            value, at = _varint(content, at)
            yield _Field(number, kind, value)
            continue
        length, at = _length(content, at, kind)
        if length > len(content) - at:
            there = f"{len(content) - at:,} of {length:,} bytes are there"
            raise _Malformed(f"it ends within field {number}: {there}")
        yield _Field(number, kind, content[at : at + length])
        at += length


def _length(content: memoryview, at: int, kind: int) -> tuple[int, int]:
    """Return how many bytes the value has, and where it begins."""
    if kind == BYTES:
        return _varint(content, at)
    if kind == FIXED32:
        return 4, at
    if kind == FIXED64:
        return 8, at
    raise _Malformed(f"no field is stored as {quote(kind)}")


def _varint(content: memoryview, at: int) -> tuple[int, int]:
    """Return a number of seven bits a byte, lowest first, and where it ends."""
    value = 0
    for place in range(LONGEST_VARINT):
        if at + place >= len(content):
            raise _Malformed("it ends within a number")
        byte = content[at + place]
        value |= (byte & 127) << (7 * place)
        if byte < 128:
            return value, at + place + 1
    raise _Malformed(f"a number has more than {LONGEST_VARINT} bytes")


def _message(field: _Field) -> memoryview:
    if isinstance(field.value, int) or field.kind != BYTES:
        raise _Malformed(f"field {field.number} is a number, not a message")
    return field.value


def _message_or_fixed(field: _Field) -> memoryview:
    if isinstance(field.value, int):
        raise _Malformed(f"field {field.number} holds an integer, not floating-point values")
    return field.value


def _number(field: _Field) -> int:
    if not isinstance(field.value, int):
        raise _Malformed(f"field {field.number} is not a number")
    return field.value


def _text(field: _Field) -> str:
    return bytes(_message(field)).decode("utf-8", "replace")
