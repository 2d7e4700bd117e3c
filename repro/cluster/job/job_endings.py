"""How a job ends: requeued, waiting to be killed, or with a record of why it failed."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path

from repro.cluster.records.batch import REQUEUE_MARK
from repro.errors import UserError
from repro.local.death_record import record_failure
from repro.provenance.slurm_job import slurm_job_id
from repro.storage.atomic import write_atomic
from repro.storage.paths import places

RESUMABLE = 75  # exit code: saved, and not requeued


def say(text: str) -> None:
    """Write a line into the job's log."""
    print(text, flush=True)


def recorded_end(run_ids: Sequence[str], train: Callable[[], int]) -> int:
    """Train, and leave `failed.json` where training ends with an error before it wrote that itself.

    Without it, a job that ends before its attempt begins would look like one that was killed.
    """
    attempts = {run_id: places().run(run_id).attempts() for run_id in run_ids}
    try:
        return train()
    except UserError as error:
        hint = f"\n\nhint: {error.hint}" if error.hint else ""
        say(f"Error: {error.problem}{hint}")
        problem, advice, words, code = error.problem, error.hint, "", error.code
    except Exception as error:
        words = traceback.format_exc()
        say(words)
        problem, code = f"{type(error).__name__}: {error}", 1
        advice = "`log.txt` and `repro logs --err` have the traceback"
    if os.environ.get("SLURM_PROCID", "0") != "0":  # the first process writes for all
        return code
    for run_id in run_ids:
        folder = places().run(run_id)
        began = folder.attempts() != attempts[run_id]
        job = None if began else slurm_job_id()
        record_failure(folder, problem, advice, words, job)
    return code


def requeue() -> int:
    """Put this element alone back into the queue; return the job's exit code.

    In a container there is no `scontrol`: then a file tells the batch script outside to do it.
    """
    job = slurm_job_id() or ""
    mark = os.environ.get(REQUEUE_MARK)
    if mark and shutil.which("scontrol") is None:
        write_atomic(Path(mark), b"")
        say("saved; the batch script puts it back into the queue")
        return RESUMABLE
    try:
        done = subprocess.run(
            ["scontrol", "requeue", job], capture_output=True, text=True, timeout=60, check=False
        )
        problem = done.stderr.strip() if done.returncode else ""
    except (OSError, subprocess.TimeoutExpired) as error:
        problem = str(error)
    if problem:
        say(
            f"saved, resumable, but not requeued: {problem}\n"
            "hint: `repro submit` sends it again, and it carries on"
        )
        return RESUMABLE
    say("saved and requeued")
    return 0


def wait_to_be_killed() -> None:
    """Wait for SLURM: ending now would count as completed, and a preempted job not be requeued."""
    say("saved; waiting for SLURM to end this job")
    while True:
        signal.pause()
