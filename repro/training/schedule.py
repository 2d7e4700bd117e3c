"""The learning rate: a function of the iteration, of where the warm-up ended, and of where the error had plateaued."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

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
    start = recipe.warmup.rate if warming and recipe.warmup else recipe.learning_rate
    drops = dropped if recipe.plateau else recipe.drops
    return float(np.float32(start / 10 ** sum(iteration >= drop for drop in drops)))


def readable(rate: float) -> float:
    """Return the shortest decimal that float32 rounds to this rate: 0.1, where the step has 0.10000000149."""
    return float(str(np.float32(rate)))


@dataclass
class WarmUp:
    """Section 4.2's warm-up: a low rate until the training error over a window of iterations is below a threshold.

    Where it ended is state, saved with the checkpoint, so that a resumed run switches where an unbroken one did.
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
        if self._over(iteration):
            self.switch = iteration + 1
            self.errors.clear()

    def _over(self, iteration: int) -> bool:
        assert self.rule is not None
        if self.rule.iterations is not None:
            return iteration + 1 >= self.rule.iterations
        full = len(self.errors) == (self.rule.window or 1)
        return full and sum(self.errors) / len(self.errors) < (self.rule.below or 100.0)

    def facts(self) -> dict[str, int]:
        """Where it ended, if it did."""
        return {} if self.switch is None else {"warmup_switch": self.switch}

    def state(self) -> dict[str, object]:
        return {"switch": self.switch, "errors": list(self.errors)}

    def restore(self, state: dict[str, object]) -> None:
        self.switch = state["switch"]  # type: ignore[assignment]
        self.errors = deque(state["errors"])  # type: ignore[call-overload]


@dataclass
class PlateauDrops:
    """Section 3.4's schedule: the rate is divided by ten when the training error no longer falls.

    The training error, because a drop chosen by the test error would be selected on the test set.
    Where it dropped is state, as the end of the warm-up is.
    """

    rule: Plateau | None
    drops: list[int] = field(default_factory=list)  # the first iterations at each lower rate
    best: float = float("inf")
    stale: int = 0  # points of the curve in a row that were no better

    def saw(self, done: int, error: float) -> None:
        """Take note of a point of the curve: its training error in percent, after so many iterations."""
        if self.rule is None or len(self.drops) == self.rule.most:
            return
        if error < self.best - self.rule.threshold:
            self.best, self.stale = error, 0
            return
        self.stale += 1
        if self.stale == self.rule.patience:
            self.drops.append(done)
            self.stale = 0

    def facts(self) -> dict[str, int]:
        """Where it dropped: a number for each drop, as every metric is a number."""
        return {f"rate_drop_{number}": drop for number, drop in enumerate(self.drops, start=1)}

    def state(self) -> dict[str, object]:
        return {"drops": self.drops, "best": self.best, "stale": self.stale}

    def restore(self, state: dict[str, object]) -> None:
        self.drops = list(state["drops"])  # type: ignore[call-overload]
        self.best, self.stale = state["best"], state["stale"]  # type: ignore[assignment]
