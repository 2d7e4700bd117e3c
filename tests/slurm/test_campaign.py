"""A small campaign on the real cluster: whatever befalls the jobs, each run is done, and once."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import time

import pytest

from repro.cluster.submit.submission import SubmitOptions
from repro.definition.verdicts_and_states import RunState
from repro.errors import UserError
from repro.storage.run_files import read_progress
from tests.slurm.conftest import Cluster, short_run

pytestmark = pytest.mark.slurm

RUNS = 8
STILL_S = (
    240  # without a change of any run: then something hangs. How long it all takes is no matter
)


@pytest.mark.timeout(3600)
def test_a_small_campaign_loses_nothing_and_doubles_nothing(cluster: Cluster) -> None:
    chance = random.Random(0)
    runs = [short_run(seed) for seed in range(RUNS)]
    words = {run.id: RunState.LACKING for run in runs}
    seen: set[tuple[object, ...]] = set()
    changed = time.monotonic()
    while any(word != RunState.DONE for word in words.values()):
        assert time.monotonic() - changed < STILL_S, words
        # A controller that is late on a busy machine is asked again in the next round.
        with contextlib.suppress(UserError):
            cluster.send(*runs, wanted=SubmitOptions(retry=True))
        for run in runs:
            state = cluster.state(run)
            words[run.id] = state.word
            facts = (run.id, state.word, state.attempt, state.iteration, state.job)
            if facts not in seen:
                seen.add(facts)
                changed = time.monotonic()
            # What is at work is known by one job, and a done run has no job any more.
            assert (state.job is not None) >= (state.word == RunState.RUNNING)
            if state.word == RunState.RUNNING and chance.random() < 0.3:
                _befall(cluster, str(state.job), chance)
            if state.word == RunState.QUEUED and state.reason == "BeginTime":
                with contextlib.suppress(UserError):
                    cluster.slurm("scontrol", "update", f"JobId={state.job}", "StartTime=now")
        held: list[str] = []
        with contextlib.suppress(UserError):
            held = _jobs(cluster)
        assert len(held) == len(set(held)), "a run has two jobs"
        time.sleep(2)
    for run in runs:
        attempts = cluster.places.run(run.id).attempts()
        assert attempts, run.id
        progress = read_progress(cluster.places.run(run.id))
        assert progress is not None
        assert progress.attempt == max(attempts)


def _befall(cluster: Cluster, job: str, chance: random.Random) -> None:
    """Requeue, cancel or kill a job; it may have ended in this moment."""
    with contextlib.suppress(UserError, ProcessLookupError):
        fate = chance.choice(["requeue", "cancel", "kill"])
        if fate == "requeue":
            cluster.slurm("scontrol", "requeue", job)
        elif fate == "cancel":
            cluster.slurm("scancel", job)
        else:
            _kill(cluster, job)


def _kill(cluster: Cluster, job: str) -> None:
    for path in cluster.places.runs.iterdir():
        progress = read_progress(cluster.places.run(path.name))
        if progress is not None and progress.job == job and progress.pid:
            os.kill(progress.pid, signal.SIGKILL)


def _jobs(cluster: Cluster) -> list[str]:
    """Return the run of each job that waits or runs."""
    from repro.cluster.records.batch import Batch

    runs = []
    for path in cluster.places.results.glob("jobs/*/sent.json"):
        batch = Batch(path.parent)
        command = ["squeue", "-h", "--array", "--name", batch.name, "-o", "%K %T"]
        for line in cluster.slurm(*command).splitlines():
            index, state = line.split()
            if state not in ("COMPLETING", "CANCELLED", "COMPLETED", "FAILED"):
                runs += batch.elements[int(index)]
    return runs
