"""What is trained, as values: a Net, a Recipe, a Run, and the identity of a run.

A run is a value: equal runs are one run, whichever table asks for it. Its id is a readable name and a digest of the
whole resolved definition, so a changed default makes a new run and never silently reuses an old one. Where a run runs
(cluster, devices, workers, folders) is no part of it; what can move a number is.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, fields, is_dataclass, replace
from functools import cache
from typing import Any, Literal, Self

from repro.errors import UserError, shown

Family = Literal["cifar", "imagenet"]
Shortcut = Literal["A", "B", "C"]

IMAGENET_BLOCKS = {  # Table 1: how many blocks conv2_x … conv5_x have
    18: (2, 2, 2, 2),
    34: (3, 4, 6, 3),
    50: (3, 4, 6, 3),
    101: (3, 4, 23, 3),
    152: (3, 8, 36, 3),
}
IMAGENET_DEPTHS = tuple(IMAGENET_BLOCKS)
BOTTLENECK_FROM = 50  # Table 1: nets of 50 and more layers are made of bottlenecks

# More of these would be a slip of the pen, fill any memory, or never end. The paper's largest are in parentheses.
LARGEST_BATCH = 65_536  # (256)
LARGEST_COUNT = 10_000_000  # iterations (600,000)
LARGEST_DEPTH = 9_998  # of CIFAR's nets (1202)
LARGEST_SIDE = 4_096  # pixels (640)
MOST_CLASSES = 100_000  # (1000)
MOST_DROPS = 100  # (3)
DIGITS = 10  # of a run's digest

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_NET = re.compile(r"(plain|resnet)-?(\d{1,5})(?:-?([abc]))?(?:-(v1\.5|stride-3x3))?", re.IGNORECASE)


def checked_name(name: str, what: str) -> str:
    """The name, if it is one that may become part of a file name or a job name."""
    if not _NAME.fullmatch(name) or ".." in name or name.endswith("."):
        raise UserError(f"{shown(name)} is not a name for {what}", "use 1 to 64 of A–Z a–z 0–9 . _ -")
    return name


def _at_most(largest: int, what: str, value: int) -> None:
    if value > largest:
        said = what if " " in what else f"`{what}`"
        raise UserError(f"{said} is {shown(value)}", f"it may be {largest:,} at most")


@dataclass(frozen=True)
class Net:
    """A net of the paper. `family` says which architecture: section 4.2's (cifar) or Table 1's (imagenet)."""

    family: Family
    kind: Literal["plain", "resnet"]
    depth: int
    shortcut: Shortcut | None = None  # None: plain, or no choice to make
    stride_in: Literal["1x1", "3x3"] | None = None  # which layer of a bottleneck strides; the paper: the first 1×1
    zeros: Literal["end", "both"] | None = None  # option A: where the zero channels go
    init: Literal["fan_in", "fan_out"] = "fan_in"  # He initialisation: equation 10 of the cited work, or 14
    classes: int = 10

    def __post_init__(self) -> None:
        if self.family == "cifar" and (self.depth < 8 or self.depth % 6 != 2):
            below = min(max(8, self.depth - (self.depth - 2) % 6), LARGEST_DEPTH - 6)
            raise UserError(
                f"no CIFAR net has depth {shown(self.depth)}: depths are 6n+2",
                f"the nearest are {below} and {below + 6}; the paper has 20, 32, 44, 56, 110 and 1202",
            )
        if self.family == "cifar":
            _at_most(LARGEST_DEPTH, "net.depth", self.depth)
        if self.family == "imagenet" and self.depth not in IMAGENET_BLOCKS:
            raise UserError(
                f"no ImageNet net has depth {shown(self.depth)}",
                "the paper's Table 1 has " + ", ".join(map(str, IMAGENET_BLOCKS)),
            )
        if (self.kind == "plain") != (self.shortcut is None):
            raise UserError(
                f"a {self.kind} cannot have shortcut {shown(self.shortcut)}",
                "a plain net has none; a resnet has A, B or C",
            )
        if (self.stride_in is not None) != self.bottleneck or (self.zeros is not None) != (self.shortcut == "A"):
            raise UserError(
                f"`stride_in` and `zeros` do not fit {shown(self.name)}",
                "`stride_in` belongs to nets of bottlenecks, `zeros` to shortcut A",
            )
        if self.classes < 2:
            raise UserError(f"a net cannot tell {shown(self.classes)} classes apart", "`classes` is 2 or more")
        _at_most(MOST_CLASSES, "net.classes", self.classes)

    @property
    def bottleneck(self) -> bool:
        return self.family == "imagenet" and self.depth >= BOTTLENECK_FROM

    @property
    def blocks(self) -> tuple[int, ...]:
        """How many blocks each stage has: n, n, n on CIFAR; Table 1's columns on ImageNet."""
        if self.family == "cifar":
            return ((self.depth - 2) // 6,) * 3
        return {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}[
            self.depth
        ]

    @property
    def name(self) -> str:
        """plain-20, resnet-110, resnet-34-b: option A on CIFAR is the paper's only one and goes without saying."""
        letter = self.shortcut and (self.family, self.shortcut) != ("cifar", "A")
        return f"{self.kind}-{self.depth}" + (f"-{self.shortcut}".lower() if letter else "")


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


def named(name: str, family: Family | None = None) -> Net:
    """The net that people call so. Without a family, the depths of Table 1 are ImageNet's and all others CIFAR's.

    What the name does not say is as in the paper: shortcut A on CIFAR, B for bottlenecks (Table 3).
    """
    found = _NET.fullmatch(name)
    if not found:
        raise UserError(f"{shown(name)} is not the name of a net", "for example resnet-34-b, plain-18 or resnet-20")
    depth, letter = int(found[2]), (found[3] or "").upper() or None
    family = family or ("imagenet" if depth in IMAGENET_BLOCKS else "cifar")
    if found[1].lower() == "plain":
        net = plain(depth, family, shortcut=letter)
    else:
        net = resnet(depth, letter or ("A" if family == "cifar" else "B"), family)  # type: ignore[arg-type]
        if family == "imagenet" and not (letter or net.bottleneck):
            others = f"resnet-{depth}-a, resnet-{depth}-b or resnet-{depth}-c"
            hint = f"{others}; torchvision's weights are of resnet-{depth}-b"
            raise UserError(f"{shown(name)} does not say its shortcut", hint)
    return replace(net, stride_in="3x3") if found[4] else net


@dataclass(frozen=True)
class Warmup:
    """Start at a lower rate until the training error is below `below` percent, or for a fixed count of iterations."""

    rate: float = 0.01
    below: float | None = None
    window: int | None = None  # iterations over which the training error is measured
    iterations: int | None = None

    def __post_init__(self) -> None:
        if not 0 < self.rate < float("inf"):
            raise UserError(f"`warmup.rate` is {shown(self.rate)}", "it must be finite and positive")
        measured = self.below is not None and self.window is not None and self.iterations is None
        fixed = self.below is None and self.window is None and self.iterations is not None
        if not (measured or fixed):
            raise UserError(
                "this warm-up would never end, or end twice",
                "give it `below` and `window`, or `iterations`; not both, not neither",
            )
        if (self.below is not None and not 0 < self.below <= 100) or min(self.window or 1, self.iterations or 1) < 1:
            raise UserError(
                f"`warmup` is {shown((self.below, self.window, self.iterations))}",
                "`below` is a percentage, `window` and `iterations` are 1 or more",
            )
        _at_most(LARGEST_COUNT, "warmup.window", self.window or 0)
        _at_most(LARGEST_COUNT, "warmup.iterations", self.iterations or 0)


@dataclass(frozen=True)
class Input:
    """What the net sees: the training view and the testing views of an image."""

    size: int  # the crop's side
    mean: Literal["pixel", "channel"] = "pixel"  # what is subtracted; taken from the training set only
    std: Literal["channel"] | None = None  # the paper divides by nothing
    pad: int | None = None  # CIFAR: zeros on each side before a random crop
    shorter_side: tuple[int, int] | None = None  # ImageNet: scale augmentation, uniform in this range
    colour: float | None = None  # ImageNet: the σ of AlexNet's PCA colour augmentation
    flip: bool = True
    test_side: int | None = None  # ImageNet: shorter side for centre and ten crops
    test_sides: tuple[int, ...] | None = None  # ImageNet: shorter sides of the fully convolutional test

    def __post_init__(self) -> None:
        low, high = self.shorter_side or (self.size, self.size)
        sides = (self.size, low, high, self.test_side or self.size, *(self.test_sides or ()))
        if min(sides) < 1 or not self.size <= low <= high:
            raise UserError(
                f"`input` cannot cut {shown(self.size)} pixels from sides {shown((low, high))}",
                "`shorter_side` is a rising pair, no smaller than `size`, and every size is 1 or more",
            )
        if (self.pad is not None and self.pad < 0) or not 0 <= (self.colour or 0) < float("inf"):
            raise UserError(
                f"`input.pad` is {shown(self.pad)} and `input.colour` {shown(self.colour)}",
                "neither can be negative or infinite",
            )
        _at_most(LARGEST_SIDE, "a side of `recipe.input`", max(*sides, self.pad or 0))


@dataclass(frozen=True)
class Recipe:
    """How a net is trained: one value for each line of sections 3.4 and 4.2 that can move a number."""

    name: str
    dataset: str
    input: Input
    batch: int
    iterations: int
    drops: tuple[int, ...]  # the rate is divided by ten at each
    evaluate_every: int  # iterations between two points of the curves
    rate: float = 0.1
    momentum: float = 0.9
    decay: float = 1e-4
    decay_on: Literal["everything", "weights"] = "everything"
    split: Literal["train", "45k/5k"] = "train"
    precision: Literal["fp32", "tf32", "bf16"] = "fp32"
    warmup: Warmup | None = None
    batch_norm_group: int | None = None  # images that share batch statistics; None: the whole batch of one process
    batch_norm_average: Literal["running", "re-estimated"] = "running"  # what the tests use
    plateau: bool | None = None  # True: the rate drops when the error plateaus, not at `drops`

    def __post_init__(self) -> None:
        checked_name(self.name, "a recipe")
        checked_name(self.dataset, "a data set")
        for what in ("batch", "iterations", "evaluate_every"):
            if getattr(self, what) < 1:
                raise UserError(f"`recipe.{what}` is {shown(getattr(self, what))}", "it must be 1 or more")
        for what in ("rate", "momentum", "decay"):
            if not 0 <= getattr(self, what) < float("inf") or (what == "rate" and self.rate == 0):
                raise UserError(f"`recipe.{what}` is {shown(getattr(self, what))}", "it must be finite and positive")
        _at_most(LARGEST_BATCH, "recipe.batch", self.batch)
        for what in ("iterations", "evaluate_every"):
            _at_most(LARGEST_COUNT, f"recipe.{what}", getattr(self, what))
        _at_most(MOST_DROPS, "the number of `recipe.drops`", len(self.drops))
        if list(self.drops) != sorted(set(self.drops)):
            raise UserError(f"`recipe.drops` is {shown(list(self.drops))}", "list the iterations in rising order")
        group = self.batch_norm_group
        if group is not None and (group < 2 or self.batch % group):
            raise UserError(
                f"`recipe.batch_norm_group` {shown(group)} does not divide the batch of {self.batch}",
                "choose a divisor of the batch, 2 or more",
            )


@dataclass(frozen=True)
class Run:
    """One training of one net by one recipe from one seed, at one scale."""

    net: Net
    recipe: Recipe
    seed: int = 0
    scale: str = "paper"

    def __post_init__(self) -> None:
        if not 0 <= self.seed < 2**32:
            raise UserError(f"seed {shown(self.seed)} is out of range", "seeds are 0 to 4294967295")
        checked_name(self.scale, "a scale")
        checked_name(f"{self._stem}-{'0' * DIGITS}", "a run: the recipe's name is too long")

    @property
    def id(self) -> str:
        return f"{self._stem}-{digest(self)}"

    @property
    def _stem(self) -> str:
        return f"{self.net.name}.{self.recipe.name}.{self.scale}.s{self.seed}"

    def repeated(self, seeds: int) -> Runs:
        return Runs(self, seeds)


@dataclass(frozen=True)
class Runs:
    """The same run from seeds 0, 1, 2, …"""

    run: Run
    seeds: int = field(default=1)

    def __iter__(self) -> Iterator[Run]:
        return (replace(self.run, seed=seed) for seed in range(self.seeds))

    def __len__(self) -> int:
        return self.seeds

    def limited(self, seeds: int | None) -> Self:
        return self if seeds is None else replace(self, seeds=seeds)


def definition(run: Run) -> dict[str, Any]:
    """The run as plain JSON values. Unset optional fields are left out, so that adding one keeps every old id."""
    return _without_none(asdict(run))


def digest(run: Run) -> str:
    """Ten hexadecimal digits that differ when anything that can move a number differs: of the definition as JSON."""
    values = {each.name: getattr(run, each.name) for each in fields(run)}
    parts = (f'"{name}":{_text(values[name])}' for name in sorted(values) if values[name] is not None)
    return hashlib.sha256(f"{{{','.join(parts)}}}".encode()).hexdigest()[:DIGITS]


@cache
def _text(part: Any) -> str:
    """A part of a definition as canonical JSON; hundreds of runs share a few nets and recipes."""
    value = _without_none(asdict(part)) if is_dataclass(part) and not isinstance(part, type) else _plain(part)
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def from_definition(values: dict[str, Any]) -> Run:
    """The run that `definition` describes; a wrong key or type is an error that names its path."""
    import msgspec

    try:
        return _strictly(msgspec.convert(values, Run, strict=True), values)
    except msgspec.ValidationError as error:
        raise UserError(f"not the definition of a run: {error}", "was it written by another version?") from None


def _strictly(run: Run, values: dict[str, Any]) -> Run:
    """msgspec passes over unknown keys of a dataclass; a definition with one is of another version."""
    unknown = _paths(values) - _paths(asdict(run))
    if unknown:
        raise UserError(
            f"not the definition of a run: unknown {', '.join(shown(path) for path in sorted(unknown))}",
            "it was written by a newer version; update this one",
        )
    return run


def _paths(values: dict[str, Any], prefix: str = "") -> set[str]:
    paths = set()
    for key, value in values.items():
        paths.add(prefix + key)
        if isinstance(value, dict):
            paths |= _paths(value, f"{prefix}{key}.")
    return paths


def _without_none(values: dict[str, Any]) -> dict[str, Any]:
    return {key: _plain(value) for key, value in values.items() if value is not None}


def _plain(value: Any) -> Any:
    """Nested values likewise; and 1.0 as 1, so that equal runs have equal digests."""
    if isinstance(value, dict):
        return _without_none(value)
    return int(value) if isinstance(value, float) and value.is_integer() else value
