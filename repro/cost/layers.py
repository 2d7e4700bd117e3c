"""The layers of a net, counted without building it: parameters, multiply-adds, projections.

Multiply-adds are counted as the paper counts FLOPs: those of convolutions and fully connected
layers, shortcuts included, one for each product. A layer's name is the name of its module in the
built net.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Literal

from repro.definition.net import Block, Net
from repro.errors import UserError, quote

Role = Literal["main", "projection", "fc"]

TRAINED_ON = {"cifar": 32, "imagenet": 224}  # the side of the image

# The 3×3 layers on each map of the nets that the paper compares with.
VGG = {16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}


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
    # Batch norm follows, with a scale and a shift a channel; else there is a bias.
    normalised: bool = True

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
def cost(net: Net | Block, size: int | None = None) -> Cost:
    """Return what a net costs on one image of that side, or a block of Figure 5 on one position."""
    if isinstance(net, Block):
        return cost_of(figure5()[net.name.removesuffix(" block")])
    return cost_of(layers(net, size))


def cost_of(some: Iterable[Layer]) -> Cost:
    """Return what these layers cost together: a net's, VGG's, or a block's."""
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
    """Return the weighted layers of a net, in order, for images of that side."""
    if size is None:
        size = TRAINED_ON[net.family]
    if size < 1:
        raise UserError(f"an image cannot be {quote(size)} pixels wide", "`size` is 1 or more")
    return tuple(_layers(net, size))


def vgg(depth: Literal[16, 19], size: int = 224) -> tuple[Layer, ...]:
    """Return the layers of VGG-16 or VGG-19, whose cost the paper compares with."""
    net, inputs = [], 3
    for stage, count in enumerate(VGG[depth], start=1):
        width = min(64 * 2 ** (stage - 1), 512)
        for number in range(1, count + 1):
            name = f"conv{stage}_{number}"
            net.append(Layer(name, "main", 3, inputs, width, 1, size, normalised=False))
            inputs = width
        size //= 2
    net.append(_fully_connected("fc6", inputs, 4096, kernel=size))
    net.append(_fully_connected("fc7", 4096, 4096))
    net.append(_fully_connected("fc8", 4096, 1000))
    return tuple(net)


def figure5(
    shortcut: Literal["identity", "projection"] = "identity",
) -> dict[str, tuple[Layer, ...]]:
    """Return the layers of Figure 5's blocks: `basic` on 64 channels, `bottleneck` on 256.

    Section 4.1: "both designs have similar time complexity"; with a projection in place of the
    identity "the time complexity and model size are doubled".
    """
    basic = [Layer("conv1", "main", 3, 64, 64, 1, 1), Layer("conv2", "main", 3, 64, 64, 1, 1)]
    bottleneck = [
        Layer("conv1", "main", 1, 256, 64, 1, 1),
        Layer("conv2", "main", 3, 64, 64, 1, 1),
        Layer("conv3", "main", 1, 64, 256, 1, 1),
    ]
    if shortcut == "projection":
        basic.append(Layer("shortcut.conv", "projection", 1, 64, 64, 1, 1))
        bottleneck.append(Layer("shortcut.conv", "projection", 1, 256, 256, 1, 1))
    return {"basic": tuple(basic), "bottleneck": tuple(bottleneck)}


def _layers(net: Net, size: int) -> Iterator[Layer]:
    stem, size = _stem(net, size)
    yield stem
    inputs = stem.outputs
    for stage, count in enumerate(net.blocks):
        outputs = stem.outputs * 2**stage
        if net.bottleneck:
            outputs *= 4
        for number in range(count):
            # A stage begins by halving the map, the first one excepted.
            stride = 2 if stage > 0 and number == 0 else 1
            block = _Block(f"stage{stage + 1}.block{number + 1}", inputs, outputs, stride, size)
            yield from _block_layers(block, net)
            inputs, size = block.outputs, block.size_out
    yield _fully_connected("classifier", inputs, net.classes)


def _stem(net: Net, size: int) -> tuple[Layer, int]:
    """Return the first layer, and the side of the map that the first block gets."""
    if net.family == "cifar":
        return Layer("stem.conv", "main", 3, 3, 16, 1, size), size
    size = _halved(size)
    stem = Layer("stem.conv", "main", 7, 3, 64, 2, size)
    if net.pool == "unpadded":
        return stem, _pooled(size)
    return stem, _halved(size)


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

    @property
    def changes_shape(self) -> bool:
        return (self.stride, self.inputs) != (1, self.outputs)

    def convolution(
        self, name: str, kernel: int, inputs: int, outputs: int, stride: int, size: int
    ) -> Layer:
        return Layer(f"{self.name}.{name}", "main", kernel, inputs, outputs, stride, size)

    @property
    def projection(self) -> Layer:
        name = f"{self.name}.shortcut.conv"
        return Layer(name, "projection", 1, self.inputs, self.outputs, self.stride, self.size_out)


def _block_layers(block: _Block, net: Net) -> Iterator[Layer]:
    if net.bottleneck:
        yield from _bottleneck(block, net)
    else:
        yield from _basic(block)
    # Option B projects where a shape changes, option C everywhere.
    if net.shortcut == "C" or (net.shortcut == "B" and block.changes_shape):
        yield block.projection


def _basic(block: _Block) -> Iterator[Layer]:
    width, size = block.outputs, block.size_out
    yield block.convolution("conv1", 3, block.inputs, width, block.stride, size)
    yield block.convolution("conv2", 3, width, width, 1, size)


def _bottleneck(block: _Block, net: Net) -> Iterator[Layer]:
    width, size = block.outputs // 4, block.size_out
    if net.stride_in == "1x1":
        yield block.convolution("conv1", 1, block.inputs, width, block.stride, size)
        yield block.convolution("conv2", 3, width, width, 1, size)
    else:
        yield block.convolution("conv1", 1, block.inputs, width, 1, block.size)
        yield block.convolution("conv2", 3, width, width, block.stride, size)
    yield block.convolution("conv3", 1, width, block.outputs, 1, size)


def _fully_connected(name: str, inputs: int, outputs: int, kernel: int = 1) -> Layer:
    return Layer(name, "fc", kernel, inputs, outputs, stride=1, size=1, normalised=False)


def _halved(size: int) -> int:
    """The map after a stride of 2, with the padding of every layer here."""
    return (size + 1) // 2


def _pooled(size: int) -> int:
    """The map after 3×3 pooling at stride 2 without padding, rounded up, as Caffe rounds."""
    return max(1, (size - 2) // 2 + 1)
