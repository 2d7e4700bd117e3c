"""An attempt at a run: a number claimed by exclusive create, and all that this attempt writes.

Two processes can be alive for one run (a node believed dead, a job sent twice). Only the newest
attempt may publish: it looks for a newer number between writing a temporary file and renaming it.
A newer attempt, once it has claimed its number, removes the temporaries of older ones. So an older
one either published before the newer one looked, or never. A newer attempt also replaces the
metrics file rather than reopening it: one that wakes up in the middle of a write appends to a file
that is no longer there.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import socket
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from repro.definition.run import Run, to_definition
from repro.errors import EnvironmentProblem, Incomplete, RunFailed, UserError, quote
from repro.provenance.slurm_job import slurm_job_id
from repro.storage import metrics_file
from repro.storage.atomic import (
    append_log,
    cannot_write,
    create_exclusive,
    is_disk_full,
    read_file,
    read_json,
    to_json,
    write_all,
    write_atomic,
    write_errors_explained,
)
from repro.storage.paths import Folder
from repro.storage.pid import started_at
from repro.storage.run_files import KILLED, read_failure, write_definition
from repro.training import checkpoint

SCHEMA = 1
PROGRESS_INTERVAL_S = 10.0  # seconds between two writes of progress
# Attempts in a row that end without saying why and without getting further: then the run stops.
MAX_FRUITLESS_ATTEMPTS = 5


class Superseded(Exception):
    """A newer attempt has this run; nothing more may be written."""


@dataclass
class Attempt:
    """The right to publish in a run's folder, for as long as no newer attempt has claimed it."""

    folder: Folder
    number: int
    run: Run
    claimed: dict[str, Any] = field(default_factory=dict)  # what `attempt-NNNN.json` says
    iteration: int = 0  # the newest one that was reported
    _born: str | None = field(default_factory=lambda: started_at(os.getpid()))
    _metrics: int | None = None
    _size: int = 0
    _beats: int = 0
    _last_beat: float = float("-inf")

    @classmethod
    def claim(cls, folder: Folder, run: Run) -> Attempt:
        """Claim the next number in the run's folder, which gets the run's definition first."""
        write_definition(folder, run)
        host = socket.gethostname()
        job = slurm_job_id()
        now = datetime.now(UTC).isoformat(timespec="seconds")
        claim = {"schema": SCHEMA, "host": host, "pid": os.getpid(), "job": job}
        claim |= {"started": now, "began": now} | previous_progress(folder)
        number = max(folder.attempts(), default=0) + 1
        while not create_exclusive(folder.attempt(number), to_json(claim | {"attempt": number})):
            number += 1
        attempt = cls(folder, number, run, claim | {"attempt": number})
        attempt._sweep()
        where = f"{host} · pid {os.getpid()} · job {job or '–'}"
        attempt.say(f"── attempt {number} · {run.id} · {where} ──")
        return attempt

    def _sweep(self) -> None:
        """Remove what older attempts were about to publish, so that they find nothing to rename."""
        leftovers = self.folder.temporaries()
        # What is listed is of older attempts: a newer one writes only after its claim.
        self.check()
        leftovers.append(self.folder.failed)
        for number in self.folder.attempts():
            if number < self.number - 1:
                leftovers.append(self.folder.attempt(number))
        for path in leftovers:
            with write_errors_explained(path):
                path.unlink(missing_ok=True)

    @property
    def began(self) -> str | None:
        """When the run's first attempt started, for people to read."""
        return self.claimed.get("began")

    def load(self) -> dict[str, Any] | None:
        """Return the checkpoint to go on from; stop a row of attempts that got nowhere."""
        newest = checkpoint.find_checkpoint(self.folder)
        if newest is None:
            self._must_get_somewhere(None)
            return None
        must_be_of(self.run, newest)
        if newest.damaged:
            damaged = ", ".join(newest.damaged)
            self.say(f"damaged: {damaged}; going on from {quote(newest.path, 300)}")
            write_atomic(self.folder.checkpoint, newest.path.read_bytes(), self.check)
        self._must_get_somewhere(newest.state["iteration"])
        return newest.state

    def _must_get_somewhere(self, iteration: int | None) -> None:
        best = self.claimed["from"]
        fruitless = self.claimed["fruitless"]
        if iteration is None and best:
            raise Incomplete(
                f"the checkpoints of {self.run.id} are gone: "
                f"an earlier attempt began at iteration {best}",
                "restore them from a backup, or start the run again with `--again`",
            )
        if (iteration or 0) > best:
            self.claimed |= {"from": iteration, "fruitless": 0}
            write_atomic(self.folder.attempt(self.number), to_json(self.claimed), self.check)
        elif fruitless >= MAX_FRUITLESS_ATTEMPTS:
            raise RunFailed(
                f"no progress in {fruitless} attempts: each ended without a word, "
                f"and none got beyond iteration {best}",
                "see its log; a smaller `REPRO_SAVE_EVERY` saves more often; "
                "the same command tries again",
            )

    def close(self) -> None:
        """Close the metrics file."""
        if self._metrics is not None:
            with contextlib.suppress(OSError):  # every row was synced when it was written
                os.close(self._metrics)
            self._metrics = None

    def say(self, line: str) -> None:
        """Append a line to the run's log; a log that cannot be written stops no run."""
        with contextlib.suppress(OSError):
            append_log(self.folder.log, line)

    def check(self) -> None:
        """Stop here if a newer attempt has claimed the run."""
        newest = max(self.folder.attempts(), default=None)
        if newest is None:
            raise cannot_write(
                self.folder.path, FileNotFoundError(errno.ENOENT, "its folder is gone")
            )
        if newest != self.number:
            raise Superseded(f"attempt {self.number} of {self.run.id} has been superseded")

    def open_metrics(self, size: int) -> None:
        """Cut the metrics back to the checkpoint's byte, in a file of this attempt's own."""
        with write_errors_explained(self.folder.metrics):
            kept = b""
            if size:
                kept = read_file(self.folder.metrics)[:size]
            write_atomic(self.folder.metrics, kept, self.check)
            self._metrics = os.open(self.folder.metrics, os.O_WRONLY | os.O_APPEND)
        self._size = size

    def record(self, row: dict[str, Any]) -> int:
        """Append a row to the metrics; return the file's size, which a checkpoint remembers."""
        self.check()
        assert self._metrics is not None
        line = metrics_file.encode(row)
        with write_errors_explained(self.folder.metrics):
            write_all(self._metrics, line)
            os.fsync(self._metrics)
        self._size += len(line)
        self.say("  ".join(f"{key} {value:g}" for key, value in row.items()))
        return self._size

    def save(self, snapshot: dict[str, Any]) -> None:
        """Write the run's checkpoint, with the run's id in it."""
        checkpoint.save(self.folder, {"run": self.run.id} | snapshot, self.check)

    def progress(self, state: str, iteration: int, **facts: Any) -> None:
        """Write where the run is, at most every ten seconds unless the state changed."""
        self.iteration = iteration
        now = time.monotonic()
        if state == "running" and now - self._last_beat < PROGRESS_INTERVAL_S:
            return
        self._last_beat = now
        self._beats += 1
        progress = {
            "schema": SCHEMA,
            "state": state,
            "attempt": self.number,
            "iteration": iteration,
            "beat": self._beats,
            "iterations": self.run.recipe.iterations,
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "born": self._born,
            "job": slurm_job_id(),
            "time": time.time(),
        }
        write_atomic(self.folder.progress, to_json(progress | facts), self.check)

    def finish(self, measured: dict[str, Any]) -> dict[str, Any]:
        """Write the end marker: from now on the run is done. Return it as a reader will see it."""
        metrics = metrics_file.mark_not_finite(measured["metrics"])
        final = {"schema": SCHEMA, "id": self.run.id, "run": to_definition(self.run)}
        final |= measured | {"metrics": metrics}
        if "flags" in metrics:
            final["flags"] = metrics.pop("flags")
        content = to_json(final)
        write_atomic(self.folder.final, content, self.check)
        self.say("done")
        record: dict[str, Any] = json.loads(content)
        return record

    def fail(
        self, state: str, iteration: int, problem: str, hint: str = "", cause: str = ""
    ) -> None:
        """Write down why this attempt gave up."""
        self.say(f"{state}: {problem}")
        failure = {"schema": SCHEMA, "state": state, "attempt": self.number, "iteration": iteration}
        failure |= {"problem": problem, "hint": hint, "cause": cause}
        content = to_json(failure)
        try:
            write_atomic(self.folder.failed, content, self.check)
        except EnvironmentProblem as error:
            if not is_disk_full(error):
                raise
            # Where the run is, is over and stands in this record too: it takes that file's room.
            with write_errors_explained(self.folder.progress):
                self.folder.progress.unlink(missing_ok=True)
            write_atomic(self.folder.failed, content, self.check)


