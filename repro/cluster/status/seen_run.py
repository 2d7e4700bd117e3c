"""One run as it was seen, and what can be said about it: the word, the reason and the numbers."""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from repro.cluster import slurm
from repro.cluster.status.run_records import RunRecords
from repro.cluster.status.status_rules import Process, Progress, Queue, Rule, Submits
from repro.definition.verdicts_and_states import RunState
from repro.storage.run_files import Final

_WAITING = {"PENDING", "REQUEUED", "REQUEUE_HOLD", "REQUEUE_FED", "SPECIAL_EXIT", "RESV_DEL_HOLD"}
_SUSPENDED = {"SUSPENDED", "STOPPED"}
UNKNOWN = "scheduler unknown"
LONGEST = 1_000  # letters of what a file says
_TEXTS = ("reason", "host", "job", "elapsed", "limit", "cluster")
GPU_LOW_S = 600.0  # a GPU that is mostly idle for so long is worth a warning


@dataclass(frozen=True)
class State:
    """Where one run is, and what can be said about it."""

    id: str
    word: RunState
    reason: str = ""
    attempt: int | None = None
    iteration: int | None = None
    iterations: int | None = None
    eta_seconds: float | None = None
    train_error: float | None = None
    test_error: float | None = None
    host: str | None = None
    job: str | None = None
    elapsed: str | None = None
    limit: str | None = None
    cluster: str | None = None
    gpu_percent: float | None = None  # of the time in which its GPU computes
    gpu_low_seconds: float | None = None  # for how long that has been below 20 %
    checkpoint_iteration: int | None = None  # a run that is done needs no checkpoint
    retriable: bool = False  # `--retry` sends it again

    @property
    def wastes_gpu(self) -> bool:
        """Whether its GPU has mostly waited for ten minutes."""
        running = self.word == RunState.RUNNING
        return running and (self.gpu_low_seconds or 0.0) >= GPU_LOW_S

    @property
    def live(self) -> bool:
        """Whether something is at work on it, or will be without being asked."""
        return self.word in (RunState.RUNNING, RunState.QUEUED, RunState.SUSPENDED)


@dataclass(frozen=True)
class Seen:
    """One run as it was seen: its files, its job, and the rule that applies to them."""

    files: RunRecords
    job: slurm.Job | None
    rule: Rule

    @property
    def state(self) -> State:
        """What can be said about it: each text on one line, whatever somebody wrote in a file."""
        state = self._state()
        texts: dict[str, Any] = {}
        for name in _TEXTS:
            text = getattr(state, name)
            if text is not None and not (text.isprintable() and len(text) <= LONGEST):
                texts[name] = _one_line(text)
        return replace(state, **texts) if texts else state

    def _state(self) -> State:
        if self.rule.name == "damaged":
            return State(self.files.id, self.rule.word, self.files.damage)
        if self.files.final is not None:
            return _done(self.files.id, self.files.final)
        explain = _REASONS.get(self.rule.name)
        reason = explain(self) if explain else ""
        retriable = self.rule.submit == Submits.RETRIES
        return State(self.files.id, self.rule.word, reason, retriable=retriable, **_facts(self))


def _one_line(text: str) -> str:
    """Return the text as one line that cannot drive a terminal, cut where it is absurdly long."""
    words = text[: 2 * LONGEST].split()
    line = "".join(filter(str.isprintable, " ".join(words)))
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"


def queue_of(job: slurm.Job) -> Queue:
    if job.state in _WAITING:
        return Queue.WAITS
    if job.state in _SUSPENDED:
        return Queue.SUSPENDED
    return Queue.RUNS


def _done(run_id: str, final: Final) -> State:
    provenance = final.provenance
    iterations = final.definition["recipe"]["iterations"]
    # A photo net is measured in several ways; its centre crop is what its curve shows.
    metric = "test_error" if "test_error" in final.metrics else "center_top1"
    return State(
        run_id,
        RunState.DONE,
        attempt=provenance.attempts,
        iteration=iterations,
        iterations=iterations,
        train_error=final.metric("train_error"),
        test_error=final.metric(metric),
        host=provenance.host,
        job=provenance.job,
    )


