"""The learning rate: a function of the iteration, and of where the warm-up ended."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

import numpy as np

from repro.recipe import Recipe, Warmup


def rate(recipe: Recipe, iteration: int, warming: bool = False) -> float:
    """Return the rate of one iteration: the warm-up's while warming, else the schedule's.

    It is rounded to float32 here, once: the captured step holds it in a float32 tensor, and the
    eager step would else multiply by the float64 value and end with other weights.
    """
    start = recipe.warmup.rate if warming and recipe.warmup else recipe.rate
    return float(np.float32(start / 10 ** sum(iteration >= drop for drop in recipe.drops)))


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
