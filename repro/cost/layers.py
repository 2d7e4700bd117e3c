"""The layers of a net, counted without building it: parameters, multiply-adds, weighted layers, projections.

Multiply-adds are counted as the paper counts FLOPs: those of convolutions and fully connected layers, shortcuts
included, one for each product. A layer's name is the name of its module in the built net.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Literal

from repro.definition.net import Net
from repro.errors import UserError, quote

Role = Literal["main", "projection", "fc"]

TRAINED_ON = {"cifar": 32, "imagenet": 224}  # the side of the image

VGG = {
    16: (2, 2, 3, 3, 3),
    19: (2, 2, 4, 4, 4),
}  # 3×3 layers on each map of the nets the paper compares with


@dataclass(frozen=True)
class Layer:
    """A layer with weights. A fully connected one is a convolution whose map is 1×1."""

    name: str
    role: Role
    kernel: int
    inputs: int
    outputs: int
    stride: int
    size: int  # the side of the map that comes out
    normalised: bool = (
        True  # batch norm follows, with a scale and a shift a channel; else there is a bias
    )

    @property
    def weights(self) -> int:
        return self.kernel**2 * self.inputs * self.outputs

    @property
    def parameters(self) -> int:
        return self.weights + self.outputs * (2 if self.normalised else 1)

    @property
    def multiply_adds(self) -> int:
        return self.weights * self.size**2


@dataclass(frozen=True)
class Cost:
    """What the paper says about a net before any training."""

    parameters: int
    multiply_adds: int
    layers: int  # weighted layers: the number in the net's name; projections are not counted
    projections: int


@cache
def cost(net: Net, size: int | None = None) -> Cost:
    """What the net costs on one image of that side."""
    return cost_of(layers(net, size))


def cost_of(some: Iterable[Layer]) -> Cost:
    """What these layers cost together: a net's, VGG's, or a block's."""
    counted = tuple(some)
    projections = sum(layer.role == "projection" for layer in counted)
    return Cost(
        parameters=sum(layer.parameters for layer in counted),
        multiply_adds=sum(layer.multiply_adds for layer in counted),
        layers=len(counted) - projections,
        projections=projections,
    )


@cache
def layers(net: Net, size: int | None = None) -> tuple[Layer, ...]:
    """The weighted layers of a net, in order, for images of that side (32 on CIFAR, 224 on ImageNet)."""
    size = TRAINED_ON[net.family] if size is None else size
    if size < 1:
        raise UserError(f"an image cannot be {quote(size)} pixels wide", "`size` is 1 or more")
    return tuple(_layers(net, size))


def vgg(depth: Literal[16, 19], size: int = 224) -> tuple[Layer, ...]:
    """VGG-16 or VGG-19, whose cost the paper compares with: 3×3 layers with biases, pooling, three fc layers."""
    found, inputs = [], 3
    for stage, count in enumerate(VGG[depth]):
        for number in range(1, count + 1):
            width, name = 64 * min(2**stage, 8), f"conv{stage + 1}_{number}"
            found.append(Layer(name, "main", 3, inputs, width, 1, size, normalised=False))
            inputs = width
        size //= 2
    found.append(_fully_connected("fc6", inputs, 4096, kernel=size))
    found.append(_fully_connected("fc7", 4096, 4096))
    found.append(_fully_connected("fc8", 4096, 1000))
    return tuple(found)


def figure5(
    shortcut: Literal["identity", "projection"] = "identity",
) -> dict[str, tuple[Layer, ...]]:
    """The two blocks of Figure 5 at one position of the map: `basic` on 64 channels, `bottleneck` on 256.

    Section 4.1: "both designs have similar time complexity"; with a projection in place of the identity "the time
    complexity and model size are doubled".
    """
    designs = {"basic": ((3, 3), (64, 64, 64)), "bottleneck": ((1, 3, 1), (256, 64, 64, 256))}
    blocks = {}
    for design, (kernels, widths) in designs.items():
        main = tuple(
            Layer(f"conv{place}", "main", kernel, inputs, outputs, stride=1, size=1)
            for place, (kernel, (inputs, outputs)) in enumerate(
                zip(kernels, pairwise(widths), strict=True), start=1
            )
        )
        projection = Layer(
            "shortcut.conv", "projection", 1, widths[0], widths[-1], stride=1, size=1
        )
        blocks[design] = (*main, projection) if shortcut == "projection" else main
    return blocks


def _layers(net: Net, size: int) -> Iterator[Layer]:
    imagenet = net.family == "imagenet"
    width = 64 if imagenet else 16
    size = _halved(size) if imagenet else size
    yield Layer("stem.conv", "main", 7 if imagenet else 3, 3, width, 2 if imagenet else 1, size)
    if imagenet:
        size = _pooled(size) if net.pool == "unpadded" else _halved(size)
    channels = width
    for stage, count in enumerate(net.blocks):
        for number in range(count):
            stride = 2 if stage > 0 and number == 0 else 1
            name = f"stage{stage + 1}.block{number + 1}"
            block = _Block(
                name, channels, width * 2**stage * (4 if net.bottleneck else 1), stride, size
            )
            yield from _bottleneck(block, net) if net.bottleneck else _basic(block)
            if net.shortcut == "C" or (
                net.shortcut == "B" and (stride, block.inputs) != (1, block.outputs)
            ):
                yield Layer(
                    f"{name}.shortcut.conv",
                    "projection",
                    1,
                    channels,
                    block.outputs,
                    stride,
                    block.size_out,
                )
            channels, size = block.outputs, block.size_out
    yield _fully_connected("classifier", channels, net.classes)


@dataclass(frozen=True)
class _Block:
    name: str
    inputs: int
    outputs: int
    stride: int
    size: int  # the side of the map that comes in

    @property
    def size_out(self) -> int:
        return _halved(self.size) if self.stride == 2 else self.size


def _basic(block: _Block) -> Iterator[Layer]:
    yield Layer(
        f"{block.name}.conv1", "main", 3, block.inputs, block.outputs, block.stride, block.size_out
    )
    yield Layer(f"{block.name}.conv2", "main", 3, block.outputs, block.outputs, 1, block.size_out)


def _bottleneck(block: _Block, net: Net) -> Iterator[Layer]:
    first = net.stride_in == "1x1"
    width, middle = block.outputs // 4, block.size_out if first else block.size
    yield Layer(
        f"{block.name}.conv1", "main", 1, block.inputs, width, block.stride if first else 1, middle
    )
    yield Layer(
        f"{block.name}.conv2", "main", 3, width, width, 1 if first else block.stride, block.size_out
    )
    yield Layer(f"{block.name}.conv3", "main", 1, width, block.outputs, 1, block.size_out)


def _fully_connected(name: str, inputs: int, outputs: int, kernel: int = 1) -> Layer:
    return Layer(name, "fc", kernel, inputs, outputs, stride=1, size=1, normalised=False)


def _halved(size: int) -> int:
    """The map after a stride of 2, with the padding of every layer here."""
    return (size + 1) // 2


def _pooled(size: int) -> int:
    """The map after 3×3 pooling at stride 2 without padding, rounded up, as Caffe rounds."""
    return max(1, (size - 2) // 2 + 1)
