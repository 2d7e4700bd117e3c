"""Where every run is: our own files are the truth, and one `squeue` call says what waits and what runs.

It works without accounting, and without any SLURM: then it says so and shows what the files know.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from repro.cluster import slurm
from repro.cluster.records.batch import Batch, jobs_folder
from repro.cluster.records.ownership import (
    Claim,
    Standing,
    claim_standing,
    failed_in,
    is_alive,
    newest_claim,
)
from repro.cluster.status.checkpoint_iteration import checkpoint_iteration
from repro.definition.words import RunState
from repro.errors import UserError
from repro.storage.atomic import read_json
from repro.storage.paths import Folder, Places

_WAITING = {"PENDING", "REQUEUED", "REQUEUE_HOLD", "REQUEUE_FED", "SPECIAL_EXIT", "RESV_DEL_HOLD"}


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
    checkpoint_iteration: int | None = None  # what is saved; a run that is done needs no checkpoint
    retriable: bool = False  # it gave up, or nobody here knows of anything at work on it: `--retry` sends it again

    @property
    def live(self) -> bool:
        """Whether something is at work on it, or will be without being asked."""
        return self.word in (RunState.RUNNING, RunState.QUEUED, RunState.SUSPENDED)


@dataclass(frozen=True)
class RunFiles:
    """What the files of a run say, read before the scheduler is asked."""

    folder: Folder
    final: dict[str, Any] | None = None
    failed: dict[str, Any] | None = None
    progress: dict[str, Any] | None = None
    claim: Claim | None = None
    batch: Batch | None = None
    failed_in: str | None = None  # the job that wrote `failed`
    checkpoint_iteration: int | None = None
    damage: str = ""

    @property
    def id(self) -> str:
        return self.folder.path.name

    @property
    def job(self) -> str | None:
        """Its element of the array in which it was last sent, as far as its number is known."""
        index = self.batch.index(self.id) if self.batch else None
        return (
            f"{self.batch.array}_{index}"
            if self.batch and self.batch.array and index is not None
            else None
        )


def all_states(folders: Iterable[Folder], places: Places) -> list[State]:
    """The state of each run, in the order given, with one question to each scheduler that may know of them."""
    batches: dict[str, Batch] = {}
    seen = [read_files(folder, places, batches) for folder in folders]
    live = ask_schedulers(seen)
    return [state_of(each, live.get(conf_of(each))) for each in seen]


def read_files(folder: Folder, places: Places, batches: dict[str, Batch]) -> RunFiles:
    """Read what the files say: one for a run that is done, a few for any other. Batches already read are shared."""
    try:
        final = read_json(folder.final)
        if final is not None:
            return RunFiles(folder, final)
        claim = newest_claim(folder)
        batch = (
            batches.setdefault(claim.batch, Batch(jobs_folder(places) / claim.batch))
            if claim
            else None
        )
        if batch:
            _ = batch.runs, batch.array  # read now, before the scheduler is asked
        failed = read_json(folder.failed)
        job = failed_in(folder, failed) if failed else None
        progress, saved = read_json(folder.progress), checkpoint_iteration(folder)
        return RunFiles(folder, None, failed, progress, claim, batch, job, saved)
    except UserError as error:
        return RunFiles(folder, damage=error.problem)


def ask_schedulers(seen: Sequence[RunFiles]) -> dict[str | None, slurm.Live | None]:
    """What each scheduler knows of the batches seen: one call for each cluster, none where nothing was sent."""
    by_conf: dict[str | None, dict[str, str | None]] = {}
    for each in seen:
        if each.claim and each.batch and each.batch.runs:
            by_conf.setdefault(conf_of(each), {})[each.batch.name] = each.batch.array
    return {conf: slurm.live_jobs(arrays, conf) for conf, arrays in by_conf.items()}


def state_of(seen: RunFiles, live: slurm.Live | None) -> State:
    """The state that follows from the files and the queue."""
    if seen.damage:
        return State(
            seen.id, RunState.FAILED, seen.damage
        )  # not retriable: first the file must be put right
    if seen.final is not None:
        return _done(seen.id, seen.final)
    where = (
        claim_standing(seen.claim, seen.id, seen.batch, live) if seen.claim and seen.batch else None
    )
    if where == "live":
        assert seen.batch is not None
        assert live is not None
        job = live[seen.batch.name, seen.batch.index(seen.id) or 0]
        if (
            seen.failed is None or seen.failed_in != job.id
        ):  # else the job goes on with those that share it
            return _in_queue(seen, job)
    word, reason = _out_of_queue(seen, where)
    retriable = word in (RunState.FAILED, RunState.DIVERGED, RunState.LOST) or (
        word == RunState.RUNNING and _by_hearsay(seen, where)
    )
    return State(seen.id, word, reason, retriable=retriable, **_facts(seen))


def _done(run_id: str, final: dict[str, Any]) -> State:
    metrics, iterations = (
        final.get("metrics", {}),
        final.get("run", {}).get("recipe", {}).get("iterations"),
    )
    provenance = final.get("provenance", {})
    return State(
        run_id,
        RunState.DONE,
        attempt=provenance.get("attempts"),
        iteration=iterations,
        iterations=iterations,
        train_error=metrics.get("train_error"),
        test_error=metrics.get("test_error", metrics.get("center_top1")),
        host=provenance.get("host"),
        job=provenance.get("job"),
    )


def _in_queue(seen: RunFiles, job: slurm.Job) -> State:
    facts = _facts(seen) | {"job": job.id, "elapsed": job.elapsed, "limit": job.limit}
    if job.state in _WAITING:
        return State(
            seen.id, RunState.QUEUED, job.reason, **facts | {"host": None, "elapsed": None}
        )
    if job.state in ("SUSPENDED", "STOPPED"):
        return State(seen.id, RunState.SUSPENDED, job.reason, **facts)
    reason = "" if job.state == "RUNNING" else job.state.lower()
    if seen.progress and seen.progress.get("job") != job.id:  # its own first word is still to come
        return State(seen.id, RunState.RUNNING, reason or "starting", **facts | {"host": job.node})
    return State(seen.id, RunState.RUNNING, reason, **facts | {"host": job.node})


def _out_of_queue(seen: RunFiles, where: Standing | None) -> tuple[RunState, str]:
    """The state of a run for which no job waits or runs, as far as is known."""
    progress = seen.progress
    if where == "sending":
        assert seen.claim is not None
        return (
            RunState.QUEUED,
            f"being sent by {seen.claim.user} on {seen.claim.host}, process {seen.claim.pid}",
        )
    if seen.failed is not None and (where != "unknown" or seen.failed_in == seen.job):
        word = (
            RunState.DIVERGED if seen.failed.get("state") == RunState.DIVERGED else RunState.FAILED
        )
        return word, str(seen.failed.get("problem", ""))
    saved = (
        f"saved at iteration {progress.get('iteration')}"
        if progress and progress.get("state") == "stopped"
        else ""
    )
    if where == "unknown":
        at_work = progress and not saved and not seen.failed
        return (RunState.RUNNING if at_work else RunState.QUEUED), "; ".join(
            filter(None, (saved, "scheduler unknown"))
        )
    if saved:
        return RunState.INTERRUPTED, saved
    if progress and not _was_sent(seen):
        return _here(progress)
    return _ended(seen, where)


def _ended(seen: RunFiles, where: Standing | None) -> tuple[RunState, str]:
    """The state of a run whose job is gone, and that has not said how it ended."""
    index = seen.batch.index(seen.id) if seen.batch else None
    if (
        where == "ended"
        and seen.batch is not None
        and index is not None
        and seen.batch.started(index)
    ):
        said = seen.batch.slurm_says(index)
        if said:
            return RunState.INTERRUPTED, said
        return RunState.LOST, "its job ended without a word: " + (
            "killed, or out of memory" if seen.progress else "before training"
        )
    if seen.progress:
        return RunState.LOST, "its job is gone"
    return RunState.LACKING, "taken from the queue before it started" if where == "ended" else ""


def _was_sent(seen: RunFiles) -> bool:
    """Whether `repro submit` sent the job that was last at work: `repro run` in a job of one's own is no element."""
    job = (seen.progress or {}).get("job")
    return seen.claim is not None and "_" in str(job or "")


