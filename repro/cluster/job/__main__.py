"""What an element of an array does: train its run, or the few that share it, from wherever they were left.

It may be killed at any moment and started again. The state is in the run's folder; nothing is pickled. A signal only
raises a flag, and training saves between two iterations; what follows depends on which signal it was:

    USR2      the time limit is near, or an operator asks: save, go back into the queue, end at once
    TERM      preemption, or `scancel`: save, then wait to be killed. SLURM requeues what it preempted by itself; asking
              for it would bring back what a user cancelled, and ending would count as completed
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from repro.stop_request import StopRequest

if TYPE_CHECKING:
    from repro.cluster.records.batch import Batch
    from repro.definition.run import Run
    from repro.storage.paths import Folder, Places

RESUMABLE = 75  # exit code: saved, and not requeued


def main() -> int:
    stop = StopRequest().install(signal.SIGUSR2, signal.SIGTERM)  # before torch is imported
    from repro.cluster.records.batch import Batch
    from repro.errors import UserError
    from repro.storage.atomic import set_private_umask

    set_private_umask()
    batch, index = Batch(Path(sys.argv[1])), int(os.environ["SLURM_ARRAY_TASK_ID"])
    if not batch.runs:
        say("this batch was withdrawn; nothing to do")
        return 0
    run_ids = [run_id for run_id in batch.elements[index] if _still_ours(run_id, batch)]
    rank = int(os.environ.get("SLURM_PROCID", "0"))
    where = f"{os.environ.get('SLURMD_NODENAME', socket.gethostname())} · process {rank} · code {_code()}"
    banner = f"── {', '.join(run_ids)} · job {job_id()} · start {_restarts() + 1} · {where} ──"
    say(banner)
    print(
        banner, file=sys.stderr, flush=True
    )  # so that SLURM's messages there can be told from an earlier start's
    if not run_ids:
        say("sent again since, with another job; nothing to do")
        return 0
    try:
        code = (
            train(run_ids[0], batch, index, stop) if len(run_ids) == 1 else train_all(run_ids, stop)
        )
    except UserError as error:
        say(f"Error: {error.problem}" + (f"\n\nhint: {error.hint}" if error.hint else ""))
        return error.code
    if stop.reason == "SIGTERM" and code == RESUMABLE:
        wait_to_be_killed()
    return code


def train(run_id: str, batch: object, index: int, stop: StopRequest) -> int:
    """Train the run; the exit code says how it ended."""
    from repro.cluster.job.rendezvous import join_group
    from repro.cluster.job.staging import staged_data
    from repro.cluster.records.batch import Batch
    from repro.storage.paths import places

    assert isinstance(batch, Batch)
    here = places()
    (run,) = _defined([run_id], here)
    with join_group(batch.path, index) as rank:
        here = staged_data(here, run.recipe.dataset)
        import repro.training as training
        from repro.training.attempt import Superseded

        try:
            training.train(run, here, stop)
        except training.Stopped as stopped:
            say(str(stopped))
            if stop.reason == "SIGTERM":
                return RESUMABLE
            return requeue() if rank == 0 else 0
        except Superseded as superseded:
            say(f"{superseded}: ending")
            return 0
    say("done")
    return 0


def train_all(run_ids: list[str], stop: StopRequest) -> int:
    """Train the runs that share this element; the exit code is the worst of theirs.

    One that failed in this job, before it was requeued, has said why: it waits for `--retry`.
    """
    from repro.cluster.job import packed
    from repro.cluster.job.staging import staged_data
    from repro.storage.paths import places

    here = places()
    runs = _defined((run_id for run_id in run_ids if not _given_up(here.run(run_id))), here)
    if not runs:
        return 0
    over, code = packed.train_all(runs, staged_data(here, runs[0].recipe.dataset), stop, say)
    if over:
        return code
    return RESUMABLE if stop.reason == "SIGTERM" else requeue()


def _still_ours(run_id: str, batch: Batch) -> bool:
    """Whether nobody has sent the run again: what SLURM starts late must not stop what began since."""
    from repro.cluster.records.ownership import newest_claim
    from repro.storage.paths import places

    claim = newest_claim(places().run(run_id))
    return claim is None or claim.batch == batch.name


def _given_up(folder: Folder) -> bool:
    from repro.cluster.records.ownership import failed_in
    from repro.storage.atomic import read_json

    failed = read_json(folder.failed)
    return bool(failed) and failed_in(folder, failed) == job_id()


def _defined(run_ids: Iterable[str], here: Places) -> list[Run]:
    from repro.definition.run import from_definition
    from repro.storage.atomic import read_json

    return [from_definition(read_json(here.run(run_id).definition)) for run_id in run_ids]


def requeue() -> int:
    """Back into the queue; this element alone, for the plain job number can mean the whole array."""
    try:
        done = subprocess.run(
            ["scontrol", "requeue", job_id()], capture_output=True, text=True, timeout=60
        )
        problem = done.stderr.strip() if done.returncode else ""
    except (OSError, subprocess.TimeoutExpired) as error:
        problem = str(error)
    if problem:
        say(
            f"saved, resumable, but not requeued: {problem}\nhint: `repro submit` sends it again, and it carries on"
        )
        return RESUMABLE
    say("saved and requeued")
    return 0


def wait_to_be_killed() -> None:
    say("saved; waiting for SLURM to end this job")
    while True:
        signal.pause()


def job_id() -> str:
    """This element, as `scontrol` and `squeue` name it."""
    array = os.environ.get("SLURM_ARRAY_JOB_ID")
    return (
        f"{array}_{os.environ['SLURM_ARRAY_TASK_ID']}"
        if array
        else os.environ.get("SLURM_JOB_ID", "–")
    )


def say(text: str) -> None:
    print(text, flush=True)


def _code() -> str:
    """The frozen code that runs here, and the commit it was made from."""
    from repro.storage.atomic import read_json
    from repro.storage.paths import ROOT

    commit = (read_json(ROOT / "commit.json") or {}).get("commit")
    return ROOT.name + (f" of commit {commit[:12]}" if commit else "")


def _restarts() -> int:
    return int(os.environ.get("SLURM_RESTART_COUNT", "0") or 0)


if __name__ == "__main__":
    sys.exit(main())
