"""Caffe's binary files, written and read here without any code of `repro`: from the description of
the format.

`authors_net` makes the layers of a ResNet as the authors' prototxt lists them, with random weights.
`write_net` puts them into a file. `read_obviously` reads such a file the slow way: every message
becomes a dict of lists.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

BLOCKS = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}
V1_TYPE = {
    "Convolution": 4,
    "InnerProduct": 14,
    "Pooling": 17,
    "ReLU": 18,
    "Eltwise": 25,
    "Softmax": 20,
}


@dataclass
class WrittenLayer:
    """A layer of a prototxt: what it is, what it reads and writes, its numbers, its weights."""

    name: str
    type: str
    bottoms: list[str]
    top: str
    options: dict[str, int] = field(default_factory=dict)
    blobs: list[np.ndarray] = field(default_factory=list)


def authors_net(
    depth: int, classes: int = 1000, seed: int = 0, width: int = 64
) -> list[WrittenLayer]:
    """The layers of the authors' net of that depth. A smaller `width` than 64 makes a thinner
    one."""
    net = _Prototxt(np.random.default_rng(seed), [])
    net.convolution("conv1", "data", 3, width, 7, 2, 3, bias=depth == 50)
    net.batch_norm("bn_conv1", "scale_conv1", "conv1", width)
    net.add("conv1_relu", "ReLU", ["conv1"], "conv1")
    net.add("pool1", "Pooling", ["conv1"], "pool1", kernel_size=3, stride=2)
    below, channels = "pool1", width
    for stage, count in enumerate(BLOCKS[depth], start=2):
        inner = width * 2 ** (stage - 2)
        for number in range(count):
            name = f"{stage}{_block_name(depth, stage, number)}"
            stride = 2 if stage > 2 and number == 0 else 1
            below = net.block(name, below, channels, inner, stride)
            channels = 4 * inner
    net.add("pool5", "Pooling", [below], "pool5", average=1)
    fc = net.normal((classes, channels), (1 / channels) ** 0.5)
    net.add("fc1000", "InnerProduct", ["pool5"], "fc1000", blobs=[fc, net.normal((classes,), 0.1)])
    net.add("prob", "Softmax", ["fc1000"], "prob")
    return net.layers


def _block_name(depth: int, stage: int, number: int) -> str:
    """a, b, c, … in ResNet-50 and in short stages; a, b1, b2, … in the longer stages of the deeper
    nets."""
    long = depth > 50 and stage in (3, 4)
    return f"b{number}" if long and number else "abcdefgh"[number]


@dataclass
class _Prototxt:
    random: np.random.Generator
    layers: list[WrittenLayer]

    def normal(self, shape: tuple[int, ...], std: float) -> np.ndarray:
        return self.random.normal(0, std, shape).astype(np.float32)

    def add(self, name, type, bottoms, top, blobs=(), **options) -> None:
        self.layers.append(WrittenLayer(name, type, bottoms, top, options, list(blobs)))

    def convolution(self, name, below, inputs, outputs, kernel, stride, pad, bias=False) -> None:
        blobs = [self.normal((outputs, inputs, kernel, kernel), (2 / (inputs * kernel**2)) ** 0.5)]
        if bias:
            blobs.append(self.normal((outputs,), 0.5))
        self.add(name, "Convolution", [below], name, blobs, stride=stride, pad=pad)

    def batch_norm(self, name, scale_name, top, channels) -> None:
        factor = np.float32(self.random.uniform(1, 1000))
        mean, variance = self.normal((channels,), 0.3), self.random.uniform(0.5, 1.5, channels)
        blobs = [mean * factor, (variance * factor).astype(np.float32), np.array([factor])]
        self.add(name, "BatchNorm", [top], top, blobs)
        gamma = self.random.uniform(0.5, 1.0, channels).astype(np.float32)
        self.add(scale_name, "Scale", [top], top, [gamma, self.normal((channels,), 0.2)])

    def block(self, name: str, below: str, inputs: int, inner: int, stride: int) -> str:
        identity = below
        if inputs != 4 * inner or stride != 1:
            identity = f"res{name}_branch1"
            self._layers(name, "branch1", below, inputs, 4 * inner, 1, stride)
        self._layers(name, "branch2a", below, inputs, inner, 1, stride, relu=True)
        self._layers(name, "branch2b", f"res{name}_branch2a", inner, inner, 3, 1, relu=True)
        self._layers(name, "branch2c", f"res{name}_branch2b", inner, 4 * inner, 1, 1)
        self.add(f"res{name}", "Eltwise", [identity, f"res{name}_branch2c"], f"res{name}")
        self.add(f"res{name}_relu", "ReLU", [f"res{name}"], f"res{name}")
        return f"res{name}"

    def _layers(self, block, branch, below, inputs, outputs, kernel, stride, relu=False) -> None:
        top = f"res{block}_{branch}"
        self.convolution(top, below, inputs, outputs, kernel, stride, kernel // 2)
        self.batch_norm(f"bn{block}_{branch}", f"scale{block}_{branch}", top, outputs)
        if relu:
            self.add(f"{top}_relu", "ReLU", [top], top)


# Writing: a field is its key, and for bytes the length.


def varint(value: int) -> bytes:
    content = bytearray()
    while value > 127:
        content.append(value & 127 | 128)
        value >>= 7
    content.append(value)
    return bytes(content)


def number(field_number: int, value: int) -> bytes:
    return varint(field_number << 3) + varint(value)


def message(field_number: int, content: bytes) -> bytes:
    return varint(field_number << 3 | 2) + varint(len(content)) + content


def blob(values: np.ndarray, style: str = "new") -> bytes:
    """A BlobProto. `legacy`: four sides by name; `unpacked`: one field a number; `double`:
    float64."""
    if style == "legacy":
        sides = (1,) * (4 - values.ndim) + values.shape
        content = b"".join(number(place, side) for place, side in enumerate(sides, start=1))
    elif style == "unpacked":
        content = message(7, b"".join(number(1, side) for side in values.shape))
    else:
        content = message(7, message(1, b"".join(varint(side) for side in values.shape)))
    if style == "unpacked":
        return content + b"".join(
            varint(5 << 3 | 5) + struct.pack("<f", value) for value in values.reshape(-1)
        )
    if style == "double":
        return content + message(8, values.astype("<f8").tobytes())
    return content + message(5, values.astype("<f4").tobytes())


def net_bytes(layers: list[WrittenLayer], style: str = "new") -> bytes:
    """A NetParameter. `v1`: the message of 2014 for layers, with types as numbers."""
    content = message(1, b"ResNet")
    for layer in layers:
        if style == "v1":
            written = message(4, layer.name.encode()) + number(5, V1_TYPE[layer.type])
            written += b"".join(message(6, blob(values, "legacy")) for values in layer.blobs)
            content += message(2, written)
            continue
        written = message(1, layer.name.encode()) + message(2, layer.type.encode())
        written += b"".join(message(3, bottom.encode()) for bottom in layer.bottoms)
        written += message(4, layer.top.encode())
        written += b"".join(message(7, blob(values, style)) for values in layer.blobs)
        content += message(100, written)
    return content


def write_net(path: Path, layers: list[WrittenLayer], style: str = "new") -> Path:
    path.write_bytes(net_bytes(layers, style))
    return path


def write_mean(path: Path, image: np.ndarray) -> Path:
    """A mean.binaryproto: 1 × 3 × height × width, blue first."""
    path.write_bytes(blob(image, "legacy"))
    return path


# Reading, the slow and obvious way.


def read_obviously(content: bytes) -> dict[str, list[np.ndarray]]:
    """Each layer's blobs, by the layer's name."""
    blobs: dict[str, list[np.ndarray]] = {}
    for layer in fields_of(memoryview(content))[100]:
        fields = fields_of(layer)
        blobs[bytes(fields[1][0]).decode()] = [
            _array(fields_of(each)) for each in fields.get(7, [])
        ]
    return blobs


def _array(fields: dict[int, list]) -> np.ndarray:
    sides, packed = [], fields_of(fields[7][0])[1][0]
    while packed:
        side, packed = _take_varint(packed)
        sides.append(side)
    return np.frombuffer(fields[5][0], "<f4").reshape(sides)


def fields_of(content: memoryview) -> dict[int, list]:
    fields: dict[int, list] = {}
    while content:
        key, content = _take_varint(content)
        value, content = _take_varint(content)
        if key & 7 == 2:  # the number was a length
            value, content = content[:value], content[value:]
        fields.setdefault(key >> 3, []).append(value)
    return fields


def _take_varint(content: memoryview) -> tuple[int, memoryview]:
    value, place = 0, 0
    while content[place] > 127:
        value += (content[place] & 127) << (7 * place)
        place += 1
    return value + (content[place] << (7 * place)), content[place + 1 :]
