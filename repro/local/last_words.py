"""Why a run's process died, recorded by its parent or its job where the process could not."""

from __future__ import annotations

import contextlib
import os
from datetime import datetime
from pathlib import Path
from typing import Any

from repro.errors import UserError
from repro.storage.atomic import file_mode, to_json, write_all, write_atomic
from repro.storage.paths import Folder
from repro.storage.run_files import SCHEMA, read_progress


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
        if folder.final.exists() or folder.failed.exists() or not folder.path.exists():
            return
        progress = read_progress(folder)
        newest = max(folder.attempts(), default=None)
        if progress is not None and progress.state == "stopped" and progress.attempt == newest:
            return  # it saved and ended as it was asked to
        record: dict[str, Any] = {"schema": SCHEMA, "state": "failed", "attempt": newest}
        record |= {"iteration": progress.iteration if progress else 0}
        record |= {"problem": problem, "hint": hint, "cause": cause}
        if job is not None:
            record["job"] = job
        write_atomic(folder.failed, to_json(record))


def append_log(path: Path, text: str) -> None:
    """Append to a run's log with the time of day, as its attempts do."""
    line = f"{datetime.now().astimezone():%Y-%m-%d %H:%M:%S%z}  {text}\n"
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, file_mode())
    try:
        write_all(handle, line.encode())
    finally:
        os.close(handle)
