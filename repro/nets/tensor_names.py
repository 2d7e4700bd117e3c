"""Whose weights these are, by the names of their tensors; and what our nets call each tensor.

| whose              | their name                       | ours                                    |
|--------------------|----------------------------------|-----------------------------------------|
| torchvision, timm, | `conv1`, `bn1`                   | `stem.conv`, `stem.norm`                |
| akamaster          | `layer2.0.conv1`, `layer2.0.bn1` | `stage2.block1.conv1`, `….norm1`        |
|                    | `layer2.0.downsample.0`, `….1`   | `stage2.block1.shortcut.conv`, `….norm` |
|                    | `fc` (akamaster: `linear`)       | `classifier`                            |
| a-martyn           | `convIn`, `bnIn`, `fcOut`        | `stem.conv`, `stem.norm`, `classifier`  |
|                    | `stack1.0`, `stack2a`            | `stage1.block1`, `stage2.block1`        |
|                    | `stack2b.0`                      | `stage2.block2`                         |
| fb.resnet.torch    | `0`, `1`, `10` (CIFAR: `8`)      | `stem.conv`, `stem.norm`, `classifier`  |
|                    | `4.0.0.0.0`, `4.0.0.0.1`         | `stage1.block1.conv1`, `….norm1`        |
|                    | `4.0.0.1.0`, `4.0.0.1.1`         | `stage1.block1.shortcut.conv`, `….norm` |

The names also say which variant of the net the weights are of: akamaster's option A has its zeros
on both sides, torchvision's bottlenecks stride in the 3×3. The shapes would not show it; the errors
would.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from torch import Tensor

from repro.definition.net import IMAGENET_BLOCKS, Net

COUNTER = "num_batches_tracked"  # absent from old checkpoints, and used by nothing here


@dataclass(frozen=True)
class Layout:
    """One way of naming a net's tensors."""

    name: str  # whose it is
    recognised_by: frozenset[str]  # names that all its nets have, and no other layout has
    rename: Callable[[str], str]  # their name → ours
    zeros: str | None = None  # where option A's zeros are in these nets
    stride_in: str | None = None  # which layer of a bottleneck strides in them
    pool: str | None = None  # how they pool behind the first layer
    preprocess: str = "paper"  # what their images went through
    preprocess_small: str = "paper"

    def of_cifar(self, zeros: str) -> Layout:
        """Return it for CIFAR nets: where their zeros are, what their images went through."""
        return replace(self, zeros=zeros, preprocess_small=self.name)

    def variant(self, net: Net) -> Net:
        """Return the net as these weights were trained: zeros, strides and pooling may differ."""
        changes: dict[str, Any] = {}
        if self.zeros and net.shortcut == "A":
            changes["zeros"] = self.zeros
        if self.stride_in and net.bottleneck:
            changes["stride_in"] = self.stride_in
        if self.pool and net.family == "imagenet":
            changes["pool"] = self.pool
        return replace(net, **changes)


def _unchanged(name: str) -> str:
    return name


_TORCHVISION_NAMES = (
    (re.compile(r"^conv1\."), "stem.conv."),
    (re.compile(r"^bn1\."), "stem.norm."),
    (re.compile(r"^(linear|fc)\."), "classifier."),
    (re.compile(r"^layer(\d+)\.(\d+)\.downsample\.0\."), r"layer\1.\2.shortcut.conv."),
    (re.compile(r"^layer(\d+)\.(\d+)\.downsample\.1\."), r"layer\1.\2.shortcut.norm."),
    (re.compile(r"^(layer\d+\.\d+)\.bn(\d)\."), r"\1.norm\2."),
)
_TORCHVISION_BLOCK = re.compile(r"^layer(\d+)\.(\d+)\.")


def _from_torchvision(name: str) -> str:
    for theirs, ours in _TORCHVISION_NAMES:
        name = theirs.sub(ours, name)
    return _TORCHVISION_BLOCK.sub(lambda match: _block(match[1], match[2]), name)


def _block(stage: str | int, index: str | int) -> str:
    return f"stage{stage}.block{int(index) + 1}."


_MARTYN_NAMES = (
    (re.compile(r"^convIn\."), "stem.conv."),
    (re.compile(r"^bnIn\."), "stem.norm."),
    (re.compile(r"^fcOut\."), "classifier."),
    (re.compile(r"\.bn(\d)\."), r".norm\1."),
)
_MARTYN_FIRST_STACK = re.compile(r"^stack1\.(\d+)\.")
_MARTYN_FIRST_BLOCK = re.compile(r"^stack(\d)a\.")
_MARTYN_OTHER_BLOCKS = re.compile(r"^stack(\d)b\.(\d+)\.")


def _from_martyn(name: str) -> str:
    for theirs, ours in _MARTYN_NAMES:
        name = theirs.sub(ours, name)
    name = _MARTYN_FIRST_STACK.sub(lambda match: _block(1, match[1]), name)
    name = _MARTYN_FIRST_BLOCK.sub(lambda match: _block(match[1], 0), name)
    return _MARTYN_OTHER_BLOCKS.sub(lambda match: _block(match[1], int(match[2]) + 1), name)


_TORCH7_STEM = re.compile(r"^([01])\.")
_TORCH7_CLASSIFIER = re.compile(r"^(8|10)\.(?:1\.)?(weight|bias)$")
_TORCH7_MAIN = re.compile(r"^(\d+)\.(\d+)\.0\.0\.(\d+)\.")
_TORCH7_SHORTCUT = re.compile(r"^(\d+)\.(\d+)\.0\.1\.([01])\.")


