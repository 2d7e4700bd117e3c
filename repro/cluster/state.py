"""Where every run is: our own files are the truth, and one `squeue` call says what waits and what runs.

It works without accounting, and without any SLURM: then it says so and shows what the files know.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from repro.cluster import queue
from repro.cluster.batch import Batch, jobs_folder
from repro.cluster.claims import Claim, Standing, born, newest, standing
from repro.errors import UserError
from repro.folders import Folder, Places
from repro.whole import read_json

Word = Literal["done", "running", "queued", "suspended", "interrupted", "lost", "failed", "diverged", "lacking"]

_WAITING = {"PENDING", "REQUEUED", "REQUEUE_HOLD", "REQUEUE_FED", "SPECIAL_EXIT", "RESV_DEL_HOLD"}


@dataclass(frozen=True)
class State:
    """Where one run is, and what can be said about it."""

    id: str
    word: Word
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

    @property
    def live(self) -> bool:
        """Whether something is at work on it, or will be without being asked."""
        return self.word in ("running", "queued", "suspended")


@dataclass(frozen=True)
class Seen:
    """What the files of a run say, read before the scheduler is asked."""

    folder: Folder
    final: dict[str, Any] | None = None
    failed: dict[str, Any] | None = None
    progress: dict[str, Any] | None = None
    claim: Claim | None = None
    batch: Batch | None = None
    damage: str = ""

    @property
    def id(self) -> str:
        return self.folder.path.name


def states(folders: Iterable[Folder], places: Places) -> list[State]:
    """The state of each run, in the order given, with one question to each scheduler that may know of them."""
    batches: dict[str, Batch] = {}
    seen = [look(folder, places, batches) for folder in folders]
    live = ask(seen)
    return [judge(each, live.get(conf_of(each))) for each in seen]


def look(folder: Folder, places: Places, batches: dict[str, Batch]) -> Seen:
    """Read what the files say: one for a run that is done, a few for any other. Batches already read are shared."""
    try:
        final = read_json(folder.final)
        if final is not None:
            return Seen(folder, final)
        claim = newest(folder)
        batch = batches.setdefault(claim.batch, Batch(jobs_folder(places) / claim.batch)) if claim else None
        if batch:
            _ = batch.runs, batch.array  # read now, before the scheduler is asked
        return Seen(folder, None, read_json(folder.failed), read_json(folder.progress), claim, batch)
    except UserError as error:
        return Seen(folder, damage=error.problem)


def ask(seen: Sequence[Seen]) -> dict[str | None, queue.Live | None]:
    """What each scheduler knows of the batches seen: one call for each cluster, none where nothing was sent."""
    by_conf: dict[str | None, dict[str, str | None]] = {}
    for each in seen:
        if each.claim and each.batch and each.batch.runs:
            by_conf.setdefault(conf_of(each), {})[each.batch.name] = each.batch.array
    return {conf: queue.live(arrays, conf) for conf, arrays in by_conf.items()}


def judge(seen: Seen, live: queue.Live | None) -> State:
    """The state that follows from the files and the queue."""
    if seen.damage:
        return State(seen.id, "failed", seen.damage)
    if seen.final is not None:
        return _done(seen.id, seen.final)
    where = standing(seen.claim, seen.id, seen.batch, live) if seen.claim and seen.batch else None
    if where == "live":
        assert seen.batch is not None
        assert live is not None
        return _in_queue(seen, live[seen.batch.name, seen.batch.index(seen.id) or 0])
    word, reason = _out_of_queue(seen, where)
    return State(seen.id, word, reason, **_facts(seen))


def _done(run_id: str, final: dict[str, Any]) -> State:
    metrics, iterations = final.get("metrics", {}), final.get("run", {}).get("recipe", {}).get("iterations")
    provenance = final.get("provenance", {})
    return State(
        run_id,
        "done",
        attempt=provenance.get("attempts"),
        iteration=iterations,
        iterations=iterations,
        train_error=metrics.get("train_error"),
        test_error=metrics.get("test_error", metrics.get("center_top1")),
        host=provenance.get("host"),
        job=provenance.get("job"),
    )


def _in_queue(seen: Seen, job: queue.Job) -> State:
    facts = _facts(seen) | {"job": job.id, "elapsed": job.elapsed, "limit": job.limit}
    if job.state in _WAITING:
        return State(seen.id, "queued", job.reason, **facts | {"host": None, "elapsed": None})
    if job.state in ("SUSPENDED", "STOPPED"):
        return State(seen.id, "suspended", job.reason, **facts)
    reason = "" if job.state == "RUNNING" else job.state.lower()
    if seen.progress and seen.progress.get("job") != job.id:  # its own first word is still to come
        return State(seen.id, "running", reason or "starting", **facts | {"host": job.node})
    return State(seen.id, "running", reason, **facts | {"host": job.node})


def _out_of_queue(seen: Seen, where: Standing | None) -> tuple[Word, str]:
    """The state of a run for which no job waits or runs, as far as is known."""
    if seen.failed is not None:
        word: Word = "diverged" if seen.failed.get("state") == "diverged" else "failed"
        return word, str(seen.failed.get("problem", ""))
    if where == "sending":
        assert seen.claim is not None
        return "queued", f"being sent by {seen.claim.user} on {seen.claim.host}, process {seen.claim.pid}"
    progress = seen.progress
    if progress and progress.get("state") == "stopped":
        return "interrupted", f"saved at iteration {progress.get('iteration')}"
    if progress and not progress.get("job"):
        return _here(progress)
    if where == "unknown":
        return ("running" if progress else "queued"), "scheduler unknown"
    index = seen.batch.index(seen.id) if seen.batch else None
    if where == "ended" and seen.batch is not None and index is not None and seen.batch.started(index):
        said = seen.batch.slurm_says(index)
        if said:
            return "interrupted", said
        return "lost", "its job ended without a word: " + (
            "killed, or out of memory" if progress else "before training"
        )
    if progress:
        return "lost", "its job is gone"
    return "lacking", "taken from the queue before it started" if where == "ended" else ""


def _here(progress: dict[str, Any]) -> tuple[Word, str]:
    """A run that was started without a scheduler: its process is known on its own machine only."""
    if progress.get("host") != socket.gethostname():
        return "running", f"on {progress.get('host')}, which cannot be asked from here"
    pid = progress.get("pid")
    return ("running", "") if isinstance(pid, int) and born(pid) else ("interrupted", "its process has ended")


def _facts(seen: Seen) -> dict[str, Any]:
    progress, claim, batch = seen.progress or {}, seen.claim, seen.batch
    names = ("attempt", "iteration", "iterations", "eta_seconds", "gpu_percent", "train_error", "test_error")
    facts = {name: progress.get(name) for name in (*names, "host", "job")}
    index = batch.index(seen.id) if batch else None
    if batch and batch.array and index is not None and not facts["job"]:
        facts["job"] = f"{batch.array}_{index}"
    return facts | {"cluster": claim.cluster if claim else None}


def conf_of(seen: Seen) -> str | None:
    """Which scheduler may know of this run."""
    return seen.claim.slurm_conf if seen.claim else None
