"""What an element of an array does: train its run, from wherever it was left.

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
from pathlib import Path
from types import FrameType

STALLED = 5  # starts that find the same checkpoint: then something is wrong with the run, not with the queue
RESUMABLE = 75  # exit code: saved, and not requeued


class Signals:
    """What the job has been asked, from its first moment on: `Stop` has the same field, but comes with torch."""

    def __init__(self) -> None:
        self.reason: str | None = None
        self._owner = os.getpid()
        for each in (signal.SIGUSR2, signal.SIGTERM):
            signal.signal(each, self._note)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if os.getpid() == self._owner:  # a forked data worker has the handler, but not the pid
            self.reason = self.reason or signal.Signals(number).name


def main() -> int:
    signals = Signals()
    from repro.cluster.batch import Batch

    batch, index = Batch(Path(sys.argv[1])), int(os.environ["SLURM_ARRAY_TASK_ID"])
    if not batch.runs:
        say("this batch was withdrawn; nothing to do")
        return 0
    run_id = batch.runs[index]
    rank = int(os.environ.get("SLURM_PROCID", "0"))
    where = f"{os.environ.get('SLURMD_NODENAME', socket.gethostname())} · process {rank} · code {_code()}"
    banner = f"── {run_id} · job {job_id()} · start {_restarts() + 1} · {where} ──"
    say(banner)
    print(banner, file=sys.stderr, flush=True)  # so that SLURM's messages there can be told from an earlier start's
    code = train(run_id, batch, index, signals)
    if signals.reason == "SIGTERM" and code == RESUMABLE:
        wait_to_be_killed()
    return code


def train(run_id: str, batch: object, index: int, signals: Signals) -> int:
    """Train the run; the exit code says how it ended."""
    from repro.cluster.batch import Batch
    from repro.cluster.processes import together
    from repro.cluster.staging import staged
    from repro.errors import UserError
    from repro.folders import places
    from repro.spec import from_definition
    from repro.whole import read_json

    assert isinstance(batch, Batch)
    here = places()
    try:
        run = from_definition(read_json(here.run(run_id).definition))
        with together(batch.path, index) as rank:
            here = staged(here, run.recipe.dataset)
            import repro.training as training
            from repro.training.attempt import Attempt, Superseded

            if rank == 0 and stalled(batch.starts(index), here.run(run_id).checkpoint):
                problem = f"no progress in {STALLED} starts: each found the same checkpoint"
                hint = "its log says why; a time limit may be shorter than the way to the first checkpoint"
                Attempt.claim(here.run(run_id), run).fail("failed", 0, problem, hint, "stalled")
                say(f"Error: {problem}\n\nhint: {hint}")
                return 1
            try:
                training.train(run, here, signals)  # type: ignore[arg-type]
            except training.Stopped as stopped:
                say(str(stopped))
                if signals.reason == "SIGTERM":
                    return RESUMABLE
                return requeue() if rank == 0 else 0
            except Superseded as superseded:
                say(f"{superseded}: ending")
                return 0
    except UserError as error:
        say(f"Error: {error.problem}" + (f"\n\nhint: {error.hint}" if error.hint else ""))
        return error.code
    say("done")
    return 0


def requeue() -> int:
    """Back into the queue; this element alone, for the plain job number can mean the whole array."""
    try:
        done = subprocess.run(["scontrol", "requeue", job_id()], capture_output=True, text=True, timeout=60)
        problem = done.stderr.strip() if done.returncode else ""
    except (OSError, subprocess.TimeoutExpired) as error:
        problem = str(error)
    if problem:
        say(f"saved, resumable, but not requeued: {problem}\nhint: `repro submit` sends it again, and it carries on")
        return RESUMABLE
    say("saved and requeued")
    return 0


def stalled(starts: Path, checkpoint: Path) -> bool:
    """Note which checkpoint this start finds; true if the last so many starts all found the same one."""
    found = "none"
    if checkpoint.exists():
        with checkpoint.open("rb") as file:
            file.seek(max(0, checkpoint.stat().st_size - 32))  # it ends with its own digest
            found = file.read().hex()
    with starts.open("a") as file:
        file.write(found + "\n")
    last = starts.read_text().split()[-STALLED - 1 :]
    return len(last) > STALLED and len(set(last)) == 1


def wait_to_be_killed() -> None:
    say("saved; waiting for SLURM to end this job")
    while True:
        signal.pause()


def job_id() -> str:
    """This element, as `scontrol` and `squeue` name it."""
    array = os.environ.get("SLURM_ARRAY_JOB_ID")
    return f"{array}_{os.environ['SLURM_ARRAY_TASK_ID']}" if array else os.environ.get("SLURM_JOB_ID", "–")


def say(text: str) -> None:
    print(text, flush=True)


def _code() -> str:
    """The frozen code that runs here, and the commit it was made from."""
    from repro.folders import ROOT
    from repro.whole import read_json

    commit = (read_json(ROOT / "commit.json") or {}).get("commit")
    return ROOT.name + (f" of commit {commit[:12]}" if commit else "")


def _restarts() -> int:
    return int(os.environ.get("SLURM_RESTART_COUNT", "0") or 0)


if __name__ == "__main__":
    sys.exit(main())
