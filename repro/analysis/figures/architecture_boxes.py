"""A net as it is drawn: boxes from top to bottom, and the shortcuts around them.

Everything is read off the layers with weights. Where the map shrinks between two of them without a stride, there is a
pooling; the layers of a block of a residual net have a shortcut around them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby

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


def stack_of(heading: str, drawn: Drawn) -> Stack:
    """The net, or the block, under that heading."""
    if isinstance(drawn, Net):
        return _stack(heading, layers(drawn), residual=drawn.kind == "resnet")
    if drawn == "VGG-19":
        return _stack(heading, vgg(19), residual=False)
    block = figure5()[drawn.removesuffix(" block")]
    return _stack(heading, block, residual=True)


def _stack(heading: str, found: tuple[Layer, ...], residual: bool) -> Stack:
    boxes: list[Box] = []
    placed: list[tuple[Layer, int]] = []  # each layer and its box
    for layer in (layer for layer in found if layer.role != "projection"):
        boxes += [
            *_pooling(boxes, layer),
            Box(_said(layer), layer.size, 0 if layer.role == "fc" else layer.outputs),
        ]
        placed.append((layer, len(boxes) - 1))
    return Stack(
        heading,
        tuple(boxes),
        tuple(_shortcuts(placed)) if residual else (),
        cost_of(found),
        found[0].inputs,
    )


def _pooling(above: list[Box], layer: Layer) -> Iterator[Box]:
    """The pooling before a layer, if its input is smaller than what comes out of the box above."""
    taken = layer.kernel if layer.role == "fc" else layer.size * layer.stride
    if above and taken < above[-1].size:
        yield Box("avg pool" if taken == 1 and layer.kernel == 1 else "pool, /2", taken, 0)


def _said(layer: Layer) -> str:
    if layer.role == "fc":
        return f"fc {layer.outputs}"
    stride = f", /{layer.stride}" if layer.stride > 1 else ""
    return f"{layer.kernel}×{layer.kernel} conv, {layer.outputs}{stride}"


def _shortcuts(placed: Iterable[tuple[Layer, int]]) -> Iterator[Shortcut]:
    """One around each block: the layers that share the first part of their names."""
    inside = [
        (layer, box) for layer, box in placed if layer.role == "main" and _block(layer) != "stem"
    ]
    for _, members in groupby(inside, key=lambda place: _block(place[0])):
        (first, top), *_, (last, bottom) = members
        yield Shortcut(top, bottom, (first.inputs, first.stride) != (last.outputs, 1))


def _block(layer: Layer) -> str:
    return layer.name.rpartition(".")[0]