def _here(progress: dict[str, Any]) -> tuple[RunState, str]:
    """A run that was started without `repro submit`: its process is known on its own machine only."""
    if progress.get("host") != socket.gethostname():
        return RunState.RUNNING, f"on {progress.get('host')}, which cannot be asked from here"
    return (
        (RunState.RUNNING, "")
        if is_alive(progress)
        else (RunState.INTERRUPTED, "its process has ended")
    )


def _by_hearsay(seen: RunFiles, where: Standing | None) -> bool:
    """Whether nothing but what was written on another machine says that it is running."""
    return where != "unknown" and (seen.progress or {}).get("host") != socket.gethostname()


def _facts(seen: RunFiles) -> dict[str, Any]:
    progress, claim = seen.progress or {}, seen.claim
    names = (
        "attempt",
        "iteration",
        "iterations",
        "eta_seconds",
        "gpu_percent",
        "train_error",
        "test_error",
    )
    facts = {name: progress.get(name) for name in (*names, "host", "job")}
    facts["job"] = facts["job"] or seen.job
    facts["checkpoint_iteration"] = seen.checkpoint_iteration
    return facts | {"cluster": claim.cluster if claim else None}


def conf_of(seen: RunFiles) -> str | None:
    """Which scheduler may know of this run."""
    return seen.claim.slurm_conf if seen.claim else None
