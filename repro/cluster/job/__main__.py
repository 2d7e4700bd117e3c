"""What an element of an array does: train its run, or the few that share it, from where they were.

It may be killed at any moment and started again. The state is in the run's folder; nothing is
pickled. A signal only raises a flag, and training saves between two iterations; what follows
depends on which signal it was:

    USR1, USR2  the time limit is near, or an operator asks: save, go back into the queue, end
    TERM        preemption, or `scancel`: save, then wait to be killed. SLURM requeues what it
                preempted by itself; asking for it would bring back what a user cancelled, and
                ending would count as completed
"""

from __future__ import annotations

import faulthandler
import os
import signal
import socket
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from repro.stop_request import StopRequest

if TYPE_CHECKING:
    from repro.cluster.records.batch import Batch
    from repro.definition.run import Run
    from repro.storage.paths import Folder, Places


def main() -> int:
    # Before torch is imported: a signal that comes then must not end the process.
    stop = StopRequest().install(signal.SIGUSR1, signal.SIGUSR2, signal.SIGTERM)
    faulthandler.enable()  # a segmentation fault or an abort leaves its traceback in the log
    from repro.cluster.job.job_endings import RESUMABLE, recorded_end, say, wait_to_be_killed
    from repro.cluster.job.mps import has_gpu
    from repro.cluster.records.batch import Batch
    from repro.storage.atomic import set_private_umask

    set_private_umask()
    if has_gpu():
        # A torch that cannot use the card must fail here, not train on the processor for days.
        os.environ.setdefault("REPRO_DEVICE", "cuda")
    batch, index = Batch(Path(sys.argv[1])), int(os.environ["SLURM_ARRAY_TASK_ID"])
    if not batch.runs:
        say("this batch was withdrawn; nothing to do")
        return 0
    run_ids = [run_id for run_id in batch.elements[index] if _is_ours(run_id, batch)]
    banner = _banner(run_ids)
    say(banner)
    # On standard error too, so that SLURM's messages there can be told from an earlier start's.
    print(banner, file=sys.stderr, flush=True)
    if not run_ids:
        say("sent again since, with another job; nothing to do")
        return 0
    code = recorded_end(run_ids, lambda: _train(run_ids, batch, index, stop))
    if stop.reason == "SIGTERM" and code == RESUMABLE:
        wait_to_be_killed()
    return code


def _train(run_ids: list[str], batch: Batch, index: int, stop: StopRequest) -> int:
    if len(run_ids) == 1:
        return train(run_ids[0], batch, index, stop)
    return train_all(run_ids, batch, stop)


def train(run_id: str, batch: Batch, index: int, stop: StopRequest) -> int:
    """Train the run; return the exit code that says how it ended."""
    from repro.cluster.job.efficiency import report_efficiency
    from repro.cluster.job.job_endings import RESUMABLE, requeue, say
    from repro.cluster.job.process_group import join_group
    from repro.cluster.job.staging import staged_data
    from repro.storage.paths import places

    here = places()
    [run] = _definitions([run_id], here)
    # Before the group forms: a copy that takes longer than the group's timeout must not abort it.
    here = staged_data(here, run.recipe.dataset)
    with join_group(batch.path, index) as rank:
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
        if rank == 0:
            report_efficiency([run_id], here, say)
    say("done")
    return 0


def train_all(run_ids: list[str], batch: Batch, stop: StopRequest) -> int:
    """Train the runs that share this element; return the worst of their exit codes.

    One that failed in this job, before it was requeued, has said why: it waits for `--retry`.
    """
    from repro.cluster.job import several_runs
    from repro.cluster.job.efficiency import report_efficiency
    from repro.cluster.job.job_endings import RESUMABLE, requeue, say
    from repro.cluster.job.mps import shared_gpu
    from repro.cluster.job.staging import staged_data
    from repro.storage.paths import places

    here = places()
    remaining = [run_id for run_id in run_ids if not _gave_up(here.run(run_id))]
    runs = _definitions(remaining, here)
    if not runs:
        return 0
    staged = staged_data(here, runs[0].recipe.dataset)
    with shared_gpu(len(runs), batch.path, say):
        over, code = several_runs.train_all(runs, staged, stop, say)
    if over:
        report_efficiency(remaining, here, say)
        return code
    return RESUMABLE if stop.reason == "SIGTERM" else requeue()


def _is_ours(run_id: str, batch: Batch) -> bool:
    """Whether nobody sent the run again: what SLURM starts late must not stop what began since."""
    from repro.cluster.records.ownership import newest_claim
    from repro.storage.paths import places

    claim = newest_claim(places().run(run_id))
    return claim is None or claim.batch == batch.name


def _gave_up(folder: Folder) -> bool:
    """Whether the run failed in this job, in an earlier start of it."""
    from repro.cluster.records.ownership import failed_in
    from repro.provenance.slurm_job import slurm_job_id
    from repro.storage.run_files import read_failure

    failed = read_failure(folder)
    return failed is not None and failed_in(folder, failed) == slurm_job_id()


def _definitions(run_ids: Iterable[str], here: Places) -> list[Run]:
    from repro.storage.run_files import read_definition

    return [read_definition(here.run(run_id)) for run_id in run_ids]


def _banner(run_ids: list[str]) -> str:
    """Return the line that tells one start of the job from another."""
    from repro.provenance.slurm_job import slurm_job_id
    from repro.storage.atomic import read_json
    from repro.storage.paths import ROOT

    rank = int(os.environ.get("SLURM_PROCID", "0"))
    start = int(os.environ.get("SLURM_RESTART_COUNT", "0") or 0) + 1
    host = os.environ.get("SLURMD_NODENAME", socket.gethostname())
    commit = (read_json(ROOT / "commit.json") or {}).get("commit")
    code = f"{ROOT.name} of commit {commit[:12]}" if commit else ROOT.name
    return (
        f"── {', '.join(run_ids)} · job {slurm_job_id() or '–'} · start {start} · "
        f"{host} · process {rank} · code {code} ──"
    )


if __name__ == "__main__":
    sys.exit(main())
