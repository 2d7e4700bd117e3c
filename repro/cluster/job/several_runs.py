"""A job that trains several runs at once, each in a process of its own, as `repro run --jobs` does.

SLURM's signals may reach the processes as well as this one, even before they listen. So what counts
is whether the job was asked to stop: a run that is then not over goes on when the job does.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from repro.definition.run import Run
from repro.local.workers import WorkerPool
from repro.stop_request import StopRequest
from repro.storage.paths import Places

OVER = {"done", "failed", "superseded"}
NO_FAILURE = {"done", "superseded", "stopped"}


def train_all(
    runs: Sequence[Run], here: Places, stop: StopRequest, say: Callable[[str], None]
) -> tuple[bool, int]:
    """Train the runs; return whether all of them are over, and the exit code of the worst."""
    pool = WorkerPool(here, len(runs), threads(len(runs)))
    states, worst = set[str](), 0

    def pass_on_stop(at_work: list[str]) -> None:
        if stop.reason:
            pool.stop()

    for event in pool.train(runs, pass_on_stop):
        say(_line(event))
        states.add(event["state"])
        if event["state"] not in NO_FAILURE:
            worst = max(worst, event.get("code") or 1)
    return not stop.reason or states <= OVER, worst


def threads(runs: int) -> int:
    """Return the threads of each run: what the profile says, or a share of the job's cores."""
    asked = os.environ.get("OMP_NUM_THREADS", "")
    if asked.isdigit() and int(asked):
        return int(asked)
    return max(1, len(os.sched_getaffinity(0)) // runs)


def _line(event: Mapping[str, Any]) -> str:
    """Return how one run ended, in words."""
    problem = f": {event['problem']}" if event.get("problem") else ""
    hint = f"\n\nhint: {event['hint']}" if event.get("hint") else ""
    return f"{event['id']} {event['state']}{problem}{hint}"
