"""A net of the paper, as a value: architecture, plain or residual, depth, shortcuts."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any, Literal

from repro.definition.bounds import LARGEST_DEPTH, MOST_CLASSES, check_at_most
from repro.errors import UserError, quote

Family = Literal["cifar", "imagenet"]
Shortcut = Literal["A", "B", "C"]

IMAGENET_BLOCKS = {  # Table 1: how many blocks conv2_x … conv5_x have
    18: (2, 2, 2, 2),
    34: (3, 4, 6, 3),
    50: (3, 4, 6, 3),
    101: (3, 4, 23, 3),
    152: (3, 8, 36, 3),
}
BOTTLENECK_FROM = 50  # Table 1: nets of 50 and more layers are made of bottlenecks

_NET = re.compile(r"(plain|resnet)-?(\d{1,5})(?:-?([abc]))?(?:-(v1\.5|stride-3x3))?", re.IGNORECASE)


@dataclass(frozen=True)
class Net:
    """A net of the paper; `family` is section 4.2's (cifar) or Table 1's (imagenet)."""

    family: Family
    kind: Literal["plain", "resnet"]
    depth: int
    shortcut: Shortcut | None = None  # None: plain, or no choice to make
    # Which layer of a bottleneck strides; the paper: the first 1×1.
    stride_in: Literal["1x1", "3x3"] | None = None
    zeros: Literal["end", "both"] | None = None  # option A: where the zero channels go
    # He initialisation: equation 10 of the cited work, or 14.
    init: Literal["fan_in", "fan_out"] = "fan_in"
    classes: int = 10
    # The max pooling behind the first layer. The authors' prototxt pads nothing and rounds the
    # map's size up; None pads by one pixel, as most ports do. From 112 pixels both give 56, but of
    # windows one pixel apart.
    pool: Literal["unpadded"] | None = None

    def __post_init__(self) -> None:
        if self.family == "cifar" and (self.depth < 8 or self.depth % 6 != 2):
            below = min(max(8, self.depth - (self.depth - 2) % 6), LARGEST_DEPTH - 6)
            raise UserError(
                f"no CIFAR net has depth {quote(self.depth)}: depths are 6n+2",
                f"the nearest are {below} and {below + 6}; the paper has 20, 32, 44, 56, 110 and "
                f"1202",
            )
        if self.family == "cifar":
            check_at_most(LARGEST_DEPTH, "net.depth", self.depth)
        if self.family == "imagenet" and self.depth not in IMAGENET_BLOCKS:
            raise UserError(
                f"no ImageNet net has depth {quote(self.depth)}",
                "the paper's Table 1 has " + ", ".join(map(str, IMAGENET_BLOCKS)),
            )
        if (self.kind == "plain") != (self.shortcut is None):
            raise UserError(
                f"a {self.kind} cannot have shortcut {quote(self.shortcut)}",
                "a plain net has none; a resnet has A, B or C",
            )
        if (self.stride_in is not None) != self.bottleneck or (self.zeros is not None) != (
            self.shortcut == "A"
        ):
            raise UserError(
                f"`stride_in` and `zeros` do not fit {quote(self.name)}",
                "`stride_in` belongs to nets of bottlenecks, `zeros` to shortcut A",
            )
        if self.pool is not None and self.family != "imagenet":
            raise UserError(
                f"{quote(self.name)} has no max pooling to leave unpadded",
                "`pool` belongs to ImageNet's nets",
            )
        if self.classes < 2:
            raise UserError(
                f"a net cannot tell {quote(self.classes)} classes apart", "`classes` is 2 or more"
            )
        check_at_most(MOST_CLASSES, "net.classes", self.classes)

    @property
    def bottleneck(self) -> bool:
        return self.family == "imagenet" and self.depth >= BOTTLENECK_FROM

    @property
    def blocks(self) -> tuple[int, ...]:
        """How many blocks each stage has: n, n, n on CIFAR; Table 1's columns on ImageNet."""
        if self.family == "cifar":
            return ((self.depth - 2) // 6,) * 3
        return IMAGENET_BLOCKS[self.depth]

    @property
    def name(self) -> str:
        """The name, such as plain-20 or resnet-34-b; option A goes unsaid on CIFAR."""
        letter = self.shortcut and (self.family, self.shortcut) != ("cifar", "A")
        return f"{self.kind}-{self.depth}" + (f"-{self.shortcut}".lower() if letter else "")


@dataclass(frozen=True)
class Block:
    """One of the two blocks of Figure 5, at one position of its map."""

    name: Literal["basic block", "bottleneck block"]


def plain(depth: int, family: Family = "cifar", **choices: Any) -> Net:
    """The plain net of that depth."""
    return _net(family, "plain", depth, **choices)


def resnet(depth: int, shortcut: Shortcut = "A", family: Family = "cifar", **choices: Any) -> Net:
    """The residual net of that depth: every block of the plain net with a shortcut."""
    zeros = {"zeros": "end"} if shortcut == "A" else {}
    return _net(family, "resnet", depth, **{"shortcut": shortcut} | zeros | choices)


def _net(family: Family, kind: Literal["plain", "resnet"], depth: int, **choices: Any) -> Net:
    usual: dict[str, Any] = {"classes": 10 if family == "cifar" else 1000}
    if family == "imagenet" and depth >= BOTTLENECK_FROM:
        usual["stride_in"] = "1x1"
    return Net(family, kind, depth, **usual | choices)


def net_named(name: str, family: Family | None = None) -> Net:
    """Return the net of that name.

    Without a family, the depths of Table 1 are ImageNet's and all others CIFAR's.

    What the name does not say is as in the paper: shortcut A on CIFAR, B for bottlenecks (Table 3).
    """
    found = _NET.fullmatch(name)
    if not found:
        raise UserError(
            f"{quote(name)} is not the name of a net",
            "for example resnet-34-b, plain-18 or resnet-20",
        )
    depth, letter = int(found[2]), (found[3] or "").upper() or None
    family = family or ("imagenet" if depth in IMAGENET_BLOCKS else "cifar")
    if found[1].lower() == "plain":
        net = plain(depth, family, shortcut=letter)
    else:
        usual: Shortcut = "A" if family == "cifar" else "B"
        net = resnet(depth, letter or usual, family)  # type: ignore[arg-type]
        if family == "imagenet" and not (letter or net.bottleneck):
            others = f"resnet-{depth}-a, resnet-{depth}-b or resnet-{depth}-c"
            hint = f"{others}; torchvision's weights are of resnet-{depth}-b"
            raise UserError(f"{quote(name)} does not say its shortcut", hint)
    return replace(net, stride_in="3x3") if found[4] else net