def previous_progress(folder: Folder) -> dict[str, Any]:
    """Return what the next attempt takes over from the ones before.

    That is when the first began, the iteration to get beyond, and how many in a row ended without
    doing so. An attempt that said how it ended is not counted: someone has seen it and asked again.
    One that was killed is counted, though its parent wrote that down.
    """
    numbers = folder.attempts()
    before = None
    if numbers:
        before = read_json(folder.attempt(numbers[-1]))
    if before is None:
        return {"from": 0, "fruitless": 0}
    fruitless = before.get("fruitless", 0) + 1
    if folder.final.exists() or _said_why(folder):
        fruitless = 0
    taken_over = {"from": before.get("from", 0), "fruitless": fruitless}
    if began := before.get("began") or before.get("started"):
        taken_over["began"] = began
    return taken_over


def _said_why(folder: Folder) -> bool:
    """Whether the last attempt itself wrote down why it gave up."""
    try:
        failure = read_failure(folder)
    except UserError:
        return True
    return failure is not None and failure.cause != KILLED


def must_be_of(run: Run, found: checkpoint.FoundCheckpoint) -> None:
    """Refuse a checkpoint that another run saved: its weights would be recorded as this run's.

    The checkpoint before it may be this run's, but is not taken by itself: whoever copied one file
    into this folder may have copied others, such as the metrics.
    """
    owner = found.state.get("run")
    if owner == run.id:
        return
    name = "a run that it does not name"
    if owner:
        name = quote(owner)
    raise RunFailed(
        f"{quote(found.path, 300)} is a checkpoint of another run, {name}, not of {run.id}",
        "bring this run's own `checkpoint.pt` and `metrics.jsonl` back, "
        "or start the run again with `--again`, which keeps what is there aside",
    )
