"""How a net is trained, as a value: all of sections 3.4 and 4.2 that can move a number."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from repro.definition.bounds import (
    LARGEST_BATCH,
    LARGEST_COUNT,
    LARGEST_SIDE,
    MOST_DROPS,
    check_at_most,
    check_name,
)
from repro.errors import UserError, quote


@dataclass(frozen=True)
class Warmup:
    """Start at a lower rate, until the training error is low enough or for `iterations`."""

    rate: float = 0.01
    below: float | None = None
    window: int | None = None  # iterations over which the training error is measured
    iterations: int | None = None

    def __post_init__(self) -> None:
        if not 0 < self.rate < float("inf"):
            raise UserError(
                f"`warmup.rate` is {quote(self.rate)}", "it must be finite and positive"
            )
        measured = self.below is not None and self.window is not None and self.iterations is None
        fixed = self.below is None and self.window is None and self.iterations is not None
        if not (measured or fixed):
            raise UserError(
                "this warm-up would never end, or end twice",
                "give it `below` and `window`, or `iterations`; not both, not neither",
            )
        if (self.below is not None and not 0 < self.below <= 100) or min(
            self.window or 1, self.iterations or 1
        ) < 1:
            raise UserError(
                f"`warmup` is {quote((self.below, self.window, self.iterations))}",
                "`below` is a percentage, `window` and `iterations` are 1 or more",
            )
        check_at_most(LARGEST_COUNT, "warmup.window", self.window or 0)
        check_at_most(LARGEST_COUNT, "warmup.iterations", self.iterations or 0)


@dataclass(frozen=True)
class Plateau:
    """Divide the rate by ten when the training error no longer falls, as in section 3.4.

    The error is the running one of each point of the curve. A point is better than the best so far
    if its error is lower by more than `threshold`.
    """

    patience: int = 5  # points of the curve in a row that are no better: then the rate drops
    threshold: float = 0.1  # in percentage points
    most: int = 2  # drops at most

    def __post_init__(self) -> None:
        for what in ("patience", "most"):
            if getattr(self, what) < 1:
                raise UserError(
                    f"`plateau.{what}` is {quote(getattr(self, what))}", "it must be 1 or more"
                )
        if not 0 <= self.threshold <= 100:
            raise UserError(f"`plateau.threshold` is {quote(self.threshold)}", "it is a percentage")
        check_at_most(LARGEST_COUNT, "plateau.patience", self.patience)
        check_at_most(MOST_DROPS, "plateau.most", self.most)


@dataclass(frozen=True)
class Input:
    """What the net sees: the training view and the testing views of an image."""

    size: int  # the crop's side
    # What is subtracted; taken from the training set only.
    mean: Literal["pixel", "channel"] = "pixel"
    std: Literal["channel"] | None = None  # the paper divides by nothing
    pad: int | None = None  # CIFAR: zeros on each side before a random crop
    # ImageNet: scale augmentation, uniform in this range.
    shorter_side: tuple[int, int] | None = None
    colour: float | None = None  # ImageNet: the σ of AlexNet's PCA colour augmentation
    flip: bool = True
    test_side: int | None = None  # ImageNet: shorter side for centre and ten crops
    # ImageNet: shorter sides of the fully convolutional test.
    test_sides: tuple[int, ...] | None = None
    # ImageNet: the GPU decodes and resizes training photos. None: the processors do, by Pillow.
    decoder: Literal["gpu"] | None = None

    def __post_init__(self) -> None:
        low, high = self.shorter_side or (self.size, self.size)
        sides = (self.size, low, high, self.test_side or self.size, *(self.test_sides or ()))
        if min(sides) < 1 or not self.size <= low <= high:
            raise UserError(
                f"`input` cannot cut {quote(self.size)} pixels from sides {quote((low, high))}",
                "`shorter_side` is a rising pair, no smaller than `size`, and every size is 1 or "
                "more",
            )
        if (self.pad is not None and self.pad < 0) or not 0 <= (self.colour or 0) < float("inf"):
            raise UserError(
                f"`input.pad` is {quote(self.pad)} and `input.colour` {quote(self.colour)}",
                "neither can be negative or infinite",
            )
        check_at_most(LARGEST_SIDE, "a side of `recipe.input`", max(*sides, self.pad or 0))


@dataclass(frozen=True)
class Recipe:
    """How a net is trained: all of sections 3.4 and 4.2 that can move a number."""

    name: str
    dataset: str
    input: Input
    batch: int
    iterations: int
    drops: tuple[int, ...]  # the rate is divided by ten at each
    evaluate_every: int  # iterations between two points of the curves
    learning_rate: float = 0.1
    momentum: float = 0.9
    decay: float = 1e-4
    decay_on: Literal["everything", "weights"] = "everything"
    split: Literal["train", "45k/5k"] = "train"
    precision: Literal["fp32", "tf32", "bf16"] = "fp32"
    warmup: Warmup | None = None
    # Images that share batch statistics; None: the whole batch of one process.
    batch_norm_group: int | None = None
    batch_norm_average: Literal["running", "re-estimated"] = "running"  # what the tests use
    plateau: Plateau | None = None  # when the rate drops, in the place of `drops`
    # Caffe's v ← m v + lr g keeps an old rate in the momentum after a drop. None: v ← m v + g.
    momentum_form: Literal["caffe"] | None = None

    def __post_init__(self) -> None:
        check_name(self.name, "a recipe")
        check_name(self.dataset, "a data set")
        self._check_counts()
        self._check_rates()
        self._check_schedule()
        group = self.batch_norm_group
        if group is not None and (group < 2 or self.batch % group):
            raise UserError(
                f"`recipe.batch_norm_group` {quote(group)} does not divide the batch of "
                f"{self.batch}",
                "choose a divisor of the batch, 2 or more",
            )

    def _check_counts(self) -> None:
        for field in ("batch", "iterations", "evaluate_every"):
            count = getattr(self, field)
            if count < 1:
                raise UserError(f"`recipe.{field}` is {quote(count)}", "it must be 1 or more")
        check_at_most(LARGEST_BATCH, "recipe.batch", self.batch)
        check_at_most(LARGEST_COUNT, "recipe.iterations", self.iterations)
        check_at_most(LARGEST_COUNT, "recipe.evaluate_every", self.evaluate_every)

    def _check_rates(self) -> None:
        rates = {"rate": self.learning_rate, "momentum": self.momentum, "decay": self.decay}
        for key, value in rates.items():
            if not 0 <= value < float("inf") or (key == "rate" and value == 0):
                problem = f"`recipe.{key}` is {quote(value)}"
                raise UserError(problem, "it must be finite and positive")

    def _check_schedule(self) -> None:
        drops = list(self.drops)
        check_at_most(MOST_DROPS, "the number of `recipe.drops`", len(drops))
        if drops != sorted(set(drops)):
            problem = f"`recipe.drops` is {quote(drops)}"
            raise UserError(problem, "list the iterations in rising order")
        if self.plateau and drops:
            raise UserError(
                f"`recipe.drops` {quote(drops)} and `recipe.plateau` both say when the rate drops",
                "set `drops=[]` as well, or `plateau=null`",
            )
