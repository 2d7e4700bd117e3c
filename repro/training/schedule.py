"""The learning rate: a function of the iteration, of the warm-up's end, and of the plateaus."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypedDict

import numpy as np

from repro.definition.recipe import Plateau, Recipe, Warmup


def learning_rate(
    recipe: Recipe, iteration: int, warming: bool = False, dropped: Sequence[int] = ()
) -> float:
    """Return the rate of one iteration: the warm-up's while warming, else the schedule's.

    `dropped` are the iterations at which it dropped so far because the error had plateaued.

    It is rounded to float32 here, once: the captured step holds it in a float32 tensor, and the
    eager step would else multiply by the float64 value and end with other weights.
    """
    start = recipe.learning_rate
    if warming and recipe.warmup:
        start = recipe.warmup.rate
    drops = recipe.drops
    if recipe.plateau:
        drops = tuple(dropped)
    dropped_so_far = sum(iteration >= drop for drop in drops)
    return float(np.float32(start / 10**dropped_so_far))


def readable(rate: float) -> float:
    """Return the shortest decimal that float32 rounds to this rate: 0.1, not 0.10000000149."""
    return float(str(np.float32(rate)))


class WarmUpState(TypedDict):
    """A warm-up as a checkpoint holds it."""

    switch: int | None
    errors: list[float]


@dataclass
class WarmUp:
    """Section 4.2's warm-up: a low rate until the training error is below a threshold.

    The error is that over a window of iterations. Where it ended is state, saved with the
    checkpoint, so that a resumed run switches where an unbroken one did.
    """

    rule: Warmup | None
    switch: int | None = None  # the first iteration at the full rate
    errors: deque[float] = field(default_factory=deque)

    @property
    def warming(self) -> bool:
        return self.rule is not None and self.switch is None

    def saw(self, iteration: int, error: float) -> None:
        """Take note of the training error of this iteration's batch, in percent."""
        if self.rule is None or self.switch is not None:
            return
        self.errors.append(error)
        if self.rule.window is not None and len(self.errors) > self.rule.window:
            self.errors.popleft()
        if self._is_over(self.rule, iteration):
            self.switch = iteration + 1
            self.errors.clear()

    def _is_over(self, rule: Warmup, iteration: int) -> bool:
        if rule.iterations is not None:
            return iteration + 1 >= rule.iterations
        if len(self.errors) < (rule.window or 1):
            return False
        return sum(self.errors) / len(self.errors) < (rule.below or 100.0)

    def facts(self) -> dict[str, int]:
        """Return where it ended, if it did."""
        if self.switch is None:
            return {}
        return {"warmup_switch": self.switch}

    def state(self) -> WarmUpState:
        return {"switch": self.switch, "errors": list(self.errors)}

    def restore(self, state: WarmUpState) -> None:
        self.switch = state["switch"]
        self.errors = deque(state["errors"])


class PlateauState(TypedDict):
    """The drops at plateaus as a checkpoint holds them."""

    drops: list[int]
    best: float
    stale: int


@dataclass
class PlateauDrops:
    """Section 3.4's schedule: divide the rate by ten when the training error no longer falls.

    The training error, because a drop chosen by the test error would be selected on the test set.
    Where it dropped is state, as the end of the warm-up is.
    """

    rule: Plateau | None
    drops: list[int] = field(default_factory=list)  # the first iterations at each lower rate
    best: float = float("inf")
    stale: int = 0  # points of the curve in a row that were no better

    def saw(self, done: int, error: float) -> None:
        """Take note of the training error of a point of the curve, after so many iterations."""
        if self.rule is None or len(self.drops) == self.rule.most:
            return
        if error < self.best - self.rule.threshold:
            self.best = error
            self.stale = 0
            return
        self.stale += 1
        if self.stale == self.rule.patience:
            self.drops.append(done)
            self.stale = 0

    def facts(self) -> dict[str, int]:
        """Return where it dropped: a number for each drop, as every metric is a number."""
        return {f"rate_drop_{number}": drop for number, drop in enumerate(self.drops, start=1)}

    def state(self) -> PlateauState:
        return {"drops": self.drops, "best": self.best, "stale": self.stale}

    def restore(self, state: PlateauState) -> None:
        self.drops = list(state["drops"])
        self.best = state["best"]
        self.stale = state["stale"]
