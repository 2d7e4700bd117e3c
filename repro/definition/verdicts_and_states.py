"""The words of verdicts and run states. Their values are printed, and saved as JSON."""

from __future__ import annotations

from enum import StrEnum


class Verdict(StrEnum):
    """How our number compares with the paper's."""

    REPRODUCED = "reproduced"
    CONSISTENT = "consistent"
    BETTER = "better"
    WORSE = "worse"
    DEVIATES = "deviates"
    NOT_COMPARABLE = "not comparable"
    INCOMPLETE = "incomplete"
    MISSING = "missing"


class ClaimVerdict(StrEnum):
    """Whether our runs support a claim of the paper."""

    HOLDS = "holds"
    FAILS = "fails"
    HOLDS_HERE = "holds for these nets"  # one training each, on these test images
    FAILS_HERE = "fails for these nets"
    UNDECIDED = "undecided"
    MISSING = "missing"
    UNCHECKED = "not checked"  # nothing here could decide it


class RunState(StrEnum):
    """Where a run is."""

    DONE = "done"
    RUNNING = "running"
    QUEUED = "queued"
    SUSPENDED = "suspended"
    INTERRUPTED = "interrupted"
    LOST = "lost"
    FAILED = "failed"
    DIVERGED = "diverged"
    LACKING = "lacking"
