"""A job that trains several runs at once, each in a process of its own, and minds them as `repro run --jobs` does.

SLURM's signals may reach the processes as well as this one, even before they listen. So what counts is whether the job
was asked to stop: whichever of its runs is then not over goes on when the job does.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

from repro.definition.run import Run
from repro.local.workers import WorkerPool
from repro.stop_request import StopRequest
from repro.storage.paths import Places

OVER = {"done", "failed", "superseded"}


def train_all(
    runs: Sequence[Run], here: Places, stop: StopRequest, say: Callable[[str], None]
) -> tuple[bool, int]:
    """Train the runs; answers whether all of them are over, and the exit code of the worst."""
    slots = WorkerPool(here, len(runs), threads(len(runs)))
    states, worst = set[str](), 0

    def look(at_work: list[str]) -> None:
        if stop.reason:
            slots.stop()

    for event in slots.train(runs, look):
        problem = f": {event['problem']}" if event.get("problem") else ""
        say(
            f"{event['id']} {event['state']}{problem}"
            + (f"\n\nhint: {event['hint']}" if event.get("hint") else "")
        )
        states.add(event["state"])
        worst = max(
            worst,
            0 if event["state"] in ("done", "superseded", "stopped") else event.get("code") or 1,
        )
    return not stop.reason or states <= OVER, worst


def threads(runs: int) -> int:
    """Threads of each run: as many as the profile says, or an equal share of the job's cores."""
    asked = os.environ.get("OMP_NUM_THREADS", "")
    cores = int(asked) if asked.isdigit() and int(asked) else len(os.sched_getaffinity(0)) // runs
    return max(1, cores)
