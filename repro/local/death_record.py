"""Why a run's process died, recorded by its parent or its job where the process could not."""

from __future__ import annotations

import contextlib
from typing import Any

from repro.errors import UserError
from repro.storage.atomic import append_log, to_json, write_atomic
from repro.storage.paths import Folder
from repro.storage.run_files import read_attempt, read_failure, read_progress
from repro.storage.typed_file import SCHEMA


def record_failure(
    folder: Folder,
    problem: str,
    hint: str,
    details: str = "",
    job: str | None = None,
    cause: str = "",
) -> None:
    """Write `failed.json` and the log's last line, unless the attempt has said how it ended.

    `job` is the SLURM job where it ended before its attempt began. `details` go into the log only.
    """
    # A full disk has no room for this either, and what went wrong before is worth more.
    with contextlib.suppress(UserError, OSError):
        append_log(folder.log, "\n".join(filter(None, [f"failed: {problem}", details])))
    with contextlib.suppress(UserError, OSError):
        newest = max(folder.attempts(), default=None)
        if folder.final.exists() or not folder.path.exists() or _is_told(folder, newest, job):
            return
        progress = read_progress(folder)
        if progress is not None and progress.state == "stopped" and progress.attempt == newest:
            return  # it saved and ended as it was asked to
        record: dict[str, Any] = {"schema": SCHEMA, "state": "failed", "attempt": newest}
        record |= {"iteration": progress.iteration if progress else 0}
        record |= {"problem": problem, "hint": hint, "cause": cause}
        if job is not None:
            record["job"] = job
        write_atomic(folder.failed, to_json(record))


def _is_told(folder: Folder, newest: int | None, job: str | None) -> bool:
    """Return whether this attempt, or this job before its attempt, has said why it failed.

    A run that was sent again still has the record of what failed before, until it trains.
    """
    recorded = read_failure(folder)
    if recorded is None or recorded.attempt != newest:
        return False
    attempt = read_attempt(folder, newest) if newest is not None else None
    jobs = (recorded.job, attempt.job if attempt else None)
    return job is None or job in jobs
