"""An attempt at a run: a number claimed by exclusive create, and everything that attempt writes.

Two processes can be alive for one run (a node believed dead, a job sent twice). The newest attempt only may publish:
each write first looks whether a newer number has been claimed. A newer attempt also replaces the metrics file rather
than reopening it, so an older one that wakes up in the middle of a write appends to a file that is no longer there.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, BinaryIO

from repro import lines
from repro.errors import RunFailed
from repro.folders import Folder, cannot_write, create, read_json, to_json, write_whole
from repro.spec import Run, definition, from_definition
from repro.training import checkpoint

SCHEMA = 1
BEAT = 10.0  # seconds between two writes of progress


class Superseded(Exception):
    """A newer attempt has this run; nothing more may be written."""


@dataclass
class Attempt:
    """The right to publish in a run's folder, for as long as no newer attempt has claimed it."""

    folder: Folder
    number: int
    run: Run
    started: float = field(default_factory=time.monotonic)
    _metrics: BinaryIO | None = None
    _beats: int = 0
    _last_beat: float = float("-inf")

    @classmethod
    def claim(cls, folder: Folder, run: Run) -> Attempt:
        """Claim the next number. The folder gets its definition first, or is found to hold another run's."""
        declare(folder, run)
        who = {"schema": SCHEMA, "host": socket.gethostname(), "pid": os.getpid(), "job": job()}
        who["started"] = datetime.now(UTC).isoformat(timespec="seconds")
        number = max(folder.attempts(), default=0) + 1
        while not create(folder.attempt(number), to_json(who | {"attempt": number})):
            number += 1
        for old in folder.attempts():
            if old < number - 1:  # the newest two tell the story; a folder stays small
                with contextlib.suppress(FileNotFoundError):
                    folder.attempt(old).unlink()
        with contextlib.suppress(FileNotFoundError):
            folder.failed.unlink()
        attempt = cls(folder, number, run)
        attempt.say(f"── attempt {number} · {run.id} · {who['host']} · pid {who['pid']} · job {who['job'] or '–'} ──")
        return attempt

    def close(self) -> None:
        if self._metrics is not None:
            self._metrics.close()

    def say(self, line: str) -> None:
        """Append a line to the run's log."""
        text = f"{datetime.now().astimezone():%Y-%m-%d %H:%M:%S%z}  {line}\n"
        handle = os.open(self.folder.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        with os.fdopen(handle, "ab") as log:
            log.write(text.encode())

    def check(self) -> None:
        """Stop here if a newer attempt has claimed the run."""
        if max(self.folder.attempts(), default=0) != self.number:
            raise Superseded(f"attempt {self.number} of {self.run.id} has been superseded")

    def open_metrics(self, size: int) -> None:
        """Cut the metrics back to the checkpoint's byte, in a file of this attempt's own."""
        self.check()
        content = self.folder.metrics.read_bytes() if self.folder.metrics.exists() else b""
        _, whole = lines.whole(content[:size])
        if whole != size:
            raise RunFailed(
                f"the metrics of {self.run.id} are damaged before its checkpoint, at byte {whole} of {size}",
                "restore `metrics.jsonl` from a backup, or start the run again with `--again`",
            )
        write_whole(self.folder.metrics, content[:size])
        self._metrics = self.folder.metrics.open("ab")

    def record(self, row: dict[str, Any]) -> int:
        """Append a row to the metrics, and answer the file's size: what a checkpoint has to remember."""
        self.check()
        assert self._metrics is not None
        try:
            self._metrics.write(lines.encode(row))
            self._metrics.flush()
            os.fsync(self._metrics.fileno())
        except OSError as error:
            raise cannot_write(self.folder.metrics, error) from error
        self.say("  ".join(f"{key} {value:g}" for key, value in row.items()))
        return self._metrics.tell()

    def save(self, snapshot: dict[str, Any]) -> None:
        """Make this the run's checkpoint."""
        checkpoint.save(self.folder, snapshot, self.check)

    def progress(self, state: str, iteration: int, **facts: Any) -> None:
        """Say where the run is, at most every ten seconds unless the state changed."""
        now = time.monotonic()
        if state == "running" and now - self._last_beat < BEAT:
            return
        self.check()
        self._last_beat, self._beats = now, self._beats + 1
        where = {"host": socket.gethostname(), "pid": os.getpid(), "job": job(), "time": time.time()}
        about = {"schema": SCHEMA, "state": state, "attempt": self.number, "iteration": iteration, "beat": self._beats}
        write_whole(self.folder.progress, to_json(about | {"iterations": self.run.recipe.iterations} | where | facts))

    def finish(self, measured: dict[str, Any]) -> dict[str, Any]:
        """Write the end marker: from now on the run is done."""
        final = {"schema": SCHEMA, "id": self.run.id, "run": definition(self.run)} | measured
        self.check()
        write_whole(self.folder.final, to_json(final))
        self.say("done")
        return json.loads(to_json(final))  # as anyone who reads the file will see it

    def fail(self, state: str, iteration: int, problem: str, hint: str = "", cause: str = "") -> None:
        """Write down why this attempt gave up."""
        self.check()
        about = {"schema": SCHEMA, "state": state, "attempt": self.number, "iteration": iteration}
        write_whole(self.folder.failed, to_json(about | {"problem": problem, "hint": hint, "cause": cause}))
        self.say(f"{state}: {problem}")


class Bystander(Attempt):
    """The attempt as the other processes of a run see it: only the first one writes."""

    def __init__(self, folder: Folder, run: Run) -> None:
        super().__init__(folder, 0, run)

    def check(self) -> None: ...

    def open_metrics(self, size: int) -> None: ...

    def record(self, row: dict[str, Any]) -> int:
        return 0

    def save(self, snapshot: dict[str, Any]) -> None: ...

    def progress(self, state: str, iteration: int, **facts: Any) -> None: ...

    def finish(self, measured: dict[str, Any]) -> dict[str, Any]:
        return measured

    def fail(self, state: str, iteration: int, problem: str, hint: str = "", cause: str = "") -> None: ...


def declare(folder: Folder, run: Run) -> None:
    """Give the folder its definition; a folder that has one must have this one."""
    if create(folder.definition, to_json(definition(run))):
        return
    if from_definition(read_json(folder.definition)) != run:
        raise RunFailed(
            f"the folder of {run.id} holds the definition of another run",
            f"move {folder.path} away, or choose another folder with `REPRO_RESULTS`",
        )


def job() -> str | None:
    """The SLURM job this process is in, as `squeue` would name it."""
    array, task = os.environ.get("SLURM_ARRAY_JOB_ID"), os.environ.get("SLURM_ARRAY_TASK_ID")
    return f"{array}_{task}" if array and task else os.environ.get("SLURM_JOB_ID")
