"""Who has sent a run to a queue. However many ask at the same moment, one of them gets it.

A claim is `submitted.json`, made by exclusive create. A claim whose job is over gives way to one with the next number,
and that number is taken by exclusive create too: whoever judged an old claim cannot take the place of a newer one.
Nothing here looks at a clock.
"""

from __future__ import annotations

import contextlib
import getpass
import os
import socket
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from repro.cluster import slurm
from repro.cluster.records.batch import Batch
from repro.cluster.slurm import Live
from repro.errors import UserError
from repro.storage.atomic import create_exclusive, read_json, to_json, write_atomic
from repro.storage.paths import Folder
from repro.storage.pid import started_at

Standing = Literal["live", "sending", "ended", "void", "unknown"]


@dataclass(frozen=True)
class Claim:
    """One submitter's claim on a run."""

    batch: str
    cluster: str
    slurm_conf: str | None
    number: int = 1
    user: str = ""
    host: str = ""
    pid: int = 0
    born: str | None = None
    schema: int = 1

    @classmethod
    def ours(cls, batch: str, cluster: str, slurm_conf: str | None) -> Claim:
        pid = os.getpid()
        return cls(
            batch, cluster, slurm_conf, 1, _user(), socket.gethostname(), pid, started_at(pid)
        )


def newest_claim(folder: Folder) -> Claim | None:
    """The claim in force."""
    claim = _read(folder.submitted)
    while claim and (later := _read(_marker(folder, claim.number + 1))):
        claim = later
    return claim


def take_claim(folder: Folder, ours: Claim, old: Claim | None) -> Claim | None:
    """Our claim on a run whose newest claim was `old`, or None because somebody else was faster."""
    if old is None:
        return ours if create_exclusive(folder.submitted, to_json(asdict(ours))) else None
    ours = Claim(**asdict(ours) | {"number": old.number + 1})
    content = to_json(asdict(ours))
    if not create_exclusive(_marker(folder, ours.number), content):
        return None
    write_atomic(folder.submitted, content)
    with contextlib.suppress(FileNotFoundError):
        _marker(folder, old.number).unlink()
    return ours


def withdraw_claim(folder: Folder, ours: Claim) -> None:
    """Give the run back after a submission that failed, and leave no folder behind that only we made."""
    if ours.number > 1:
        return  # the record of an earlier submission stays, and with its batch gone the claim is void
    with contextlib.suppress(OSError):
        folder.submitted.unlink()
        if {path.name for path in folder.path.iterdir()} <= {folder.definition.name}:
            folder.definition.unlink(missing_ok=True)
            folder.path.rmdir()


def claim_standing(claim: Claim, run_id: str, batch: Batch, live: Live | None) -> Standing:
    """What became of a claim. The batch must have been read before the queue was asked."""
    if not batch.runs:
        return "void" if _sender_is_gone(claim) or not batch.path.exists() else "sending"
    index = batch.index(run_id)
    if index is None:
        return "void"
    if live is None:
        return "unknown"
    if (batch.name, index) in live:
        return "live"
    if batch.array is None:
        return "void" if _sender_is_gone(claim) else "sending"
    return (
        "unknown" if claim.user != _user() and slurm.jobs_are_private(claim.slurm_conf) else "ended"
    )


def failed_in(folder: Folder, failed: dict[str, Any]) -> str | None:
    """The job whose attempt wrote `failed.json`; None where it was no job, or cannot be told."""
    number = failed.get("attempt")
    attempt = read_json(folder.attempt(number)) if isinstance(number, int) else None
    return attempt.get("job") if attempt else None


def is_alive(progress: dict[str, Any]) -> bool:
    """Whether the process of this machine that wrote it is there, and no other that has got its number since."""
    pid = progress.get("pid")
    ticks = started_at(pid) if isinstance(pid, int) else None
    return ticks is not None and progress.get("born", ticks) == ticks


def _sender_is_gone(claim: Claim) -> bool:
    """Known only on the sender's own machine; elsewhere it may still be at work."""
    return claim.host == socket.gethostname() and started_at(claim.pid) != claim.born


def _marker(folder: Folder, number: int) -> Path:
    return folder.submitted.with_name(f"submitted-{number:04d}.json")


def _read(path: Path) -> Claim | None:
    values = read_json(path)
    if values is None:
        return None
    try:
        return Claim(**values)
    except TypeError:
        raise UserError(
            f"`{path}` is not a claim", "it was written by another version; remove it"
        ) from None


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())