def _from_torch7(name: str, first_stage: int) -> str:
    """Return our name. Torch7 numbers its containers: a block is a sum of two branches."""
    if match := _TORCH7_STEM.match(name):
        return _TORCH7_STEM.sub("stem.conv." if match[1] == "0" else "stem.norm.", name)
    if match := _TORCH7_CLASSIFIER.match(name):
        return f"classifier.{match[2]}"
    if match := _TORCH7_MAIN.match(name):
        # In a branch each convolution is followed by its batch norm and a ReLU, which counts too.
        place, kind = divmod(int(match[3]), 3)
        layer = ("conv", "norm")[kind] if kind < 2 else "relu"
        block = _block(int(match[1]) - first_stage + 1, match[2])
        return _TORCH7_MAIN.sub(f"{block}{layer}{place + 1}.", name)
    if match := _TORCH7_SHORTCUT.match(name):
        layer = "conv" if match[3] == "0" else "norm"
        block = _block(int(match[1]) - first_stage + 1, match[2])
        return _TORCH7_SHORTCUT.sub(f"{block}shortcut.{layer}.", name)
    return name


def _weights(*layers: str) -> frozenset[str]:
    """Return what the weights of these layers are called."""
    return frozenset(f"{layer}.weight" for layer in layers)


OURS = Layout("ours", _weights("stem.conv", "classifier"), _unchanged)
AUTHORS = Layout(
    "authors",
    frozenset({"conv1.caffe"}),  # no file has it: a caffemodel is recognised by its bytes
    _unchanged,
    stride_in="1x1",
    pool="unpadded",
    preprocess="authors",
)
AKAMASTER = Layout("akamaster", _weights("conv1", "linear"), _from_torchvision).of_cifar("both")
MARTYN = Layout("a-martyn", _weights("convIn", "fcOut"), _from_martyn).of_cifar("end")
TORCHVISION = Layout(
    "torchvision",
    _weights("conv1", "fc"),
    _from_torchvision,
    stride_in="3x3",
    preprocess="torchvision-v1",
    preprocess_small="akamaster",
)
TORCH7 = replace(
    TORCHVISION,
    name="fb.resnet.torch",
    recognised_by=_weights("0", "4.0.0.0.0", "7.0.0.0.0"),
    rename=partial(_from_torch7, first_stage=4),
    preprocess_small="paper",
)
TORCH7_CIFAR = Layout(
    TORCH7.name, _weights("0", "3.0.0.0.0"), partial(_from_torch7, first_stage=3)
).of_cifar("end")
BY_NAMES = (OURS, AKAMASTER, TORCHVISION, MARTYN, TORCH7, TORCH7_CIFAR)


def layout_of(names: Iterable[str]) -> Layout:
    """Return the layout these names are of; ours where none fits, and then names are missing."""
    present = set(names)
    for layout in BY_NAMES:
        if layout.recognised_by <= present:
            return layout
    return OURS


def net_of(state: Mapping[str, Tensor], layout: Layout, kind: str = "resnet") -> Net | None:
    """Return the net that weights under our names are of; None: not one of the paper's.

    A plain net has the tensors of a residual one with option A: `kind` decides between them.
    """
    try:
        kernel = state["stem.conv.weight"].shape[-1]
        classes = len(state["classifier.weight"])
    except (KeyError, TypeError, IndexError):
        return None
    counts = _blocks(state)
    bottleneck = "stage1.block1.conv3.weight" in state
    family, depth = _architecture(kernel, counts, bottleneck)
    if depth is None:
        return None
    return _net(family, depth, _shortcut(state, counts), classes, layout, kind)


def _architecture(kernel: int, counts: list[int], bottleneck: bool) -> tuple[str, int | None]:
    """Return the family and the depth that a first layer and blocks of these counts are of."""
    if kernel == 7:
        return "imagenet", _imagenet_depth(counts, bottleneck)
    alike = len(counts) == 3 and len(set(counts)) == 1
    if kernel == 3 and alike and not bottleneck:
        return "cifar", 6 * counts[0] + 2
    return "", None


def _net(
    family: str, depth: int, projections: str | None, classes: int, layout: Layout, kind: str
) -> Net | None:
    from repro.definition.net import plain, resnet
    from repro.errors import UserError

    try:
        if projections is None and kind == "plain":
            return layout.variant(plain(depth, family, classes=classes))  # type: ignore[arg-type]
        net = resnet(depth, projections or "A", family, classes=classes)  # type: ignore[arg-type]
    except UserError:
        return None
    return layout.variant(net)


def _blocks(state: Mapping[str, Tensor]) -> list[int]:
    """Return how many blocks each stage has."""
    highest: dict[int, int] = {}
    for name in state:
        if match := re.match(r"stage(\d+)\.block(\d+)\.conv1\.weight$", name):
            stage = int(match[1])
            highest[stage] = max(highest.get(stage, 0), int(match[2]))
    return [highest[stage] for stage in sorted(highest)]


def _imagenet_depth(counts: list[int], bottleneck: bool) -> int | None:
    for depth, blocks in IMAGENET_BLOCKS.items():
        if tuple(counts) == blocks and (depth >= 50) == bottleneck:
            return depth
    return None


def _shortcut(state: Mapping[str, Tensor], counts: list[int]) -> str | None:
    """Return B or C; None where there is no projection: option A, or a plain net."""
    projections = sum(name.endswith(".shortcut.conv.weight") for name in state)
    if not projections:
        return None
    return "C" if projections == sum(counts) else "B"
