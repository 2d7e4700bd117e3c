"""The runs of one row: their values of one metric, and what keeps them from being averaged."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from repro.analysis.compare.comparability import FLAGGED, REFUSED, columns_not_averaged
from repro.analysis.compare.verdict import OurValues
from repro.analysis.runs.run_set import RunSet


@dataclass(frozen=True)
class Measured:
    """The runs of one row, and what they say about one metric."""

    metric: str
    runs: RunSet
    planned: int
    allow_mixed: bool = False
    strict: bool = False

    @property
    def ours(self) -> OurValues:
        """The finished runs' values, and the runs that diverged instead."""
        lost = []
        for run in self.runs.diverged.itertuples():
            lost.append(f"seed {run.seed} at iteration {_whole(run.failed_at)}")
        return OurValues(tuple(self.runs.measured(self.metric)), self.planned, tuple(lost))

    @property
    def refused(self) -> tuple[str, ...]:
        """Why the runs are not averaged: what they differ in, or that two of them are one."""
        reasons: list[str] = []
        if not self.allow_mixed:
            reasons += self._mixed(columns_not_averaged(self.strict))
        if self.strict:
            reasons += self.runs.moved_machine()
        reasons += self.runs.twinned()
        return tuple(f"{reason}; not averaged" for reason in reasons)

    @property
    def flags(self) -> tuple[str, ...]:
        """In what the runs differ although they are averaged."""
        columns: tuple[str, ...] = FLAGGED
        if self.allow_mixed:
            # What would have been refused is averaged then, so it has to be said.
            columns = (*REFUSED, *FLAGGED)
        flags = (*self._mixed(columns), *self.runs.moved_machine())
        refused = self.refused
        return tuple(flag for flag in flags if f"{flag}; not averaged" not in refused)

    @property
    def silent(self) -> tuple[str, ...]:
        """The runs that gave neither a number nor a divergence, so that nobody has to guess."""
        failed = len(self.runs.failed)
        silent = len(self.runs.finished) - len(self.runs.measured(self.metric))
        reasons = []
        if failed:
            reasons.append(f"{failed} run{'s' * (failed > 1)} failed")
        if silent:
            reasons.append(f"{silent} finished without {self.metric}")
        return tuple(reasons)

    def _mixed(self, columns: Iterable[str]) -> list[str]:
        reasons = []
        for name, values in self.runs.differing(columns).items():
            reasons.append(f"{_DIFFERENT[name]} ({', '.join(map(_shortened, values))})")
        return reasons


# What is said of runs that differ in a column; what they have there follows in brackets.
_DIFFERENT = {
    "code": "the runs were trained with different code",
    "commit": "the runs were trained at different commits",
    "torch": "the runs were trained with different versions of PyTorch",
    "device": "the runs were trained on different devices",
    "precision": "the runs were computed in different precisions",
    "data_name": "the runs have different data sets",
    "data_hash": "the runs have different images",
    "train_images": "the runs have different numbers of training images",
    "test_images": "the runs have different numbers of test images",
}


def _shortened(value: str) -> str:
    """Return a digest by its beginning, which is enough to find it in the records."""
    return f"{value[:8]}…" if re.fullmatch(r"[0-9a-f]{16,}", value) else value


def _whole(iteration: Any) -> str:
    return "?" if math.isnan(iteration) else f"{int(iteration):,}"
