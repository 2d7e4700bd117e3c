"""A net as it is drawn: boxes from top to bottom, and the shortcuts around them.

Everything is read off the layers with weights. Where the map shrinks between two of them without a
stride, there is a pooling; the layers of a block of a residual net have a shortcut around them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from repro.cost.layers import Cost, Layer, cost_of, figure5, layers, vgg
from repro.definition.experiment import Drawn
from repro.definition.net import Net


@dataclass(frozen=True)
class Box:
    """One layer or pooling. `channels` is 0 where nothing is convolved."""

    text: str
    size: int  # the side of the map that comes out
    channels: int


@dataclass(frozen=True)
class Shortcut:
    """It goes around the boxes from `first` to `last`; dotted where the dimensions change."""

    first: int
    last: int
    widens: bool


@dataclass(frozen=True)
class Stack:
    """One column of a drawing."""

    heading: str
    boxes: tuple[Box, ...]
    shortcuts: tuple[Shortcut, ...]
    cost: Cost
    entering: int  # channels

    @property
    def sizes(self) -> Counter[int]:
        """How many boxes there are of each size of map."""
        return Counter(box.size for box in self.boxes)


def stack_of(heading: str, drawn: Drawn) -> Stack:
    """Return the net, or the block, under that heading."""
    if isinstance(drawn, Net):
        return _stack(heading, layers(drawn), residual=drawn.kind == "resnet")
    if drawn == "VGG-19":
        return _stack(heading, vgg(19), residual=False)
    block = figure5()[drawn.removesuffix(" block")]
    return _stack(heading, block, residual=True)


def _stack(heading: str, weighted: tuple[Layer, ...], residual: bool) -> Stack:
    boxes: list[Box] = []
    blocks: dict[str, list[tuple[Layer, int]]] = {}  # the layers of each block with their boxes
    for layer in weighted:
        if layer.role == "projection":
            continue
        boxes += _pooling(boxes, layer)
        block = layer.name.rpartition(".")[0]
        if layer.role == "main" and block != "stem":
            blocks.setdefault(block, []).append((layer, len(boxes)))
        channels = 0 if layer.role == "fc" else layer.outputs
        boxes.append(Box(_text_of(layer), layer.size, channels))
    shortcuts = map(_shortcut, blocks.values()) if residual else ()
    return Stack(heading, tuple(boxes), tuple(shortcuts), cost_of(weighted), weighted[0].inputs)


def _pooling(above: list[Box], layer: Layer) -> Iterator[Box]:
    """Yield the pooling before a layer whose input is smaller than the map above it."""
    taken = layer.kernel if layer.role == "fc" else layer.size * layer.stride
    if above and taken < above[-1].size:
        average = taken == 1 and layer.kernel == 1
        yield Box("avg pool" if average else "pool, /2", taken, 0)


def _text_of(layer: Layer) -> str:
    if layer.role == "fc":
        return f"fc {layer.outputs}"
    stride = f", /{layer.stride}" if layer.stride > 1 else ""
    return f"{layer.kernel}×{layer.kernel} conv, {layer.outputs}{stride}"


def _shortcut(members: list[tuple[Layer, int]]) -> Shortcut:
    """Return the shortcut around a block."""
    (first, top), (last, bottom) = members[0], members[-1]
    return Shortcut(top, bottom, (first.inputs, first.stride) != (last.outputs, 1))