_PROGRESS_FACTS = (
    "attempt",
    "iteration",
    "iterations",
    "eta_seconds",
    "gpu_percent",
    "gpu_low_seconds",
    "train_error",
    "test_error",
    "host",
    "job",
)


_PROCESS_HERE = ("process alive", "process stopped")


def _facts(seen: Seen) -> dict[str, Any]:
    """Return what `progress.json` and the queue say of a run."""
    files, job = seen.files, seen.job
    facts = {name: getattr(files.progress, name, None) for name in _PROGRESS_FACTS}
    facts["checkpoint_iteration"] = files.checkpoint_iteration
    facts["cluster"] = None
    # A process that `repro run` started here is no part of the job in which the run was once sent.
    if facts["job"] or seen.rule.name not in _PROCESS_HERE:
        facts["job"] = facts["job"] or files.job
        facts["cluster"] = files.claim.cluster if files.claim else None
    if job is None or seen.rule.word in (RunState.FAILED, RunState.DIVERGED):
        return facts
    facts |= {"job": job.id, "limit": job.limit}
    if seen.rule.name == "job waits":
        return facts | {"host": None}
    if queue_of(job) == Queue.RUNS:
        facts["host"] = job.node
    return facts | {"elapsed": job.elapsed}


def _problem(seen: Seen) -> str:
    return seen.files.failed.problem if seen.files.failed else ""


def _queue_reason(seen: Seen) -> str:
    return seen.job.reason if seen.job else ""


def _running_job(seen: Seen) -> str:
    """Return SLURM's own state where it is not simply running, or that the run is starting."""
    if seen.job is None:
        return ""
    if seen.job.state != "RUNNING":
        return seen.job.state.lower()
    progress = seen.files.progress
    # Its own first word is still to come: what is there is of an earlier job.
    return "starting" if progress and progress.job != seen.job.id else ""


def _stopped_process(seen: Seen) -> str:
    pid = getattr(seen.files.progress, "pid", None)
    return f"its process is stopped: `kill -CONT {pid}` lets it go on"


def _sender(seen: Seen) -> str:
    claim = seen.files.claim
    if claim is None:
        return ""
    said = f"being sent by {claim.user} on {claim.host}, process {claim.pid}"
    if claim.host == socket.gethostname():
        return said
    # Whether that process still lives can be seen on its own machine only.
    return f"{said}; if that process has ended, `repro submit` on {claim.host} sends it again"


def _saved(seen: Seen) -> str:
    return f"saved at iteration {getattr(seen.files.progress, 'iteration', None)}"


def _no_answer(seen: Seen) -> str:
    if seen.files.attempt_state == Progress.STOPPED:
        return f"{_saved(seen)}; {UNKNOWN}"
    if seen.files.process == Process.GONE:
        return f"its process has ended; {UNKNOWN}"
    return UNKNOWN


def _elsewhere(seen: Seen) -> str:
    return f"on {getattr(seen.files.progress, 'host', None)}, which cannot be asked from here"


def _why_slurm_ended(seen: Seen) -> str:
    files = seen.files
    if files.batch is None or files.index is None:
        return ""
    return files.batch.why_slurm_ended(files.index) or ""


def _how_lost(seen: Seen) -> str:
    files = seen.files
    if files.batch is not None and files.index is not None:
        how = files.batch.how_task_ended(files.index)
        if how:
            return f"its job ended: {how}"
    guess = "killed, or out of memory" if files.progress else "before training"
    return f"its job ended without a word: {guess}"


_REASONS: dict[str, Callable[[Seen], str]] = {
    "process stopped": _stopped_process,
    "failed in this job": _problem,
    "diverged in this job": _problem,
    "job waits": _queue_reason,
    "job suspended": _queue_reason,
    "job runs": _running_job,
    "being sent": _sender,
    "failed": _problem,
    "diverged": _problem,
    "running, as far as is known": _no_answer,
    "queued, as far as is known": _no_answer,
    "saved": _saved,
    "on another machine": _elsewhere,
    "process gone": lambda seen: "its process has ended",
    "ended by SLURM": _why_slurm_ended,
    "ended without a word": _how_lost,
    "job gone": lambda seen: "its job is gone",
    "taken from the queue": lambda seen: "taken from the queue before it started",
}
