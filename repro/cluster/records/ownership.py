"""Who has sent a run to a queue. However many ask at the same moment, one of them gets it.

A claim is `submitted.json`, made by exclusive create. A claim whose job is over gives way to one
with the next number. That number is taken by exclusive create too, so whoever judged an old claim
cannot take a newer one away. Nothing here looks at a clock.
"""

from __future__ import annotations

import contextlib
import getpass
import os
import socket
from pathlib import Path
from typing import Literal

from msgspec import structs

from repro.cluster import slurm
from repro.cluster.records.batch import Batch
from repro.cluster.slurm import Live
from repro.storage.atomic import create_exclusive, to_json, write_atomic
from repro.storage.paths import Folder
from repro.storage.pid import started_at
from repro.storage.run_files import Failure, Progress, Submitted, read_attempt, read_submitted

# Of a claim: its job is in the queue; it is being sent now; its job is over; it never came to be;
# or the scheduler cannot be asked.
Standing = Literal["live", "sending", "ended", "void", "unknown"]


class Claim(Submitted, frozen=True):
    """One submitter's claim on a run."""

    @classmethod
    def ours(cls, batch: str, cluster: str, slurm_conf: str | None) -> Claim:
        """Return a first claim by this process."""
        pid = os.getpid()
        host = socket.gethostname()
        return cls(batch, cluster, slurm_conf, 1, _user(), host, pid, started_at(pid))


def newest_claim(folder: Folder) -> Claim | None:
    """Return the claim in force."""
    claim = _read(folder.submitted)
    while claim and (later := _read(_marker(folder, claim.number + 1))):
        claim = later
    return claim


def take_claim(folder: Folder, claim: Claim, old: Claim | None) -> Claim | None:
    """Claim a run whose newest claim was `old`; return None where somebody else was faster."""
    if old is None:
        taken = create_exclusive(folder.submitted, to_json(structs.asdict(claim)))
        return claim if taken else None
    claim = structs.replace(claim, number=old.number + 1)
    content = to_json(structs.asdict(claim))
    if not create_exclusive(_marker(folder, claim.number), content):
        return None
    write_atomic(folder.submitted, content)
    with contextlib.suppress(FileNotFoundError):
        _marker(folder, old.number).unlink()
    return claim


def withdraw_claim(folder: Folder, claim: Claim) -> None:
    """Give the run back after a failed submission, and remove a folder that only we made."""
    if claim.number > 1:
        # The record of an earlier submission stays. With its batch gone, this claim is void.
        return
    with contextlib.suppress(OSError):
        folder.submitted.unlink()
        names = {path.name for path in folder.path.iterdir()}
        if names <= {folder.definition.name}:
            folder.definition.unlink(missing_ok=True)
            folder.path.rmdir()


def claim_standing(
    claim: Claim, run_id: str, batch: Batch, live: Live | None, sender_gone: bool
) -> Standing:
    """Return what became of a claim.

    Whether the sender was gone must have been seen first, then the batch been read, and then the
    queue been asked: a sender may send and end in between, and what it sent is not in that answer.
    """
    if not batch.runs:
        return "void" if sender_gone or not batch.path.exists() else "sending"
    index = batch.index(run_id)
    if index is None:
        return "void"
    if live is None:
        return "unknown"
    if (batch.name, index) in live:
        return "live"
    if not batch.was_sent:
        return "void" if sender_gone else "sending"
    # Where users see only their own jobs, another's that is not listed may well be there.
    if claim.user != _user() and slurm.jobs_are_private(claim.slurm_conf):
        return "unknown"
    return "ended"


def sender_is_gone(claim: Claim) -> bool:
    """Return whether the sender has ended; elsewhere than on its own machine it may be at work."""
    return claim.host == socket.gethostname() and started_at(claim.pid) != claim.born


def failed_in(folder: Folder, failed: Failure) -> str | None:
    """Return the job that wrote `failed.json`; None where it was no job, or cannot be told."""
    if failed.job is not None:  # the job ended before its attempt began
        return failed.job
    if failed.attempt is None:
        return None
    attempt = read_attempt(folder, failed.attempt)
    return attempt.job if attempt else None


def is_alive(progress: Progress) -> bool:
    """Whether the process of this machine that wrote `progress.json` is still there."""
    if progress.pid is None:
        return False
    ticks = started_at(progress.pid)
    # Another process may have got its number since: then the start times differ.
    return ticks is not None and progress.born in (None, ticks)


def _marker(folder: Folder, number: int) -> Path:
    return folder.submitted.with_name(f"submitted-{number:04d}.json")


def _read(path: Path) -> Claim | None:
    record = read_submitted(path)
    return None if record is None else Claim(**structs.asdict(record))


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())
