"""What the records of a run say, read before the scheduler is asked."""

from __future__ import annotations

import socket
from dataclasses import dataclass

from repro.cluster.records.batch import Batch, jobs_folder
from repro.cluster.records.ownership import Claim, failed_in, is_alive, newest_claim, sender_is_gone
from repro.cluster.status.checkpoint_iteration import checkpoint_iteration
from repro.cluster.status.status_rules import Log, Process, Progress, Sender
from repro.errors import UserError
from repro.storage import run_files
from repro.storage.paths import Folder, Places
from repro.storage.pid import is_stopped
from repro.storage.run_files import Failure, Final
from repro.storage.typed_file import FileProblem


@dataclass(frozen=True)
class RunRecords:
    """The records of one run; what is absent is None."""

    folder: Folder
    final: Final | None = None
    failed: Failure | None = None
    progress: run_files.Progress | None = None
    claim: Claim | None = None
    batch: Batch | None = None
    sender_gone: bool = False  # before the batch was read
    batch_before: Batch | None = None  # in which it was sent before
    failed_in: str | None = None  # the job that wrote `failed`
    checkpoint_iteration: int | None = None
    damage: str = ""

    @property
    def id(self) -> str:
        return self.folder.path.name

    @property
    def index(self) -> int | None:
        """Its element of the array in which it was last sent."""
        return self.batch.index(self.id) if self.batch else None

    @property
    def job(self) -> str | None:
        """The job in which it was last sent, as far as its number is known."""
        if self.batch is None or self.batch.array is None or self.index is None:
            return None
        return f"{self.batch.array}_{self.index}"

    @property
    def slurm_conf(self) -> str | None:
        """Which scheduler may know of this run."""
        return self.claim.slurm_conf if self.claim else None

    @property
    def attempt_state(self) -> Progress:
        if self.progress is None:
            return Progress.NONE
        return Progress.STOPPED if self.progress.state == "stopped" else Progress.AT_WORK

    @property
    def process(self) -> Process:
        """The process of the last attempt; it is known on its own machine only."""
        if self.progress is None:
            return Process.NONE
        if self.progress.host != socket.gethostname():
            return Process.ELSEWHERE
        if self.progress.pid is None or not is_alive(self.progress):
            return Process.GONE
        return Process.STOPPED if is_stopped(self.progress.pid) else Process.ALIVE

    @property
    def sender(self) -> Sender:
        """Who started the last attempt: `repro run` in a job of one's own is no array element."""
        job = (self.progress and self.progress.job) or ""
        return Sender.SUBMIT if self.claim and "_" in job else Sender.RUN

    @property
    def log(self) -> Log:
        """What SLURM kept of the last start of the job."""
        if self.batch is None or self.index is None or not self.batch.started(self.index):
            return Log.NONE
        ended = self.batch.why_slurm_ended(self.index)
        return Log.ENDED_BY_SLURM if ended else Log.SILENT


@dataclass(frozen=True)
class ReadBatch:
    """A batch as it was read, and whether its sender had ended before that."""

    batch: Batch
    sender_gone: bool


def read_records(folder: Folder, places: Places, batches: dict[str, ReadBatch]) -> RunRecords:
    """Read the records: two files for a run that is done, a few for any other.

    Batches that were read before are shared. A record that cannot be read is named as damage, and
    so is the folder of another run: what it says is not so of the run whose name it has.
    """
    try:
        # Before its first definition is written, a run may have a claim only.
        run = run_files.read_definition(folder) if folder.definition.exists() else None
        final = run_files.read_final(folder, run)
        if final is not None:
            return RunRecords(folder, final)
        claim = newest_claim(folder)
        sent = _read_batch(claim, places, batches) if claim else None
        before = _batch_before(claim, places, batches) if claim and claim.before else None
        failed = run_files.read_failure(folder)
        return RunRecords(
            folder,
            failed=failed,
            failed_in=failed_in(folder, failed) if failed else None,
            progress=run_files.read_progress(folder),
            claim=claim,
            batch=sent.batch if sent else None,
            sender_gone=sent.sender_gone if sent else False,
            batch_before=before.batch if before else None,
            checkpoint_iteration=checkpoint_iteration(folder),
        )
    except FileProblem as error:
        return RunRecords(folder, damage=error.reason)
    except UserError as error:
        return RunRecords(folder, damage=error.problem)


def _read_batch(claim: Claim, places: Places, batches: dict[str, ReadBatch]) -> ReadBatch:
    """Return the batch of a claim, once for all its runs."""
    known = batches.get(claim.batch)
    if known is not None:
        return known
    gone = sender_is_gone(claim)
    batch = Batch(jobs_folder(places) / claim.batch)
    # Read now: what is sent after the scheduler was asked must not look like what has ended.
    _ = batch.runs, batch.was_sent
    batches[claim.batch] = ReadBatch(batch, gone)
    return batches[claim.batch]


def _batch_before(claim: Claim, places: Places, batches: dict[str, ReadBatch]) -> ReadBatch:
    """Return the batch before this claim's. It is over, so nobody asks for its sender."""
    key = f"before: {claim.before}"  # the same batch may be a newer one for another run
    path = jobs_folder(places) / str(claim.before)
    return batches.setdefault(key, ReadBatch(Batch(path), sender_gone=True))
