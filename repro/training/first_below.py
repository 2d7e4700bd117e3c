"""Footnote 5's question: at which iteration does the training error first go below 90 %?"""

from __future__ import annotations

from typing import TypedDict

import torch
from torch import Tensor

from repro import distributed

PERCENT = 90
WINDOW = 100  # iterations that the running error is taken over, as for the warm-up
LOOK_EVERY = 1_000  # iterations at most between two looks


class FirstBelowState(TypedDict):
    """What a checkpoint holds of it."""

    first: int | None
    recent: list[int]
    complete: bool


class FirstBelow:
    """The first iteration after which the error of the last `WINDOW` ones is below `PERCENT`.

    The counts of wrong answers stay on the device until a point of the curve or a checkpoint is
    due. Then the host waits for the device anyway, so no step waits for this. Once the answer is
    known, nothing more is counted. The checkpoint has the answer, so that a resumed run gives the
    same one as an unbroken run.
    """

    def __init__(self, batch: int, device: torch.device) -> None:
        self.first: int | None = None
        self._limit = PERCENT * WINDOW * batch  # of the window's wrong answers, times 100
        self._recent: list[int] = []  # wrong answers by iteration, those already looked at
        self._new = torch.zeros(LOOK_EVERY, dtype=torch.int64, device=device)
        self._count = 0  # of `_new`, those counted since the last look
        self._complete = True  # False: the run began before this was recorded

    def saw(self, iteration: int, wrong: Tensor) -> None:
        """Take note of this process's wrong answers in the iteration's batch."""
        if self.first is not None or not self._complete:
            return
        self._new[self._count] = wrong
        self._count += 1
        if self._count == LOOK_EVERY:
            self.look(iteration + 1)

    def look(self, done: int) -> None:
        """Look through the counts since the last look, after so many iterations.

        Processes look together.
        """
        if not self._count:
            return
        counts = distributed.total(self._new[: self._count].clone()).tolist()
        iteration = done - self._count
        self._count = 0
        for wrong in counts:
            iteration += 1
            self._recent = [*self._recent[1 - WINDOW :], wrong]
            if len(self._recent) == WINDOW and 100 * sum(self._recent) < self._limit:
                self.first = iteration
                self._recent = []
                return

    def facts(self) -> dict[str, int]:
        """Return where it was, if it was reached and is known."""
        if self.first is None:
            return {}
        return {"first_iteration_below_90": self.first}

    def state(self) -> FirstBelowState:
        return {"first": self.first, "recent": self._recent, "complete": self._complete}

    def restore(self, state: FirstBelowState | None) -> None:
        """Go on; after a checkpoint without it the early iterations are unknown for ever."""
        if state is None:
            self._complete = False
            return
        self.first = state["first"]
        self._recent = state["recent"]
        self._complete = state["complete"]
